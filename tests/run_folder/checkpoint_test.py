"""Tests of fpliif_jax.run_folder.checkpoint, its files and the checkpoint for inference."""

import json
import pathlib
import re
import resource

import jax
import numpy as np
import optax
import pytest
from orbax.checkpoint import v1 as ocp
from saved_progress import saved_progress

from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference


def _state(width: int = 4) -> dict:
    params = {"head": {"kernel": np.arange(3 * width, dtype=np.float32).reshape(3, width)}}
    optimizer = optax.adam(optax.constant_schedule(1e-3))
    state = {"params": params, "batch_stats": {}, "opt_state": optimizer.init(params)}
    return jax.tree.map(np.asarray, state)


def test_a_saved_state_comes_back_bit_for_bit(tmp_path: pathlib.Path) -> None:
    state = _state()
    checkpoint.save(tmp_path, "last", 7, state, saved_progress(7))
    restored, progress = checkpoint.restore(tmp_path, "last", jax.tree.map(np.zeros_like, state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for found, wanted in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    assert progress == saved_progress(7)


def test_only_the_newest_of_a_kind_is_kept(tmp_path: pathlib.Path) -> None:
    for step in (3, 9):
        checkpoint.save(tmp_path, "last", step, _state(), saved_progress(step))
    checkpoint.save(tmp_path, "best", 3, _state(), saved_progress(3))
    assert checkpoint.saved_step(tmp_path, "last") == 9
    assert checkpoint.saved_step(tmp_path, "best") == 3
    assert [folder.name for folder in checkpoint.directory(tmp_path, "last").iterdir()] == ["9"]


class Killed(BaseException):
    """As by SIGKILL."""


def _kill(*_: object) -> None:
    raise Killed


def _names(workdir: pathlib.Path, which: str) -> list[str]:
    return [folder.name for folder in checkpoint.directory(workdir, which).iterdir()]


def test_one_of_a_later_step_is_replaced(tmp_path: pathlib.Path) -> None:
    """As where a run was killed after its best step, and goes on elsewhere with another best one."""
    for step in (20, 15):
        checkpoint.save(tmp_path, "best", step, _state(step), saved_progress(step))
    assert _names(tmp_path, "best") == ["15"]
    arrays, progress = checkpoint.read(tmp_path, "best")
    assert progress == saved_progress(15) and arrays["params"]["head"]["kernel"].shape == (3, 15)
    digests = json.loads(_digest_file(tmp_path, "best").read_text())
    assert digests["step"] == 15 and digests["files"]
    checkpoint.save(tmp_path, "best", 25, _state(), saved_progress(25))
    assert _names(tmp_path, "best") == ["25"]


@pytest.mark.parametrize(("moment", "stays"), [("drop_others", 20), ("shutil.rmtree", 15)])
def test_a_kill_amid_the_replacement_leaves_one_that_is_whole(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, moment: str, stays: int
) -> None:
    checkpoint.save(tmp_path, "best", 20, _state(20), saved_progress(20))
    with monkeypatch.context() as patch:
        patch.setattr(f"fpliif_jax.run_folder.checkpoint_files.{moment}", _kill)
        with pytest.raises(Killed):
            checkpoint.save(tmp_path, "best", 15, _state(15), saved_progress(15))
    assert load_for_inference(tmp_path, "best").step == stays
    checkpoint.save(tmp_path, "best", 15, _state(15), saved_progress(15))
    assert load_for_inference(tmp_path, "best").step == 15
    checkpoint.save(tmp_path, "best", 25, _state(), saved_progress(25))
    assert _names(tmp_path, "best") == ["25"]


def test_a_save_that_orbax_drops_is_an_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    monkeypatch.setattr(ocp.training.Checkpointer, "save_checkpointables", lambda *_, **__: False)
    with pytest.raises(checkpoint.CheckpointError, match="step 9 cannot .* of step 3 is kept"):
        checkpoint.save(tmp_path, "last", 9, _state(), saved_progress(9))
    assert checkpoint.read_progress(tmp_path, "last") == saved_progress(3)


def test_an_unfinished_save_is_not_taken_for_a_checkpoint(tmp_path: pathlib.Path) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    folder = checkpoint.directory(tmp_path, "last")
    (folder / "9.orbax-checkpoint-tmp").mkdir()
    (folder / "9.orbax-checkpoint-tmp" / "state").mkdir()
    assert checkpoint.saved_step(tmp_path, "last") == 3
    checkpoint.save(tmp_path, "last", 9, _state(), saved_progress(9))
    assert checkpoint.saved_step(tmp_path, "last") == 9


def test_nothing_saved(tmp_path: pathlib.Path) -> None:
    assert checkpoint.saved_step(tmp_path, "last") is None
    with pytest.raises(checkpoint.CheckpointError, match="'last' checkpoint of .* has gone"):
        checkpoint.restore(tmp_path, "last", _state())
    with pytest.raises(checkpoint.CheckpointError, match="no 'best' checkpoint.*train first"):
        load_for_inference(tmp_path, "best")


def test_the_other_kind_is_offered(tmp_path: pathlib.Path) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    with pytest.raises(checkpoint.CheckpointError, match="there is a 'last' one"):
        load_for_inference(tmp_path, "best")


def test_another_shape_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    with pytest.raises(
        checkpoint.CheckpointError, match=r"head/kernel is float32\[3, 4\].*\[3, 5\]"
    ):
        checkpoint.restore(tmp_path, "last", _state(width=5))


def test_missing_and_unknown_arrays_are_refused_by_name(tmp_path: pathlib.Path) -> None:
    state = _state()
    checkpoint.save(tmp_path, "last", 3, state, saved_progress(3))
    more = {**state, "params": {**state["params"], "tail": {"bias": np.zeros(2, np.float32)}}}
    with pytest.raises(checkpoint.CheckpointError, match="params/tail/bias is missing"):
        checkpoint.restore(tmp_path, "last", more)
    checkpoint.save(tmp_path / "more", "last", 3, more, saved_progress(3))
    with pytest.raises(checkpoint.CheckpointError, match="params/tail/bias is in the checkpoint"):
        checkpoint.restore(tmp_path / "more", "last", state)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((4, 3), np.float32),
        np.zeros(12, np.float32),
        np.zeros((1, 3, 4), np.float32),
        np.zeros((3, 4), np.float16),
        np.zeros((3, 4), np.int32),
    ],
    ids=["transposed", "flat", "longer", "float16", "int32"],
)
def test_as_many_values_in_another_shape_or_dtype_are_refused(other: np.ndarray) -> None:
    expected = {"head": {"kernel": np.zeros((3, 4), np.float32)}}
    folder = pathlib.Path("runs/x")
    checkpoint.check_same_arrays(expected, expected, folder)
    with pytest.raises(checkpoint.CheckpointError, match=r"head/kernel is .*float32\[3, 4\] for"):
        checkpoint.check_same_arrays({"head": {"kernel": other}}, expected, folder)


