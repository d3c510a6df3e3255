"""Photos in, label maps out: what FaceParser and `python -m fpliif_jax.predict` share."""

import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from fpliif_jax.data import resize
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.predict import photos
from fpliif_jax.predict.find_faces import AUTO, GRID, USE_NONE, FaceFinder, FindError
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.predict.windows import Window, owners
from fpliif_jax.systems.labeller import Inputs, Labeller, Look, WindowLabeller

Source = TypeVar("Source")  # a photo, or a frame of a video
MAX_WORKERS = 4  # threads that decode; each may hold a photo of `photos.MAX_PIXELS`


class _Part(NamedTuple):
    window: Window  # of the label map
    inputs: Inputs  # of that part of the photo


class _Search(NamedTuple):
    finder: FaceFinder
    labeller: WindowLabeller

    @classmethod
    def by(cls, labeller: Labeller) -> "_Search":
        """The search for faces with this model.

        Raises:
          FindError: it cannot.
        """
        finder = FaceFinder(labeller.class_names)
        if not isinstance(labeller, WindowLabeller):
            raise FindError(f"the model parses no windows of a photo: {USE_NONE}")
        return cls(finder, labeller)


class _Loaded(NamedTuple):
    inputs: Inputs  # of the whole photo
    background: np.ndarray  # the photo at the size of its label map
    photo: np.ndarray | None  # where faces are to be found in it


def default_batch_size() -> int:
    """Photos at once. A CPU gains nothing from batches, and a progress bar would stand still for long."""
    return 1 if jax.default_backend() == "cpu" else 8


