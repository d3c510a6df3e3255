"""Writes a trained model as files for programs that do not have this package.

    python -m fpliif_jax.export --workdir=runs/synthetic/seed0 --format=onnx --output=exported
    python -m fpliif_jax.export --weights=drawn --format=hub --output=exported-hub

FP-LIIF's network is a function of a photo, already resized to the network's square, and of the coordinates of rows and
columns: one file answers at any output size, and for crops. STN-iCNN's is one of a photo on its canvas. Formats:

    onnx         model.onnx for onnxruntime and browsers; --float16 stores the weights in half the bytes,
                 --parts writes encoder.onnx and decoder.onnx instead
    stablehlo    model.stablehlo for jax.export.deserialize on CPUs, NVIDIA GPUs and TPUs
    safetensors  model.safetensors, as python -m fpliif_jax.interop writes it
    hub          a folder to upload: model.safetensors (of FP-LIIF), model.onnx, config.json, README.md

Every network file is read back and compared with JAX at several sizes; nothing is left at --output where it differs.
"""

import argparse
import sys
from collections.abc import Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.weights import trained_model

FORMATS = ("onnx", "stablehlo", "safetensors", "hub")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    flags = _parser().parse_args(arguments)
    if flags.format != "onnx" and (flags.parts or flags.float16):
        sys.exit("error: --parts and --float16 are for --format=onnx")
    command_line.run("fpliif_jax.export", _work, flags)


def _work(flags: argparse.Namespace) -> None:
    import jax

    from fpliif_jax.export import write

    # What is compared are programs of a CPU, whatever else is here.
    jax.config.update("jax_platforms", "cpu")
    write.check_place(flags.output)
    chosen = trained_model.load(flags)
    for line in write.export(chosen, flags.format, flags.output, flags.parts, flags.float16):
        print(line)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("fpliif_jax.export", __doc__)
    trained_model.add_arguments(parser)
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--output", required=True, help="folder to make; it must not exist")
    parser.add_argument("--parts", action="store_true", help="encoder and decoder as two files")
    parser.add_argument(
        "--float16", action="store_true", help="weights rounded to float16; computed in float32"
    )
    return parser


if __name__ == "__main__":
    main()
