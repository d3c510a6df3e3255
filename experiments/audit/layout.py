"""All findings of the audit, worst first, as text, Markdown or JSON."""

import dataclasses
import json
import textwrap
from collections.abc import Iterable, Sequence

from fpliif_jax.data_builders.errors import counted
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
from fpliif_jax.experiments.audit.sentences import render
from fpliif_jax.experiments.published import PublishedValue, published_values

_WIDTH = 98
_PAGE_WIDTH = 120
_INDENT = " " * 16
_RANKED = ("contradiction", "doubt")  # numbered through, by consequence


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


def _words(name: str) -> str:
    return render(name, {})


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
    return f"{counted(len(findings), 'finding')}: {counts}."


# ------------------------------------------------------------------------------------------- text


def to_text(findings: Sequence[Finding]) -> str:
    """Text of the findings for a terminal of 100 columns."""
    lines = [
        *textwrap.wrap(_words("page/Introduction"), _WIDTH, break_on_hyphens=False),
        "",
        _summary(findings),
    ]
    for status in STATUSES:
        lines += textwrap.wrap(
            f"{status}: {_words(f'{status}/Means')}.",
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
        heading = f"{_words(f'{status}/Heading')} ({len(own)})"
        lines += ["", "", heading.upper(), "=" * len(heading)]
        level = None
        for finding in own:
            if status in _RANKED and finding.consequence != level:
                level = finding.consequence
                lines += ["", f"--- {_words(f'{level}/Level')} ---"]
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
        f"# {_words('page/Title')}",
        "",
        *_wrapped(_words("page/Introduction")),
        "",
        *_wrapped(_words("page/Origin")),
        "",
        _summary(findings),
        "",
        "| word | findings | means |",
        "|---|---|---|",
    ]
    counts, numbers = _counts(findings), _numbers(findings)
    lines += [f"| {word} | {counts[word]} | {_words(f'{word}/Means')} |" for word in STATUSES]
    for status in STATUSES:
        own = [finding for finding in findings if finding.status == status]
        if not own:
            continue
        lines += ["", f"## {_words(f'{status}/Heading')}"]
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
                lines += ["", f"### {_words(f'{status}/Short')} {_words(f'{level}/Level')}"]
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
