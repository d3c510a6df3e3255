"""The directive `report-terms`: what the words of a report mean, as the reports themselves have it."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from fpliif_jax.configs import shared
from fpliif_jax.experiments.report import glossary


class ReportTerms(SphinxDirective):
    """`{report-terms}`: the glossary of a report that has the default margin."""

    def run(self) -> list[nodes.Node]:
        """Returns the definition list."""
        margin = shared.get_config().study.equivalence_margin
        items = (
            nodes.definition_list_item(
                "", nodes.term(text=term), nodes.definition("", nodes.paragraph(text=explanation))
            )
            for term, explanation in glossary.terms(margin)
        )
        return [nodes.definition_list("", *items)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's hook: adds the directive."""
    app.add_directive("report-terms", ReportTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
