"""onnxruntime-web is taken as npm gives it and by its digest alone; archives of others are refused in one line."""

import io
import os
import pathlib
import tarfile

import pytest

from fpliif_jax.demo import runtime
from fpliif_jax.demo.runtime import RuntimeArchiveError


def archive_of(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            for member in others:
                archive.addfile(member)
        return file.getvalue()


WHOLE = {f"package/dist/{name}": name.encode() for name in runtime.FILES}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """An archive that counts as the right one."""
    content = archive_of({"package/package.json": b"{}", **WHOLE, "package/dist/other.js": b"no"})
    monkeypatch.setattr(runtime, "INTEGRITY", runtime.integrity(content))
    return content


@pytest.fixture
def npm(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[pathlib.Path, pathlib.Path]:
    """A folder for a program `npm`, the only one on the PATH but /bin, and the cache."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return programs / "npm", tmp_path / "cache" / "fpliif_jax" / "npm" / runtime.ARCHIVE


def write_npm(program: pathlib.Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_the_named_files_are_read_and_no_others(tmp_path: pathlib.Path, known: bytes) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(known)
    assert runtime.files(path) == {name: name.encode() for name in runtime.FILES}


def test_an_integrity_is_written_as_npm_writes_it() -> None:
    # RFC 6234's digest of the empty string, in base64.
    empty = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
    assert runtime.integrity(b"") == empty and len(runtime.INTEGRITY) == len(empty)


def test_another_archive_is_refused(tmp_path: pathlib.Path, known: bytes) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(known[:-1] + b"?")
    with pytest.raises(RuntimeArchiveError, match=r"^--runtime: .*x\.tgz is not onnxruntime-web@1"):
        runtime.files(path)


@pytest.mark.parametrize("kind", ["missing", "folder", "large"])
def test_what_is_no_archive_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "x.tgz"
    if kind == "folder":
        path.mkdir()
    if kind == "large":
        monkeypatch.setattr(runtime, "_MOST_ARCHIVE_BYTES", 10)
        path.write_bytes(bytes(11))
    with pytest.raises(RuntimeArchiveError, match=r"^--runtime: .*x\.tgz: .*it should be onnx"):
        runtime.files(path)


def _link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


def _hostile(kind: str) -> bytes:
    first = f"package/dist/{runtime.FILES[0]}"
    rest = {name: content for name, content in WHOLE.items() if name != first}
    return {
        "no archive": b"not an archive",
        "cut short": archive_of({**WHOLE, "package/noise": os.urandom(5000)})[:-3000],
        "a file missing": archive_of(rest),
        "a link in a file's place": archive_of(rest, _link(first)),
        "a path that escapes": archive_of({**rest, f"../../{first}": b"escaped"}),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("no archive", "cut short", "a file missing", "a link in a file's place"),
        "a path that escapes",
    ],
)
def test_hostile_archives_are_one_line_and_nothing_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Even where the digest were theirs."""
    content = _hostile(kind)
    monkeypatch.setattr(runtime, "INTEGRITY", runtime.integrity(content))
    path = tmp_path / "x.tgz"
    path.write_bytes(content)
    with pytest.raises(RuntimeArchiveError) as refused:
        runtime.files(path)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    assert list(tmp_path.iterdir()) == [path]


def test_npm_fetches_it_once(npm: tuple[pathlib.Path, pathlib.Path], known: bytes) -> None:
    program, cached = npm
    (program.parent / "archive").write_bytes(known)
    write_npm(
        program,
        f'echo "$@" >> {program.parent}/calls; /bin/cp {program.parent}/archive {runtime.ARCHIVE}',
    )
    assert set(runtime.files()) == set(runtime.FILES)
    assert set(runtime.files()) == set(runtime.FILES)
    (call,) = (program.parent / "calls").read_text().splitlines()
    assert call.startswith(f"pack onnxruntime-web@{runtime.VERSION} --ignore-scripts")
    cached.write_bytes(b"damaged on the disk")
    assert set(runtime.files()) == set(runtime.FILES)
    assert cached.read_bytes() == known
    assert list(cached.parent.iterdir()) == [cached]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "npm, which fetches onnxruntime-web@.*, is not installed: install Node.js, or get"),
        (
            "echo npm error code ENOTFOUND >&2; echo npm error network getaddrinfo failed >&2; exit 1",
            r"could not fetch .* \(network getaddrinfo failed\): is there a network\?",
        ),
        ("exit 0", r"could not fetch .* \(it says nothing\)"),
        (f"echo another > {runtime.ARCHIVE}", "is not onnxruntime-web@"),
    ],
)
def test_what_npm_cannot_do_is_one_line(
    npm: tuple[pathlib.Path, pathlib.Path], script: str | None, message: str
) -> None:
    program, cached = npm
    if script is not None:
        write_npm(program, script)
    with pytest.raises(RuntimeArchiveError, match=message) as failed:
        runtime.files()
    assert "\n" not in str(failed.value)
    assert not cached.exists() and not any(cached.parent.glob(".*"))


def test_a_folder_that_cannot_keep_it_is_one_line(
    npm: tuple[pathlib.Path, pathlib.Path], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    write_npm(npm[0], "exit 0")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    message = "/file.*: Not a directory: .* set XDG_CACHE_HOME to .*, or get .* --runtime="
    with pytest.raises(runtime.RuntimeArchiveError, match=message):
        runtime.files()
