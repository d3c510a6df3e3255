"""All findings of the audit, worst first, as text, Markdown or JSON."""

import dataclasses
import json
import textwrap
from collections.abc import Iterable, Sequence

from fpliif_jax.experiments.audit import (
    geometry,
    noise,
    overall,
    printed_numbers,
    recipe,
    scores,
    stn_icnn,
)
from fpliif_jax.experiments.audit.finding import CONSEQUENCES, STATUSES, Finding, Tables
from fpliif_jax.experiments.published import PublishedValue, published_values

_WIDTH = 98
_PAGE_WIDTH = 120
_INDENT = " " * 16
_HEADINGS = {
    "contradiction": "Contradictions, largest consequence first",
    "doubt": "Doubts: ambiguities and suspicions, largest consequence first",
    "rounding": "Agrees but for rounding",
    "cannot be recomputed": "Cannot be recomputed from the papers and the code",
    "agrees": "Agrees",
}
_DEFINITIONS = {
    "contradiction": "two statements, of a paper or of its authors since, or a statement and what follows from the "
    "paper's own numbers, cannot both hold",
    "doubt": "an ambiguity or a suspicion: more than one reading is possible, the numbers do not bear out what is said "
    "(differences within the noise, words of judgement such as “marginal”), or they look wrong without being "
    "impossible",
    "rounding": "the same but for a last digit",
    "cannot be recomputed": "it takes what is not published",
    "agrees": "recomputed, and the same",
}
_RANKED = ("contradiction", "doubt")  # numbered through, by consequence
_SHORT = {"contradiction": "Contradictions", "doubt": "Doubts"}
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
      Findings by status, contradictions and then doubts first, and by consequence.

    Raises:
      PublishedError: a value that is needed is missing, or there twice.
    """
    tables = Tables(published_values() if values is None else values)
    findings = [
        finding
        for part in (noise, scores, printed_numbers, overall, stn_icnn, recipe)
        for finding in part.check(tables)
    ]
    findings += geometry.check()
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


def _numbers(findings: Sequence[Finding]) -> dict[str, int]:
    """The number of each finding, by id: the same in the text and on the page."""
    return {finding.id: number for number, finding in enumerate(findings, 1)}


def _summary(findings: Sequence[Finding]) -> str:
    counts = ", ".join(f"{status}: {count}" for status, count in _counts(findings).items())
    return f"{len(findings)} findings: {counts}."


# ------------------------------------------------------------------------------------------- text


def to_text(findings: Sequence[Finding]) -> str:
    """For a terminal of 100 columns."""
    lines = [*textwrap.wrap(_INTRODUCTION, _WIDTH, break_on_hyphens=False), "", _summary(findings)]
    for status in STATUSES:
        lines += textwrap.wrap(
            f"{status}: {_DEFINITIONS[status]}.",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    numbers = _numbers(findings)
    for status in STATUSES:
        own = [finding for finding in findings if finding.status == status]
        if not own:
            continue
        heading = f"{_HEADINGS[status]} ({len(own)})"
        lines += ["", "", heading.upper(), "=" * len(heading)]
        level = None
        for finding in own:
            if status in _RANKED and finding.consequence != level:
                level = finding.consequence
                lines += ["", f"--- {_LEVELS[level]} ---"]
            lines += ["", *_text_of(numbers[finding.id], finding)]
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
    """A page: what the words mean, overviews of contradictions and doubts, and every finding in full."""
    lines = [
        "# Audit of the papers",
        "",
        *_wrapped(_INTRODUCTION),
        "",
        *_wrapped(
            "Made by `python -m experiments.audit --format=markdown --output=docs/audit.md`; the numbers are in "
            "[experiments/published](../experiments/published/README.md)."
        ),
        "",
        _summary(findings),
        "",
        "| word | findings | means |",
        "|---|---|---|",
    ]
    counts, numbers = _counts(findings), _numbers(findings)
    lines += [f"| {word} | {counts[word]} | {_DEFINITIONS[word]} |" for word in STATUSES]
    for status in STATUSES:
        own = [finding for finding in findings if finding.status == status]
        if not own:
            continue
        lines += ["", f"## {_HEADINGS[status]}"]
        if status in _RANKED:
            lines += ["", "| | what | size | so |", "|---|---|---|---|"]
            lines += [
                f"| {numbers[f.id]} | {_cell(f.title)} | {_cell(f.size)} | {_cell(f.meaning)} |"
                for f in own
            ]
        level = None
        for finding in own:
            if status in _RANKED and finding.consequence != level:
                level = finding.consequence
                lines += ["", f"### {_SHORT[status]} {_LEVELS[level]}"]
            heading = "####" if status in _RANKED else "###"
            lines += [
                "",
                f"{heading} {numbers[finding.id]}. {finding.title}",
                "",
                *_section(finding),
            ]
    return "\n".join(lines) + "\n"


def _section(finding: Finding) -> list[str]:
    lines = [
        *_wrapped(f"- **Paper:** {finding.says}"),
        *_wrapped(f"- **Recomputed:** {finding.recomputed}"),
        *_wrapped(f"- **Size:** {finding.size}"),
        *_wrapped(f"- **So:** {finding.meaning}"),
    ]
    if finding.table:
        header, *rest = finding.table
        lines += ["", _line(header), _line(["---"] * len(header)), *map(_line, rest)]
    return lines


def _wrapped(text: str) -> list[str]:
    """Lines of a paragraph or of a point of a list."""
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(
        text, _PAGE_WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
