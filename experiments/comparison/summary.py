"""What the report says first: its title, and what a reader should know in plain sentences."""

import json
import pathlib
from collections import Counter
from collections.abc import Sequence

from fpliif_jax import systems
from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison import frameworks, main_scores
from fpliif_jax.experiments.comparison.data_notes import scored_on, scores_alone, sets_note
from fpliif_jax.experiments.comparison.lines import Line, unique_label
from fpliif_jax.experiments.comparison.report_tables import CLASSES
from fpliif_jax.experiments.comparison.study import Incomplete
from fpliif_jax.experiments.comparison.study_tables import ReportTable
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.runs.run import printable
from fpliif_jax.experiments.runs.run_data import short
from fpliif_jax.experiments.stats import number_text
from fpliif_jax.run_folder.run_config import flatten_config


def summary_of(
    lines: Sequence[Line],
    studies: Sequence[Study],
    tables: Sequence[ReportTable],
    incomplete: Sequence[Incomplete],
) -> list[str]:
    """The summary: what a reader should know first, in plain sentences."""
    sentences = []
    if lines:
        count = sum(len(line.measured.runs) for line in lines)
        sentences.append(f"{counted(count, 'finished run')} of {_settings_of(lines)}.")
        sentences += filter(None, [scores_alone(lines)])
    elif not tables:
        sentences.append("There is no finished run here.")
    sentences += filter(None, [sets_note(lines, lines)])
    if incomplete:
        things = counted(len(incomplete), "thing is", "things are")
        sentences.append(f"{things} unfinished, missing or broken: see the list below.")
    if lines and all(line.obstacles() for line in lines):
        sentences.append(f"No run here can be held against a paper: {_obstacles(lines)}.")
    sentences += _verdicts(tables)
    sentences += _other_data(lines) + _other_scoring(lines) + _unrecorded_data(lines)
    sentences += frameworks.sentences(lines, tables)
    sentences += main_scores.sentences(lines)
    for table in tables:
        sentences += _differences(table)
    return sentences


def _obstacles(lines: Sequence[Line]) -> str:
    """The first obstacle of each line; where they differ with the lines that have it."""
    names: dict[str, list[str]] = {}
    for line in lines:
        names.setdefault(line.obstacles()[0], []).append(unique_label(line, lines))
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{reason} ({shortened(own)})" for reason, own in names.items())


