"""Tests of the search for faces, with a made-up parser that sees what a trained one sees of drawn discs."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from fpliif_jax.data_builders.class_names import FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.predict.find_faces import GRID, FaceFinder, FindError, regions
from fpliif_jax.predict.windows import NOBODY, Window, covering, owners

SIZE = (300, 500)  # of the photo
Face = tuple[float, float, float]  # row and column of the centre, radius


class MadeUpParser:
    """Sees discs of skin with parts in the middle; of a disc that is small in a window, noise all over it."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = faces
        self.calls = 0

    def __call__(self, window: Window) -> np.ndarray:
        self.calls += 1
        rows = window.top + (np.arange(GRID) + 0.5) / GRID * (window.bottom - window.top)
        columns = window.left + (np.arange(GRID) + 0.5) / GRID * (window.right - window.left)
        probabilities = np.full((len(LAPA_AND_HELEN), GRID, GRID), 0.004, np.float32)
        label = np.zeros((GRID, GRID), int)
        for row, column, radius in self.faces:
            distance = np.hypot(rows[:, None] - row, columns - column) / radius
            if 2 * radius >= 0.35 * max(window.bottom - window.top, window.right - window.left):
                label[distance < 1] = 1
                whole_and_inside = distance.min() < 0.1
                if whole_and_inside:  # the parts are where the face's middle is
                    parts = np.argwhere(distance < 0.5)
                    for part, (y, x) in zip(itertools.cycle(range(2, 10)), parts, strict=False):
                        label[y, x] = part
            else:
                noise = np.random.default_rng(0).random((GRID, GRID)) < 0.4
                label[noise] = 1
        np.put_along_axis(probabilities, label[None], 0.96, axis=0)
        return probabilities


def find(faces: Sequence[Face], size: tuple[int, int] = SIZE) -> list[Window]:
    return FaceFinder(LAPA_AND_HELEN).find(size, MadeUpParser(faces))


@pytest.mark.parametrize(
    "face", [(150, 250, 90), (60, 400, 50), (240, 90, 40), (100, 300, 25), (280, 470, 24)]
)
def test_a_face_is_framed_as_training_data_frame_theirs(face: Face) -> None:
    (window,) = find([face])
    row, column, radius = face
    side = window.bottom - window.top
    assert window.right - window.left == side  # a square within the photo
    assert window.top >= 0 and window.bottom <= SIZE[0]
    assert window.left >= 0 and window.right <= SIZE[1]
    shown = Window(
        *(round(v) for v in (row - radius, column - radius, row + radius, column + radius))
    )
    inside = Window(
        max(shown.top, 0), max(shown.left, 0), min(shown.bottom, SIZE[0]), min(shown.right, SIZE[1])
    )
    common = Window(
        max(window.top, inside.top),
        max(window.left, inside.left),
        min(window.bottom, inside.bottom),
        min(window.right, inside.right),
    )
    assert common.area >= 0.95 * inside.area
    if inside == shown:
        assert 0.2 <= np.pi * radius**2 / window.area <= 0.4


@pytest.mark.parametrize(
    "faces",
    [
        [(100, 120, 45), (180, 380, 55)],
        [(70, 60, 25), (70, 180, 25), (70, 300, 25), (70, 430, 25), (220, 240, 25)],
        [(160, 150, 90), (60, 440, 25), (230, 390, 45)],  # each of another size of windows
    ],
)
def test_several_faces_get_a_window_each(faces: list[Face]) -> None:
    windows = find(faces)
    assert len(windows) == len(faces)
    assert all(a.covered_by(b) < 0.5 for a, b in itertools.permutations(windows, 2))
    for row, column, _ in faces:
        assert sum(w.top < row < w.bottom and w.left < column < w.right for w in windows) == 1


@pytest.mark.parametrize("faces", [[], [(150, 150, 110)]])
def test_a_photo_without_faces_and_one_that_a_face_fills_are_parsed_whole(
    faces: list[Face],
) -> None:
    assert find(faces, (300, 300)) == []


