"""The folder of a page is written as a whole, and takes the place of an earlier page alone."""

import json
import pathlib

import pytest

from fpliif_jax.demo import page_folder
from fpliif_jax.demo.page_folder import PageError

FILES = {"index.html": b"<!doctype html>", "runtime/x.wasm": b"\0asm", "main.js": b"1"}


def content(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def listed(folder: pathlib.Path) -> dict[str, object]:
    text = (folder / "files.js").read_text()
    assert text.startswith("self.PAGE = ") and text.endswith(";\n")
    return json.loads(text[len("self.PAGE = ") : -2])


def test_a_page_lists_its_files_and_replaces_an_earlier_one(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "new" / "page"
    page_folder.write(folder, FILES, "default-src 'none'")
    first = listed(folder)
    assert first["small"] == ["index.html", "main.js"] and first["large"] == ["runtime/x.wasm"]
    assert first["policy"] == "default-src 'none'"
    assert content(folder).keys() == {*FILES, "files.js"}
    other = {**FILES, "main.js": b"2"}
    page_folder.write(folder, other, "")
    assert content(folder) == {**other, "files.js": (folder / "files.js").read_bytes()}
    assert listed(folder)["version"] != first["version"]
    assert [path.name for path in folder.parent.iterdir()] == ["page"]


def test_an_empty_folder_may_become_a_page(tmp_path: pathlib.Path) -> None:
    (tmp_path / "page").mkdir()
    page_folder.write(tmp_path / "page", FILES, "")
    assert (tmp_path / "page" / "index.html").exists()


def test_what_is_no_page_is_not_touched(tmp_path: pathlib.Path) -> None:
    for name in ("file", "folder", "list alone", "another list"):
        path = tmp_path / name
        if name == "file":
            path.write_text("mine")
        else:
            path.mkdir()
            if name == "folder":
                (path / "mine").write_text("mine")
            elif name == "list alone":
                (path / "files.js").write_text("x" * 100)
            else:
                (path / "files.js").write_text('{"small": ["index.html"], "large": {}}')
        with pytest.raises(PageError, match="exists and is no page of this command: name another"):
            page_folder.write(path, FILES, "")
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "mine").read_text() == "mine"
    assert not any(".partial" in path.name for path in tmp_path.iterdir())


def test_a_link_to_an_earlier_page_is_not_replaced(tmp_path: pathlib.Path) -> None:
    page_folder.write(tmp_path / "page", FILES, "")
    link = tmp_path / "link"
    link.symlink_to("page")
    with pytest.raises(PageError, match=r"^--output=.*link is a link: name the folder itself$"):
        page_folder.write(link, FILES, "")
    assert link.is_symlink() and content(link) == content(tmp_path / "page")
    assert {path.name for path in tmp_path.iterdir()} == {"page", "link"}


def test_a_file_of_the_person_s_among_the_page_s_is_not_lost(tmp_path: pathlib.Path) -> None:
    page_folder.write(tmp_path / "page", FILES, "")
    (tmp_path / "page" / "CNAME").write_text("faces.example")
    with pytest.raises(PageError, match="has a file that is not of the page, CNAME: move it away"):
        page_folder.write(tmp_path / "page", FILES, "")
    assert (tmp_path / "page" / "CNAME").read_text() == "faces.example"


def test_where_writing_fails_the_earlier_page_stands(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "page"
    page_folder.write(folder, FILES, "")
    before = content(folder)
    rename = pathlib.Path.rename

    def fail(self: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(pathlib.Path, "rename", fail)
    with pytest.raises(OSError, match="No space left"):
        page_folder.write(folder, {**FILES, "main.js": b"2"}, "")
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
