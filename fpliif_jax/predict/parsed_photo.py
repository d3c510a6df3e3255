"""What a face parser makes of a photo: label map, probabilities, masks and pictures."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.pictures import label_maps
from fpliif_jax.predict import photos

MOST_PROBABILITIES = 2**30  # of a photo, 4 GiB
_SHOWN_CLASSES = 3  # of a `repr`


class ParsedPhotoError(UserError):
    """Something was asked of a parsed photo that it has not; the message says what it has."""


class _Weigher:
    """What computes probabilities, by a model that copies share and pickles leave behind."""

    def __init__(self, weigh: Callable[[], np.ndarray]) -> None:
        self._weigh = weigh

    def __call__(self) -> np.ndarray:
        return self._weigh()

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Weigher":
        return self

    def __reduce__(self) -> tuple[Callable[..., "_Weigher"], tuple[Callable[[], np.ndarray]]]:
        return _Weigher, (_left_behind,)


def _left_behind() -> np.ndarray:
    raise ParsedPhotoError(
        "its probabilities were not computed before it was pickled: ask for them first, or parse the photo again"
    )


class ParsedPhoto:
    """A photo and what a face parser made of it.

    It can be pickled, and so sent to another process; its probabilities go along if they were asked for before.

    Attributes:
      labels: uint8 [H, W], class ids: `class_names[labels[y, x]]` is there. This array and the next one may be
        written to.
      photo: uint8 [H, W, 3], the photo at the size of the label map.
      class_names: names by class id.
      faces: (top, left, bottom, right) of the windows that were parsed at full detail, in pixels of the label
        map, bottom and right excluded; empty where the photo was parsed as a whole.
    """

    def __init__(
        self,
        labels: np.ndarray,
        photo: np.ndarray,
        class_names: Sequence[str],
        weigh: Callable[[], np.ndarray],
        faces: Sequence[tuple[int, int, int, int]] = (),
    ) -> None:
        """Called by `labelling.label_photos`; `weigh` computes the probabilities, float32 [C, H, W].

        The arrays become its own: what `weigh` reads must be others.
        """
        self.labels = np.require(labels, requirements="W")
        self.photo = np.require(photo, requirements="W")
        self.class_names = tuple(class_names)
        self.faces = tuple(faces)
        self._weigh = _Weigher(weigh)

    def __repr__(self) -> str:
        height, width = self.size
        shares = np.bincount(self.labels.ravel(), minlength=len(self.class_names))
        largest = np.argsort(-shares, kind="stable")[:_SHOWN_CLASSES]
        shown = [
            f"{self.class_names[label]} {shares[label] / self.labels.size:.0%}"
            for label in largest
            if shares[label]
        ]
        others = np.count_nonzero(shares) - len(shown)
        more = f", {others} more" if others else ""
        faces = f", {len(self.faces)} face{'s'[: len(self.faces) - 1]}" if self.faces else ""
        return f"ParsedPhoto({height}x{width}: {', '.join(shown)}{more}{faces})"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the label map, in pixels."""
        height, width = self.labels.shape
        return height, width

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """Probabilities of the classes: float32 [C, H, W], not negative, summing to 1 over C.

        Computed, in pieces, when it is first asked for, and kept. Of FP-LIIF, the softmax that its training loss has,
        whose largest is the label (but for ties within rounding); where faces were found, a mean of two, see
        `FaceParser`. Of STN-iCNN, the values on its canvas over their sum; see `STNICNNLabeller.probabilities` for
        other sizes.

        Raises:
          ParsedPhotoError: they would take more than 4 GiB.
        """
        count = len(self.class_names) * self.labels.size
        if count > MOST_PROBABILITIES:
            raise ParsedPhotoError(
                f"{len(self.class_names)} probabilities of {self.labels.size} pixels take more than "
                f"{MOST_PROBABILITIES * 4 // 2**30} GiB; parse the photo at a smaller size"
            )
        return self._weigh()

    def mask(self, names: str | Sequence[str]) -> np.ndarray:
        """Where a class is, or any of several: bool [H, W].

        Raises:
          ParsedPhotoError: a name is none of `class_names`; it lists them.
        """
        wanted = np.zeros(256, bool)
        for name in [names] if isinstance(names, str) else names:
            if name not in self.class_names:
                raise ParsedPhotoError(
                    f"there is no class {name!r}; there are {', '.join(self.class_names)}"
                )
            wanted[self.class_names.index(name)] = True
        return wanted[self.labels]

    def overlay(self, alpha: float = 0.5) -> Image.Image:
        """The photo with the classes' colours laid over it, RGB.

        Args:
          alpha: opacity of the colours, 0 to 1; ValueError where it is neither.
        """
        return Image.fromarray(label_maps.overlay(self.photo, self.labels, self.class_names, alpha))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the label map as `python -m fpliif_jax.predict` does: a palette PNG whose pixels are class ids.

        Args:
          path: .png, as other formats do not keep class ids; folders that are missing are made.

        Raises:
          ParsedPhotoError: the path has another suffix.
          OSError: it cannot be written.
        """
        path = pathlib.Path(path)
        if path.suffix.lower() != ".png":
            raise ParsedPhotoError(
                f"{path}: a label map is written as .png; overlay() is a picture"
            )
        label_maps.save_image(
            label_maps.palette_image(self.labels, self.class_names), path, photos.RESULT_MARK
        )