def _files(workdir: pathlib.Path, which: str = "last") -> list[pathlib.Path]:
    return sorted(p for p in checkpoint.directory(workdir, which).rglob("*") if p.is_file())


def _digest_file(workdir: pathlib.Path, which: str = "last") -> pathlib.Path:
    return workdir / "checkpoints" / f"{which}.sha256.json"


def _assert_damage_is_one_line(workdir: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    with pytest.raises(checkpoint.CheckpointError, match="last/3 is damaged: ") as raised:
        checkpoint.restore(workdir, "last", _state())
    message = str(raised.value)
    assert "\n" not in message and len(message) < 1_000
    assert capfd.readouterr() == ("", "")
    return message


def test_any_changed_or_cut_file_is_named(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    for file in _files(tmp_path):
        content = file.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for damaged in (flipped, content[:middle], b"\x80\x04not a checkpoint"):
            file.write_bytes(damaged)
            message = _assert_damage_is_one_line(tmp_path, capfd)
            assert f"{file.name} is not what was saved" in message
        file.unlink()
        assert f"{file.name} is missing" in _assert_damage_is_one_line(tmp_path, capfd)
        file.write_bytes(content)
    checkpoint.restore(tmp_path, "last", _state())


def test_without_the_files_digests_arrays_and_progress_are_compared(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = _state(64)
    state["params"]["head"]["kernel"] = np.random.default_rng(0).random((3, 64), np.float32)
    checkpoint.save(tmp_path, "last", 3, state, saved_progress(3))
    _digest_file(tmp_path).unlink()
    checkpoint.restore(tmp_path, "last", state)
    data = max(_files(tmp_path), key=lambda file: file.stat().st_size)
    metadata = checkpoint.directory(tmp_path, "last") / "3" / "_CHECKPOINT_METADATA"
    changes = (
        (data, data.read_bytes()[:-200] + bytes(200)),
        (metadata, metadata.read_bytes().replace(b'"step": 3', b'"step": 4')),
    )
    for file, content in changes:
        before = file.read_bytes()
        assert content != before
        file.write_bytes(content)
        _assert_damage_is_one_line(tmp_path, capfd)
        file.write_bytes(before)
    checkpoint.restore(tmp_path, "last", state)


def test_files_that_were_compared_are_not_hashed_again_as_arrays(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    monkeypatch.delattr(checkpoint, "_digests")
    _, progress = checkpoint.restore(tmp_path, "last", _state())
    assert progress == saved_progress(3)


def test_the_progress_alone_is_read_without_the_arrays(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    monkeypatch.delattr(ocp.training.Checkpointer, "load_checkpointables")
    assert checkpoint.read_progress(tmp_path, "last") == saved_progress(3)
    _digest_file(
        tmp_path
    ).unlink()  # then all is read, to be compared with the digests in the checkpoint
    with pytest.raises(checkpoint.CheckpointError, match="load_checkpointables"):
        checkpoint.read_progress(tmp_path, "last")


def test_a_checkpoint_of_an_earlier_version_has_no_digests(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_digests", lambda arrays, progress: {})
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    monkeypatch.undo()
    _digest_file(tmp_path).unlink()
    _, progress = checkpoint.restore(tmp_path, "last", _state())
    assert progress == saved_progress(3)


def test_what_has_no_progress_is_damaged(tmp_path: pathlib.Path) -> None:
    with ocp.training.Checkpointer(checkpoint.directory(tmp_path, "last")) as checkpointer:
        checkpointer.save_checkpointables(3, {"state": {"kernel": np.zeros(3)}})
    with pytest.raises(checkpoint.CheckpointError, match="damaged: it does not say how far"):
        checkpoint.read_progress(tmp_path, "last")


def test_beside_a_damaged_checkpoint_the_one_that_is_whole_is_offered(
    tmp_path: pathlib.Path,
) -> None:
    for which, step in (("best", 2), ("last", 3)):
        checkpoint.save(tmp_path, which, step, _state(), saved_progress(step))
    _files(tmp_path)[0].write_bytes(b"")
    with pytest.raises(
        checkpoint.CheckpointError, match="the 'best' checkpoint of step 2 is whole"
    ):
        checkpoint.read_progress(tmp_path, "last")
    _files(tmp_path, "best")[0].write_bytes(b"")
    folder = re.escape(str(tmp_path / "checkpoints"))
    with pytest.raises(
        checkpoint.CheckpointError,
        match=f"no other one that is whole; .*, or delete all of {folder}$",
    ):
        checkpoint.read_progress(tmp_path, "last")


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(tmp_path, "last", 3, _state(), saved_progress(3))
    large = _state()
    large["params"]["noise"] = np.random.default_rng(0).random(100_000, np.float32)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    capfd.readouterr()
    try:
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (50_000, before[1])
        )  # as a full disk: no file grows beyond
        with pytest.raises(checkpoint.CheckpointError, match="that of step 3 is kept") as raised:
            checkpoint.save(tmp_path, "last", 9, large, saved_progress(9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")
    assert checkpoint.read_progress(tmp_path, "last") == saved_progress(3)
    checkpoint.save(tmp_path, "last", 9, large, saved_progress(9))
    assert checkpoint.read_progress(tmp_path, "last") == saved_progress(9)


def test_inference_gets_config_and_parameters(tmp_path: pathlib.Path) -> None:
    checkpoint.save(tmp_path, "best", 3, _state(), saved_progress(3))
    loaded = load_for_inference(tmp_path)
    assert loaded.config.model.group_blocks == (1, 2)
    assert loaded.class_names == ("background", "skin")
    assert loaded.step == 3
    np.testing.assert_array_equal(
        loaded.variables["params"]["head"]["kernel"], _state()["params"]["head"]["kernel"]
    )
