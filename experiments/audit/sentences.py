"""The audit's sentences: templates beside the checks, into which these put their numbers.

A file `<module>.sentences.jinja` has a section for each finding, `## <id>`, with the fields Title, Paper, Recomputed,
Size and So. A field begins a line and goes on to the next; each is a Jinja template of its own, one paragraph. A
section of other fields is for others to include, `{% include "noise/Needed" %}`, or for the page.
"""

import functools
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import jinja2

from fpliif_jax.experiments.audit.finding import Finding, rounded

_FOLDER = pathlib.Path(__file__).parent
_ATTRIBUTES = {
    "Title": "title",
    "Paper": "says",
    "Recomputed": "recomputed",
    "Size": "size",
    "So": "meaning",
}


def describe(
    id: str,
    consequence: str,
    status: str,
    *,
    table: Iterable[tuple[str, ...]] = (),
    section: str | None = None,
    **numbers: Any,
) -> Finding:
    """A finding with its sentences.

    Args:
      id: of the finding.
      consequence: of `finding.CONSEQUENCES`.
      status: of `finding.STATUSES`.
      table: its lines, the first the header.
      section: of the sentences, where several findings share one; by default `id`.
      **numbers: what the sentences name.
    """
    return Finding(
        id=id,
        status=status,
        consequence=consequence,
        table=tuple(table),
        **{
            attribute: render(f"{section or id}/{field}", numbers)
            for field, attribute in _ATTRIBUTES.items()
        },
    )


def render(name: str, numbers: dict[str, Any]) -> str:
    """One field, as 'fp-liif-tie/So', on one line."""
    return re.sub(" +", " ", environment().get_template(name).render(numbers)).strip()


@functools.cache
def environment() -> jinja2.Environment:
    """All fields, as templates 'section/field'."""
    fields: dict[str, str] = {}
    for path in sorted(_FOLDER.glob("*.sentences.jinja")):
        for section, body in _split(r"## (.+)\n", path.read_text(encoding="utf-8")):
            for field, text in _split(r"([A-Z]\w+): ", body):
                fields[f"{section}/{field}"] = re.sub(r"\s*\n\s*", " ", text.strip())
    templates = jinja2.Environment(
        autoescape=False,  # text for a terminal and for Markdown, of the project's own files
        loader=jinja2.DictLoader(fields),
        undefined=jinja2.StrictUndefined,
    )
    templates.filters |= {
        "number": format,
        "to_digits": rounded,
        "each": _each,
        "listed": _listed,
    }
    return templates


def _split(heading: str, text: str) -> Iterable[tuple[str, str]]:
    """Headings at the beginning of a line, and what stands under each; what stands above the first is left out."""
    _, *parts = re.split(f"^{heading}", text, flags=re.MULTILINE)
    return zip(parts[::2], parts[1::2], strict=True)


def _each(items: Iterable[Any], form: str) -> list[str]:
    """Every item in a form of `str.format`, the parts of a tuple as '{0}', '{1}', …."""
    return [form.format(*(item if isinstance(item, tuple) else (item,))) for item in items]


def _listed(parts: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
