"""Tests of fpliif_jax.run_folder.run_record."""

import datetime
import json
import pathlib
import stat

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto import event_pb2

from fpliif_jax.commands import processor
from fpliif_jax.pictures.label_maps import save_image
from fpliif_jax.run_folder import run_record


def _read(workdir: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_records_after_the_restored_step_are_dropped(tmp_path: pathlib.Path) -> None:
    log = run_record.MetricsLog(tmp_path, 0)
    for step in (5, 10, 15):
        log.write({"step": step, "split": "train", "loss": step / 10})
    log.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 8, "split": "tra')  # cut off by a kill
    log = run_record.MetricsLog(tmp_path, 10)
    log.write({"step": 15, "split": "train", "loss": 2.5})
    log.close()
    assert [(record["step"], record["loss"]) for record in _read(tmp_path)] == [
        (5, 0.5),
        (10, 1.0),
        (15, 2.5),
    ]


def test_tensorboard_has_the_same_numbers(tmp_path: pathlib.Path) -> None:
    log = run_record.MetricsLog(tmp_path, 0)
    log.write({"step": 5, "split": "validation", "class_f1": {"skin": 0.5, "hair": None}})
    log.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    content, values = file.read_bytes(), {}
    while content:  # TFRecord: length (8), its CRC (4), event, its CRC (4)
        length = int.from_bytes(content[:8], "little")
        event = event_pb2.Event.FromString(content[12 : 12 + length])
        values |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        content = content[16 + length :]
    assert values[("validation/class_f1/skin", 5)] == 0.5
    assert not any("hair" in tag for tag, _ in values)


def test_a_name_that_is_not_utf8_is_recorded_and_no_name_of_a_run(tmp_path: pathlib.Path) -> None:
    content = {"command": "--output=\udcff"}
    run_record.write_json(tmp_path / "environment.json", content)
    assert run_record.read_environment(tmp_path) == content
    run_record.check_workdir(tmp_path / "\udcff", "--output")
    with pytest.raises(run_record.RunRecordError, match="not UTF-8"):
        run_record.check_workdir(tmp_path / "\udcff" / "seed0")


def test_json_is_replaced_whole_or_not_at_all(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.json"
    run_record.write_json(path, {"mean_f1": 0.5})
    with pytest.raises(ValueError, match="JSON compliant"):
        run_record.write_json(path, {"mean_f1": float("nan")})
    assert json.loads(path.read_text()) == {"mean_f1": 0.5}
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_what_a_run_leaves_can_be_read_by_whom_the_umask_lets(tmp_path: pathlib.Path) -> None:
    (tmp_path / "plain").touch()
    run_record.write_json(tmp_path / "results.json", {})
    run_record.write_text(tmp_path / "metrics.jsonl", "")
    run_record.write_npz(tmp_path / "evaluations" / "test.npz", ids=np.zeros(1))
    save_image(Image.new("RGB", (2, 2)), tmp_path / "predictions.png")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert len({stat.S_IMODE(path.stat().st_mode) for path in files}) == 1


def test_a_run_began_when_its_first_session_did(tmp_path: pathlib.Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    (started,) = run_record.first_start(tmp_path, goes_on=False, commit="a").values()
    assert started.endswith("+00:00") and len(started) == len("2026-11-26T21:03:05+00:00")
    assert abs(datetime.datetime.fromisoformat(started) - now) < datetime.timedelta(seconds=60)

    earlier = "2026-11-26T21:03:05+00:00"
    record = {"started": earlier, "git_commit": "a"}
    run_record.write_json(tmp_path / "environment.json", record)
    # Also of a session that was killed before its first checkpoint: its losses were there to be seen.
    for goes_on in (True, False):
        assert run_record.first_start(tmp_path, goes_on, "a") == {"started": earlier}
        by_other = run_record.first_start(tmp_path, goes_on, "b")
        assert by_other == {"started": earlier, "first_commit": "a"}
    run_record.write_json(tmp_path / "environment.json", record | by_other | {"git_commit": "b"})
    assert run_record.first_start(tmp_path, True, "c") == by_other


@pytest.mark.parametrize("content", ['{"backend": "cpu"}', "{", "[]"])
def test_when_a_run_of_an_earlier_version_began_is_not_known(
    tmp_path: pathlib.Path, content: str
) -> None:
    unknown = {"started": None, "first_commit": None}
    assert run_record.first_start(tmp_path, True, "a") == unknown  # its record was deleted
    (tmp_path / "environment.json").write_text(content)
    for goes_on in (True, False):
        assert run_record.first_start(tmp_path, goes_on, "a") == unknown


def test_environment_tells_what_numbers_depend_on() -> None:
    found = run_record.environment({"data_fingerprint": "f" * 64})
    assert found["versions"]["jax"] and found["versions"]["numpy"]
    assert found["data_fingerprint"] == "f" * 64
    assert found["backend"] == "cpu"
    assert found["processor"] == processor.name() != ""
    assert "device_count=4" in found["xla_flags"]
    json.dumps(found, allow_nan=False)
