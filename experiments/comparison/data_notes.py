"""Sentences on what lines were trained on, where that is not what they were scored on."""

import dataclasses
from collections.abc import Sequence

from fpliif_jax.data.set_names import set_name
from fpliif_jax.experiments.comparison.lines import Line, unique_label
from fpliif_jax.experiments.comparison.study import ReportTable
from fpliif_jax.experiments.plans.name_list import shortened


def scored_on(line: Line) -> str:
    """'lapa', or 'drawn faces in the layout of lapa'."""
    return set_name(line.dataset["name"], line.dataset.get("drawn"))


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


def with_sets(table: ReportTable, lines: Sequence[Line]) -> ReportTable:
    """The table with what its runs were trained on and scored on, where that is not the same."""
    groups = {row.group for row in table.rows} - {None}
    sets = sets_note([line for line in lines if line.identifier in groups], lines)
    return dataclasses.replace(table, sets=sets)
