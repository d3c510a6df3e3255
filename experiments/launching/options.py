"""The command-line options that all studies share: how many runs at a time, where, and with which seeds."""

import argparse
from collections.abc import Sequence

from fpliif_jax.data_builders.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --jobs, --launcher and the options of Slurm."""
    parser.add_argument(
        "--jobs", type=int, default=1, help="runs at the same time; GPUs are shared out among them"
    )
    parser.add_argument("--launcher", choices=("local", "slurm"), default="local")
    parser.add_argument(
        "--slurm",
        default="",
        metavar="NAME=VALUE,…",
        help="for submitit: slurm_partition=gpu,gpus_per_node=4,timeout_min=600",
    )
    parser.add_argument(
        "--slurm_cluster",
        choices=("slurm", "local"),
        default="slurm",
        help="local: the array as processes of this machine",
    )


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[argparse.Namespace, list[str]]:
    """The parser's own options, and --config.FIELD=VALUE for the runs; anything else is an error."""
    flags, rest = parser.parse_known_args(arguments)
    wrong = [argument for argument in rest if not argument.startswith("--config.")]
    if wrong:
        parser.error(f"unknown argument {wrong[0]!r}; settings are --config.FIELD=VALUE")
    if any(argument.startswith("--config.seed=") for argument in rest):
        parser.error("--config.seed is what --seeds is for")
    return flags, rest


def check_options(flags: argparse.Namespace) -> None:
    """Refuses impossible options.

    Raises:
      UserError: names the option.
    """
    if flags.jobs < 1:
        raise UserError(f"--jobs is {flags.jobs}; it must be at least 1")
    if flags.launcher == "slurm" and flags.jobs != 1:
        raise UserError(
            "--jobs is for --launcher=local; Slurm runs as many tasks as it has room for"
        )
    slurm_parameters(flags.slurm)


def slurm_parameters(text: str) -> dict[str, int | str]:
    """'slurm_partition=gpu,timeout_min=600' as a dict; what is a whole number becomes one.

    Raises:
      UserError: it is not of this form.
    """
    parameters: dict[str, int | str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name or not value:
            raise UserError(f"--slurm has {part!r}; it must be NAME=VALUE,NAME=VALUE")
        parameters[name] = int(value) if value.isdecimal() else value
    return parameters
