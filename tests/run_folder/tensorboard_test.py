"""Tests of fpliif_jax.run_folder.tensorboard."""

import importlib
import multiprocessing
import pathlib
import sys
import threading

import pytest

from fpliif_jax.run_folder import tensorboard


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that look for PyTorch; nobody has imported it or tensorboardX, and it is not there."""
    threads = []

    class Finder:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "torch":
                threads.append(threading.current_thread().name)
                raise ImportError(name)

    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "tensorboardX")]:
        if ".proto" not in name:  # these are registered where nothing undoes it
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    return threads


def _import_torch() -> None:
    with pytest.raises(ImportError):
        importlib.import_module("torch")


def test_it_does_not_wait_for_pytorch(tmp_path: pathlib.Path, asked: list[str]) -> None:
    tensorboard.EventLog(tmp_path, 1).close()
    assert "tensorboardX.writer" in sys.modules and not asked
    _import_torch()  # it can be imported afterwards, if it is there
    assert asked == ["MainThread"]


def test_it_needs_neither_a_thread_nor_shared_memory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiprocessing, "Queue", None)
    before = threading.active_count()
    log = tensorboard.EventLog(tmp_path, 1)
    for step in range(50):
        log.add_scalar("loss", 2.5, step)
    assert threading.active_count() == before
    log.flush()
    (file,) = tmp_path.iterdir()
    size = file.stat().st_size
    log.close()
    assert file.stat().st_size == size > 50 * 16  # all that was given was flushed


def test_another_thread_may_import_pytorch_meanwhile(asked: list[str]) -> None:
    other = threading.Thread(target=_import_torch, name="another")
    with tensorboard.without_torch():
        other.start()
        other.join()
        _import_torch()
    assert asked == ["another"]
