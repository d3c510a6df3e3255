"""Files of raw trees that cannot be read: what the person can do about each."""

import errno
import os
import pathlib

import pytest

from fpliif_jax.data_builders import prepare
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw import raw_tree


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "Correct its permissions."),
        (errno.EPERM, "Correct its permissions."),
        (errno.ENOENT, "Restore it."),
        (errno.EIO, "Restore it."),
        (errno.EFBIG, "Restore it."),
    ],
)
def test_permissions_are_said_where_they_are_the_reason(
    monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(path: pathlib.Path, limit: int) -> bytes:
        raise OSError(number, os.strerror(number), os.fspath(path))

    monkeypatch.setattr(raw_tree, "read_regular", refuse)
    with pytest.raises(DataError) as error:
        raw_tree.read_file(pathlib.Path("a.png"), "Restore it.")
    reason = os.strerror(number)
    assert str(error.value) == f"a.png: the file cannot be read ({reason}). {remedy}"


def test_a_folder_of_masks_that_is_a_link_in_a_circle_is_named(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "CelebAMask-HQ"
    for folder in ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno"):
        (root / folder).mkdir(parents=True)
    (root / "CelebA-HQ-to-CelebA-mapping.txt").touch()
    (root / "CelebAMask-HQ-mask-anno" / "0").symlink_to("0")
    with pytest.raises(DataError, match="mask-anno/0: this link cannot be followed"):
        prepare.counts("celebamask_hq", manual_dir=str(tmp_path), data_dir=str(tmp_path))
