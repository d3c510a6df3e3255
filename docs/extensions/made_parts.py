"""Writes the parts of these pages that are made from the code: PYTHONPATH=. python docs/extensions/made_parts.py

They stand in the pages as Markdown, so that GitHub shows what the site does. A test finds those that are not current.
"""

import pathlib
import re
import textwrap
from collections.abc import Callable
from functools import partial

import capacity_comparison
import capacity_table
import effect_tables
import field_tables
import kept_tables
import label_classes
import markdown_tables
from card_tables import groups, half_length, hidden_parts, kinds

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
    "capacity.md": {
        "compiled": capacity_table.compiled,
        "aims": capacity_comparison.aims,
        "earlier": capacity_comparison.earlier,
    },
    "config_fields.md": {"roles": field_tables.roles, "fields": field_tables.fields},
    "data.md": {
        f"classes of {name}": partial(class_table, name) for name in _FIRST_OF_CLASSES.values()
    },
    "demo.md": kept_tables.deployed("drawn-squares", "drawn-browser", "drawn_stn_icnn-browser"),
    "export.md": kept_tables.deployed(
        *("drawn_stn_icnn-differences", "stn_icnn_helen-differences"),
        *("drawn-graphs", "drawn-onnx_only"),
    ),
    "glossary.md": {"report terms": report_terms},
    "model_card.md": {"groups": partial(groups, "drawn"), "kinds": kinds},
    "model_card_19_classes.md": {"groups": partial(groups, "drawn_19_classes", "drawn as")},
    "model_card_small.md": {"groups": partial(groups, "drawn_small", "drawn as")},
    "model_card_stn_icnn.md": {
        "hidden parts": hidden_parts,
        "groups": partial(
            groups, "drawn_stn_icnn", "lines of age", "drawn as", "tilted", "lamp from the side"
        ),
    },
    "parity.md": {
        "full size": partial(
            kept_tables.largest_differences,
            *(f"the paper's model at {size}" for size in ("64×64", "100×37", "256×256", "512×512")),
        ),
        "published decoder": kept_tables.published_decoder,
        **{
            kind: partial(kept_tables.largest_differences, kind)
            for kind in (
                *("decoders", "models", "gradients"),
                *("losses of ten steps", "microbatches and padding"),
            )
        },
    },
    "predict.md": kept_tables.deployed("drawn-first_photo", "drawn-video")
    | {"find": kept_tables.found_faces, "rules": kept_tables.rules_of_finding}
    | {"half-length": partial(half_length, "drawn")},
    **{page: {"effects": partial(effect_tables.effects, page)} for page in effect_tables.EFFECTS},
}


def current(page: str) -> str:
    """The text of a page with its parts made anew.

    Each is between <!-- made: MARK --> and <!-- end -->, in lines of its own or within a line, as in a cell of a table.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    for mark, make in PARTS[page].items():
        begin = f"<!-- made: {mark} -->"
        present = re.compile(re.escape(begin) + r"(\n?).*?<!-- end -->", re.DOTALL)
        text, count = present.subn(
            lambda found, begin=begin, make=make: (
                f"{begin}{2 * found[1]}{make()}{2 * found[1]}<!-- end -->"
            ),
            text,
        )
        if count != 1:
            raise ValueError(f"docs/{page} has {count} parts {begin!r}; it must have one")
    return text


if __name__ == "__main__":
    for one in PARTS:
        (DOCS / one).write_text(current(one), encoding="utf-8")
