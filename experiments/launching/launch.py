"""How the jobs of a study are launched, and the end of it."""

import argparse
import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import ml_collections

from fpliif_jax.commands import command_names
from fpliif_jax.data.dataset import evaluation_data, load_dataset
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.launching import local
from fpliif_jax.experiments.launching.jobs import Job, Outcome
from fpliif_jax.experiments.launching.options import slurm_parameters
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.study_file import Study, write_study
from fpliif_jax.run_folder import run_record


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
      flags: with the options of `options.add_options`.
      study: what study.json is to say; its folder is where it goes.
      configs: of the jobs that need data.

    Raises:
      StudyError: a folder holds a run of other settings; nothing has been changed then.
      RunRecordError: the study's folder cannot be written.
      DataError: the data are not there.
      SlurmError: the jobs cannot be submitted.
    """
    folder = pathlib.Path(study.folder)
    run = _launcher(flags, folder)  # what it lacks is an error before anything is made
    for job in jobs:
        for step in job.steps:
            conflict = step.conflict(job.workdir)
            if conflict is not None:
                raise StudyError(f"{job.name}: {conflict}")
    run_record.check_workdir(folder)
    if not all(job.is_finished for job in jobs):
        sets = [data for config in configs for data in (evaluation_data(config), config.data)]
        for data in {data.to_json(sort_keys=True): data for data in sets}.values():
            load_dataset(data)
    write_study(folder, study)
    return run(jobs)


def _launcher(
    flags: argparse.Namespace, folder: pathlib.Path
) -> Callable[[Sequence[Job]], list[Outcome]]:
    if flags.launcher == "local":
        return lambda jobs: local.run(jobs, flags.jobs)
    # It needs submitit, which the other launcher does not.
    from fpliif_jax.experiments.launching import slurm

    parameters = slurm_parameters(flags.slurm)
    return lambda jobs: slurm.run(jobs, folder / "slurm", parameters, flags.slurm_cluster)


def finish(outcomes: Sequence[Outcome], folder: pathlib.Path) -> None:
    """Prints how many jobs ended how, and exits with code 1 unless all are finished."""
    kinds = ("finished", "skipped", "interrupted", "not started", "failed", "blocked")
    counts = Counter(outcome.status for outcome in outcomes)
    if any(outcome.is_well for outcome in outcomes):
        report = command_names.command_name("experiments.report")
        print(f"report: {report} --runs={folder} --output={folder}/report")
    line = ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])
    print(line.replace("skipped", "finished before"))
    bad = [outcome for outcome in outcomes if not outcome.is_well]
    told: dict[tuple[str, str | None], list[str]] = {}
    for outcome in bad:
        told.setdefault((outcome.status, outcome.problem), []).append(outcome.job.name)
    for (status, problem), names in told.items():
        print(f"{status}: {shortened(names)}: {problem}", file=sys.stderr)
    if bad:
        mended = "once that is mended, " if "failed" in counts else ""
        print(f"{mended}the same command goes on with what is not finished", file=sys.stderr)
        sys.exit(1)
