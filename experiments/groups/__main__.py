"""How well does a model label groups of faces? On drawn faces, of which the drawing knows every trait.

    python -m experiments.groups --weights=drawn
    python -m experiments.groups --workdir=runs/drawn_faces/seed0 --num_faces=1000

Draws photographic test faces (those of a drawn set with this --seed), labels each at its own size and scores groups of
them: by skin tone, lines of age, hair, glasses, hat, what covers the face, pose, light and more
(`experiments.groups.attributes`). The mean F1 of a group counts the pixels of all its faces together, as everywhere
here, over the classes that they have; beside it stands that of all faces over the same classes. Its 95 % interval is
the percentile bootstrap over its faces (2,000 resamples, seed 0).

Writes groups.json, groups.csv, faces.npz (confusion matrix and groups of every face) and faces.png: the worst, the
median and the best face, with truth and prediction. The worst group is the one furthest below all faces, of those with
ten faces or more. Of some fifty groups one is low by chance, too: compare its interval with the score of all faces.
"""

import argparse
from collections.abc import Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.weights import trained_model


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    command_line.run("experiments.groups", _work, _parser().parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.groups import measure

    measure.run(flags)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("experiments.groups", __doc__)
    trained_model.add_arguments(parser)
    parser.add_argument("--num_faces", type=int, default=400, help="default: 400")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn set (default: 0)")
    parser.add_argument("--image_size", type=int, default=256, help="pixels a side (default: 256)")
    parser.add_argument(
        "--output",
        help="folder for the results (default: groups in WORKDIR or in runs/weights-NAME)",
    )
    return parser


if __name__ == "__main__":
    main()
