"""The study as Markdown, with its figures as links."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.report import data_text, glossary, views, wording
from fpliif_jax.experiments.report.figures import icons
from fpliif_jax.experiments.report.figures.figures import Figure
from fpliif_jax.experiments.report.plan_view import QuestionView, plan_view
from fpliif_jax.experiments.report.row_view import Cell, Column
from fpliif_jax.experiments.stats import number_text

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&-])")
_NUMBERS = re.compile(r"[\d .,±+−–\[\]]*")  # mean nothing to Markdown within a line


def escaped(text: Any) -> str:
    """Text on one line that means nothing to Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", wording.plain(text)).replace("\\<", "&lt;").replace("\\>", "&gt;")


def render_markdown(study: Study, figures: Sequence[Figure], table_files: dict[str, str]) -> str:
    """Renders the report.

    Args:
      study: of the analysis, checked.
      figures: files named after them lie beside the report.
      table_files: stem of each table's files, by table id.
    """
    parts = [f"# {escaped(study.title)}"]
    parts += [escaped(sentence) for sentence in study.summary]
    counts = views.verdict_counts(study.tables)
    if counts:
        parts.append(" · ".join(f"{_sign(word)} **{n}** {word}" for word, n in counts.items()))
    parts.append(
        "Pictures, and a slider over the output sizes, are in [report.html](report.html); all numbers in "
        "[report.json](report.json)."
    )
    parts += _plans(study)
    published, runs = _published(study, figures, table_files), _runs(study)
    parts += runs + published if views.runs_come_first(study) else published + runs
    for title, kind in (
        ("Training", "curves"),
        ("Classes", "classes"),
        ("Confusion", "confusion"),
    ):
        shown = [figure for figure in figures if figure.kind == kind]
        if shown:
            parts.append(f"## {title}")
        for figure in shown:
            parts += [
                f"**{escaped(figure.title)}** {escaped(figure.subtitle)}".rstrip(),
                _image(figure),
            ]
    parts += _environment(study)
    parts += _deviations(study)
    parts += _incomplete(study)
    parts.append("## Commands")
    parts += [_code(command) for command in study.commands] or ["None recorded."]
    parts.append("## Terms")
    for term, explanation in glossary.terms(study.margins, views.has_interval_over_seeds(study)):
        sign = f"{_sign(term)} " if term in icons.LETTERS else ""
        parts.append(f"{sign}**{escaped(term)}**: {escaped(explanation)}")
    return "\n\n".join(parts) + "\n"


def _published(study: Study, figures: Sequence[Figure], table_files: dict[str, str]) -> list[str]:
    parts = ["## Published and measured"] if study.tables else []
    for index, table in enumerate(study.tables):
        view = views.table_view(table, index)
        parts += _table(view, table_files.get(table.identifier))
        parts += _images(figures, "forest", table.identifier)
        if view.comparisons:
            parts += ["Comparisons within the table:", _comparisons(view)]
    return parts


def _runs(study: Study) -> list[str]:
    if not study.groups:
        return []
    parts = ["## What was run", _groups(study)]
    for group in study.groups:
        if not group.comparable:
            reasons = "; ".join(map(escaped, group.reasons)) or "no reason given"
            parts.append(
                f"{_sign('not comparable')} **{escaped(group.name)}** is not comparable: {reasons}."
            )
    return parts + _data(study)


def _plans(study: Study) -> list[str]:
    parts = ["## What was planned"] if study.plans else []
    for plan in map(plan_view, study.plans):
        parts += [f"### {escaped(plan.title)}", *map(escaped, plan.notes)]
        if plan.questions:
            head = ("Question", "Expected", "Answer", *plan.head)
            parts.append(_grid(head, [_question(one) for one in plan.questions]))
    return parts


def _table(view: views.TableView, stem: str | None) -> list[str]:
    about = [escaped(view.unit)]
    if view.common:
        about.append(escaped(view.common))
    if view.source:
        about.append(f"published: {escaped(view.source)}")
    if stem:
        about.append(", ".join(f"[{end}]({stem}.{end})" for end in ("csv", "tex", "json")))
    note = f"\n\n{escaped(view.note)}" if view.note else ""
    parts = [f"### {escaped(view.title)}", " · ".join(about) + note]
    head = [column.of or column.heading.lower() for column in view.columns]
    apart = "Not comparable: shown, not judged."
    for title, rows in (
        ("", view.rows),
        (f"{apart} {escaped(view.reason_apart)}" if view.reason_apart else apart, view.rows_apart),
        ("Published, but not run here", view.rows_not_run),
    ):
        if rows:
            parts += [title] if title else []
            cells = [[_cell(column, column.cell(row)) for column in view.columns] for row in rows]
            parts.append(_grid(head, cells))
    return parts if len(parts) > 2 else [*parts, "Nothing to show."]


