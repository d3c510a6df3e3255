"""Makes the study of a folder of runs (`comparison.study` has its form).

Nothing here raises for what a run's files contain.
"""

import pathlib
from collections.abc import Sequence

from fpliif_jax.experiments.comparison import (
    costs,
    data_notes,
    frameworks,
    hidden_parts,
    image_pairs,
    planned,
    readings,
    training_times,
)
from fpliif_jax.experiments.comparison.lines import Line, make_lines, unique_label
from fpliif_jax.experiments.comparison.measured import described
from fpliif_jax.experiments.comparison.report_tables import published_tables
from fpliif_jax.experiments.comparison.scores import Score, ScoreKey
from fpliif_jax.experiments.comparison.study import Incomplete, Study
from fpliif_jax.experiments.comparison.study_groups import ReportGroup, RunSummary
from fpliif_jax.experiments.comparison.summary import summary_of, title_of
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.run_name import RunName
from fpliif_jax.experiments.published import read_external
from fpliif_jax.experiments.runs.environments import environments
from fpliif_jax.experiments.runs.groups import group_runs
from fpliif_jax.experiments.runs.run import FinishedRun, Run, SoundRun, printable
from fpliif_jax.experiments.runs.run_log import last_error
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.runs.seed_sources import FOLLOWS
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import Fields


def analyse(
    root: pathlib.Path, external: Sequence[pathlib.Path] = (), without_matrices: bool = False
) -> tuple[Study, dict[str, Run]]:
    """Reads all runs in a folder and compares them with what is published.

    Args:
      root: folder of the runs.
      external: CSV files of numbers measured elsewhere, in the format of experiments/published.
      without_matrices: as `read_runs` has it.

    Returns:
      The study, and by group identifier the run whose examples are shown.

    Raises:
      RunError: root is not a folder.
      PublishedError: an external file cannot be read.
    """
    runs = read_runs(root, keep_matrices=True, without_matrices=without_matrices)
    return analyse_runs(root, runs, external)


def analyse_runs(
    root: pathlib.Path, runs: Sequence[Run], external: Sequence[pathlib.Path] = ()
) -> tuple[Study, dict[str, Run]]:
    """The same of runs that are read already, with their matrices.

    Raises:
      PublishedError: an external file cannot be read.
    """
    studies, problems = study_file.read_studies(root)
    elsewhere = read_external(*external)
    lines = make_lines(group_runs(runs), studies)
    tables = frameworks.tables(lines) + image_pairs.tables(lines)
    tables += published_tables(lines, studies, elsewhere)
    sound = [run for run in runs if isinstance(run, SoundRun)]
    tables += costs.tables(root, studies) + training_times.tables(lines, studies)
    windows, unusable = hidden_parts.tables(root, studies, runs)
    tables += windows
    tables = [data_notes.with_notes(table, lines) for table in tables]
    groups = [_group(line, lines) for line in lines]
    incomplete = _incomplete(root, runs, studies, problems, lines) + unusable
    margins = [line.margin for line in lines]
    plans = planned.planned_studies(lines, studies)
    study = Study(
        title=title_of(studies, lines, root),
        root=printable(root.resolve().name),
        margin=min(margins, default=0.5),
        summary=summary_of(lines, studies, tables, incomplete) + planned.sentences(plans, studies),
        commands=_commands(studies, sound),
        groups=groups,
        tables=tables,
        incomplete_runs=incomplete,
        environments=environments(sound),
        external=[printable(path.name) for path in external],
        plans=plans,
    )
    return study, {line.identifier: line.first for line in lines}


