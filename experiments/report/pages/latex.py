"""A table of the study for a paper: LaTeX with booktabs."""

from typing import Any

from fpliif_jax.experiments.comparison.study_tables import ReportTable
from fpliif_jax.experiments.report import views, wording
from fpliif_jax.experiments.report.row_view import RowView
from fpliif_jax.experiments.stats import number_text

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\to$",
    "−": "$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "√": r"$\surd$",
    "²": r"\textsuperscript{2}",
    "–": "--",
    "…": r"\dots{}",
    "’": "'",
    "§": r"\S{}",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "θ": r"$\theta$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
}


def escaped(text: Any) -> str:
    """Text on one line in which nothing is a command.

    Latin letters with accents stay as they are; other letters that pdfLaTeX has no font for become '?'.
    """
    return "".join(
        _SPECIAL.get(letter) or (letter if _is_known(letter) else "?")
        for letter in wording.plain(text)
    )


def render_latex(table: ReportTable) -> str:
    r"""A table environment; needs \usepackage{booktabs} and \usepackage[T1]{fontenc}.

    Rows that cannot be compared come last, under a rule and a line that says so.
    """
    view = views.table_view(table, 0)
    note = f" {escaped(view.note)}" if view.note else ""
    all_rows = (*view.rows, *view.rows_apart, *view.rows_not_run)
    digits = max((_digits(row.published) for row in all_rows), default=0)
    lines = [
        "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(view.title)} ({_caption(view)}). Mean $\pm$ SD over $n$ seeds; "
        rf"95\,\% $t$-interval of the mean.{note}}}",
        r"\begin{tabular}{llrrrl}",
        r"\toprule",
        r"row & published & mean $\pm$ SD & $n$ & 95\,\% interval & verdict \\",
        r"\midrule",
        *(_line(row, digits) for row in (*view.rows, *view.rows_not_run)),
    ]
    if view.rows_apart:
        title = r"\multicolumn{6}{l}{\emph{Not comparable: shown, not judged}} \\"
        lines += ([r"\midrule"] if view.rows or view.rows_not_run else []) + [title]
        lines += [_line(row, digits) for row in view.rows_apart]
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _caption(view: views.TableView) -> str:
    return escaped(", ".join(part for part in (view.unit, view.common) if part))


def _digits(printed: str) -> int:
    """How many there are behind the point of a number; none of what is more than a number: '78.4 ± 0.3'."""
    return len(printed.partition(".")[2]) if _is_number(printed) else 0


def _is_number(printed: str) -> bool:
    return printed.replace(".", "", 1).isdecimal()


def _published(printed: str, digits: int) -> str:
    """As printed, with room for the digits that others have: '96' below '97.6' is not '96.0'."""
    missing = digits - _digits(printed)
    if not _is_number(printed) or not missing:
        return escaped(printed)
    point = "" if "." in printed else "."
    return rf"{escaped(printed)}\phantom{{{point}{'0' * missing}}}"


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


def _is_known(letter: str) -> bool:
    return letter.isprintable() and ord(letter) < 0x180
