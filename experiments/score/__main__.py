"""Scores label maps of any system under every protocol of the field at once.

    python -m experiments.score --truth=LABELS --predictions=FOLDER --classes=lapa
    python -m experiments.score --truth=LABELS --predictions=FOLDER --classes=lapa --output=runs/theirs/seed0

Both folders hold PNG label maps under the same names; a pixel's value is its class (greyscale or palette), or its
colour where a table of classes has colours. Prints every score at the truth's own size, at 256, at 512 and on the
canvas of STN-iCNN, which published table has which, and how far the protocols alone are apart (docs/score.md).

--classes: lapa, celebamask_hq, helen, or a file with one class a line, line 1 being id 0, the background.
--prediction_classes: where predictions have other classes, a file with a line for each of their ids, from 0 on: the
name or id of ours, and behind it #rrggbb where colours stand for classes. --truth_classes: likewise; 'ignore' there
is what does not count.

What looks like a mistake (mirrored, shifted, left and right exchanged, ids counted from 1 …), in all files or in a
few, is named, and never corrected. --output leaves what a run leaves, so that experiments.report reads it beside runs
and over seeds.
"""

import argparse
import pathlib
from collections.abc import Sequence

from fpliif_jax.commands import command_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    command_line.run("experiments.score", _work, _parser().parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.score import measure

    measure.run(flags)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("experiments.score", __doc__)
    for name in ("truth", "predictions"):
        parser.add_argument(
            f"--{name}", type=pathlib.Path, required=True, help="folder of PNG label maps"
        )
    parser.add_argument("--classes", required=True, help="lapa, celebamask_hq, helen or a file")
    for name in ("prediction_classes", "truth_classes"):
        parser.add_argument(f"--{name}", type=pathlib.Path, help="file: our class for each id")
    parser.add_argument(
        "--missing",
        choices=("refuse", "skip"),
        default="refuse",
        help="label maps without a prediction (default: refuse; skip: score the others)",
    )
    parser.add_argument(
        "--label_resize",
        choices=("class_bicubic", "nearest"),
        default="class_bicubic",
        help="how label maps are brought to 256 and 512, as in a config (default: class_bicubic)",
    )
    parser.add_argument("--output", type=pathlib.Path, help="folder for what a run leaves")
    parser.add_argument(
        "--against",
        type=pathlib.Path,
        help="a run, or the output of another call: the difference, image by image",
    )
    parser.add_argument("--system", help="whose label maps these are (default: the folder's name)")
    parser.add_argument("--seed", type=int, default=0, help="of the system's training (default: 0)")
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="default: test"
    )
    return parser


if __name__ == "__main__":
    main()
