"""All figures of a study."""

import dataclasses

from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.report import data_text
from fpliif_jax.experiments.report.figures.class_bars import class_bars, class_bars_alt
from fpliif_jax.experiments.report.figures.confusion import confusion, confusion_alt
from fpliif_jax.experiments.report.figures.curves import curves, curves_alt, unfinished_text
from fpliif_jax.experiments.report.figures.figure_svg import NARROW, WIDE
from fpliif_jax.experiments.report.figures.forest import forest, forest_alt
from fpliif_jax.experiments.report.file_names import FileNames


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
      name: of its file, without the suffix; ASCII letters, digits, '-', '_' and '.'.
      kind: 'forest' | 'curves' | 'classes' | 'confusion'.
      of: id of the table or group that it shows.
      title: a short line.
      subtitle: what was evaluated, or the stage; may be empty.
      alt: what it shows, in words.
      svg: as wide as a desktop's column for a forest plot, a phone's for curves and bars.
      narrow_svg: a forest plot for phones.
    """

    name: str
    kind: str
    of: str
    title: str
    subtitle: str
    alt: str
    svg: str
    narrow_svg: str | None = None


def draw_figures(study: Study, names: FileNames) -> list[Figure]:
    """Draws what the study has values for, in the order of the report."""
    figures = []
    for table in study.tables:
        wide = forest(table, WIDE)
        if wide:
            narrow = forest(table, NARROW)
            name = names.take(f"forest-{table.identifier}", ".svg")
            alt = forest_alt(table)
            figures.append(
                Figure(name, "forest", table.identifier, table.title, "", alt, wide, narrow)
            )
    for group in study.groups:
        for stage in group.curves.stages:
            svg = curves(stage)
            if svg:
                name = names.take(f"curves-{group.identifier}-{stage.name}", ".svg")
                about = f"stage {stage.name.replace('_', ' ')}"
                about = ", ".join(filter(None, (about, data_text.validation_text(group))))
                about = "; ".join(filter(None, (about, unfinished_text(stage))))
                alt = curves_alt(group, stage)
                figures.append(
                    Figure(name, "curves", group.identifier, group.name, about, alt, svg)
                )
    for group in study.groups:
        svg = class_bars(group)
        if svg and group.main is not None:
            name = names.take(f"classes-{group.identifier}", ".svg")
            alt = class_bars_alt(group)
            place = data_text.place(group, *group.main.evaluation)
            figures.append(Figure(name, "classes", group.identifier, group.name, place, alt, svg))
    for group in study.groups:
        svg = confusion(group)
        if svg and group.confusion is not None:
            name = names.take(f"confusion-{group.identifier}", ".svg")
            place = data_text.place(group, *group.confusion.evaluation)
            alt = confusion_alt(group)
            figures.append(Figure(name, "confusion", group.identifier, group.name, place, alt, svg))
    return figures
