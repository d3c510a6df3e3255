"""Files of a run that are broken or hostile: the report names them in one line and goes on without that run."""

import copy
import io
import json
import os
import pathlib
import random
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from made_runs import IMAGES, config_of, write_run
from report_study import as_written

from fpliif_jax.experiments.comparison import measured
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report import write, write_report
from fpliif_jax.experiments.runs.arrays import load_examples
from fpliif_jax.experiments.runs.runs import read_runs

SOUND, HOSTILE = 92.0, 81.0  # mean F1 of the run that is left alone, and of the one that is changed
VALUES = ([], {}, None, float("nan"), float("inf"), 10**30, -1, 1e300, 2.5, "text", "\ud800", True)
JSON_FILES = ("config.json", "results.json", "environment.json", "metrics.jsonl")
ARRAY_FILES = ("evaluations/test-best-256.npz", "examples.npz")
_CHANGES = 24  # of each file of JSON; each costs a report


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not about files takes the time."""
    monkeypatch.setattr(measured, "_RESAMPLES", 5)
    monkeypatch.setattr(write, "draw_figures", lambda study, names: [])


def _write_examples(folder: pathlib.Path) -> None:
    """The worst and the best image of a run, with what made_runs counted in them."""
    with np.load(folder / "evaluations" / "test-best-256.npz") as arrays:
        matrices, ids, names = (
            arrays[key] for key in ("confusion_matrices", "example_ids", "class_names")
        )
    diagonal = np.diagonal(matrices, axis1=1, axis2=2)
    f1 = (2 * diagonal / (matrices.sum(1) + matrices.sum(2)))[:, 1:].mean(1)
    chosen = np.argsort(f1, kind="stable")[[0, -1]]
    np.savez_compressed(
        folder / "examples.npz",
        images=np.zeros((2, 8, 8, 3), np.uint8),
        ids=ids[chosen],
        per_image_f1=f1[chosen],
        rank=np.array([0, IMAGES - 1]),
        split_size=np.array(IMAGES),
        split=np.array("test"),
        checkpoint=np.array("best"),
        rows=np.array(["256"]),
        class_names=names,
        truth_0=np.zeros((2, 8, 8), np.uint8),
        prediction_0=np.ones((2, 8, 8), np.uint8),
    )


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two runs of one experiment, `seed0` and `seed1`; a copy of the second is kept beside them."""
    for seed, percent in enumerate((SOUND, HOSTILE)):
        folder = write_run(
            tmp_path / "runs" / f"seed{seed}", config_of(seed=seed), {"256": percent}
        )
        _write_examples(folder)
    shutil.copytree(tmp_path / "runs" / "seed1", tmp_path / "whole")
    return tmp_path / "runs"


def _restore(root: pathlib.Path) -> None:
    shutil.rmtree(root / "seed1")
    shutil.copytree(root.parent / "whole", root / "seed1")


