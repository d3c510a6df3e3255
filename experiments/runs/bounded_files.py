"""Reads files that others left, without trusting them: size, kind and content are checked first.

No file is followed through a link out of the folder it belongs to, nothing is unpickled, and nothing is
decompressed beyond a limit. Whatever is wrong with a file is an `UnreadableError` of one line.
"""

import dataclasses
import io
import json
import math
import pathlib
import zipfile
from collections.abc import Mapping
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular

_MOST_LEVELS = 64
_LONGEST_HEADER = 16 * 2**10  # bytes of a .npy file; NumPy parses 10,000 at most
_KINDS = {"u": "unsigned integers", "iu": "integers", "f": "numbers with a point", "U": "texts"}
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_ENTRY, _MOST_MEMBERS = b"PK\x01\x02", 10_000


class UnreadableError(UserError):
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


@dataclasses.dataclass(frozen=True)
class ArrayForm:
    """What an array must be, as the header of its file says it.

    Attributes:
      kinds: of its dtype, by NumPy's letters: 'u', 'iu', 'f' or 'U'.
      shape: its length by axis; None where any will do.
      limit: most bytes that it may have, beside the limit of the file.
    """

    kinds: str
    shape: tuple[int | None, ...]
    limit: int | None = None

    def __str__(self) -> str:
        lengths = ("any" if length is None else str(length) for length in self.shape)
        return f"{_KINDS[self.kinds]} [{', '.join(lengths)}]"

    def fits(self, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether an array of that shape and dtype is such a one; says nothing of its limit."""
        return (
            dtype.kind in self.kinds
            and len(shape) == len(self.shape)
            and all(
                expected in (None, length)
                for expected, length in zip(self.shape, shape, strict=True)
            )
        )


class ArrayFile:
    """An .npz file, read from disk once."""

    def __init__(self, path: pathlib.Path, within: pathlib.Path, limit: int) -> None:
        """Reads the file and decompresses nothing.

        Args:
          path: the file.
          within: folder that it must lie in once all links are followed.
          limit: most bytes of the file, and of all arrays together that are read at once.

        Raises:
          FileNotFoundError: there is no such file.
          UnreadableError: it cannot be read, or is too large.
        """
        self._content = read_bytes(path, within, limit)
        self._name = path.name
        self._limit = limit
        # zipfile makes an object of each before anything is asked.
        if self._content.count(_ZIP_ENTRY) > _MOST_MEMBERS:
            raise UnreadableError(f"{self._name} has more than {_MOST_MEMBERS:,} arrays")

    def read(self, forms: Mapping[str, ArrayForm]) -> dict[str, np.ndarray]:
        """Reads some of its arrays. Nothing is decompressed but headers before all of these say what is expected.

        Args:
          forms: what the arrays that are read must be, by name; others are not even decompressed.

        Raises:
          UnreadableError: the file is damaged, an array is missing, of another form, too large or not as long as it
            says.
        """
        name, limit = self._name, self._limit
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
                members = _members(archive, name)
                missing = [array for array in forms if array not in members]
                if missing:
                    raise UnreadableError(f"{name} has no array {missing[0]!r}")
                if sum(members[array].file_size for array in forms) > limit:
                    raise UnreadableError(f"{name} unpacks to more than {limit // MEBIBYTE} MiB")
                for array, form in forms.items():
                    _check_form(archive, members[array], form, f"{name}: {array}")
                return {array: _read_array(archive, members[array], name) for array in forms}
        except UnreadableError:
            raise
        except Exception as error:  # zipfile, zlib and NumPy raise many kinds for damaged files
            raise UnreadableError(f"{name} is damaged: {_one_line(error)}") from error


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


class _Header(NamedTuple):
    """What a .npy file begins with."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype
    length: int  # of the header itself, in bytes


def _check_form(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, form: ArrayForm, name: str
) -> None:
    with archive.open(info) as member:
        header = _read_header(member, name)
    size = math.prod(header.shape) * header.dtype.itemsize
    if size != info.file_size - header.length:
        raise UnreadableError(f"{name} is not as long as its shape {header.shape}")
    if not form.fits(header.shape, header.dtype):
        raise UnreadableError(f"{name} is {header.dtype} {list(header.shape)}, not {form}")
    if form.limit is not None and size > form.limit:
        raise UnreadableError(f"{name} has more than {form.limit // MEBIBYTE} MiB")


def _read_header(member: IO[bytes], name: str) -> _Header:
    """Reads no more than a header can have, and leaves the stream somewhere behind it."""
    stream = io.BytesIO(member.read(_LONGEST_HEADER))
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise UnreadableError(f"{name} has an unknown format {version}")
    if dtype.hasobject or not dtype.itemsize or min(shape, default=0) < 0:
        raise UnreadableError(f"{name} is not an array of numbers or text")
    return _Header(shape, "F" if is_fortran else "C", dtype, stream.tell())


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file_name: str) -> np.ndarray:
    """Decompresses into the array itself: a second copy could be as large again."""
    with archive.open(info) as member:
        header = _read_header(member, file_name)
    content = bytearray(math.prod(header.shape) * header.dtype.itemsize)
    left = memoryview(content)
    with archive.open(info) as member:
        member.read(header.length)
        while left:
            part = member.read(min(len(left), MEBIBYTE))
            if not part:
                raise UnreadableError(f"{file_name}: {info.filename} ends too early")
            left[: len(part)] = part
            left = left[len(part) :]
        member.read(1)  # at its end zipfile compares the checksum
    return np.frombuffer(content, header.dtype).reshape(header.shape, order=header.order)


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
