"""Where the faces of a photo are, by the parser itself: where none fills the photo, each gets a window.

FP-LIIF is trained on photos that a face fills, and makes nothing of one that is a third as wide. Here the photo is
parsed in few pixels, first as a whole, then in windows of half and of a quarter of its longer side, but for those in
which faces are known already. A window is then framed about each connected region of face, as training data frame
theirs, and what is certain there is a face, unless most of it is the face of a window that is known already.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.pictures.colours import PART_OF_ALIAS
from fpliif_jax.predict.windows import Window, covering

NONE, AUTO = "none", "auto"
CHOICES = (NONE, AUTO)
GRID = 32  # side of the coarse label maps, in cells

_INNER = ("left_brow", "right_brow", "left_eye", "right_eye", "nose", "upper_lip", "lower_lip")
_FACE = ("skin", "inner_mouth", "eyeglasses", *_INNER)
# How photos of faces are framed that models are trained on, as measured on CelebAMask-HQ and drawn faces: the share
# of the window that is face, and how far below its middle the face's centre is.
_FACE_SHARE, _BELOW_MIDDLE = 0.29, 0.05
_LEVELS = 3  # windows of 1, 1/2 and 1/4 of the longer side
_MOST_CANDIDATES = 6  # of each level that are looked at closely; so at most as many faces
_REFINEMENTS = 2
_PROMISING = 0.35  # a score from which a window is looked at more closely
_CERTAIN = 0.6  # one from which it shows a face
_AS_GOOD = 0.95  # of a score, from which a later framing is kept
_SMALLEST_REGION = 0.01  # of a window's cells
_LARGEST_WINDOW = 0.75  # of the photo's sides: who fills more is parsed with the whole photo
USE_NONE = "use find='none', of the command --find=none"
_MOST_SHARED = 0.5  # of a face with another window's face, and of a window with another

Weigh = Callable[[Window], np.ndarray]  # a window of a photo -> probabilities [C, GRID, GRID]


class FindError(UserError):
    """Faces cannot be found with this model; the message says why."""


class _Seen(NamedTuple):
    window: Window
    is_face: np.ndarray  # bool [GRID, GRID]
    score: float  # 0 to 1

    def face(self) -> np.ndarray:
        """Where its face is in the photo, see `_places`."""
        return _places(self.window, np.argwhere(self.is_face))

    def shares(self, places: np.ndarray) -> bool:
        """Whether more of these places of the photo than two faces may share are face here."""
        window = self.window
        sides = window.bottom - window.top, window.right - window.left
        cells = np.floor((places - (window.top, window.left)) * GRID / sides).astype(int)
        rows, columns = cells[((cells >= 0) & (cells < GRID)).all(axis=1)].T
        return bool(np.count_nonzero(self.is_face[rows, columns]) > _MOST_SHARED * len(places))


class _Candidate(NamedTuple):
    window: Window  # to look for a face in
    places: np.ndarray  # where the face seems to be, see `_places`
    score: float  # of the window it was seen in


class FaceFinder:
    """Finds faces with a parser of the classes of faces.

    Attributes:
      face_classes: ids of the classes that make a face.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        """Looks the classes of a face up.

        Raises:
          FindError: the model has no class for skin, or none for brows, eyes, nose and lips.
        """
        parts = [PART_OF_ALIAS.get(name, name) for name in class_names]
        if "skin" not in parts:
            raise FindError(
                f"faces are found by their skin, and the model's classes are {', '.join(class_names)}: {USE_NONE}"
            )
        self.face_classes = [label for label, part in enumerate(parts) if part in _FACE]
        self._inner = [label for label, part in enumerate(parts) if part in _INNER]
        if not self._inner:
            raise FindError(
                "faces are found by their brows, eyes, nose and lips, and the model's classes are "
                f"{', '.join(class_names)}: {USE_NONE}"
            )

    def find(self, size: tuple[int, int], weigh: Weigh) -> list[Window]:
        """The windows about the faces of a photo.

        Args:
          size: (height, width) of the photo, in pixels.
          weigh: the parser on a window of it.

        Returns:
          The most certain first, in pixels of the photo; none where a face fills it, or there is none.
        """
        faces: list[_Seen] = []
        for level in range(_LEVELS):
            seen = [
                self._look(window, weigh)
                for window in covering(size, level)
                if all(window.covered_by(face.window) <= _MOST_SHARED for face in faces)
            ]
            looks = 0
            for candidate in sorted(_candidates(size, seen), key=lambda one: -one.score):
                is_new = not any(face.shares(candidate.places) for face in faces)
                if looks < _MOST_CANDIDATES and is_new:
                    looks += 1
                    face = self._refined(size, candidate.window, weigh)
                    if face.score >= _CERTAIN and not any(_are_same(face, one) for one in faces):
                        faces.append(face)
            faces.sort(key=lambda one: -one.score)
            if faces and _fills(faces[0].window, size):
                return []
        return [face.window for face in faces]

    def score(self, window: Window, weigh: Weigh) -> float:
        """How certainly a window of a photo shows a face, 0 to 1."""
        return self._look(window, weigh).score

    def _look(self, window: Window, weigh: Weigh) -> _Seen:
        probabilities = weigh(window)
        is_face = probabilities[self.face_classes].sum(axis=0) > 0.5
        return _Seen(window, is_face, self._score(probabilities, is_face))

    def _score(self, probabilities: np.ndarray, is_face: np.ndarray) -> float:
        """How certain the parser is of what it sees as face, times how much it sees there of a face's parts."""
        if not is_face.any():
            return 0.0
        certainty = probabilities.max(axis=0)[is_face].mean()
        parts = probabilities[self._inner][:, is_face].max(axis=1).mean()
        return float(certainty * parts)

    def _refined(self, size: tuple[int, int], window: Window, weigh: Weigh) -> _Seen:
        best = seen = self._look(window, weigh)
        for _ in range(_REFINEMENTS):
            face_regions = regions(seen.is_face)
            if not face_regions:
                break
            window = _framing(size, seen.window, face_regions[0])
            seen = self._look(window, weigh)
            if seen.score >= _AS_GOOD * best.score:
                best = seen
        return best


