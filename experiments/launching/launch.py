"""How the jobs of a study are launched: the command-line options that all studies share, and the end of it."""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import ml_collections

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.launching import local, slurm
from fpliif_jax.experiments.launching.jobs import Job, Outcome
from fpliif_jax.experiments.plans.study_file import Study, write_study
from fpliif_jax.run_folder import run_record


def add_options(parser: argparse.ArgumentParser) -> None:
    """--jobs, --launcher and what Slurm is told."""
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
    _slurm_parameters(flags.slurm)


_MOST_SEEDS, _MOST_DIGITS = 1_000, 10


def read_seeds(text: str) -> list[int]:
    """'0,1,2' or '0-4' as whole numbers from 0, each once.

    Raises:
      UserError: it is neither.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"--seeds is {text!r}; it must be like 0,1,2 or 0-4")
        ends = (first, last if dash else first)
        if max(map(len, ends)) > _MOST_DIGITS or int(ends[1]) - int(ends[0]) >= _MOST_SEEDS:
            raise UserError(
                f"--seeds is {text!r}; it may name at most {_MOST_SEEDS:,} seeds of up to "
                f"{_MOST_DIGITS} digits"
            )
        seeds += range(int(ends[0]), int(ends[1]) + 1)
    if not seeds or len(set(seeds)) != len(seeds):
        raise UserError(f"--seeds is {text!r}; it must name at least one seed, and each once")
    return seeds


class StudyError(UserError):
    """A study cannot be started; the message says why and what to do."""


def start(
    jobs: Sequence[Job],
    flags: argparse.Namespace,
    study: Study,
    configs: Sequence[ml_collections.ConfigDict],
) -> list[Outcome]:
    """Sees to it that all jobs can run, notes what the study is, and runs them as the options say.

    The data are prepared here, once: runs that start at the same time need not do it beside each other.

    Args:
      jobs: of the study.
      flags: with the options of `add_options`.
      study: what study.json is to say; its folder is where it goes.
      configs: of the jobs that need data.

    Raises:
      StudyError: a folder holds a run of other settings; nothing has been changed then.
      RunRecordError: the study's folder cannot be written.
      DataError: the data are not there.
      SlurmError: the jobs cannot be submitted.
    """
    for job in jobs:
        for step in job.steps:
            conflict = step.conflict(job.workdir)
            if conflict is not None:
                raise StudyError(f"{job.name}: {conflict}")
    folder = pathlib.Path(study.folder)
    run_record.check_workdir(folder)
    if not all(job.is_finished for job in jobs):
        for data in {
            config.data.to_json(sort_keys=True): config.data for config in configs
        }.values():
            load_dataset(data)
    write_study(folder, study)
    if flags.launcher == "slurm":
        parameters = _slurm_parameters(flags.slurm)
        return slurm.run(jobs, folder / "slurm", parameters, flags.slurm_cluster)
    return local.run(jobs, flags.jobs)


def finish(outcomes: Sequence[Outcome], folder: pathlib.Path) -> None:
    """Tells how many jobs ended how, and exits with code 1 unless all are finished."""
    kinds = ("finished", "skipped", "interrupted", "not started", "failed", "blocked")
    counts = {kind: [outcome for outcome in outcomes if outcome.status == kind] for kind in kinds}
    if counts["finished"] or counts["skipped"]:
        print(f"report: python -m experiments.report --runs={folder} --output={folder}/report")
    told = ", ".join(f"{len(found)} {kind}" for kind, found in counts.items() if found)
    print(told.replace("skipped", "finished before"))
    bad = [outcome for outcome in outcomes if not outcome.is_well]
    for outcome in bad:
        print(f"{outcome.status}: {outcome.job.name}: {outcome.problem}", file=sys.stderr)
    if bad:
        mended = "once that is mended, " if counts["failed"] else ""
        print(f"{mended}the same command goes on with what is not finished", file=sys.stderr)
        sys.exit(1)


def _slurm_parameters(text: str) -> dict[str, Any]:
    """'slurm_partition=gpu,timeout_min=600' as a dict; what is a whole number becomes one."""
    parameters: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name or not value:
            raise UserError(f"--slurm has {part!r}; it must be NAME=VALUE,NAME=VALUE")
        parameters[name] = int(value) if value.isdecimal() else value
    return parameters
