"""Tests of experiments.benchmark.deployment: what is measured, what is written of it, and who is refused."""

import argparse
import contextlib
import importlib
import json
import pathlib
import resource
import sys
import types
from typing import Any

import pytest
import untrained_models

from fpliif_jax import systems, weights
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import children
from fpliif_jax.experiments.benchmark.deployment import (
    __main__ as command,
)
from fpliif_jax.experiments.benchmark.deployment import (
    browser,
    chromium,
    differences,
    first_photo,
    graphs,
    measure,
    onnx_only,
    squares,
    video,
)
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.weights import shipped_model

_KEPT = pathlib.Path(__file__).parents[3] / "experiments/results/amd-epyc-2-cores-deployment"


@pytest.fixture
def of_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of weights stands for an untrained FP-LIIF of 32², at few sizes."""
    tiny = untrained_models.fp_liif_checkpoint()
    monkeypatch.setattr(weights, "load", lambda name: tiny)
    monkeypatch.setattr(shipped_model, "load", lambda name: tiny)
    monkeypatch.setattr(systems.fp_liif.network_functions, "_EXAMPLE_SIZES", ((5, 9), (1, 1)))


def flags(**changes: Any) -> argparse.Namespace:
    given = {
        "weights": "drawn",
        "workdir": None,
        "checkpoint": None,
        "parts": None,
        "rounds": 1,
        "size": 32,
        "frames": 3,
    }
    return argparse.Namespace(**given | {"output": None, "untrained": None} | changes)


def test_rows_that_are_kept_are_read_and_written_as_they_were() -> None:
    def without_null(content: Any) -> Any:
        return json.loads(
            json.dumps(content),
            object_hook=lambda one: {k: v for k, v in one.items() if v is not None},
        )

    paths = list(_KEPT.glob("*.json"))
    parts = {path: path.stem.rpartition("-")[2] for path in paths}
    assert set(parts.values()) == set(command.PARTS)
    for path, part in parts.items():
        rows = json.loads(path.read_text("utf-8"))["rows"]
        read = typed_json.parse(list[measure._MODULES[part].Row], rows, path.name)
        assert without_null(typed_json.to_json(read)) == without_null(rows), path


def test_torch_s_files_are_the_same_function_and_every_case_has_a_ratio(
    of_tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("needs_torch", "needs_onnx"):
        importlib.import_module(name)
    monkeypatch.setattr(graphs, "SIZES", (8, 40))
    monkeypatch.setattr(graphs, "_SECONDS", 0.0)
    rows = graphs.measure(flags(rounds=2))
    cases = [(row.what, row.output_size) for row in rows]
    assert cases == [("encoder", None)] + [(p, n) for p in ("decoder", "model") for n in (8, 40)]
    for row in rows:
        ours, theirs = row.measurements
        assert (ours.candidate, theirs.candidate) == (graphs.OURS, graphs.THEIRS)
        ratios = [a / b for a, b in zip(ours.seconds, theirs.seconds, strict=True)]
        assert row.ratio.rounds == pytest.approx(ratios)
        assert max(row.largest_difference_from_jax.values()) < 1e-4
    line = graphs.table(rows).splitlines()[-1]
    assert line.startswith("| model | 40² |") and f"{rows[-1].ratio.median:.2f} (" in line


def test_only_what_is_written_in_pytorch_is_compared() -> None:
    importlib.import_module("needs_torch")
    from fpliif_jax.experiments.benchmark.deployment import torch_graph

    with pytest.raises(UserError, match="only FP-LIIF with the paper's decoder"):
        torch_graph.onnx_bytes(untrained_models.fp_liif_checkpoint(ensemble="area"), "model")


def test_every_file_is_compared_and_the_whole_model_at_drawn_faces_too(of_tiny: None) -> None:
    importlib.import_module("needs_onnx")
    rows = differences.measure(flags())
    assert [(row.file, row.inputs) for row in rows] == [
        ("model.onnx", "noise"),
        ("model.onnx", "drawn faces"),
        ("model.stablehlo", "noise"),
        ("model.stablehlo", "drawn faces"),
        ("encoder.onnx", "noise"),
        ("decoder.onnx", "noise"),
    ]
    whole, faces, hlo, *_ = rows
    assert whole.positions == 5 * 9 + 1 and faces.positions == 4 * 64**2
    assert 0 <= whole.largest < 1e-4 and whole.nodes > 10 and hlo.nodes is None
    assert len(whole.processor_seconds) == 1 and not faces.processor_seconds
    assert " | 0 of 46 | " in differences.table(rows).splitlines()[2]


def test_fresh_weights_of_a_config_are_compared_too(tmp_path: pathlib.Path) -> None:
    importlib.import_module("needs_onnx")
    config = tmp_path / "tiny_config.py"
    config.write_text(
        "import untrained_models\n\n\n"
        "def get_config():\n    return untrained_models.stn_icnn_checkpoint().config\n"
    )
    measure.run(flags(untrained=str(config), parts=["differences"], output=tmp_path))
    content = json.loads((tmp_path / "tiny_config-differences.json").read_text())
    assert (content["weights"], content["untrained"]) == (None, str(config))
    counts = {(row["file"], row["inputs"]): row["positions"] for row in content["rows"]}
    side = untrained_models.CANVAS
    for file in ("model.onnx", "model.stablehlo"):
        assert counts[file, "noise"] == 6 * side**2 and counts[file, "drawn faces"] == 4 * side**2
    assert len(counts) == 4


def test_photos_are_timed_from_the_start_of_python_on(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = first_photo.measure(flags(weights="drawn_small"))
    assert [row.cache for row in rows] == ["empty", "warm"]
    for row in rows:
        for taken in (row.seconds, row.processor_seconds):
            assert 0.1 < taken.read < taken.first
            assert all(0 < one < taken.first for one in taken.further)
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'MemoryError: full' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(children.sys, "executable", str(program))
    with pytest.raises(UserError, match="photo: the process ended with 1: MemoryError: full"):
        first_photo.measure(flags())


def test_medians_are_those_of_starts_and_of_all_photos() -> None:
    def start(first: float, *further: float) -> first_photo.Row:
        taken = first_photo.Taken(2.0, first, further)
        return first_photo.Row(0, "empty", 32, taken, taken)

    rows = [start(7.0, 1.0, 1.2), start(8.0, 1.4, 9.0, 9.0), start(60.0)]
    assert first_photo.medians([row.seconds for row in rows]) == (2.0, 8.0, 1.4)
    line = first_photo.table(rows).splitlines()[-1]
    assert line == "| empty | 2.0 s | 8.0 s | 1.4 s | 8.0 s, 1.4 s |"


def test_the_example_is_measured_as_a_whole_process(
    of_tiny: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module("needs_onnx")
    own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10
    rows = onnx_only.measure(flags(rounds=2))
    measured = [(row.round, row.size) for row in rows]
    assert measured == [(0, 64), (0, 32), (1, 64), (1, 32)]
    for row in rows:
        assert min(row.seconds, row.processor_seconds) > 0.05
        # More than Python, and less than this process, which has imported JAX and started it: what the system tells of
        # a process that this one starts itself is not less.
        assert 2**24 < row.peak_bytes < own_peak
    rows = [onnx_only.Row(0, 32, 2.0, 3.0, 2**27), onnx_only.Row(1, 32, 1.5, 1.0, 2**26)]
    assert onnx_only.table(rows).splitlines()[-1] == "| 32² | 2.00 | 1.75 | 96 |"
    example = tmp_path / "example.py"
    monkeypatch.setattr(onnx_only, "_EXAMPLE", example)
    with pytest.raises(UserError, match="not in its repository"):
        onnx_only.measure(flags())
    example.write_text("import sys\nsys.exit('error: no more memory')\n")
    with pytest.raises(UserError, match="ended with 1: error: no more memory"):
        onnx_only.measure(flags())
    example.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(UserError, match=r"ended with 137: killed by signal 9 \(Killed\)"):
        onnx_only.measure(flags())


def test_without_a_browser_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    monkeypatch.setattr(chromium.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as ended:
        browser.measure(flags())
    for needed in ("pip install playwright", "apt-get install chromium"):
        assert needed in str(ended.value)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: f"/bin/{name}")
    with pytest.raises(UserError, match=r"^not installed: Playwright \(pip install playwright\)$"):
        browser.measure(flags())


def test_an_error_of_the_browser_is_one_line_but_keeps_its_calls_for_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Error(Exception):
        pass

    def launch(**_: Any) -> Any:
        if not can_start:
            raise Error("no such file\nCall log: launch")
        return types.SimpleNamespace(close=lambda: None)

    playwright = types.SimpleNamespace(chromium=types.SimpleNamespace(launch=launch))
    started = contextlib.nullcontext(playwright)
    sync_api = types.SimpleNamespace(Error=Error, sync_playwright=lambda: started)
    monkeypatch.setitem(sys.modules, "playwright", types.SimpleNamespace(sync_api=sync_api))
    can_start = False
    with pytest.raises(UserError, match="^the browser: no such file$"), chromium.opened():
        pass
    can_start = True
    with pytest.raises(Error, match="Call log"), chromium.opened():
        raise Error("Timeout\nCall log: click")
    with (
        pytest.raises(UserError, match="^the browser: Timeout$"),
        chromium.opened(),
        chromium.in_one_line(),
    ):
        raise Error("Timeout\nCall log: click")


def test_of_a_browser_medians_are_shown_and_the_range_of_live_sizes() -> None:
    def row(threads: int, decoder: dict[str, list[float]]) -> browser.Row:
        live = browser.Live(4.0, 40, 6.0, ["64²", "64²"], ["64 × 48", "59 × 44", "32 × 24"])
        return browser.Row(threads, 512, [9.0, 3.44, 4.0], [31.0, 30.0, 70.0], decoder, live)

    sizes = {"1024": [19590.0], "32": [5.0, 6.0]}
    photos, live = browser.table([row(1, sizes), row(2, sizes)]).split("\n\n")
    head, _, first, _ = photos.splitlines()
    assert head == ("| threads | photo | encoder | decoder at 32² | decoder at 1024² |")
    assert first == "| 1 | 4.0 | 31 | 5.5 | 19,590 |"
    assert live.splitlines()[-1] == "| 2 | 10.0 | 64² | 32 × 24 to 64 × 48 | 150 |"
    assert browser.table([row(1, {})]).splitlines()[2] == "| 1 | 4.0 | 31 |"


def test_steps_of_a_video_are_those_of_its_frames(
    of_tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module("needs_video")
    monkeypatch.setattr(video, "_VIDEOS", ((".mp4", 64), (".webm", 128)))
    rows = video.measure(flags(frames=1))
    assert [(row.suffix, row.side, row.frames) for row in rows] == [
        (".mp4", 64, 4),
        (".webm", 128, 2),
    ]
    for row in rows:
        assert list(row.processor_seconds) == ["reading and labelling", "overlay", "writing"]
        assert all(seconds > 0 for seconds in row.processor_seconds.values())
    assert video.table(rows).splitlines()[-1].startswith("| 128² in `.webm` | 2 | ")


def test_labels_of_smaller_squares_are_compared_with_the_truth_and_with_the_model_s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(squares, "FACES", 3)
    rows = squares.measure(flags(weights="drawn_small"))
    assert [row.square for row in rows] == [96, 72, 60, 48, 36]
    own, *smaller = rows
    assert own.labels_as_with_its_own == own.share_of_the_encoder == 1
    assert own.mean_f1 > 70 > rows[-1].mean_f1
    assert all(0.5 < row.labels_as_with_its_own < 1 for row in smaller)
    assert squares.table(rows).splitlines()[4].startswith("| 60² | 0.39 | ")


def test_a_part_is_written_as_soon_as_it_is_measured(
    of_tiny: None,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(flags: argparse.Namespace) -> None:
        raise UserError("no")

    monkeypatch.setattr(first_photo, "measure", lambda flags: [])
    monkeypatch.setattr(graphs, "measure", fail)
    folder = tmp_path / "new" / "folder"
    with pytest.raises(UserError, match="no"):
        measure.run(flags(parts=["first_photo", "graphs"], output=folder))
    (written,) = folder.iterdir()
    assert written.name == "drawn-first_photo.json"
    content = json.loads(written.read_text())
    assert (content["weights"], content["rows"], len(content["load"])) == ("drawn", [], 2)
    assert content["environment"]["versions"]["jax"]
    assert "to the first label map" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts=photo"], "--parts has 'photo'; it must be of first_photo, graphs"),
        (["--rounds=0"], "must be at least 1"),
        (["--untrained=configs/lapa.py"], "--untrained is for --parts=differences"),
        (["--weights=drawn_stn_icnn", "--parts=graphs"], "'drawn_stn_icnn' is no FP-LIIF"),
    ],
)
def test_what_cannot_be_measured_is_told(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert message in str(ended.value)
