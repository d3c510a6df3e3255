"""How well do models label drawn faces of each kind, from plain ones to half-length pictures?

    python -m experiments.groups.kinds --output=kinds.json
    python -m experiments.groups.kinds --weights drawn_small --workdirs runs/synthetic/seed0 --output=kinds.json
    python -m experiments.groups.kinds --kinds half-length --output=half_length.json

Draws one test set a kind (plain, photographic, photographic with scarves, reflections, hats and jewels, half-length),
the same for all models: the package's weights, unless some are named, and runs. Mean F1 over LaPa's ten classes, and
over the eight parts of the face without skin and hair, which is all that STN-iCNN tells apart: pixels of all faces
together, in percent, with the 95 % percentile bootstrap interval over faces (2,000 resamples, seed 0). Predictions in
CelebAMask-HQ's 19 classes become LaPa's as `config.data.labels=lapa` has it. Half-length pictures are labelled a second
time with find="auto", by models with a class for skin. Prints a line for each score and writes all to --output.
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from fpliif_jax.commands import command_line
from fpliif_jax.weights import shipped

_COMMAND = "experiments.groups.kinds"
_SEED = 20_261_128  # no config, plan or weights of the package draws with it


class Kind(NamedTuple):
    """Faces of a style with additions; where pictures are half-length, those that are."""

    style: str
    also: tuple[str, ...] = ()

    @property
    def is_half_length(self) -> bool:
        return "half_length" in self.also


KINDS = {
    "plain": Kind("plain"),
    "photographic": Kind("photographic"),
    "with things": Kind("photographic", ("scarves", "reflections", "hats", "jewels")),
    "half-length": Kind("photographic", ("half_length",)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument(
        "--weights",
        nargs="*",
        default=shipped.NAMES,
        metavar="NAME",
        help=f"that come with the package (default: {' '.join(shipped.NAMES)})",
    )
    parser.add_argument("--workdirs", nargs="*", default=(), metavar="RUN", help="folders of runs")
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=KINDS,
        default=KINDS,
        metavar="KIND",
        help=f"of {', '.join(KINDS)} (default: all)",
    )
    parser.add_argument("--num_faces", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--seed", type=int, default=_SEED, help=f"of the sets (default: {_SEED})")
    parser.add_argument("--image_size", type=int, default=256, help="pixels a side (default: 256)")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="JSON file to write")
    command_line.run(_COMMAND, _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.groups import kinds_measure

    kinds_measure.run(flags)


if __name__ == "__main__":
    main()
