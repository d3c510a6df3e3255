"""What can be wrong with a raw tree, and what every message about it has to be."""

import pathlib
from collections.abc import Callable

import pytest
from PIL import Image
from raw_sets import WRITERS, Folders, prepared_files

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import prepare

Spoil = Callable[[pathlib.Path], object]


def truncate(path: pathlib.Path, keep: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def recolour(path: pathlib.Path, mode: str) -> None:
    Image.open(path).convert(mode).save(path, format="PNG")


def replace_text(path: pathlib.Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def nest(folder: pathlib.Path) -> None:
    """Moves a folder into a new one of the same name: unpacked one level too deep."""
    inner = folder.parent / "moved"
    folder.rename(inner)
    folder.mkdir()
    inner.rename(folder / folder.name)


def leave_only_macos_files(manual_dir: pathlib.Path, folder: str) -> None:
    """What is there when the set itself was unpacked elsewhere: __MACOSX with the same tree."""
    (manual_dir / "__MACOSX").mkdir()
    (manual_dir / folder).rename(manual_dir / "__MACOSX" / folder)


def check_refused(name: str, folders: Folders, spoil: Spoil, fragments: tuple[str, ...]) -> None:
    """A spoilt tree of a set is one line that has these fragments, and nothing is left prepared."""
    manual_dir, data_dir = folders
    spoil(WRITERS[name](manual_dir))
    with pytest.raises(DataError) as error:
        prepare(name, manual_dir=str(manual_dir), data_dir=data_dir)
    for fragment in fragments:
        assert fragment in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 2000
    assert not prepared_files(data_dir)
