"""Tests of fpliif_jax.run_folder.shared_folder in one process; tests/training/several_processes_test.py has two."""

import pathlib

import numpy as np
import pytest

from fpliif_jax.devices import parallel
from fpliif_jax.run_folder import checkpoint, shared_folder


def test_processes_that_see_different_checkpoints_say_which(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for which, step in (("best", 4), ("last", 6)):
        checkpoint.save(tmp_path, which, step, {"params": np.zeros(1)}, {"step": step})
    shared_folder.check_shared(tmp_path)
    monkeypatch.setattr(parallel, "is_same_in_all", lambda text: False)
    with pytest.raises(
        checkpoint.CheckpointError, match="this one 'best' of step 4, 'last' of step 6"
    ):
        shared_folder.check_shared(tmp_path)
