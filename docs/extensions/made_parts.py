"""Writes the parts of these pages that are made from the code: PYTHONPATH=. python docs/extensions/made_parts.py

They stand in the pages as Markdown, so that GitHub shows what the site does. A test finds those that are not current.
"""

import functools
import pathlib
import re
import textwrap
from collections.abc import Callable

import field_tables
import label_classes
import markdown_tables

from fpliif_jax.configs import shared
from fpliif_jax.experiments.report import glossary

DOCS = pathlib.Path(__file__).parents[1]
_CLASS_HEAD = ("id", "name", "colour", "what", "side of the picture", "side of the person")


def class_table(name: str) -> str:
    """The classes of a set of `label_classes.SETS`."""
    return markdown_tables.table(
        _CLASS_HEAD, map(_cells, label_classes.classes(label_classes.SETS[name]))
    )


def _cells(one: label_classes.LabelClass) -> list[str]:
    # GitHub shows the colour's code alone.
    swatch = f'<span class="swatch" style="background: {one.colour}"></span> `{one.colour}`'
    sides = (one.picture_side or "–", one.person_side or "–")
    return [str(one.label_id), markdown_tables.code(one.name), swatch, one.part, *sides]


def report_terms() -> str:
    """The glossary of a report that has the default margin, as a list."""
    terms = glossary.terms([shared.get_config().study.equivalence_margin])
    return "\n".join(
        textwrap.fill(f"- **{term}**: {told}", 120, subsequent_indent="  ") for term, told in terms
    )


# Of sets with the same classes one table: that of the first.
_FIRST_OF_CLASSES = {names: name for name, names in reversed(label_classes.SETS.items())}

# Page: mark of the part, and what makes it.
PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "config_fields.md": {"roles": field_tables.roles, "fields": field_tables.fields},
    "data.md": {
        f"classes of {name}": functools.partial(class_table, name)
        for name in _FIRST_OF_CLASSES.values()
    },
    "glossary.md": {"report terms": report_terms},
}


def current(page: str) -> str:
    """The text of a page with its parts made anew, each between <!-- made: MARK --> and <!-- end -->."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for mark, make in PARTS[page].items():
        begin = f"<!-- made: {mark} -->\n"
        made = re.compile(re.escape(begin) + r".*?\n?<!-- end -->", re.DOTALL)
        text, count = made.subn(
            lambda _, begin=begin, make=make: f"{begin}\n{make()}\n\n<!-- end -->", text
        )
        if count != 1:
            raise ValueError(f"docs/{page} has {count} parts {begin!r}; it must have one")
    return text


if __name__ == "__main__":
    for one in PARTS:
        (DOCS / one).write_text(current(one), encoding="utf-8")