def _group(line: Line, lines: Sequence[Line]) -> ReportGroup:
    measured, results = line.measured, line.measured.results
    main = measured.main
    scores = [
        Score(
            key,
            described(
                score.values, measured.images(score) if _deserves_images(key, main) else None
            ),
        )
        for key, score in measured.scores.items()
    ]
    obstacles = line.obstacles()
    confusion = measured.confusion()
    return ReportGroup(
        identifier=line.identifier,
        name=unique_label(line, lines),
        folder=measured.group.name,
        model=results.model,
        framework=measured.group.framework,
        dataset=line.dataset,
        parameters=results.parameters,
        seeds=list(measured.runs),
        duplicate_seeds=measured.group.duplicates,
        fixed_seeds={
            source: value
            for source, value in measured.group.config["seeds"].items()
            if value != FOLLOWS
        },
        settings=_differing_settings(line, lines),
        runs=[_run(run) for run in measured.group.finished],
        main=main,
        scores=scores,
        class_names=confusion.class_names if confusion else ["background", *line.class_names],
        confusion=confusion,
        curves=measured.curves(),
        deviations=line.deviations(),
        comparable=not obstacles,
        reasons=obstacles,
        problems=list(dict.fromkeys(measured.problems)),
        trained_on=line.training,
        labels=line.labels,
        start=line.start,
    )


def _deserves_images(key: ScoreKey, main: ScoreKey | None) -> bool:
    """Resampling takes a moment: the classes of the main row, and the means of all others."""
    return key.metric == "mean_f1" or (main is not None and key.evaluation == main.evaluation)


def _differing_settings(line: Line, lines: Sequence[Line]) -> Fields:
    """The fields in which the groups of this study differ, and their framework where that differs."""
    fields_of: dict[str, set[str]] = {}
    for other in lines:
        fields_of.setdefault(other.config.model, set()).update(other.config.flat)
    configs = [
        {"framework": other.framework}
        | {
            field: value
            for field, value in config_fields.with_earlier(
                other.config.flat, fields_of[other.config.model]
            ).items()
            if not readings.is_immaterial(field)
        }
        | other.drawing
        for other in lines
    ]
    own = configs[lines.index(line)]
    fields = sorted({field for config in configs for field in config})
    return {
        field: own.get(field)
        for field in fields
        if any(config.get(field) != own.get(field) for config in configs)
    }


def _run(run: FinishedRun) -> RunSummary:
    return RunSummary(
        name=run.name,
        seed=run.seed,
        seconds=run.results.train.seconds,
        images_per_second=run.results.train.images_per_second,
        git_commit=run.environment.git_commit,
        command=run.environment.command,
        notes=run.results.notes,
    )


def _incomplete(
    root: pathlib.Path,
    runs: Sequence[Run],
    studies: Sequence[study_file.Study],
    problems: Sequence[str],
    lines: Sequence[Line],
) -> list[Incomplete]:
    """Runs that are broken, half finished or never started, and evaluations that cannot be used."""
    entries = [
        Incomplete(run.name, run.status, run.problem) for run in runs if run.status != "finished"
    ]
    names = {run.name for run in runs}
    for study in studies:
        for job, name in zip(study.jobs, study.run_names, strict=True):
            if name not in names and RunName.parse(job):
                error = last_error(root / name / "run.log")
                problem = error or "it has left nothing; the same command starts it"
                entries.append(Incomplete(name, "failed" if error else "not started", problem))
    for problem in problems:
        entries.append(Incomplete(problem.split(":")[0], "broken", problem))
    for line in lines:
        name = line.measured.group.name
        for problem in dict.fromkeys(line.measured.problems):
            entries.append(Incomplete(name, "evaluation", problem))
        for seed in line.measured.group.duplicates:
            counted = line.measured.runs[seed].name
            others = [
                run.name
                for run in line.measured.group.finished
                if run.seed == seed and run.name != counted
            ]
            problem = (
                f"seed {seed} was run more than once: {counted} counts, not {shortened(others)}"
            )
            entries.append(Incomplete(name, "duplicate", problem))
        for earlier, seed in line.measured.alike:
            problem = (
                f"seeds {earlier} and {seed} have exactly the same scores in every class and evaluation: two copies "
                "of one run, or of one file of weights, are no two seeds, and their SD is too small"
            )
            entries.append(Incomplete(name, "duplicate", problem))
    return entries


def _commands(studies: Sequence[study_file.Study], runs: Sequence[Run]) -> list[str]:
    """What was typed, once each: the studies' commands, then those of all runs."""
    commands = [study.command for study in studies if study.command]
    commands += [run.environment.command for run in runs if run.environment.command is not None]
    return list(dict.fromkeys(commands))