def _places(content: Any, place: tuple = ()) -> Iterator[tuple]:
    """Every key of an object and every index of a list, at all levels."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*place, key))


def _changed(content: Any, place: tuple, value: Any) -> Any:
    changed = copy.deepcopy(content)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def _shown(study: dict[str, Any]) -> dict[str, Any]:
    """What a report says of runs, but for the list of those that are left out."""
    said = [text for text in study["summary"] if "see the list below" not in text]
    return {
        key: value for key, value in study.items() if key not in ("incomplete_runs", "root")
    } | {"summary": said}


@pytest.fixture
def alone(root: pathlib.Path, tmp_path: pathlib.Path) -> dict[str, Any]:
    """What the report says where the sound run is the only one."""
    shutil.copytree(root / "seed0", tmp_path / "alone" / "seed0")
    return _shown(as_written(analyse(tmp_path / "alone")[0]))


def _check(root: pathlib.Path, alone: dict[str, Any], what: str) -> bool:
    """Makes the report; whether the changed run is left out of it: by name, in one line, and with all its numbers."""
    analysed, shown = analyse(root)
    study = as_written(analysed)
    told = [entry for entry in study["incomplete_runs"] if entry["name"] == "seed1"]
    if not told:
        assert len(study["groups"][0]["runs"]) + len(study["groups"]) == 3, what
        examples = {name: load_examples(run) for name, run in shown.items()}
        write_report(analysed, examples, root.parent / "report")
        return False
    (entry,) = told
    assert entry["status"] == "broken", (what, entry)
    assert "\n" not in entry["problem"] and len(entry["problem"]) < 500, what
    files = r"config|results|environment|metrics|evaluations/|examples|test-best-256|the framework"
    assert re.match(files, entry["problem"]), (what, entry)
    assert _shown(study) == alone, what
    return True


def test_a_whole_run_is_shown_and_would_be_missed(
    root: pathlib.Path, alone: dict[str, Any]
) -> None:
    study = as_written(analyse(root)[0])
    assert {run.status for run in read_runs(root)} == {"finished"}
    assert study["incomplete_runs"] == []
    assert not _check(root, alone, "nothing")
    assert _shown(study) != alone
    rows = study["tables"][0]["rows"]
    assert rows[0]["values"] == {"0": pytest.approx(SOUND), "1": pytest.approx(HOSTILE)}


@pytest.mark.parametrize("name", JSON_FILES)
def test_no_value_at_any_key_stops_the_report_or_gets_into_it(
    root: pathlib.Path, alone: dict[str, Any], name: str
) -> None:
    path = root / "seed1" / name
    text = path.read_text()
    lines = text.splitlines() if name == "metrics.jsonl" else [text]
    cases = [
        (index, place, value)
        for index, line in enumerate(lines)
        for place in _places(json.loads(line))
        for value in VALUES
    ]
    chosen = random.Random(0).sample(cases, min(_CHANGES, len(cases)))
    left_out = 0
    for index, place, value in chosen:
        content = json.loads(lines[index])
        line = json.dumps(_changed(content, place, value))
        path.write_text("\n".join([*lines[:index], line, *lines[index + 1 :]]) + "\n")
        left_out += _check(root, alone, f"{name}: {place} = {value!r}")
    assert left_out > _CHANGES // 3
    _restore(root)
    path.write_text(text[: len(text) // 2] if name != "metrics.jsonl" else "x\n" + text)
    assert _check(root, alone, f"{name} cut off")


STRANGE_ARRAYS = (
    np.array("text"),
    np.array([]),
    np.array(-1),
    np.full((2, 2), np.nan),
    np.array(["a", "a"]),
    np.array(["\ud800", "b"]),
    np.full((IMAGES, 11, 11), 2**40),
    np.full((IMAGES, 11, 11), 7),
    np.full((IMAGES, 11, 11), -1),
    np.array([2**62, 2**62]),
    np.array([0.1, 0.99]),
    np.array([None, 1], object),
    None,
)


@pytest.mark.parametrize("name", ARRAY_FILES)
@pytest.mark.filterwarnings("ignore:.*pickle")
def test_no_array_of_another_kind_stops_the_report_or_gets_into_it(
    root: pathlib.Path, alone: dict[str, Any], name: str
) -> None:
    path = root / "seed1" / name
    with np.load(path) as arrays:
        whole = dict(arrays)
    cases = [(key, value) for key in whole for value in STRANGE_ARRAYS]
    chosen = random.Random(1).sample(cases, min(20, len(cases)))
    # Nothing in the matrices says what their images are called.
    harmless = {("example_ids", ""), ("split", "text"), ("checkpoint", "text")}
    for key, value in chosen:
        changed = whole | {key: value}
        if value is None:
            del changed[key]
        stream = io.BytesIO()
        np.savez_compressed(stream, **changed)
        path.write_bytes(stream.getvalue())
        out = _check(root, alone, f"{name}: {key} = {value!r}")
        assert out or (key, str(value)) in harmless or np.array_equal(value, whole[key]), (
            key,
            value,
        )
    content = stream.getvalue()
    for damaged in (b"", content[: len(content) // 2], b"not an archive", content[::-1]):
        path.write_bytes(damaged)
        assert _check(root, alone, f"{name} damaged")


@pytest.mark.parametrize("score", ["mean_f1", "miou", "miou_with_background", "per_image_mean_f1"])
@pytest.mark.parametrize("which", range(3))
def test_a_score_that_does_not_follow_is_nowhere(
    root: pathlib.Path, alone: dict[str, Any], score: str, which: int
) -> None:
    path = root / "seed1" / "results.json"
    results = json.loads(path.read_text())
    results["evaluations"][which][score] = 0.99
    path.write_text(json.dumps(results))
    assert _check(root, alone, score)


@pytest.mark.parametrize("has_runs", [True, False])
def test_a_folder_of_runs_may_have_a_name_that_is_no_text(
    tmp_path: pathlib.Path, has_runs: bool
) -> None:
    runs = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/ru\xff\nns"))
    if has_runs:
        write_run(runs / "seed0", config_of(), {"256": SOUND})
    else:
        runs.mkdir()
    write_report(analyse(runs)[0], {}, tmp_path / "report")
    assert "ru?\ufffdns" in (tmp_path / "report" / "report.json").read_text("utf-8")
