"""onnxruntime-web, fetched by npm in one version and believed by its digest alone."""

import base64
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from fpliif_jax.data_builders.errors import UserError, one_line, said
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"  # the name that `npm pack` gives it
# As the registry states it, "integrity": a new version needs a new one.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# What the page loads: for processors, and for GPUs where the browser has WebGPU.
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_MOST_ARCHIVE_BYTES = 64 * MEBIBYTE
_SECONDS = 600  # of a slow connection


class RuntimeArchiveError(UserError):
    """onnxruntime-web cannot be had or is not what it should be; the message says what to do."""


def files(archive: str | os.PathLike[str] | None = None) -> dict[str, bytes]:
    """The files of onnxruntime-web that a page needs, by name.

    Args:
      archive: of `npm pack`, by hand; by default the one in the cache, which npm fetches where it is missing.

    Raises:
      RuntimeArchiveError: npm is missing or cannot fetch it, or the archive is unreadable or another.
    """
    if archive is not None:
        path = expanded(archive)
        return _unpacked(_checked(path, "--runtime: "), path)
    path = cache_folder() / ARCHIVE
    if path.exists():
        try:
            return _unpacked(_checked(path), path)
        except RuntimeArchiveError:
            path.unlink(missing_ok=True)  # damaged on this disk: fetched anew
    _fetch(path)
    return _unpacked(_checked(path), path)


def cache_folder() -> pathlib.Path:
    """Where the archive is kept: `$XDG_CACHE_HOME/fpliif_jax/npm`, by default under ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expanded(home) / "fpliif_jax" / "npm"


def integrity(content: bytes) -> str:
    """The digest of an archive as npm writes it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def _fetch(path: pathlib.Path) -> None:
    """Lets npm fetch the archive; what is under that name is whole."""
    npm = shutil.which("npm")
    by_hand = f"or get {ARCHIVE} elsewhere and give --runtime={ARCHIVE}"
    if npm is None:
        raise RuntimeArchiveError(
            f"npm, which fetches {PACKAGE}, is not installed: install Node.js, {by_hand}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RuntimeArchiveError(
            f"{said(error)}: what npm fetches cannot be kept; set XDG_CACHE_HOME to a folder that can be written, "
            f"{by_hand}"
        ) from error
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching.") as folder:
        # No scripts: a package is data here. One retry: offline, more of them take minutes.
        command = [
            npm,
            "pack",
            PACKAGE,
            "--ignore-scripts",
            "--fetch-retries=1",
            "--loglevel=error",
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeArchiveError(
                f"npm had not fetched {PACKAGE} after {_SECONDS} s: try again, {by_hand}"
            ) from None
        fetched = pathlib.Path(folder) / ARCHIVE
        if done.returncode or not fetched.is_file():
            raise RuntimeArchiveError(
                f"npm could not fetch {PACKAGE} ({_reason(done.stderr)}): is there a network? Try again, {by_hand}"
            )
        _checked(fetched)
        os.replace(fetched, path)


def _reason(stderr: str) -> str:
    """The last line of what npm says, without its marks: the lines before it are codes."""
    lines = [line.removeprefix("npm").strip().removeprefix("error").removeprefix("ERR!").strip()
             for line in stderr.splitlines()]  # fmt: skip
    messages = [line for line in lines if line and not line.startswith("A complete log")]
    return one_line(messages[-1][:160]) if messages else "it says nothing"


def _checked(path: pathlib.Path, where: str = "") -> bytes:
    """The content of an archive; RuntimeArchiveError where it is not the one that `INTEGRITY` is of."""
    try:
        content = read_regular(path, _MOST_ARCHIVE_BYTES)
    except OSError as error:
        raise RuntimeArchiveError(
            f"{where}{one_line(path)}: {error.strerror or error}; it should be {ARCHIVE}, as npm pack {PACKAGE} "
            "fetches it"
        ) from error
    if integrity(content) != INTEGRITY:
        raise RuntimeArchiveError(
            f"{where}{one_line(path)} is not {PACKAGE}: its digest is {integrity(content)[:19]}…, that of the "
            f"package {INTEGRITY[:19]}…; get it anew with npm pack {PACKAGE}"
        )
    return content


def _unpacked(content: bytes, path: pathlib.Path) -> dict[str, bytes]:
    """The named files of an archive, read in memory: nothing of it is written by its own names."""
    members = {f"package/dist/{name}": name for name in FILES}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                if member.isreg() and member.name in members:
                    # pyrefly: ignore[missing-attribute] - of a regular file
                    contents[members[member.name]] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise RuntimeArchiveError(f"{one_line(path)}: cannot be unpacked ({error})") from error
    missing = sorted(set(FILES) - contents.keys())
    if missing:
        raise RuntimeArchiveError(f"{one_line(path)}: has no {', '.join(missing)}")
    return contents
