"""Writes the weights of a run as a file, or makes a run of a file of weights.

    python -m fpliif_jax.interop --workdir=RUN --output=model.safetensors
    python -m fpliif_jax.interop --weights=drawn --output=model.pth
    python -m fpliif_jax.interop --input=model.safetensors --config=lapa --workdir=NEWRUN

Files end with .safetensors, .pth, .pt or .pth.tar; the last three need PyTorch. Of a run the best checkpoint is
written, or with --checkpoint=last the last; --weights names weights that come with the package. The other way the
config must be the one the weights were trained with, as far as the model goes, and --config.FIELD=VALUE works as in
training; the files of STN-iCNN's authors will do too. The new run can be evaluated and used for prediction as any
other.
"""

import argparse
import sys
from collections.abc import Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.weights import trained_model


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    command_line.run("fpliif_jax.interop", _work, *_parse(arguments))


def _work(flags: argparse.Namespace, config_arguments: list[str]) -> None:
    import jax

    from fpliif_jax.interop.file_formats import check_name
    from fpliif_jax.interop.run_weights import make_run, write_model
    from fpliif_jax.training import preflight

    # Copying weights must not take the memory of a GPU at which others are at work.
    jax.config.update("jax_platforms", "cpu")
    if flags.output:
        output = expanded(flags.output)
        check_name(output)
        chosen = trained_model.load(flags)
        written = write_model(chosen.trained, chosen.checkpoint, chosen.origin, output)
        print(
            f"{output}: {written.values:,} values of {chosen.description}, sha256 {written.sha256}"
        )
    else:
        config = command_line.config_of(config_arguments)
        preflight.check_settings(config)
        workdir = expanded(flags.workdir)
        note = make_run(expanded(flags.input), config, workdir)
        print(f"{workdir}: checkpoint best holds {note}")


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the arguments that are for the config."""
    parser = command_line.CommandParser("fpliif_jax.interop", __doc__)
    trained_model.add_arguments(parser, "folder of the run, or of the new one")
    files = parser.add_mutually_exclusive_group(required=True)
    files.add_argument("--output", help="file to write the weights of the run to")
    files.add_argument("--input", help="file of weights to make a run of")
    flags, rest = parser.parse_known_args(arguments)
    wrong = [argument for argument in rest if not argument.startswith("--config")]
    if wrong:
        sys.exit(f"error: unexpected argument {wrong[0]!r}; settings are --config.FIELD=VALUE")
    if flags.output and rest:
        sys.exit(f"error: {rest[0]} is for --input; the config of --output is that of the run")
    if flags.input and not any(argument.startswith("--config=") for argument in rest):
        sys.exit(
            "error: --input needs --config=NAME or FILE, the experiment that the weights are of"
        )
    for name in ("checkpoint", "weights"):
        if flags.input and getattr(flags, name):
            sys.exit(f"error: --{name} is for --output")
    if flags.input and not flags.workdir:
        sys.exit("error: --input needs --workdir=NEWRUN, the folder of the run to make")
    return flags, rest


if __name__ == "__main__":
    main()