def _question(question: QuestionView) -> list[str]:
    answer = f"{_sign(question.answer)} {question.answer}: " if question.answer else ""
    return [
        f"{escaped(question.text)} ({escaped(question.sides)})",
        escaped(question.expects),
        f"{answer}{escaped(question.reason)}".removesuffix(": "),
        *map(escaped, question.numbers),
    ]


def _cell(column: Column, cell: Cell) -> str:
    if cell.verdict:
        text = f"{_sign(cell.verdict)} {cell.verdict}"
    elif cell.intervals:
        text = ", ".join(f"{escaped(name)} {bounds}" for name, bounds in cell.intervals)
    elif cell.seeds:
        text = _seeds(cell.seeds)
    else:
        text = cell.text if _NUMBERS.fullmatch(cell.text) else escaped(cell.text)
    return text + (column.note.format(escaped(cell.note)) if cell.note else "")


def _comparisons(view: views.TableView) -> str:
    return _grid(
        (
            "compared",
            "score",
            "difference",
            "95 % interval",
            "test",
            "p",
            "Holm's p",
            "p of equivalence",
        ),
        [
            [
                f"{escaped(item.a)} − {escaped(item.b)}",
                escaped(item.metric),
                escaped(item.difference),
                escaped(item.interval),
                escaped(item.test),
                escaped(item.p),
                escaped(item.p_holm),
                escaped(item.equivalent_p),
            ]
            for item in view.comparisons
        ],
    )


def _groups(study: Study) -> str:
    rows = []
    for group in study.groups:
        score = group.main_score
        rows.append(
            [
                escaped(group.name),
                escaped(wording.model_name(group.model)),
                escaped(data_text.data_text(group)),
                escaped(wording.settings_text(group)),
                wording.mean_sd(score.statistics.summary) if score else number_text.MISSING,
                escaped(score_title(*score.key.measure)) if score else "",
                _seeds(wording.seeds(score.statistics.values)) if score else number_text.MISSING,
            ]
        )
    return _grid(("group", "model", "data", "settings", "mean ± SD", "score", "every seed"), rows)


def _data(study: Study) -> list[str]:
    """The digests of the data, once for all groups that rest on the same."""
    names: dict[tuple[tuple[str, str, str], ...], list[str]] = {}
    for group in study.groups:
        names.setdefault(tuple(data_text.digest_rows(group)), []).append(group.name)
    parts = []
    for rows, groups in names.items():
        if rows:
            parts.append(f"Data of {', '.join(map(escaped, groups))}:")
            lines = [[escaped(cell) for cell in row] for row in rows]
            parts.append(_grid(("split", "digest of label maps", "digest of ids"), lines))
    return ["## Data", *parts] if parts else []


def _environment(study: Study) -> list[str]:
    environments = study.environments
    parts = ["## Environment"]
    if environments.differences:
        rows = [
            [escaped(item.field), escaped(value), ", ".join(map(escaped, names))]
            for item in environments.differences
            for value, names in views.by_value(item.values)
        ]
        parts += ["Where the runs differ:", _grid(("field", "value", "runs"), rows)]
    if environments.common:
        rows = [[escaped(field), escaped(value)] for field, value in environments.common.items()]
        parts += ["What all runs share:", _grid(("field", "value"), rows)]
    if study.external:
        parts.append(f"Measured elsewhere: {', '.join(map(escaped, study.external))}.")
    return parts


def _deviations(study: Study) -> list[str]:
    rows = [
        list(map(escaped, (item.field, item.here, item.paper, item.kind, item.groups)))
        for item in views.deviation_views(study)
    ]
    table = _grid(("field", "here", "paper", "kind", "groups"), rows) if rows else "None."
    return ["## Deviations from the papers", table]


def _incomplete(study: Study) -> list[str]:
    rows = [
        [escaped(run.name), escaped(run.status), escaped(run.problem)]
        for run in study.incomplete_runs
    ]
    table = _grid(("run", "state", "what is the matter"), rows) if rows else "None."
    return ["## Incomplete and broken runs", table]


def _images(figures: Iterable[Figure], kind: str, of: str) -> list[str]:
    return [_image(figure) for figure in figures if (figure.kind, figure.of) == (kind, of)]


def _image(figure: Figure) -> str:
    return f"![{escaped(figure.alt)}]({figure.name}.svg)"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seeds(seeds: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{escaped(seed)}: {value}" for seed, value in seeds) or number_text.MISSING


def _code(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}bash\n{text}\n{fence}"


def _sign(verdict: str) -> str:
    return icons.LETTERS[verdict]