def num_workers() -> int:
    """Threads that decode or write photos."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


def label_photos(
    labeller: Labeller,
    sources: Iterable[Source],
    output_size: tuple[int, int] | None,
    batch_size: int,
    find: str,
    # pyrefly: ignore[bad-function-definition] - of photos, where it is left out
    read: Callable[[Source], np.ndarray] = photos.read,
) -> Generator[tuple[Source, ParsedPhoto | photos.PhotoError], None, None]:
    """Labels photos one batch after the other, while threads read the next ones.

    Args:
      labeller: the model.
      sources: photos; taken as they are needed. Arrays and pictures may be others when the next one is taken.
      output_size: (height, width), or None for each photo's own.
      batch_size: the most photos the network sees at once, where they have one output size.
      find: 'auto' to look for faces and parse each in its window, too, see `find_faces`; or 'none'.
      read: gives the pixels of a source, as `photos.read`; called in threads.

    Yields:
      In order, each of the sources and its result, or the error of one that cannot be read.

    Raises:
      FindError: the model cannot find faces.
    """
    label, batch_size = labeller.plan(output_size, batch_size)
    search = _Search.by(labeller) if find == AUTO else None

    def load(item: tuple[Source, Any]) -> tuple[Source, _Loaded | photos.PhotoError]:
        source, held = item
        if isinstance(held, photos.PhotoError):
            return source, held
        try:
            photo = held if isinstance(held, np.ndarray) else read(held)
        except photos.PhotoError as error:
            return source, error
        background = photo if output_size is None else resize.resize_image(photo, output_size)
        inputs = labeller.network_input(photo)
        read_again = [*jax.tree.leaves(inputs), *([photo] if search else [])]
        if any(np.may_share_memory(background, one) for one in read_again):
            # Probabilities are of the other one, whatever is written here.
            background = background.copy()
        return source, _Loaded(inputs, background, photo if search else None)

    ahead = batch_size + num_workers()
    loading = ordered_map(load, _held(sources), num_workers(), ahead)
    with contextlib.closing(loading):
        while results := list(itertools.islice(loading, batch_size)):
            good = [loaded for _, loaded in results if isinstance(loaded, _Loaded)]
            faces = [_faces(search, loaded) if search else [] for loaded in good]
            wholes = [loaded for loaded, parts in zip(good, faces, strict=True) if not parts]
            label_maps: Iterator[np.ndarray] = iter(())
            if wholes:
                inputs = jax.tree.map(
                    lambda *arrays: _stacked(arrays, batch_size), *(one.inputs for one in wholes)
                )
                label_maps = iter(label(inputs, wholes[0].background.shape[:2]))
            parts_of_next = iter(faces)
            for source, loaded in results:
                if isinstance(loaded, _Loaded):
                    parts = next(parts_of_next)
                    yield source, _parsed(labeller, search, loaded, parts, label_maps)
                else:
                    yield source, loaded


def _held(sources: Iterable[Source]) -> Iterator[tuple[Source, Any]]:
    """Each source with what of it is read later, by a thread, or the error of one that cannot be read."""
    for source in sources:
        try:
            held = photos.held(source)
        except photos.PhotoError as error:
            held = error
        yield source, held


def _faces(search: _Search, loaded: _Loaded) -> list[_Part]:
    finder, labeller = search

    def network_input(window: Window) -> Inputs:
        # pyrefly: ignore[bad-argument-type] - there where faces are to be found
        return labeller.network_input(np.ascontiguousarray(window.of(loaded.photo)))

    def weigh(window: Window) -> np.ndarray:
        return _probabilities(labeller, network_input(window), (GRID, GRID))

    # pyrefly: ignore[missing-attribute] - as above
    size, new_size = loaded.photo.shape[:2], loaded.background.shape[:2]
    return [
        _Part(window.scaled(size, new_size), network_input(window))
        for window in finder.find(size, weigh)
    ]


def _parsed(
    labeller: Labeller,
    search: _Search | None,
    loaded: _Loaded,
    faces: list[_Part],
    label_maps: Iterator[np.ndarray],
) -> ParsedPhoto:
    """The parsed photo; its label map is the next one where there are no faces to put together."""
    size = loaded.background.shape[:2]
    names = labeller.class_names
    if search is None or not faces:
        weigh = functools.partial(_probabilities, labeller, loaded.inputs, size)
        return ParsedPhoto(next(label_maps), loaded.background, names, weigh)
    whole = loaded.inputs  # not the photo, which would stay as long as what is parsed
    by_windows = search.labeller
    owner = owners([face.window for face in faces], size)

    def weigh_faces() -> np.ndarray:
        background = np.zeros((len(names), *size), np.float32)
        background[0] = 1
        return _joined(
            background, owner, faces, whole, by_windows.encode, by_windows.probabilities_of_looks
        )

    labels = _joined(
        np.zeros(size, np.uint8), owner, faces, whole, by_windows.encode, by_windows.label_looks
    )
    windows = [face.window for face in faces]
    return ParsedPhoto(labels, loaded.background, names, weigh_faces, windows)


def _joined(
    canvas: np.ndarray,
    owner: np.ndarray,
    faces: list[_Part],
    whole: Inputs,
    encode: Callable[[Inputs], Any],
    answer: Callable[[list[Look], tuple[int, int]], np.ndarray],
) -> np.ndarray:
    """The canvas, [..., H, W], with what is answered for each face in the pixels that its window owns.

    The whole photo sees the face in fewer pixels than its window does, by the window's share of it: so it counts less.
    """
    whole_latent = encode(whole)
    for index, (window, inputs) in enumerate(faces):
        here = np.s_[..., window.top : window.bottom, window.left : window.right]
        is_own = owner[here] == index
        size = is_own.shape
        looks = [
            Look(encode(inputs), (0, 0), size, 1),
            Look(whole_latent, (-window.top, -window.left), owner.shape, window.area / owner.size),
        ]
        canvas[here][..., is_own] = answer(looks, size)[..., is_own]
    return canvas


def _probabilities(labeller: Labeller, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
    """float32 [C, *size]."""
    return labeller.probabilities(_alone(inputs), size)[0]


def _alone(inputs: Inputs) -> Inputs:
    """A batch of one."""
    return jax.tree.map(lambda leaf: leaf[None], inputs)


def _stacked(arrays: Sequence[np.ndarray], count: int) -> np.ndarray:
    """[count, ...], with zeros after the arrays."""
    stacked = np.zeros((count, *arrays[0].shape), arrays[0].dtype)
    stacked[: len(arrays)] = arrays
    return stacked
