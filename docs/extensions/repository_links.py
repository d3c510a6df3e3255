"""Links of the pages that lead out of the site: to files and folders of the repository, and to the example report.

The pages are read on GitHub too, where `../fpliif_jax/evaluation/metrics.py` is a link to the file. In the site it
becomes one to the repository that the site is built for (GITHUB_REPOSITORY, which GitHub's workflows set); in a build
of one's own, to the file on this machine. A link to what is not there is left as it is, for Sphinx to name it in a
warning.
"""

import os
import pathlib
import shutil

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

DOCS = pathlib.Path(__file__).parents[1]
REPOSITORY = DOCS.parent
COPIED = DOCS / "example_report"  # stands in the site as it is, and is read there as its HTML page


def address(target: pathlib.Path, page: pathlib.Path, repository: str | None, ref: str) -> str:
    """Where the site finds a file or folder of the repository.

    Args:
      target: absolute path of what is linked.
      page: absolute path of the page's source in docs/.
      repository: address of the repository on the web; None: the files of this machine.
      ref: commit or branch of the repository.
    """
    if target.is_relative_to(COPIED):
        return (
            os.path.relpath(target, page.parent).removesuffix(".md").removesuffix(".html") + ".html"
        )
    if repository is None:
        return target.as_uri()
    kind = "tree" if target.is_dir() else "blob"
    return f"{repository}/{kind}/{ref}/{target.relative_to(REPOSITORY).as_posix()}"


def _replace_links(app: Sphinx, doctree: nodes.document) -> None:
    page = pathlib.Path(app.env.doc2path(app.env.current_document.docname))
    for link in [
        *doctree.findall(addnodes.pending_xref),
        *doctree.findall(addnodes.download_reference),
    ]:
        if link.get("reftype") != "myst" or not link["reftarget"]:
            continue
        name, _, anchor = link["reftarget"].partition("#")
        if link.get("refdomain") == "doc":  # a Markdown file, whose suffix MyST has taken off
            name, anchor = f"{name}.md", link.get("reftargetid") or ""
        target = (page.parent / name).resolve()
        leads_out = not target.is_relative_to(DOCS) or target.is_relative_to(COPIED)
        if leads_out and target.is_relative_to(REPOSITORY) and target.exists():
            uri = address(target, page, app.config.repository_address, app.config.repository_ref)
            link.replace_self(
                nodes.reference(
                    "",
                    "",
                    *(child for node in link.children for child in node.children),
                    refuri=uri + (f"#{anchor}" if anchor else ""),
                )
            )


def _copy_report(app: Sphinx, failure: Exception | None) -> None:
    if failure is None and app.builder.format == "html":
        shutil.copytree(COPIED, app.outdir / COPIED.name, dirs_exist_ok=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's hook: adds both, and the two settings that say which repository it is."""
    name = os.environ.get("GITHUB_REPOSITORY")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    app.add_config_value("repository_address", f"{server}/{name}" if name else None, "env")
    app.add_config_value("repository_ref", os.environ.get("GITHUB_SHA", "main"), "env")
    app.connect("doctree-read", _replace_links, priority=100)  # before downloads are collected
    app.connect("build-finished", _copy_report)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
