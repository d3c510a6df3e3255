"""The directives `config-fields`, a table of every config field, and `config-roles`, what a field can decide."""

import itertools

import field_rules
import node_tables
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from fpliif_jax.fields.config_fields import Role

HEAD = ("field", "FP-LIIF", "STN-iCNN", "may be", "decides")


class ConfigFields(SphinxDirective):
    """`{config-fields}`: a table for each group of fields, `data`, `train`, …"""

    def run(self) -> list[nodes.Node]:
        """Returns the tables, each below its group's name."""
        content = []
        ordered = sorted(field_rules.rows(), key=lambda row: row.group)
        for group, rows in itertools.groupby(ordered, key=lambda row: row.group):
            content += [
                nodes.rubric(text=group or "of the whole run"),
                node_tables.table(HEAD, map(_cells, rows), "config-fields"),
            ]
        return content


class ConfigRoles(SphinxDirective):
    """`{config-roles}`: what the words of the last column mean."""

    def run(self) -> list[nodes.Node]:
        """Returns the list."""
        return [
            nodes.bullet_list(
                "",
                *(
                    nodes.list_item(
                        "",
                        nodes.paragraph(
                            "",
                            "",
                            nodes.strong(text=field_rules.role_name(role)),
                            nodes.Text(f": {role.value}"),
                        ),
                    )
                    for role in Role
                ),
            )
        ]


def _cells(row: field_rules.FieldRow) -> list[nodes.Node]:
    defaults = [
        nodes.Text("–") if text is None else nodes.literal(text=text) for text in row.defaults
    ]
    return [nodes.literal(text=row.name), *defaults, nodes.Text(row.values), nodes.Text(row.role)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's hook: adds the directives."""
    app.add_directive("config-fields", ConfigFields)
    app.add_directive("config-roles", ConfigRoles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
