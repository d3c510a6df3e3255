"""Scores that are about to be replaced are kept, whole, where they would be lost."""

import copy
import json
import pathlib
from collections.abc import Callable

import pytest

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.run_folder import earlier_results


def _digests(digest: str) -> dict[str, str]:
    return dict.fromkeys(("train", "validation", "test", "all"), digest)


def _results(*places: tuple[str, str, str]) -> dict:
    """Of evaluations at these splits, checkpoints and rows."""
    return {
        "config": {
            "seed": 0,
            "eval": {"upsampling": "logits", "splits": ["test"], "batch_size": 4},
        },
        "dataset": {
            "name": "lapa",
            "fingerprint": "f",
            "digest": {"ids": _digests("i"), "labels": _digests("l")},
        },
        "evaluations": [
            {"split": split, "checkpoint": which, "row": row, "step": 4, "mean_f1": 0.5}
            for split, which, row in places
        ],
        "notes": ["a note"],
    }


TEST, VALIDATION = ("test", "best", "32"), ("validation", "best", "32")


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    """Scored on the test split, with the matrices of an earlier evaluation beside them."""
    (tmp_path / "results.json").write_text(json.dumps(_results(TEST)))
    (tmp_path / "evaluations").mkdir()
    for split in ("test", "train"):
        (tmp_path / "evaluations" / f"{split}-best-32.npz").write_bytes(split.encode())
    return tmp_path


def _kept(run: pathlib.Path) -> list[str]:
    folder = run / "earlier_results"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_is_not_among_the_new_is_kept_whole(run: pathlib.Path) -> None:
    kept = earlier_results.keep(run, _results(VALIDATION))
    assert kept == run / "earlier_results" / "1"
    files = ["1", "1/evaluations", "1/evaluations/test-best-32.npz", "1/results.json"]
    assert _kept(run) == files
    assert (kept / "results.json").read_bytes() == (run / "results.json").read_bytes()
    assert (kept / "evaluations" / "test-best-32.npz").read_bytes() == b"test"
    # A kill between the copy and the new results: the next one finds it kept.
    assert earlier_results.keep(run, _results(VALIDATION)) == kept
    assert _kept(run) == files
    (run / "results.json").write_text(json.dumps(_results(VALIDATION)))
    assert earlier_results.keep(run, None) == run / "earlier_results" / "2"


@pytest.mark.parametrize(
    "change",
    [
        lambda new: new["evaluations"].append(_results(VALIDATION)["evaluations"][0]),
        lambda new: new["config"]["eval"].update(splits=["validation", "test"], batch_size=8),
        lambda new: new["dataset"]["digest"]["labels"].update(validation="another"),
        lambda new: new["dataset"].update(fingerprint="prepared again"),
        lambda new: new.update(notes=["another"]),
    ],
)
def test_what_is_among_the_new_is_not_kept(
    run: pathlib.Path, change: Callable[[dict], None]
) -> None:
    new = copy.deepcopy(_results(TEST))
    change(new)
    assert earlier_results.keep(run, new) is None
    assert not (run / "earlier_results").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda new: new["evaluations"][0].update(mean_f1=0.6),
        lambda new: new["evaluations"][0].update(step=8),
        lambda new: new["evaluations"][0].update(checkpoint="last"),
        lambda new: new["evaluations"][0].update(row="16to32"),
        lambda new: new["dataset"].update(name="helen"),
        lambda new: new["dataset"]["digest"]["labels"].update(test="another"),
        lambda new: new["dataset"]["digest"]["ids"].update(test="another"),
        lambda new: new["dataset"].update(digest=None),
        lambda new: new["config"]["eval"].update(upsampling="labels"),
        lambda new: new["config"].update(seed=1),
    ],
)
def test_other_scores_another_step_set_or_way_of_scoring_are_another_evaluation(
    run: pathlib.Path, change: Callable[[dict], None]
) -> None:
    new = copy.deepcopy(_results(TEST))
    change(new)
    assert earlier_results.keep(run, new) is not None


def test_other_weights_that_no_run_trained_are_told_by_their_notes(run: pathlib.Path) -> None:
    old = _results(("test", "given", "32"))
    (run / "results.json").write_text(json.dumps(old))
    assert earlier_results.keep(run, old) is None
    assert earlier_results.keep(run, {**old, "notes": ["other weights"]}) is not None


def test_sets_without_digests_are_told_by_their_fingerprint(run: pathlib.Path) -> None:
    old = _results(TEST)
    old["dataset"]["digest"] = None
    (run / "results.json").write_text(json.dumps(old))
    assert earlier_results.keep(run, old) is None
    assert earlier_results.keep(run, {**old, "dataset": {"name": "lapa"}}) is not None


@pytest.mark.parametrize("content", ["{", "[]", '{"evaluations": [1]}'])
def test_a_damaged_file_is_kept_as_it_is(run: pathlib.Path, content: str) -> None:
    (run / "results.json").write_text(content)
    kept = earlier_results.keep(run, _results(TEST))
    assert (kept / "results.json").read_text() == content
    assert len(list((kept / "evaluations").iterdir())) == 2


def test_pictures_are_kept_with_their_scores(run: pathlib.Path) -> None:
    for name in ("examples.npz", "predictions.png"):
        (run / name).write_bytes(name.encode())
    kept = earlier_results.keep(run, None)
    for name in ("examples.npz", "predictions.png"):
        assert (kept / name).read_bytes() == name.encode()


def test_a_run_without_results_has_none_to_keep(tmp_path: pathlib.Path) -> None:
    assert earlier_results.keep(tmp_path, None) is None
    assert not any(tmp_path.iterdir())


def test_a_copy_that_is_not_whole_is_no_copy(
    run: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: pathlib.Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(atomic_file, "replacing", fails)
        with pytest.raises(OSError, match="No space left on device: '.*/earlier_results/1'"):
            earlier_results.keep(run, None)
    assert _kept(run) == []
    assert earlier_results.keep(run, None) == run / "earlier_results" / "1"
