"""Sentences beside tables: what lines were trained on, if not what they were scored on, and what they lack."""

import dataclasses
from collections.abc import Sequence

from fpliif_jax.data.set_names import set_name
from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison.lines import Line, unique_label
from fpliif_jax.experiments.comparison.study_tables import ReportTable
from fpliif_jax.experiments.plans.name_list import shortened


def scored_on(line: Line) -> str:
    """'lapa', or 'drawn faces in the layout of lapa'."""
    return set_name(line.dataset.name, line.dataset.drawn)


def sets_note(lines: Sequence[Line], every_line: Sequence[Line]) -> str:
    """What lines were trained on and scored on, where that is not the same of any of them; else ''.

    Args:
      lines: that the note stands beside.
      every_line: of the report, which tells their labels apart.
    """
    members: dict[str, list[Line]] = {}
    for line in lines:
        if line.training is not None:
            verb = "Not trained here:" if line.training.weights else "Trained on"
            text = f"{verb} {line.training.title}; scored on {scored_on(line)}"
            members.setdefault(text, []).append(line)
    if len(members) == 1 and len(next(iter(members.values()))) == len(lines):
        return f"{next(iter(members))}."
    sentences = [
        f"{text}: {shortened([unique_label(line, every_line) for line in named])}."
        for text, named in members.items()
    ]
    return " ".join(sentences)


def scores_alone(lines: Sequence[Line]) -> str:
    """Which runs of these lines have no confusion matrices, and so what is not known of them; else ''."""
    runs = [run for line in lines for run in line.measured.runs.values()]
    alone = [run.name for run in runs if not run.has_matrices]
    if not alone:
        return ""
    which = (
        "All runs"
        if len(alone) == len(runs)
        else f"{counted(len(alone), 'run')} ({shortened(alone)})"
    )
    return (
        f"{which} came without confusion matrices: their scores are as recorded, not computed again, and what is of "
        "single images or pixels is not shown of their settings."
    )


def with_notes(table: ReportTable, lines: Sequence[Line]) -> ReportTable:
    """The table with what its runs were trained and scored on, where that is not the same, and lack."""
    groups = {row.group for row in table.rows} - {None}
    members = [line for line in lines if line.identifier in groups]
    note = " ".join(filter(None, (table.note, scores_alone(members))))
    return dataclasses.replace(table, sets=sets_note(members, lines), note=note)
