"""Writes a report: everything is rendered first, then put in place file by file, report.html last."""

import contextlib
import hashlib
import json
import os
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fpliif_jax.data_builders.errors import UserError, naming_instead
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.experiments.comparison.study import Study, as_json
from fpliif_jax.experiments.report.figures.figure_svg import with_paper
from fpliif_jax.experiments.report.figures.figures import draw_figures
from fpliif_jax.experiments.report.figures.gallery import Gallery, make_gallery
from fpliif_jax.experiments.report.file_names import FileNames
from fpliif_jax.experiments.report.pages.html import render_html
from fpliif_jax.experiments.report.pages.latex import render_latex
from fpliif_jax.experiments.report.pages.markdown import render_markdown
from fpliif_jax.experiments.report.pages.tables_csv import render_csv
from fpliif_jax.experiments.report.table_rows import with_groups
from fpliif_jax.experiments.runs.arrays import Examples
from fpliif_jax.run_folder import run_lock

_LIST = "report_files.json"
_PAGE = "report.html"
_OWN_NAMES = ("report.md", _PAGE, "report.json", _LIST)


class ReportError(UserError):
    """The report cannot be written; the message says why and what to do."""


def write_report(
    study: Study,
    examples: Mapping[str, Examples],
    output: pathlib.Path | str,
    photos: bool = True,
) -> None:
    """Writes report.md, report.html, report.json, figures as SVG and each table as CSV, LaTeX and JSON.

    Nothing is written if anything cannot be rendered. Files of an older report that this one does not have are
    removed if nobody changed them; other files are left alone.

    Args:
      study: of `experiments.comparison.analysis.analyse`.
      examples: images of a run, by group id.
      output: folder; made if need be.
      photos: False leaves out all photographs, also those under the differences.

    Raises:
      ReportError: a file cannot be written.
      RunLockError: another report is being written into the folder.
    """
    galleries = [
        gallery
        for group in study.groups
        if group.identifier in examples
        and (gallery := make_gallery(group, examples[group.identifier], photos)) is not None
    ]
    write_rendered(study, galleries, output)


def write_rendered(study: Study, galleries: Sequence[Gallery], output: pathlib.Path | str) -> None:
    """Writes a report like `write_report`, with the pictures of groups as they are shown."""
    output = pathlib.Path(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        with run_lock.writing(output):
            _put_in_place(_rendered(study, galleries), output)
    except OSError as error:
        path = error.filename or output
        raise ReportError(
            f"the report cannot be written: {path}: {error.strerror or error}; "
            "name a folder that can be written to"
        ) from error


def _rendered(study: Study, galleries: Sequence[Gallery]) -> dict[str, str]:
    """Content by file name."""
    names = FileNames(_OWN_NAMES)
    files = {"report.json": _json(as_json(study))}
    stems = {}
    shown = with_groups(study)
    for table, shown_table in zip(study.tables, shown.tables, strict=True):
        stem = names.take(table.identifier, ".csv", ".tex", ".json")
        stems[table.identifier] = stem
        files |= {
            f"{stem}.csv": render_csv(shown_table),
            f"{stem}.tex": render_latex(shown_table),
            f"{stem}.json": _json(as_json(table)),
        }
    figures = draw_figures(shown, names)
    files |= {f"{figure.name}.svg": with_paper(figure.svg) for figure in figures}
    files["report.md"] = render_markdown(shown, figures, stems)
    files[_PAGE] = render_html(shown, figures, galleries, stems)
    return files


def _put_in_place(files: dict[str, str], output: pathlib.Path) -> None:
    contents = {name: text.encode("utf-8") for name, text in files.items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[_LIST] = _json(hashes).encode("utf-8")
    older = _older_files(output)
    temporaries: dict[str, pathlib.Path] = {}
    try:
        for name, content in contents.items():
            temporaries[name] = output / f".{uuid.uuid4().hex}"
            with naming_instead(output / name):
                temporaries[name].write_bytes(content)
        for name in sorted(contents, key=lambda name: name == _PAGE):
            with naming_instead(output / name):
                os.replace(temporaries[name], output / name)
    finally:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):  # which would hide the one that came before
                temporary.unlink()
    for name, written in older.items():
        path = output / name
        is_stale = name not in contents and path.is_file() and not path.is_symlink()
        if is_stale and hashlib.sha256(path.read_bytes()).hexdigest() == written:
            path.unlink()


def _older_files(output: pathlib.Path) -> dict[str, str]:
    """SHA-256 by name of what the report that stands there wrote; empty if there is none."""
    try:
        listed = json.loads(read_regular(output / _LIST, MEBIBYTE))
    except (OSError, ValueError):
        return {}
    if not isinstance(listed, dict):
        return {}
    return {
        name: value
        for name, value in listed.items()
        if isinstance(value, str) and name == pathlib.PurePath(name).name
    }


def _json(value: Any) -> str:
    try:
        return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise ReportError(f"the study has numbers that JSON does not know: {error}") from error
