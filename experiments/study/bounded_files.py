"""Reads files that others left, without trusting them: size, kind and content are checked first.

No file is followed through a link out of the folder it belongs to, nothing is unpickled, and nothing is
decompressed beyond a limit. Whatever is wrong with a file is an `UnreadableError` of one line.
"""

import io
import json
import math
import pathlib
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from data_builders.regular_files import MEBIBYTE, read_regular

_MOST_LEVELS = 64
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class UnreadableError(Exception):
    """A file cannot be read or is not what it should be; the message names the file and says why."""


def read_bytes(path: pathlib.Path, within: pathlib.Path, limit: int) -> bytes:
    """The content of a regular file.

    Args:
      path: the file.
      within: folder that it must lie in once all links are followed.
      limit: most bytes it may have.

    Raises:
      FileNotFoundError: there is no such file.
      UnreadableError: it lies elsewhere, is no regular file, is larger than `limit` or cannot be read.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(within.resolve()):
            raise UnreadableError(f"{path.name} is a link out of {within}; copy the file instead")
        return read_regular(real, limit)
    except FileNotFoundError:
        if path.is_symlink():
            raise UnreadableError(f"{path.name} is a link to a file that is not there") from None
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{path.name} cannot be read: {reason}") from error


def parse_json(text: bytes, name: str) -> Any:
    """Parses UTF-8 JSON that can be worked with: finite numbers, 64-bit integers, 64 levels at most.

    Raises:
      UnreadableError: it is not that; the message begins with `name`.
    """
    try:
        content = json.loads(
            text.decode("utf-8"),
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_integer,
        )
        _check_texts_and_depth(content)
    except RecursionError:
        raise UnreadableError(f"{name} is not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise UnreadableError(f"{name} is not valid JSON: {_one_line(error)}") from error
    return content


def read_arrays(
    path: pathlib.Path, within: pathlib.Path, names: Iterable[str] | None, limit: int
) -> dict[str, np.ndarray]:
    """Arrays of an .npz file.

    Args:
      path: the file.
      within: folder that it must lie in once all links are followed.
      names: the arrays wanted; others are not even decompressed. None: all.
      limit: most bytes of the file, and of all wanted arrays together.

    Raises:
      FileNotFoundError: there is no such file.
      UnreadableError: the file is damaged, an array is missing, is larger than it says, or has Python objects.
    """
    content = read_bytes(path, within, limit)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive, path.name)
            wanted = list(members) if names is None else list(names)
            missing = [name for name in wanted if name not in members]
            if missing:
                raise UnreadableError(f"{path.name} has no array {missing[0]!r}")
            if sum(members[name].file_size for name in wanted) > limit:
                raise UnreadableError(f"{path.name} unpacks to more than {limit // MEBIBYTE} MiB")
            return {name: _read_array(archive, members[name], path.name) for name in wanted}
    except UnreadableError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for damaged files
        raise UnreadableError(f"{path.name} is damaged: {_one_line(error)}") from error


def _members(archive: zipfile.ZipFile, file_name: str) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise UnreadableError(f"{file_name} has two arrays {name!r}")
        if info.compress_type not in _COMPRESSIONS:
            raise UnreadableError(f"{file_name}: {name!r} is compressed in an unknown way")
        members[name] = info
    return members


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file_name: str) -> np.ndarray:
    """Reads no more than the directory declares, and only if that is what the array's header needs."""
    with archive.open(info) as member:
        content = member.read(info.file_size + 1)
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise UnreadableError(f"{file_name}: {info.filename} has an unknown format {version}")
    # A header of a few bytes may ask for any amount of memory.
    if dtype.hasobject or not dtype.itemsize or min(shape, default=0) < 0:
        raise UnreadableError(f"{file_name}: {info.filename} is not an array of numbers or text")
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise UnreadableError(f"{file_name}: {info.filename} is not as long as its shape {shape}")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not finite")
    return value


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**63:
        raise ValueError(f"{text[:40]}… is too large")
    return value


def _check_texts_and_depth(content: Any) -> None:
    """JSON can spell half of a surrogate pair, which no file can hold."""
    level = [content]
    for _ in range(_MOST_LEVELS):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                value.encode("utf-8")
            elif isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return
        level = below
    raise ValueError("nested too deeply")


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
