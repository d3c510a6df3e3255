"""Runs a planned study: the experiments behind a table of the papers, or a plan of your own; one command a plan.

    python -m experiments.reproduce                              lists the plans
    python -m experiments.reproduce table5 --scale=smoke         every command, in minutes, on drawn faces
    python -m experiments.reproduce table5 --scale=small         small networks on drawn faces, five seeds
    python -m experiments.reproduce table5 --config.data.manual_dir=DOWNLOADS          as published
    python -m experiments.reproduce mine.toml --dry_run          what a plan of your own would run and answer
    python -m experiments.report --runs=runs/table5 --output=runs/table5/report

The plan is frozen before the first run, in WORKDIR/plan.json with digest and commit. Later starts go on with it; what
differs is an error, and what is new needs --extend: the report marks it as added later, and judges what was planned.
A table of the papers names no seeds: those of the first start, `--seeds=0` too, are the plan.

Each variant and seed is a run of its own, in WORKDIR/<variant>/seed<seed>: finished ones are skipped, interrupted ones
go on, one that fails stops no other. --config.FIELD=VALUE goes to all runs.

WORKDIR/study.json says which table and scale the runs are of: the report compares with published numbers what has
the published settings and data, and nothing else.
"""

import argparse
import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from fpliif_jax.commands import command_line, command_names
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.experiments.launching import options
from fpliif_jax.experiments.plans import scales, tables
from fpliif_jax.experiments.plans.seeds import read_seeds, seeds_text
from fpliif_jax.experiments.plans.variant import Table

if TYPE_CHECKING:
    from fpliif_jax.experiments.launching.jobs import Job
    from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
    from fpliif_jax.experiments.plans.plan_version import Version