def regions(is_true: np.ndarray) -> list[np.ndarray]:
    """The regions of true cells that are connected by sides, the largest first: int [n, 2], row and column."""
    # Here, because it takes a third of a second, which only those who look for faces should wait.
    from scipy import ndimage

    labels, count = ndimage.label(is_true)
    cells = [np.argwhere(labels == label) for label in range(1, count + 1)]
    return sorted(cells, key=len, reverse=True)


def _candidates(size: tuple[int, int], seen: Sequence[_Seen]) -> Iterator[_Candidate]:
    """Windows of the photo about each region of face in those that are promising."""
    for one in seen:
        if one.score >= _PROMISING:
            for region in regions(one.is_face):
                if len(region) >= _SMALLEST_REGION * GRID**2:
                    window = _framing(size, one.window, region)
                    yield _Candidate(window, _places(one.window, region), one.score)


def _places(window: Window, cells: np.ndarray) -> np.ndarray:
    """The middles of a window's cells in the photo: float64 [n, 2], row and column in pixels."""
    sides = window.bottom - window.top, window.right - window.left
    return (cells + 0.5) / GRID * sides + (window.top, window.left)


def _framing(size: tuple[int, int], window: Window, region: np.ndarray) -> Window:
    """The square about a region of the cells of a window that frames it as training data do, within the photo."""
    area = len(region) / GRID**2 * window.area
    side = min(max(round((area / _FACE_SHARE) ** 0.5), 8), *size)
    centre = _places(window, region).mean(axis=0)
    top, left = (
        min(max(round(middle - side / 2), 0), length - side)
        for middle, length in zip(centre - (_BELOW_MIDDLE * side, 0), size, strict=True)
    )
    return Window(top, left, top + side, left + side)


def _fills(window: Window, size: tuple[int, int]) -> bool:
    height, width = size
    sides = (window.bottom - window.top) / height, (window.right - window.left) / width
    return min(sides) > _LARGEST_WINDOW


def _are_same(first: _Seen, second: _Seen) -> bool:
    """Whether two windows show one face: a part of it, as a cheek, can look like a face to the parser."""
    return first.shares(second.face()) or second.shares(first.face())
