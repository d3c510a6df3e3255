"""What lies in a raw download: its examples, and where its folder is."""

import dataclasses
import errno
import os
import pathlib
import shlex
from collections.abc import Iterable, Iterator, Sequence

from fpliif_jax.data_builders.class_list import ClassList
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular

SPLITS = ("train", "validation", "test")

# Official files are below 2 MiB; what Pillow decodes at most is about this as a JPEG file.
LARGEST_FILE = 64 * MEBIBYTE
_LONGEST_SHOWN = 80
# What to do about a file of a set that can be downloaded.
RESTORE = "Restore the official file: unpack the archive again, or download it again."
MACOS_LEFTOVERS = "__MACOSX"  # beside what macOS packs: a folder of the same names without content
_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


@dataclasses.dataclass(frozen=True)
class RawExample:
    """One image and the files that label it; paths are relative to the tree's root, with `/`."""

    id: str
    image: str
    labels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class RawTree:
    """The files of a raw download that make the set.

    Attributes:
        manual_dir: the folder that the person gave.
        root: the data set's own folder, in it.
        lists: files that say what belongs to which split; paths as in RawExample.
        splits: the examples of each split that has any, in the set's order.
        classes: its classes, where they are not the same in every tree of the set.
        remarks: what is unusual about the tree.
        remedy: what the person can do about a file that cannot be used.
    """

    manual_dir: pathlib.Path
    root: pathlib.Path
    lists: tuple[str, ...]
    splits: dict[str, list[RawExample]]
    classes: ClassList | None = None
    remarks: tuple[str, ...] = ()
    remedy: str = RESTORE

    def examples(self) -> Iterator[RawExample]:
        """All examples, split by split."""
        for examples in self.splits.values():
            yield from examples

    def files(self) -> Iterator[str]:
        """All files of the set, in a fixed order."""
        yield from self.lists
        for example in self.examples():
            yield example.image
            yield from example.labels

    def counts(self) -> dict[str, int]:
        """Number of examples in each split, 0 where it is missing."""
        return {split: len(self.splits.get(split, ())) for split in SPLITS}

    def read(self, path: str) -> bytes:
        """The content of one file. Raises DataError where it cannot be read."""
        return read_file(self.root / path, self.remedy)


def read_file(path: pathlib.Path, remedy: str = RESTORE) -> bytes:
    """The content of a regular file. Raises DataError where it cannot be read, or is too large."""
    try:
        return read_regular(path, LARGEST_FILE)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            remedy = "Correct its permissions."
        raise DataError(f"{path}: the file cannot be read ({error.strerror}). {remedy}") from error


def read_rows(path: pathlib.Path, remedy: str = RESTORE) -> list[tuple[int, str]]:
    """The lines of a list file that are not blank, stripped, with their numbers counted from 1."""
    try:
        text = read_file(path, remedy).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: this is not a text file ({error}). {remedy}") from error
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


def shown(line: str) -> str:
    """A line of a list file, quoted, for a message; its beginning if it is long."""
    return repr(line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "…")


