"""Docstrings are plain text with Google's sections; here they are made into reStructuredText.

Backticks mean code, and an indented block, where no section has begun, is shown as it stands. Every other mark of
reStructuredText is a character like any other (`|θ|`, `*.pt`, `left_`), so that nobody who writes a docstring has to
know Sphinx.
"""

import itertools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that the tests need no Sphinx
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_MARKS = re.compile(r"[\\*|`]|_(?!\w)")
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$", re.MULTILINE)
_RESULTS = re.compile(r"^(Returns|Yields):$", re.MULTILINE)


def plain(lines: list[str]) -> list[str]:
    """Lines of a docstring as reStructuredText; napoleon, which reads Google's sections, comes after it."""
    text = "\n".join(lines)
    section = _SECTION.search(text)
    start = section.start() if section else len(text)
    return (_prose(text[:start]) + _sections(text[start:])).split("\n")


def _prose(text: str) -> str:
    blocks = []
    for is_blank, block in itertools.groupby(text.split("\n"), key=lambda line: not line.strip()):
        lines = list(block)
        if not is_blank and all(line.startswith("  ") for line in lines):
            blocks.append("\n".join([".. code-block:: text", "", *lines]))
        else:
            blocks.append(_marked("\n".join(lines)))
    return "\n".join(blocks)


def _sections(text: str) -> str:
    # As a field: napoleon would take what is returned, up to the first colon, for a type.
    return _RESULTS.sub(lambda head: f":{head[1].lower()}:", _marked(text))


def _marked(text: str) -> str:
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_escaped(text[end : code.start()]), f"``{code[2]}``"]
        end = code.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    return _MARKS.sub(lambda mark: "\\" + mark[0], text)


def _process(app: "Sphinx", what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = plain(lines)


def _without_flax(
    app: "Sphinx",
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Leaves out what every Linen module takes besides its own fields: parent and name."""
    fields, parent, _ = (signature or "").partition(", parent: ")
    return (f"{fields})", returns) if what == "class" and parent else None


def setup(app: "Sphinx") -> "ExtensionMetadata":
    """Sphinx's hook: docstrings pass here before napoleon, signatures after they are made."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-process-signature", _without_flax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
