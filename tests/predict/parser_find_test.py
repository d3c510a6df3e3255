"""Tests of FaceParser's `find`: faces that do not fill the photo."""

import pathlib
import tracemalloc

import numpy as np
import pytest
from blotchy_photos import make_photo, png, save_run
from PIL import Image

from fpliif_jax import FaceParser
from fpliif_jax.data_builders.synthetic_faces.drawing import draw_face
from fpliif_jax.predict.__main__ import main as predict_main
from fpliif_jax.predict.find_faces import FaceFinder, FindError
from fpliif_jax.predict.windows import Window
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif.labeller import FPLIIFLabeller
from fpliif_jax.systems.labeller import Look
from fpliif_jax.weights import WeightsError


@pytest.fixture(scope="module")
def drawn() -> FaceParser:
    """The parser that comes with the package; what it compiles serves several tests."""
    return FaceParser.from_pretrained("drawn")


def test_a_parser_comes_with_the_package_and_finds_faces(drawn: FaceParser) -> None:
    """A drawn face in a corner, a quarter as wide as the photo, is nothing to a parser of the whole photo."""
    assert repr(drawn).endswith("from weights 'drawn')")
    face = draw_face(41, 96, "photographic")
    photo, truth = np.full((384, 384, 3), 90, np.uint8), np.zeros((384, 384), np.uint8)
    photo[200:296, 40:136], truth[200:296, 40:136] = face.image, face.lapa_label_map
    parsed, whole = drawn(photo, find="auto"), drawn(photo)
    assert len(parsed.faces) == 1 and repr(parsed).endswith("1 face)")
    assert mean_f1(parsed.labels, truth) > mean_f1(whole.labels, truth) + 0.3
    assert not whole.faces
    with pytest.raises(WeightsError, match="drawn"):
        FaceParser.from_pretrained("painted")


@pytest.mark.parametrize("seed", [4, 14])  # a third window was found about both; one face was not
def test_two_drawn_faces_get_a_window_each(drawn: FaceParser, seed: int) -> None:
    photo = np.full((500, 700, 3), 90, np.uint8)
    places = (Window(60, 80, 240, 260), Window(300, 440, 450, 590))
    for index, place in enumerate(places):
        face = draw_face(seed + index, place.bottom - place.top, "photographic")
        place.of(photo)[:] = face.image
    parsed = drawn(photo, find="auto")
    found = [Window(*window) for window in parsed.faces]
    shown = [[window.covered_by(place) > 0.7 for place in places] for window in found]
    assert sorted(shown) == [[False, True], [True, False]]


def mean_f1(labels: np.ndarray, truth: np.ndarray) -> float:
    present = [label for label in range(1, 11) if (truth == label).any()]
    both = [((labels == label) & (truth == label)).sum() for label in present]
    each = [(labels == label).sum() + (truth == label).sum() for label in present]
    return float(np.mean(2 * np.array(both) / np.array(each)))


@pytest.mark.parametrize(("size", "scale"), [(None, 1), ((120, 100), 2)])
def test_in_its_window_a_face_is_what_window_and_whole_photo_show_together(
    size: tuple[int, int] | None,
    scale: int,
    parsers: dict[str, FaceParser],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [Window(4, 10, 24, 40), Window(30, 20, 60, 50)]
    monkeypatch.setattr(FaceFinder, "find", lambda *_: found)
    monkeypatch.setattr(FaceFinder, "__init__", lambda *_: None)
    photo, parser = make_photo(60, 50), parsers["fp_liif"]
    parsed, whole = parser(photo, size, find="auto"), parser(photo, size).probabilities
    assert parsed.faces == tuple(tuple(scale * side for side in window) for window in found)
    expected = np.zeros_like(whole)
    expected[0] = 1
    for window in found:
        top, left, bottom, right = (scale * side for side in window)
        alone = parser(window.of(photo), (bottom - top, right - left)).probabilities
        share = window.area / (60 * 50)
        here = np.s_[:, top:bottom, left:right]
        expected[here] = (alone + share * whole[here]) / (1 + share)
    np.testing.assert_allclose(parsed.probabilities, expected, atol=1e-5)
    largest = parsed.probabilities.argmax(axis=0)
    assert (parsed.labels != largest).mean() <= 1e-3  # ties within rounding


def test_a_label_map_takes_no_probabilities_of_all_pixels(
    checkpoints: dict[str, InferenceCheckpoint],
) -> None:
    labeller, size = FPLIIFLabeller(checkpoints["fp_liif"]), (1000, 800)
    latent = labeller.encode(labeller.network_input(make_photo()))
    looks = [Look(latent, (0, 0), size, 1), Look(latent, (-9, 0), (1200, 900), 0.5)]
    labeller.label_looks(looks, (1, 1))  # compiles
    tracemalloc.start()
    labels = labeller.label_looks(looks, size)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert labels.shape == size
    assert most < 4 * len(labeller.class_names) * labels.size / 2


def test_the_photo_is_not_kept_for_probabilities(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [Window(0, 0, 900, 900)])
    monkeypatch.setattr(FaceFinder, "__init__", lambda *_: None)
    photo, parser = make_photo(1000, 1000), parsers["fp_liif"]
    parser(photo, 8, find="auto")  # compiles
    tracemalloc.start()
    parsed = parser(photo, 500, find="auto")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < parsed.photo.nbytes + 2 * parsed.labels.nbytes + photo.nbytes / 2


def test_predict_finds_faces_as_the_parser_does(
    checkpoints: dict[str, InferenceCheckpoint],
    parsers: dict[str, FaceParser],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [Window(4, 10, 24, 30)])
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo()))

    def run(system: str) -> int:
        save_run(tmp_path / system, checkpoints[system])
        arguments = [f"--workdir={tmp_path / system}", f"--output_dir={tmp_path / 'out'}"]
        return predict_main([*arguments, "--find=auto", "--output_size=40x30", str(photo)])

    assert run("fp_liif") == 0
    expected = parsers["fp_liif"](photo, (40, 30), find="auto")
    assert expected.faces == ((4, 10, 24, 30),)
    labels = np.asarray(Image.open(tmp_path / "out" / "photo_labels.png"))
    np.testing.assert_array_equal(labels, expected.labels)
    with pytest.raises(SystemExit, match="error: faces are found by their skin"):
        run("stn_icnn")


def test_where_no_faces_are_found_the_photo_is_parsed_as_a_whole(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [])
    monkeypatch.setattr(FaceFinder, "__init__", lambda *_: None)
    many = [make_photo(seed=seed) for seed in range(3)]
    for whole, parsed in zip(
        parsers["fp_liif"](many), parsers["fp_liif"](many, find="auto"), strict=True
    ):
        np.testing.assert_array_equal(whole.labels, parsed.labels)


def test_a_model_that_cannot_find_faces_says_so(parsers: dict[str, FaceParser]) -> None:
    with pytest.raises(FindError, match="use find='none'"):
        parsers["stn_icnn"](make_photo(), find="auto")
    with pytest.raises(ValueError, match="find is 'all'"):
        parsers["fp_liif"](make_photo(), find="all")


@pytest.mark.parametrize("size", [1, 2])
def test_a_face_at_the_edge_has_a_pixel_of_the_smallest_label_maps(
    size: int, parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [Window(80, 81, 99, 100)])
    parsed = parsers["fp_liif"](make_photo(100, 100), size, find="auto")
    assert parsed.labels.shape == (size, size)
    assert parsed.faces == ((size - 1, size - 1, size, size),)
