"""A table of the study for a paper: LaTeX with booktabs."""

import decimal
import re
from typing import Any

from pylatexenc.latexencode import (
    RULE_REGEX,
    UnicodeToLatexConversionRule,
    UnicodeToLatexEncoder,
)

from fpliif_jax.experiments.comparison.study_tables import ReportTable
from fpliif_jax.experiments.report import views, wording
from fpliif_jax.experiments.report.row_view import RowView
from fpliif_jax.experiments.stats import number_text

_NUMBER = re.compile(r"[0-9]+(?:\.([0-9]*))?")
# For letters beyond these the encoder also has commands of packages that the table does not ask for, and of none.
_BEYOND = re.compile("[^ -~¡-ňŊ-ſΓ-ω–—‘’“”…€←-↔−√∞≈≠≤≥]")
_ENCODER = UnicodeToLatexEncoder(
    conversion_rules=[UnicodeToLatexConversionRule(RULE_REGEX, [(_BEYOND, "?")]), "defaults"],
    unknown_char_policy=lambda letter: "?",
    unknown_char_warning=False,
)


def escaped(text: Any) -> str:
    """Text on one line in which nothing is a command; letters that LaTeX has no font for become '?'."""
    return _ENCODER.unicode_to_latex(wording.plain(text))


def render_latex(table: ReportTable) -> str:
    r"""A table environment; needs \usepackage{booktabs} and \usepackage[T1]{fontenc}, before 2020 also textcomp.

    Rows that cannot be compared come last, under a rule and a line that says so.
    """
    view = views.table_view(table, 0)
    about = escaped(", ".join(filter(None, (view.unit, view.common))))
    note = f" {escaped(view.note)}" if view.note else ""
    rows = (*view.rows, *view.rows_not_run)
    digits = max((_digits(row.published) for row in (*rows, *view.rows_apart)), default=0)
    lines = [
        "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(view.title)} ({about}). Mean $\pm$ SD over $n$ seeds; "
        rf"95\,\% $t$-interval of the mean.{note}}}",
        r"\begin{tabular}{llrrrl}",
        r"\toprule",
        r"row & published & mean $\pm$ SD & $n$ & 95\,\% interval & verdict \\",
        r"\midrule",
        *(_line(row, digits) for row in rows),
    ]
    if view.rows_apart:
        title = r"\multicolumn{6}{l}{\emph{Not comparable: shown, not judged}} \\"
        lines += ([r"\midrule"] if rows else []) + [title]
        lines += [_line(row, digits) for row in view.rows_apart]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _digits(printed: str) -> int:
    """How many there are behind the point of a number; none of what is more than a number: '78.4 ± 0.3'."""
    number = _NUMBER.fullmatch(printed)
    return len(number[1] or "") if number else 0


def _published(printed: str, digits: int) -> str:
    """A published number as printed, with room for the digits of others: '96' below '97.6' is not '96.0'."""
    if not _NUMBER.fullmatch(printed):
        return escaped(printed)
    room = f"{decimal.Decimal(printed):.{digits}f}".removeprefix(printed)
    return rf"{printed}\phantom{{{room}}}" if room else printed


def _line(row: RowView, digits: int) -> str:
    name = f"{row.label}, {row.detail}" if row.detail else row.label
    cells = (
        row.measured,
        row.runs.split()[0] if row.runs != "not run" else number_text.MISSING,
        dict(row.intervals).get("mean", number_text.MISSING),
        row.verdict or number_text.MISSING,
    )
    # A line that begins with '[' would be read as the argument of the \\ before it.
    texts = [escaped(name), _published(row.published, digits), *map(escaped, cells)]
    return "{}" + " & ".join(texts) + r" \\"
