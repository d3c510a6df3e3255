"""All findings of the audit, worst first, as text, Markdown or JSON."""

import dataclasses
import json
import textwrap
from collections.abc import Iterable, Sequence

from experiments.audit import noise, recipe, scores, stn_icnn
from experiments.audit.finding import CONSEQUENCES, STATUSES, Finding, Tables
from experiments.published import PublishedValue, published_values

_WIDTH = 98
_INDENT = " " * 16
_HEADINGS = {
    "contradiction": "Contradictions, largest consequence first",
    "rounding": "Agrees but for rounding",
    "cannot be recomputed": "Cannot be recomputed from the papers and the code",
    "agrees": "Agrees",
}
_LEVELS = {
    "main result": "on the main results",
    "claim": "on other claims",
    "recipe": "on what to do and to expect when reproducing",
    "print": "in print",
}
_INTRODUCTION = (
    "The published numbers of FP-LIIF and STN-iCNN, recomputed from the papers' own tables and from this code; "
    "all scores in "
    "percent points. Nothing was trained for it. “Noise” is the spread of FP-LIIF's own runs (its Table 7)."
)


def audit(values: Iterable[PublishedValue] | None = None) -> list[Finding]:
    """Recomputes everything.

    Args:
      values: the published values; by default those of `experiments/published`.

    Returns:
      Findings by status, contradictions first, then by consequence.

    Raises:
      LookupError: a value that is needed is missing, or there twice.
    """
    tables = Tables(published_values() if values is None else values)
    findings = [
        finding for part in (noise, scores, stn_icnn, recipe) for finding in part.check(tables)
    ]
    return sorted(
        findings,
        key=lambda f: (STATUSES.index(f.status), CONSEQUENCES.index(f.consequence)),
    )


def to_json(findings: Sequence[Finding]) -> str:
    """{"counts": {status: number}, "findings": [{id, title, …}]}."""
    content = {
        "counts": _counts(findings),
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    return {status: sum(f.status == status for f in findings) for status in STATUSES}


def _summary(findings: Sequence[Finding]) -> str:
    counts = ", ".join(f"{status}: {count}" for status, count in _counts(findings).items())
    return f"{len(findings)} findings: {counts}."


# ------------------------------------------------------------------------------------------- text


def to_text(findings: Sequence[Finding]) -> str:
    """For a terminal of 100 columns."""
    lines = [*textwrap.wrap(_INTRODUCTION, _WIDTH, break_on_hyphens=False), "", _summary(findings)]
    for status in STATUSES:
        own = [finding for finding in findings if finding.status == status]
        if not own:
            continue
        heading = f"{_HEADINGS[status]} ({len(own)})"
        lines += ["", "", heading.upper(), "=" * len(heading)]
        level = None
        for number, finding in enumerate(own, 1):
            if status == "contradiction" and finding.consequence != level:
                level = finding.consequence
                lines += ["", f"--- {_LEVELS[level]} ---"]
            lines += ["", *_text_of(number, finding)]
    return "\n".join(lines) + "\n"


def _text_of(number: int, finding: Finding) -> list[str]:
    title = f"{number:>2}  {finding.title}"
    gap = max(2, _WIDTH - len(title) - len(finding.id) - 2)
    lines = [f"{title}{' ' * gap}[{finding.id}]"]
    for name, text in (
        ("paper", finding.says),
        ("recomputed", finding.recomputed),
        ("size", finding.size),
        ("meaning", finding.meaning),
    ):
        lines += textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=f"    {name:<12}",
            subsequent_indent=_INDENT,
            break_on_hyphens=False,
        )
        if name == "recomputed" and finding.table:
            lines += _aligned(finding.table)
    return lines


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Words to the left, columns that are numbers from the second line on to the right."""
    columns = list(zip(*table, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [any(cell[:1].isdigit() or cell[:1] in "+-±" for cell in c[1:]) for c in columns]
    return [
        (
            _INDENT
            + "  ".join(
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(line, widths, right, strict=True)
            )
        ).rstrip()
        for line in table
    ]


# --------------------------------------------------------------------------------------- Markdown


def to_markdown(findings: Sequence[Finding]) -> str:
    """A page: an overview, every contradiction in full, the rest in tables."""
    lines = [
        "# Audit of the papers",
        "",
        _INTRODUCTION,
        "",
        "Made by `python -m experiments.audit --format=markdown --output=docs/audit.md`; the numbers are in "
        "[experiments/published](../experiments/published/README.md).",
        "",
        _summary(findings),
    ]
    contradictions = [f for f in findings if f.status == "contradiction"]
    lines += ["", f"## {_HEADINGS['contradiction']}", ""]
    lines += ["| | what | size | so |", "|---|---|---|---|"]
    lines += [
        f"| {number} | {_cell(f.title)} | {_cell(f.size)} | {_cell(f.meaning)} |"
        for number, f in enumerate(contradictions, 1)
    ]
    level = None
    for number, finding in enumerate(contradictions, 1):
        if finding.consequence != level:
            level = finding.consequence
            lines += ["", f"### Contradictions {_LEVELS[level]}"]
        lines += ["", *_section(number, finding)]
    for status in STATUSES[1:]:
        own = [finding for finding in findings if finding.status == status]
        if own:
            lines += ["", f"## {_HEADINGS[status]}"]
        for finding in own:
            lines += ["", *_section(None, finding)]
    return "\n".join(lines) + "\n"


def _section(number: int | None, finding: Finding) -> list[str]:
    title = finding.title if number is None else f"{number}. {finding.title}"
    lines = [
        f"#### {title}",
        "",
        f"- **Paper:** {finding.says}",
        f"- **Recomputed:** {finding.recomputed}",
        f"- **Size:** {finding.size}",
        f"- **So:** {finding.meaning}",
    ]
    if finding.table:
        header, *rest = finding.table
        lines += ["", _line(header), _line(["---"] * len(header)), *map(_line, rest)]
    return lines


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
