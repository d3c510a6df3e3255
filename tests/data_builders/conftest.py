"""What tests of the builders share."""

import pathlib
import tempfile

import pytest
from raw_sets import Folders


@pytest.fixture
def folders(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Where raw trees and prepared sets go in a test."""
    # TFDS leaves an empty temporary folder for every builder of a set that is not prepared.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "manual", str(tmp_path / "data")