def _settings_of(lines: Sequence[Line]) -> str:
    """'2 settings', and where not all runs are of JAX how many are of what."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts[line.framework] += len(line.measured.runs)
    count = len(lines) if not lines[0].framework else frameworks.settings_count(lines)
    text = "one setting" if count == 1 else f"{count} settings"
    if not lines[0].framework:
        return text
    return f"{text}, {' and '.join(f'{number} in {name}' for name, number in counts.items())}"


def title_of(studies: Sequence[Study], lines: Sequence[Line], root: pathlib.Path) -> str:
    """The table that all studies are of, or the systems and data of the lines."""
    titles = list(dict.fromkeys(study.table.title for study in studies if study.table))
    if len(titles) == 1:
        return titles[0]
    subjects = [_about(line) for line in lines] or [printable(root.resolve().name)]
    return f"Reproducibility study: {', '.join(dict.fromkeys(subjects))}"


def _about(line: Line) -> str:
    """'FP-LIIF, lapa', or '…, drawn faces in the layout of lapa'."""
    config = line.config
    system = config.system if config.is_of_elsewhere else systems.of_name(config.model).title
    if line.training is None:
        return f"{system}, {scored_on(line)}"
    verb = "" if line.training.weights else "trained on "
    return f"{system}, {verb}{line.training.title}, scored on {scored_on(line)}"


def _other_data(lines: Sequence[Line]) -> list[str]:
    """Which lines rest on other label maps of a data set than others do.

    Of a set that a line is scored on alone nothing counts but the split that is scored.
    """
    by_name: dict[str, dict[tuple, list[Line]]] = {}
    for line in lines:
        if line.data.splits is not None and line.training is None:
            parts = by_name.setdefault(line.dataset.name, {})
            parts.setdefault(line.data.splits, []).append(line)
    sentences = []
    for name, parts in by_name.items():
        descriptions = []
        for splits, members in parts.items():
            whole = members[0].dataset.digest_of_labels
            labels = " and ".join(unique_label(line, lines) for line in members)
            split = _scored_split(members[0])
            descriptions.append(
                f"label maps {short(whole)} ({split}: {short(dict(splits).get(split))}) in {labels}"
            )
        if len(descriptions) > 1:
            sentences.append(
                f"Not all groups rest on the same data of {name}: {'; '.join(descriptions)}."
            )
    return sentences + _other_scored_maps(lines)


def _other_scored_maps(lines: Sequence[Line]) -> list[str]:
    """Which lines are scored on other label maps of a set than others are, where a line is scored on it alone."""
    by_split: dict[tuple[str, str], dict[str, list[Line]]] = {}
    for line in lines:
        split = _scored_split(line)
        digest = dict(line.data.splits or ()).get(split)
        if digest is not None:
            parts = by_split.setdefault((line.dataset.name, split), {})
            parts.setdefault(digest, []).append(line)
    sentences = []
    for (name, split), parts in by_split.items():
        if len(parts) > 1 and any(line.training for members in parts.values() for line in members):
            of_each = [
                f"{short(digest)} in {' and '.join(unique_label(line, lines) for line in members)}"
                for digest, members in parts.items()
            ]
            sentences.append(
                f"Not all groups are scored on the same {split} label maps of {name}: {'; '.join(of_each)}."
            )
    return sentences


def _other_scoring(lines: Sequence[Line]) -> list[str]:
    """Which lines are runs of one experiment that were scored by different rules: they are not pooled."""
    by_training: dict[str, list[Line]] = {}
    for line in lines:
        settings = flatten_config(line.measured.group.config) | line.first.config.scoring
        key = json.dumps([str(line.first.study), line.framework, settings], sort_keys=True)
        by_training.setdefault(key, []).append(line)
    sentences = []
    for same in by_training.values():
        for field in sorted({field for line in same for field in line.first.scoring}):
            parts: dict[str, list[str]] = {}
            for line in same:
                names = parts.setdefault(repr(line.first.scoring.get(field)), [])
                names.append(unique_label(line, lines))
            if len(parts) > 1:
                of_each = "; ".join(f"{value} in {' and '.join(n)}" for value, n in parts.items())
                sentences.append(
                    f"Runs of one experiment were scored by different rules, {field}: {of_each}. They are not pooled."
                )
    return sentences


def _scored_split(line: Line) -> str:
    """The split that stands for a line."""
    return line.measured.main.split if line.measured.main else "test"


def _unrecorded_data(lines: Sequence[Line]) -> list[str]:
    """Which lines have verdicts although nothing was recorded that could forbid them."""
    names = [
        unique_label(line, lines)
        for line in lines
        if line.dataset.drawn is None and not line.obstacles()
    ]
    if not names:
        return []
    return [
        f"It is not recorded whether the faces of {' and '.join(names)} are drawn: prepare the data with this "
        "version and evaluate the runs again (--mode=eval) before the verdicts are relied on."
    ]


def _verdicts(tables: Sequence[ReportTable]) -> list[str]:
    """How many published numbers have which verdict: means and overall scores, then classes."""
    sentences = []
    for is_class, what in ((False, "means, overall scores and costs"), (True, "class scores")):
        words = Counter(
            row.verdict
            for table in tables
            for row in table.rows
            if row.verdict and row.system == "ours"
            if table.identifier.endswith(CLASSES) == is_class
        )
        if words:
            counts = ", ".join(f"{number} {word}" for word, number in words.items())
            sentences.append(f"Of {sum(words.values())} published {what}: {counts}.")
    return sentences


def _differences(table: ReportTable) -> list[str]:
    """Which lines of a table differ from its baseline, and numbers from elsewhere from ours, beyond doubt."""
    sentences = []
    for kind, what in (
        ("lines", "between its settings"),
        ("elsewhere", "to what was measured elsewhere"),
    ):
        made = [one for one in table.comparisons if one.kind == kind]
        clear = [one for one in made if one.p_holm is not None and one.p_holm < 0.05]
        differences = [
            f"{one.a} differs from {one.b} by {number_text.difference(one.difference)}"
            for one in clear
        ]
        if differences:
            others = len(made) - len(clear)
            rest = f"; {counted(others, 'other difference')} {what} may be noise" if others else ""
            sentences.append(
                f"{table.title}, beyond the noise of the seeds (Holm's p below 0.05): {'; '.join(differences)}{rest}."
            )
        elif made:
            sentences.append(
                f"{table.title}: no difference {what} stands out from the noise of the seeds."
            )
    return sentences
