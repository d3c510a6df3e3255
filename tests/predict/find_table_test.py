"""Tests of docs/faces/find.py, which makes the table of docs/predict.md: what is pasted and what is counted."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from docs.faces import canvases, find, rules
from fpliif_jax import FaceParser, systems, weights
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.predict.find_faces import FaceFinder
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.predict.windows import Window

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "predict.md"


def test_faces_are_pasted_apart_with_their_labels() -> None:
    def draw(_: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((side, side, 3), side, np.uint8), np.full((side, side), side, np.uint8)

    sides = (30, 20, 10)
    pasted = canvases.paste(np.random.default_rng(0), (50, 70), sides, draw)
    assert [side for *_, side in pasted.places] == list(sides)
    for top, left, side in pasted.places:
        assert (pasted.labels[top : top + side, left : left + side] == side).all()
        assert (pasted.photo[top : top + side, left : left + side] == side).all()
    assert np.count_nonzero(pasted.labels) == 30**2 + 20**2 + 10**2


def test_photographs_get_the_models_classes(tmp_path: pathlib.Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "images" / "one.jpg")
    Image.fromarray(np.full((8, 8), 4, np.uint8)).save(tmp_path / "labels" / "one.png")
    photo, labels = canvases.draw_photographs(tmp_path, ["one"])(np.random.default_rng(0), 4)
    assert photo.shape == (4, 4, 3)
    assert (labels == FaceParser.from_pretrained("drawn").class_names.index("right_eye")).all()


def test_windows_are_counted_by_the_face_in_their_middle_and_worse_canvases_by_their_own_f1() -> (
    None
):
    truth = np.zeros((256, 512), np.uint8)
    truth[0:64, 0:64], truth[128:192, 256:320] = 1, 2
    pasted = canvases.Pasted(np.zeros((256, 512, 3), np.uint8), truth, [(0, 0, 64), (128, 256, 64)])
    windows = [(0, 0, 60, 30), (8, 8, 50, 24), (200, 200, 256, 256)]  # of a map of 256 x 256
    assert find.windows_of(tuple(windows), pasted) == [2, 0, 1]

    class Parser:
        def __call__(self, photo: np.ndarray, size: int, find: str) -> ParsedPhoto:
            labels = np.zeros((size, size), np.uint8)
            labels[:64, :32] = 1
            if find == "none":
                labels[128:192, 128:160] = 2
            return ParsedPhoto(labels, photo, "abcdefghijk", lambda: None, windows)

    row = json.loads(json.dumps(find.row(Parser(), "two", "drawn", [pasted] * 2)))
    cells = [cell.strip() for cell in find.line(row).split("|")]
    assert cells[1:6] == ["drawn", "two", "2", "100.00", "50.00"]
    assert cells[6].startswith("-50.00") and cells[7:9] == ["2 (at most 50.0)", "0, 2, 2, 2"]


def test_too_few_photographs_are_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["find", f"--photographs={tmp_path}", "--canvases=3"])
    with pytest.raises(SystemExit):
        find.main()
    assert "0 photographs are too few for --canvases=3" in capsys.readouterr().err


def test_the_table_can_be_made_again_of_what_is_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def label(photo: np.ndarray, size: int, find: str) -> ParsedPhoto:
        labels = np.full((size, size), find == "auto", np.uint8)
        return ParsedPhoto(labels, photo, "abcdefghijk", lambda: None, [(0, 0, size, size)])

    kept = tmp_path / "new" / "find.json"
    monkeypatch.setattr(find, "SIZES", {"60 %": (64, 64, (38,)), "two": (64, 64, (20, 9))})
    monkeypatch.setattr(FaceParser, "from_pretrained", lambda name: label)
    monkeypatch.setattr("sys.argv", ["find", "--canvases=2", f"--output={kept}"])
    find.main()
    content = json.loads(kept.read_text())
    printed = capsys.readouterr().out.splitlines()[2:]
    assert list(map(find.line, content["rows"])) == printed and len(printed) == 2
    assert content["environment"]["versions"]["jax"]


def test_what_was_measured_before_an_interruption_is_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def label(photo: np.ndarray, size: int, find: str) -> ParsedPhoto:
        if photo.shape[0] == 65:
            raise KeyboardInterrupt
        return ParsedPhoto(np.zeros((size, size), np.uint8), photo, "ab", lambda: None)

    kept = tmp_path / "find.json"
    monkeypatch.setattr(find, "SIZES", {"60 %": (64, 64, (38,)), "two": (65, 64, (20, 9))})
    monkeypatch.setattr(FaceParser, "from_pretrained", lambda name: label)
    monkeypatch.setattr("sys.argv", ["find", "--canvases=2", f"--output={kept}"])
    with pytest.raises(KeyboardInterrupt):
        find.main()
    assert [row["on_the_canvas"] for row in json.loads(kept.read_text())["rows"]] == ["60 %"]


def test_the_page_has_the_sum_of_what_is_worse() -> None:
    kept = ROOT / "experiments" / "results" / "find_faces" / "find.json"
    pairs = [
        pair
        for row in json.loads(kept.read_text("utf-8"))["rows"]
        for pair in zip(row["by_canvas"]["auto"], row["by_canvas"]["none"], strict=True)
    ]
    worse = sum(auto < none for auto, none in pairs)
    assert f"{worse} of these {len(pairs)} canvases is" in PAGE.read_text("utf-8")


def test_the_rule_in_use_is_what_the_parser_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [Window(20, 40, 220, 240)])
    face = draw_face(41, 160, "photographic")
    photo = np.full((256, 256, 3), 90, np.uint8)
    photo[40:200, 60:220] = face.image
    trained = weights.load("drawn")
    looks = rules.look(systems.of(trained.config).inference.make_labeller(trained), photo)
    used = FaceParser(trained)(photo, find="auto").labels
    differing = {title: (rule(looks) != used).mean() for title, rule in rules.RULES.items()}
    assert differing.pop("both, the whole by the window's share") <= 1e-4  # ties within rounding
    del (
        differing["the same, and the whole alone from .95"],
        differing["both, also outside the window"],
    )
    assert min(differing.values()) > 1e-3


def test_rules_choose_between_or_mix_a_window_and_the_whole() -> None:
    """The window is certain of class 2 and the whole of class 1, more or less; only 1 is of a face."""

    def looks(inside: float, whole: float, whole_score: float) -> rules.Looks:
        def of(label: int, value: float, side: int) -> np.ndarray:
            probabilities = np.full((3, side, side), (1 - value) / 2)
            probabilities[label] = value
            return probabilities

        window = (Window(0, 0, 128, 128), 0.25, of(2, inside, 128))
        is_face = np.array([False, True, False])
        return rules.Looks(of(1, whole, 256), whole_score, [window], is_face)

    def answer(rule: rules.Rule, *of: float) -> list[int]:
        labels = rule(looks(*of))
        assert len(np.unique(labels[:128, :128])) == len(np.unique(labels[128:])) == 1
        return [int(labels[0, 0]), int(labels[-1, -1])]

    window, whole, both = [2, 0], [1, 1], [1, 0]
    assert answer(rules.joined(lambda _: 0), 0.6, 0.9, 0.9) == window
    assert answer(rules.joined(lambda _: 0, 0.9), 0.6, 0.9, 0.9) == whole
    assert answer(rules.joined(lambda share: share), 0.6, 0.9, 0.9) == window
    assert answer(rules.joined(lambda share: share), 0.4, 0.9, 0.9) == both
    assert answer(rules.as_certain(True), 0.6, 0.9, 0) == whole
    assert answer(rules.as_certain(False), 0.9, 0.6, 0) == window
    nothing = looks(0.6, 0.9, 0)._replace(windows=[])
    assert all((rule(nothing) == 1).all() for rule in rules.RULES.values())


def test_rules_are_told_by_their_gain_and_what_is_worse() -> None:
    gains = {title: [51.0, 49.5] for title in rules.RULES}
    row = {"faces": "drawn", "by_canvas": {"none": [50.0, 50.0], **gains}}
    lines = rules.table([row, {**row, "faces": "others"}])
    assert lines[0] == "| rule | drawn | others |" and len(lines) == 2 + len(rules.RULES)
    assert lines[-1].endswith("| +0.25, 1 worse (at most 0.5) | +0.25, 1 worse (at most 0.5) |")


def test_some_of_the_rows_can_be_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def label(photo: np.ndarray, size: int, find: str) -> ParsedPhoto:
        return ParsedPhoto(np.zeros((size, size), np.uint8), photo, "ab", lambda: None)

    monkeypatch.setattr(find, "SIZES", {"60 %": (64, 64, (38,)), "two": (64, 64, (20, 9))})
    monkeypatch.setattr(FaceParser, "from_pretrained", lambda name: label)
    monkeypatch.setattr("sys.argv", ["find", "--canvases=1", "--rows", "two"])
    find.main()
    (line,) = capsys.readouterr().out.splitlines()[2:]
    assert line.startswith("| drawn | two | 1 |")


def test_rules_are_compared_and_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(labeller: Any, name: str, kind: str, pasted: Any) -> dict[str, Any]:
        scores = [50.0 for _ in pasted]
        by_canvas = {title: scores for title in ("none", *rules.RULES)}
        return {"faces": kind, "on_the_canvas": name, "by_canvas": by_canvas}

    kept = tmp_path / "rules.json"
    monkeypatch.setattr(rules, "row", row)
    command = ["find", "--rules", "--canvases=2", "--rows", "60 %", "80 %", f"--output={kept}"]
    monkeypatch.setattr("sys.argv", command)
    find.main()
    rows = json.loads(kept.read_text())["rows"]
    assert [one["on_the_canvas"] for one in rows] == ["60 %", "80 %"]
    assert capsys.readouterr().out.splitlines() == rules.table(rows)