def folder_entries(folder: pathlib.Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted by name, less hidden files and what macOS leaves in archives;
    nothing if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            kept = (e for e in entries if not e.name.startswith((".", MACOS_LEFTOVERS)))
            return sorted(kept, key=lambda e: e.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({error.strerror}).") from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder, or a link to one. Raises DataError where it is a link that leads in a circle."""
    try:
        return entry.is_dir()
    except OSError as error:
        raise DataError(
            f"{entry.path}: this link cannot be followed ({error.strerror}). Remove it, or put what it should "
            "lead to in its place."
        ) from error


def no_folder(path: pathlib.Path, remedy: str) -> DataError:
    """The error of a path that is no folder."""
    if path.is_symlink():
        return DataError(
            f"{path}: this link does not lead to a folder. Correct it, or put the folder itself in its place."
        )
    return DataError(f"{path}: there is no such folder. {remedy}")


def image_stems(folder: pathlib.Path, suffix: str) -> list[str]:
    """Names without ending of the image files of a folder, sorted.

    Files that are no images are passed over (operating systems leave theirs everywhere).

    Raises:
        DataError: an image file with another ending than `suffix`, or a name that is not UTF-8.
    """
    stems = []
    for entry in folder_entries(folder):
        stem, ending = os.path.splitext(entry.name)
        if ending == suffix:
            stems.append(os.path.splitext(check_name(entry))[0])
        elif ending.lower() in _IMAGE_SUFFIXES:
            raise DataError(
                f"{entry.path}: images in this folder end in {suffix}. Restore the official file, "
                "or remove this one if it does not belong to the set."
            )
    return stems


def check_name(entry: os.DirEntry[str]) -> str:
    """The name. Raises DataError unless it is UTF-8, as ids and lists are."""
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{entry.path}: this name is not UTF-8. Unpack the archive again, or rename the file."
        ) from error
    return entry.name


def check_pairs(
    root: pathlib.Path,
    image_pattern: str,
    label_pattern: str,
    image_ids: Iterable[str],
    label_ids: Iterable[str],
) -> None:
    """Raises DataError, naming the first one, where an image has no label or a label no image.

    The patterns are paths under `root` with `{}` in the place of the id.
    """
    images, labels = set(image_ids), set(label_ids)
    if images == labels:
        return
    odd_one = min(images ^ labels)
    image, label = root / image_pattern.format(odd_one), root / label_pattern.format(odd_one)
    there, missing = (image, label) if odd_one in images else (label, image)
    raise DataError(
        f"{there}: this {'image' if there == image else 'label'} has no counterpart {missing}. "
        "Unpack the archive again, or remove the file."
    )


def find_root(
    manual_dir: pathlib.Path, folder: str, markers: Sequence[str], archive: str, instructions: str
) -> pathlib.Path:
    """The folder `manual_dir/folder` of an unpacked archive.

    Args:
        manual_dir: what the person gave.
        folder: name of the top folder in the archive.
        markers: relative paths, any of which shows that a folder is the one looked for.
        archive: file name of the download.
        instructions: how to get the data.

    Raises:
        DataError: it is not there; the message says where it was found instead, if it was.
    """

    def is_root(path: pathlib.Path) -> bool:
        return any((path / marker).exists() for marker in markers)

    if not manual_dir.is_dir():
        raise no_folder(manual_dir, instructions)
    if MACOS_LEFTOVERS in manual_dir.parts:
        raise DataError(
            f"{manual_dir}: this folder has no data, only what macOS adds to archives. Give the "
            f"folder beside {MACOS_LEFTOVERS}."
        )
    root = manual_dir / folder
    if is_root(root):
        return root
    if is_root(manual_dir):
        if manual_dir.name == folder:
            raise DataError(
                f"{manual_dir}: this is {folder} itself; give the folder that contains it: "
                f"--manual_dir={shlex.quote(str(manual_dir.parent))}"
            )
        raise DataError(
            f"{manual_dir}: the content of {folder} lies directly in this folder. Make the folder "
            f"{root} and move it there."
        )
    beside = (pathlib.Path(entry.path) for entry in folder_entries(manual_dir))
    for parent in [root, *(path for path in beside if path.is_dir())]:
        for candidate in (parent / folder, parent):
            if is_root(candidate):
                raise DataError(
                    f"{candidate}: the archive was unpacked one level too deep, or under another "
                    f"name. Move this folder so that it is {root}"
                    + (
                        f", or give --manual_dir={shlex.quote(str(parent))}."
                        if candidate.name == folder
                        else "."
                    )
                )
    if (manual_dir / archive).exists():
        raise DataError(
            f"{manual_dir / archive}: the archive is not unpacked yet. Unpack it in {manual_dir}, "
            f"so that there is a folder {root}."
        )
    if not root.is_dir():
        raise no_folder(root, instructions)
    raise DataError(f"{root}: no {' or '.join(markers)} in it. {instructions}")
