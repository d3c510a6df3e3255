"""The directive `class-table`: a data set's classes with id, colour, and on whose left they lie."""

import label_classes
import node_tables
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

HEAD = ("id", "name", "colour", "what", "side of the picture", "side of the person")


class ClassTable(SphinxDirective):
    """`{class-table} lapa`: the table of a set of `label_classes.SETS`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        (name,) = self.arguments
        if name not in label_classes.SETS:
            raise self.error(f"class-table: {name!r} is none of {', '.join(label_classes.SETS)}")
        classes = label_classes.classes(label_classes.SETS[name])
        return [node_tables.table(HEAD, map(_cells, classes), "class-table")]


def _cells(one: label_classes.LabelClass) -> list[nodes.Node]:
    swatch = (
        f'<span class="swatch" style="background: {one.colour}"></span> <code>{one.colour}</code>'
    )
    return [
        nodes.Text(str(one.label_id)),
        nodes.literal(text=one.name),
        nodes.raw("", swatch, format="html"),
        nodes.Text(one.part),
        nodes.Text(one.picture_side or "–"),
        nodes.Text(one.person_side or "–"),
    ]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's hook: adds the directive."""
    app.add_directive("class-table", ClassTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
