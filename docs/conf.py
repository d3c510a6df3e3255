"""Builds docs/ as a site: `python -m sphinx -W --keep-going -n -b html docs SITE`.

The API reference is read from the imported code (autodoc), not parsed (autoapi): the package finds its folders
when it is imported, re-exported names are documented where a user imports them, and what cannot be imported is
an error. It costs an environment with the requirements, and the seconds that JAX takes to start.
"""

import os
import pathlib
import sys

DOCS = pathlib.Path(__file__).parent
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path[:0] = [str(DOCS / "extensions"), str(DOCS.parent)]

project = "fpliif_jax"
author = "fpliif_jax contributors"
copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "plain_docstrings",
    "repository_links",
]
exclude_patterns = ["example_report", "extensions"]

# Of the headings that links in the pages name: `reproduction.md#open-questions`.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
add_module_names = False
# Signatures name types of JAX and of rooms that are not part of the reference. What is checked is every
# link and term that somebody wrote.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = "fpliif_jax"
html_show_sphinx = False
html_static_path = ["extensions/static"]
html_css_files = ["site.css"]
