"""The study as one HTML file that needs nothing else: styles, figures, pictures and script are inside."""

import base64
import hashlib
import pathlib
from collections.abc import Sequence

import jinja2
from markupsafe import Markup

from fpliif_jax.data_builders.class_names import class_title, sides_note
from fpliif_jax.data_builders.errors import counted
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.report import data_text, glossary, views, wording
from fpliif_jax.experiments.report.figures import figure_svg, icons
from fpliif_jax.experiments.report.figures.figures import Figure
from fpliif_jax.experiments.report.figures.gallery import Gallery
from fpliif_jax.experiments.report.plan_view import plan_view
from fpliif_jax.experiments.stats import number_text

_FOLDER = pathlib.Path(__file__).parent


def render_html(
    study: Study,
    figures: Sequence[Figure],
    galleries: Sequence[Gallery],
    table_files: dict[str, str],
) -> str:
    """Renders the page.

    Args:
      study: of the analysis, checked.
      figures: of `figures.draw_figures`.
      galleries: of `gallery.make_gallery`.
      table_files: stem of each table's files, by table id.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inline": _inline,
        "plain": wording.plain,
        "class_title": class_title,
        "counted": counted,
        "number": number_text.number,
        "mean_sd": wording.mean_sd,
        "interval": number_text.interval,
    }
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    # These files are the project's own; everything else in the template is escaped.
    return environment.get_template("template.html.jinja").render(
        study=study,
        css=Markup((_FOLDER / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        shapes={slug: Markup(shape) for slug, shape in icons.SHAPES.items()},
        slugs=icons.SLUGS,
        plans=[plan_view(plan) for plan in study.plans],
        tables=[views.table_view(table, index) for index, table in enumerate(study.tables)],
        table_files=table_files,
        counts=views.verdict_counts(study.tables),
        forests={figure.of: figure for figure in figures if figure.kind == "forest"},
        curves=_of_kind(figures, "curves"),
        classes=_of_kind(figures, "classes"),
        confusions=_of_kind(figures, "confusion"),
        galleries=galleries,
        deviations=views.deviation_views(study),
        glossary=glossary.terms(study.margins, views.has_interval_over_seeds(study)),
        data_text=data_text,
        sides_note=sides_note,
        views=views,
        wording=wording,
        score_title=score_title,
    )


def _of_kind(figures: Sequence[Figure], kind: str) -> list[Figure]:
    return [figure for figure in figures if figure.kind == kind]


def _inline(svg: str, prefix: str) -> Markup:
    """An SVG of Matplotlib, whose texts are escaped already."""
    return Markup(figure_svg.inline(svg, prefix))