def test_a_large_face_costs_few_looks() -> None:
    parser = MadeUpParser([(150, 150, 110)])
    FaceFinder(LAPA_AND_HELEN).find((300, 300), parser)
    assert parser.calls <= 4


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (2, 3), (40, 7)])
def test_photos_of_any_shape_are_searched(size: tuple[int, int]) -> None:
    assert find([], size) == []
    find([(size[0] / 2, size[1] / 2, max(size) / 5)], size)


@pytest.mark.parametrize(
    ("names", "parts"),
    [(FACIAL_PARTS, "skin"), (("background", "skin", "hair"), "brows, eyes, nose and lips")],
)
def test_models_without_skin_or_without_its_parts_find_no_faces(
    names: tuple[str, ...], parts: str
) -> None:
    with pytest.raises(FindError, match=f"found by their {parts}.*find='none'.*--find=none"):
        FaceFinder(names)


@pytest.mark.parametrize("size", [(300, 300), (300, 500), (10, 320), (4, 800), (1, 10**6)])
def test_the_number_of_looks_is_bounded(size: tuple[int, int]) -> None:
    """At a parser that sees many faces everywhere, and is certain of none; docs/predict.md has the number."""
    calls = []

    def weigh(window: Window) -> np.ndarray:
        calls.append(window)
        probabilities = np.full((len(LAPA_AND_HELEN), GRID, GRID), 0.02, np.float32)
        for row in np.flatnonzero(np.arange(GRID) % 4 < 2):  # eight regions, with all parts
            for column in range(GRID):
                probabilities[2 + column % 8, row, column] = 0.7
        return probabilities

    assert FaceFinder(LAPA_AND_HELEN).find(size, weigh) == []
    assert len(calls) <= 113
    assert len(calls) == 113 or size[0] != size[1]


def test_a_long_photo_has_few_windows_and_none_twice() -> None:
    assert covering((1, 10**6), 1) == covering((1, 10**6), 2) == []
    assert len(covering((300, 3000), 1)) == 19
    assert covering((300, 3000), 2) == []  # the same squares again


@pytest.mark.parametrize("new_size", [(1, 1), (2, 2), (1, 7), (300, 250)])
def test_a_window_of_a_small_picture_has_a_pixel_within_it(new_size: tuple[int, int]) -> None:
    for window in (Window(80, 10, 99, 29), Window(0, 90, 5, 100), Window(99, 99, 100, 100)):
        scaled = window.scaled((100, 100), new_size)
        assert 0 <= scaled.top < scaled.bottom <= new_size[0]
        assert 0 <= scaled.left < scaled.right <= new_size[1]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("size", [(300, 500), (64, 64), (27, 100), (3, 2)])
def test_windows_cover_the_photo(size: tuple[int, int], level: int) -> None:
    covered = np.zeros(size, bool)
    for window in covering(size, level):
        assert window.of(covered).shape == (window.bottom - window.top, window.right - window.left)
        window.of(covered)[:] = True
    assert covered.all()


def test_regions_are_those_of_scipy() -> None:
    from scipy import ndimage

    cells = np.random.default_rng(0).random((GRID, GRID)) < 0.5
    labels, count = ndimage.label(cells)
    found = regions(cells)
    assert len(found) == count
    assert [len(region) for region in found] == sorted(np.bincount(labels.ravel())[1:])[::-1]
    for region in found:
        assert len({labels[tuple(cell)] for cell in region}) == 1


def test_a_pixel_belongs_to_the_window_whose_middle_is_nearest() -> None:
    owner = owners([Window(0, 0, 6, 10), Window(0, 6, 6, 10)], (7, 11))
    assert (owner[6] == NOBODY).all() and (owner[:, 10] == NOBODY).all()
    assert (owner[:6, :6] == 0).all()
    np.testing.assert_array_equal(owner[2, 6:10], [0, 1, 1, 1])  # 0.3, 0.5, … against 0.75, 0.25, …
