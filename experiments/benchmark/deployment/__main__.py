"""Measures weights of the package in use, and the files that are made of them.

    python -m experiments.benchmark.deployment --output=experiments/results/my-machine-deployment
    python -m experiments.benchmark.deployment --weights=drawn_stn_icnn --parts=differences
    python -m experiments.benchmark.deployment --untrained=configs/stn_icnn_helen.py --parts=differences

Inputs are drawn faces. Parts, each of them a table that is printed, and in --output a file WEIGHTS-PART.json:

    first_photo   from the start of Python to the first label map, with no compiled programs and with those that this
                  leaves, and every photo after it
    graphs        FP-LIIF's ONNX files beside those of PyTorch's exporter, in turn, in onnxruntime on one thread
    differences   exported files from JAX, at noise of six sizes and at drawn faces, and what a call takes
    onnx_only     what examples/onnx_only.py takes for a photo, from the start of its process to the end, and its memory
    video         what a frame takes to be read and labelled, laid over and written
    squares       F1 of FP-LIIF where the network sees a smaller square, as in the live video of fpliif_jax.demo
    browser       milliseconds that the page of fpliif_jax.demo shows in a Chromium without a window, and its live video

Seconds are of processors, all threads together, which other programs disturb less than the clock, but for those of the
page, which are the clock's; a ratio is taken within each round. docs/predict.md, docs/export.md and docs/demo.md have
what was measured.
"""

import argparse
import pathlib
from collections.abc import Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.weights import shipped

PARTS = ("first_photo", "graphs", "differences", "onnx_only", "video", "squares", "browser")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command_line.CommandParser("experiments.benchmark.deployment", __doc__)
    parser.add_argument("--weights", choices=shipped.NAMES, default="drawn", help="default: drawn")
    parser.add_argument(
        "--untrained", metavar="CONFIG", help="instead: fresh weights of its networks; differences"
    )
    parser.add_argument(
        "--parts", type=lambda text: text.split(","), help="default: all that these weights have"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="of what is timed in turn (7); starts: at most 3"
    )
    parser.add_argument("--size", type=int, default=512, help="of the photo that is labelled (512)")
    parser.add_argument("--frames", type=int, default=60, help="of a video of 256² (60)")
    parser.add_argument("--output", type=pathlib.Path, help="folder for the JSON; none: print only")
    parser.set_defaults(workdir=None, checkpoint=None)  # as `trained_model.load` has them
    command_line.run("experiments.benchmark.deployment", _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    for name in flags.parts or ():
        if name not in PARTS:
            raise UserError(f"--parts has {name!r}; it must be of {', '.join(PARTS)}")
    if flags.untrained and flags.parts != ["differences"]:
        raise UserError("--untrained is for --parts=differences")
    if min(flags.rounds, flags.size, flags.frames) < 1:
        raise UserError("--rounds, --size and --frames must be at least 1")

    from fpliif_jax.experiments.benchmark.deployment import measure

    measure.run(flags)


if __name__ == "__main__":
    main()
