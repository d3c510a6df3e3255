"""Runs the experiments behind a table of the papers: one command a table.

    python -m experiments.reproduce                              lists the tables
    python -m experiments.reproduce table5 --scale=smoke         every command, in minutes, on drawn faces
    python -m experiments.reproduce table5 --scale=small         small networks on drawn faces, five seeds
    python -m experiments.reproduce table5 --config.data.manual_dir=DOWNLOADS          as published
    python -m experiments.report --runs=runs/table5 --output=runs/table5/report

Each variant and seed is a run of its own, in WORKDIR/<variant>/seed<seed>: finished ones are skipped, interrupted ones
go on, one that fails stops no other. --config.FIELD=VALUE goes to all runs.

WORKDIR/study.json says which table and scale the runs are of: the report compares with published numbers what has
the published settings and data, and nothing else.
"""

import argparse
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from fpliif_jax.commands import command_line
from fpliif_jax.experiments.launching import options
from fpliif_jax.experiments.plans import scales, tables
from fpliif_jax.experiments.plans.variant import Table, Variant

if TYPE_CHECKING:
    from fpliif_jax.experiments.launching.jobs import Job

_COMMAND = "experiments.reproduce"

# Its output is a folder; what needs no data is measured without.
_BENCHMARK = "fpliif_jax.experiments.benchmark"
_BENCHMARK_FLAGS = ("--parts=latency", "--dtypes=float32")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is not finished, or lists the tables."""
    flags, passed_on = _parse(arguments)
    if flags.table is None:
        print(listing())
        return
    typed = shlex.join(sys.argv[1:] if arguments is None else arguments)
    command_line.run(_COMMAND, _work, flags, passed_on, typed)


def _work(flags: argparse.Namespace, passed_on: list[str], typed: str) -> None:
    import jax

    from fpliif_jax.experiments.launching import launch
    from fpliif_jax.experiments.plans.study_file import Study

    # Looking at settings must not take the memory of a GPU that the runs are to have.
    jax.config.update("jax_platforms", "cpu")
    options.check_options(flags)
    table = tables.table_named(flags.table)
    seeds = options.read_seeds(flags.seeds or scales.DEFAULT_SEEDS[flags.scale])
    suffix = "" if flags.scale == "paper" else f"-{flags.scale}"
    workdir = pathlib.Path(flags.workdir or f"runs/{table.name}{suffix}").expanduser()
    jobs = make_jobs(table, flags.scale, seeds, workdir, passed_on)
    command = f"{command_line.command_name(_COMMAND)} {typed}"
    names = tuple(job.name for job in jobs)
    study = Study(str(workdir), table, flags.scale, command, names)
    trained = [variant for variant in table.variants if variant.trains]
    configs = [
        command_line.config_of((*_arguments(variant, flags.scale), *passed_on))
        for variant in trained
    ]
    outcomes = launch.start(jobs, flags, study, configs)
    launch.finish(outcomes, workdir)


def listing() -> str:
    """The tables that there are, a line each."""
    lines = [f"{'table':<16}{'variants':>8}  what"]
    for table in tables.TABLES:
        lines.append(f"{table.name:<16}{len(table.variants):>8}  {table.title}")
    return "\n".join(lines)


def make_jobs(
    table: Table,
    scale: str,
    seeds: Sequence[int],
    workdir: pathlib.Path,
    passed_on: Sequence[str] = (),
) -> "list[Job]":
    """All runs of a table, seed by seed, so that an early end leaves whole comparisons.

    A variant that is at this scale the same as another is left out, which is printed.

    Args:
      table: of `experiments.plans.tables`.
      scale: of `experiments.plans.scales`.
      seeds: of the runs; what is not trained is done once.
      workdir: of the study.
      passed_on: --config.FIELD=VALUE for all.

    Raises:
      SettingsError: the settings of a variant are impossible.
    """
    variants = _different(table, scale, passed_on)
    jobs = []
    for seed in seeds:
        for variant in variants:
            if variant.trains:
                jobs.append(_training_job(variant, scale, seed, workdir, passed_on))
            elif seed == seeds[0]:
                jobs.append(_measuring_job(variant, scale, workdir, passed_on))
    return jobs


def _different(table: Table, scale: str, passed_on: Sequence[str]) -> list[Variant]:
    """The variants of a table whose settings differ at this scale; all are checked."""
    from fpliif_jax import preflight

    seen: dict[str, str] = {}
    different = []
    variants = tqdm(table.variants, desc="checking settings", unit="variant", leave=False)
    for variant in variants:
        config = command_line.config_of((*_arguments(variant, scale), *passed_on))
        preflight.check_settings(config)
        text = f"{config.to_json(sort_keys=True)} {variant.then} {variant.needs}"
        if text in seen:
            print(f"{variant.name} is at this scale the same as {seen[text]}: left out")
            continue
        seen[text] = variant.name
        different.append(variant)
    return different


def _arguments(variant: Variant, scale: str) -> tuple[str, ...]:
    return scales.as_arguments(*scales.scaled(variant, scale))


def _training_job(
    variant: Variant,
    scale: str,
    seed: int,
    workdir: pathlib.Path,
    passed_on: Sequence[str],
) -> "Job":
    from fpliif_jax.experiments.launching.jobs import Job, Step
    from fpliif_jax.run_folder.run_config import json_config

    folder = workdir / variant.name / f"seed{seed}"
    arguments = (*_arguments(variant, scale), *passed_on, f"--config.seed={seed}")
    needs = None
    if variant.needs is not None:
        needs = f"{variant.needs}/seed{seed}"
        arguments += (f"--config.train.init_from={workdir / needs}",)
    config = json_config(command_line.config_of(arguments))
    train = Step("fpliif_jax.main", (*arguments, f"--workdir={folder}"), "results.json", config)
    then = tuple(Step(module, (f"--workdir={folder}",), output) for module, output in variant.then)
    return Job(f"{variant.name}/seed{seed}", folder, (train, *then), needs)


def _measuring_job(
    variant: Variant, scale: str, workdir: pathlib.Path, passed_on: Sequence[str]
) -> "Job":
    from fpliif_jax.experiments.launching.jobs import Job, Step
    from fpliif_jax.run_folder.run_config import json_config

    folder = workdir / variant.name
    arguments = (*_arguments(variant, scale), *passed_on)
    config = json_config(command_line.config_of(arguments))
    sizes = ("--sizes=rows",) if variant.rows else ()  # STN-iCNN's labels have one size
    steps = tuple(
        Step(
            module,
            (*arguments, *_BENCHMARK_FLAGS, *sizes, f"--output={folder}")
            if module == _BENCHMARK
            else (*arguments, f"--output={folder / output}"),
            output,
            config,
        )
        for module, output in variant.then
    )
    return Job(variant.name, folder, steps)


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Own options, and what is passed on to the runs."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument("table", nargs="?", help="without it, the tables are listed")
    parser.add_argument("--scale", choices=scales.SCALES, default="paper")
    parser.add_argument("--seeds", help="0,1,2 or 0-4 (the default; at scale smoke 0-1)")
    parser.add_argument("--workdir", help="folder of the study; none: runs/TABLE[-SCALE]")
    options.add_options(parser)
    return options.parse(parser, arguments)


if __name__ == "__main__":
    main()