_COMMAND = "experiments.reproduce"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is not finished, or lists the tables."""
    flags, passed_on = _parse(arguments)
    typed = shlex.join(sys.argv[1:] if arguments is None else arguments)
    command_line.run(_COMMAND, _work, flags, passed_on, typed)


def _work(flags: argparse.Namespace, passed_on: list[str], typed: str) -> None:
    if flags.table is None:
        print(listing())
        return

    import jax

    from fpliif_jax.experiments.launching import launch, plan_jobs
    from fpliif_jax.experiments.plans import frozen_plan, plan_version
    from fpliif_jax.experiments.plans.study_file import Study
    from fpliif_jax.experiments.runs import seed_sources

    # Looking at settings must not take the memory of a GPU that the runs are to have.
    jax.config.update("jax_platforms", "cpu")
    options.check_options(flags)
    table, text = tables.plan_and_text(flags.table)
    suffix = "" if flags.scale == "paper" else f"-{flags.scale}"
    workdir = expanded(flags.workdir or f"runs/{table.name}{suffix}")
    frozen = frozen_plan.read_frozen(workdir, workdir)
    planned, chosen = _seeds(table, flags, frozen)
    table = dataclasses.replace(table, seeds=tuple(planned))
    table, configs = plan_jobs.at_scale(table, flags.scale, passed_on)
    jobs = plan_jobs.jobs_of(table, configs, flags.scale, planned, workdir, passed_on)
    command = f"{command_names.command_name(_COMMAND)} {typed}"
    version = plan_version.version_of(
        table,
        flags.scale,
        text,
        {name: seed_sources.settings_of(config) for name, config in configs.items()},
        [job.name for job in jobs if job.seed is not None],
        command,
    )
    if frozen is not None:
        frozen = frozen_plan.continued(workdir, frozen, version, flags.extend)
    elif not (workdir / "study.json").exists():
        _refuse_begun(workdir, jobs)
        frozen = frozen_plan.FrozenPlan(version)
    chosen_jobs = [job for job in jobs if job.seed is None or job.seed in chosen]
    if flags.dry_run:
        print(description(version, chosen_jobs, frozen))
        return
    if frozen is None:
        print(f"{workdir} has study.json but no plan.json: it goes on without a plan")
    elif not (workdir / frozen_plan.NAME).exists():
        print(_planned_seeds(table))
    names = tuple(job.name for job in jobs)
    study = Study(str(workdir), table, flags.scale, command, names, frozen)
    trained = {variant.name for variant in table.variants if variant.trains}
    with_data = [config for name, config in configs.items() if name in trained]
    outcomes = launch.start(chosen_jobs, flags, study, with_data)
    launch.finish(outcomes, workdir)


def _refuse_begun(workdir: pathlib.Path, jobs: "Sequence[Job]") -> None:
    """Refuses to freeze a plan after its first run.

    Raises:
      UserError: the folder of a job has something in it.
    """
    for job in jobs:
        if job.workdir.is_dir() and any(job.workdir.iterdir()):
            raise UserError(
                f"{workdir} has runs ({job.name}), and neither plan.json nor study.json: a plan is frozen before the "
                "first run; put these files back if they were there, or use another --workdir"
            )


def _seeds(
    table: Table, flags: argparse.Namespace, frozen: "FrozenPlan | None"
) -> tuple[list[int], list[int]]:
    """The seeds that are planned for variants without their own, and those that are to be run now.

    What the plan's file says is planned, or --seeds where it says nothing; a later --seeds may be a part of that.
    """
    chosen = read_seeds(flags.seeds) if flags.seeds else None
    before = frozen.last.table.seeds if frozen is not None else None
    planned = list(table.seeds or before or chosen or read_seeds(scales.DEFAULT_SEEDS[flags.scale]))
    own = {seed for variant in table.variants for seed in variant.seeds or ()}
    chosen = chosen or sorted({*planned, *own})
    new = [seed for seed in chosen if seed not in {*planned, *own}]
    if new and (table.seeds or not flags.extend):
        raise UserError(
            f"--seeds has {seeds_text(new)}, and the plan has {seeds_text(planned)}; "
            + ("add them to its file, and give" if table.seeds else "to add them give")
            + " --extend: the report marks them as added later"
        )
    return sorted({*planned, *new}), chosen


def _planned_seeds(table: Table) -> str:
    """'planned: 5 seeds (0-4)', and how many variants have their own instead."""
    own = sum(variant.seeds is not None for variant in table.variants)
    seeds = table.seeds or ()
    text = f"planned: {_count(seeds, 'seed')} ({seeds_text(seeds)})"
    return text + (f"; variants with their own: {own}" if own else "")


def _count(items: Collection[object], what: str) -> str:
    """'1 seed', '5 seeds'."""
    return f"{len(items)} {what}{'s' * (len(items) != 1)}"


def listing() -> str:
    """The plans that there are, a line each."""
    plans = (*tables.TABLES, *tables.own_plans())
    width = max(len(table.name) for table in plans) + 1
    lines = [f"{'table':<{width}}{'variants':>8}  what"]
    for table in plans:
        lines.append(f"{table.name:<{width}}{len(table.variants):>8}  {table.title}")
    return "\n".join(lines)


def description(version: "Version", jobs: "Sequence[Job]", frozen: "FrozenPlan | None") -> str:
    """What a plan runs and answers, in lines.

    Args:
      version: the plan.
      jobs: that are to be run now.
      frozen: what of it is frozen, or would be; None: nothing is.
    """
    table = version.table
    finished = sum(job.is_finished for job in jobs)
    lines = [
        f"{table.title}",
        f"plan {table.name}, scale {version.scale}, digest {version.digest[:16]}",
        f"{_count(version.runs, 'run')} planned, {len(jobs)} of them now, {finished} of these finished:",
        *(f"  {job.name}{' (finished)' if job.is_finished else ''}" for job in jobs),
        f"{_count(version.questions, 'question')}:",
    ]
    for one in version.questions:
        rows = f", {one.row}" if one.row else ""
        against = f", {one.against_row}" if one.against_row else rows
        lines.append(
            f"  {one.name}: {one.text} ({one.variant}{rows} against {one.against}{against}: expected "
            f"{one.expects})"
        )
    if frozen is None:
        lines.append("no plan is frozen: the study has study.json but no plan.json")
    return "\n".join(lines)


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The command's own options, and the arguments that are passed on to the runs."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument(
        "table",
        nargs="?",
        metavar="PLAN",
        help="name of a table of the papers, or FILE.toml; without it, the plans are listed",
    )
    parser.add_argument("--scale", choices=scales.SCALES, default="paper")
    parser.add_argument(
        "--seeds",
        help="0,1,2 or 0-4; none: the plan's, else 0-4 (at scale smoke 0-1); "
        "where the plan's file names none, those of the first start are the plan",
    )
    parser.add_argument("--workdir", help="folder of the study; none: runs/TABLE[-SCALE]")
    parser.add_argument(
        "--extend",
        action="store_true",
        help="add what the frozen plan has not: variants, seeds, questions, marked as added later",
    )
    parser.add_argument(
        "--dry_run", action="store_true", help="say what would be run and answered, and do nothing"
    )
    options.add_options(parser)
    return options.parse(parser, arguments)


if __name__ == "__main__":
    main()
