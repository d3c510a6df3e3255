"""Tests of experiments.plans.committed_file, and of what kept plans say of their commits."""

import json
import pathlib
import shutil
import subprocess

import pytest

from fpliif_jax.experiments.plans import committed_file
from fpliif_jax.experiments.plans.committed_file import file_of

_ROOT = pathlib.Path(__file__).parents[3]
_KEPT = sorted((_ROOT / "experiments" / "results").glob("*/plan.json"))

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def _git(folder: pathlib.Path, *arguments: str) -> bytes:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def test_a_plan_is_of_a_commit_that_has_its_text(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "experiments" / "plans"
    folder.mkdir(parents=True)
    monkeypatch.setattr(committed_file, "_FOLDER", folder)
    _git(tmp_path, "init", "--quiet")
    (folder / "edges.toml").write_bytes("title = 'λ'\r\n".encode())
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message=plan")
    commit = _git(tmp_path, "rev-parse", "HEAD").decode().strip()
    (folder / "edges.toml").write_text("title = 'later'", "utf-8")
    (folder / "new.toml").write_text("title = 'new'", "utf-8")
    assert file_of("edges", "title = 'λ'\r\n", commit) == "experiments/plans/edges.toml"
    assert file_of("edges", "title = 'later'", commit) is None
    assert file_of("new", "title = 'new'", commit) is None
    assert file_of("edges", None, commit) is None  # a table of a paper
    assert file_of("edges", "title = 'λ'\r\n", f"{commit}+changes") is None
    assert file_of("edges", "title = 'λ'\r\n", None) is None
    monkeypatch.setattr(committed_file, "_FOLDER", tmp_path / "missing")
    assert file_of("edges", "title = 'λ'\r\n", commit) is None


@pytest.mark.parametrize("path", _KEPT, ids=[path.parent.name for path in _KEPT])
def test_a_kept_plan_is_the_file_of_its_commit(path: pathlib.Path) -> None:
    plan = json.loads(path.read_text("utf-8"))
    commit = plan["frozen"]["commit"]
    try:
        _git(_ROOT, "cat-file", "-e", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError:
        pytest.skip("needs the whole history: not a clone, or a shallow one")
    assert file_of(plan["name"], plan["text"], commit) == plan["frozen"]["file"]
