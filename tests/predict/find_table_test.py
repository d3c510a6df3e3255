"""Tests of docs/faces/find.py, which makes the table of docs/predict.md: what is pasted and what is counted."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from docs.faces import canvases, find
from fpliif_jax import FaceParser
from fpliif_jax.predict.parsed_photo import ParsedPhoto


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


@pytest.mark.parametrize("name", ["find", "fresh"])
def test_the_page_has_the_table_and_the_sum_of_what_is_worse(name: str) -> None:
    root = pathlib.Path(__file__).parents[2]
    kept = root / "experiments" / "results" / "find_faces" / f"{name}.json"
    rows = json.loads(kept.read_text("utf-8"))["rows"]
    page = (root / "docs" / "predict.md").read_text("utf-8")
    assert [line for line in map(find.line, rows) if line not in page] == []
    assert {row["faces"] for row in rows} == {"drawn", "CelebAMask-HQ"}
    pairs = [
        pair
        for row in rows
        for pair in zip(row["by_canvas"]["auto"], row["by_canvas"]["none"], strict=True)
    ]
    worse = sum(auto < none for auto, none in pairs)
    share = f"{worse} of these {len(pairs)} canvases are ({worse / len(pairs):.1%}".replace(
        "%", " %)"
    )
    assert share in page


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
