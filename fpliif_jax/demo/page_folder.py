"""The folder of a page: written as a whole, and in the place of nothing but an earlier page."""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping

from fpliif_jax.data_builders.errors import UserError, naming, one_line
from fpliif_jax.data_builders.host import atomic_folder
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.run_folder.run_record import check_workdir

# Lists the files of a page for its service worker, and tells a page from other folders.
LIST = "files.js"
_BEGIN, _END = "self.PAGE = ", ";\n"
# Of a page's files, those that are kept for use without a network once they are loaded, not before: of two runtimes
# a browser needs one.
_LARGE = ".wasm"


class PageError(UserError):
    """A page cannot be made or written; the message says why and what to do."""


def check_place(output: str | os.PathLike[str]) -> None:
    """Refuses a link, and a folder that holds anything but a page, before anything long begins.

    Raises:
      PageError: there is something else.
      RunRecordError: it cannot be made.
    """
    output = pathlib.Path(output)
    name = one_line(output)
    if output.is_symlink():
        raise PageError(f"--output={name} is a link: name the folder itself")
    if not output.exists():
        check_workdir(output, "--output")
        return
    listed = _listed(output)
    if listed is None:
        if not output.is_dir() or any(output.iterdir()):
            raise PageError(
                f"--output={name} exists and is no page of this command: name another folder"
            )
        return
    for path in output.rglob("*"):
        if not path.is_dir() and path.relative_to(output).as_posix() not in listed:
            raise PageError(
                f"--output={name} has a file that is not of the page, {one_line(path.relative_to(output))}: "
                "move it away, or name another folder"
            )


def write(output: pathlib.Path, files: Mapping[str, bytes], policy: str) -> None:
    """Writes a page in one step; an earlier page stands until then.

    Args:
      output: the folder, see `check_place`.
      files: contents by path within it, with '/'.
      policy: the Content-Security-Policy that goes with every file.

    Raises:
      PageError: there is something else under that name.
      OSError: it cannot be written.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder.replacing(output) as new:
        for name, content in {**files, LIST: _list_of(files, policy)}.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with naming(output / name):
                path.write_bytes(content)
        check_place(output)


def _list_of(files: Mapping[str, bytes], policy: str) -> bytes:
    """The script that names a page's files: another one for every other content."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    page = {
        "version": digest.hexdigest()[:16],
        "policy": policy,
        "small": sorted(name for name in files if not name.endswith(_LARGE)),
        "large": sorted(name for name in files if name.endswith(_LARGE)),
    }
    return f"{_BEGIN}{json.dumps(page, indent=1)}{_END}".encode()


def _listed(folder: pathlib.Path) -> set[str] | None:
    """The files of the page in a folder; None where there is no page."""
    try:
        text = read_regular(folder / LIST, MEBIBYTE).decode()
        page = json.loads(text.removeprefix(_BEGIN).removesuffix(_END))
        names = {LIST, *page["small"], *page["large"]}
        return names if "index.html" in names and text.startswith(_BEGIN) else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
