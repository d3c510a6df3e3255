"""The test of Fig. 5 of STN-iCNN: where do the windows go when a part of the face is hidden?

    python -m experiments.robustness --workdir=runs/stn_icnn_helen/seed0
    python -m experiments.robustness --weights=drawn_stn_icnn --split=validation --num_images=100 \\
        --dataset=celebamask_hq --labels=facial_parts --manual_dir=DOWNLOADS

In every image of a split each of the six parts that it has is hidden by itself, behind a smooth
continuation of what surrounds it (`experiments.robustness.hiding`). The coarse network K labels the hidden image, and
both croppers place their windows by its mask: the localisation network (STN) and the baseline, which takes
the centroid of each part, or the middle of the image where the mask lacks it. Neither is told what is hidden.

Writes robustness.json: for each part, for all, and for the cases in which K's mask lost the hidden part

- distance_before, distance_after: from the centre of the hidden part's window to the part's true centre,
  before it was hidden and after
- moved: how far hiding it moved the centre of its window
- inside_before, inside_after: fraction of windows whose centre lies in the part's true bounding box
- others_moved: how far hiding it moved the windows of the other parts that the image has

all in pixels of the canvas (mean, median, n); and robustness.png in the manner of Fig. 5: images evenly spaced
over those measured, a different part hidden in each, the order of the parts drawn by --seed.
"""

import argparse
from collections.abc import Sequence

from fpliif_jax import data_builders
from fpliif_jax.commands import command_line
from fpliif_jax.weights import trained_model


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    command_line.run("experiments.robustness", _work, _parser().parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.robustness import measure

    measure.run(flags)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("experiments.robustness", __doc__)
    trained_model.add_arguments(parser, workdir_help="folder of an STN-iCNN run")
    parser.add_argument(
        "--dataset",
        choices=data_builders.NAMES,
        help="set of the images (default: the one that the run is scored on)",
    )
    parser.add_argument("--labels", help="of --dataset: facial_parts makes its classes STN-iCNN's")
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--num_images", type=int, default=0, help="drawn at random; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the images drawn and the pictures")
    parser.add_argument(
        "--margin", type=int, help="pixels hidden around a part (default: crop / 20)"
    )
    parser.add_argument(
        "--output",
        help="folder for the results (default: robustness in WORKDIR or in runs/weights-NAME)",
    )
    parser.add_argument("--num_pictures", type=int, default=6, help="columns of robustness.png")
    parser.add_argument("--manual_dir", help="raw download, if not where the run found it")
    parser.add_argument("--data_dir", help="prepared sets, if not where the run found them")
    return parser


if __name__ == "__main__":
    main()
