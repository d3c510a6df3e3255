"""Photos in, label maps out: what FaceParser and `python -m fpliif_jax.predict` share."""

import collections
import concurrent.futures
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from fpliif_jax.data import resize
from fpliif_jax.predict import photos
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.systems.labeller import Inputs, Labeller

MAX_WORKERS = 4  # threads that decode; each may hold a photo of `photos.MAX_PIXELS`


class _Loaded(NamedTuple):
    inputs: Inputs  # of the whole photo
    background: np.ndarray  # the photo at the size of its label map


def default_batch_size() -> int:
    """Photos at once. A CPU gains nothing from batches, and a progress bar would stand still for long."""
    return 1 if jax.default_backend() == "cpu" else 8


def num_workers() -> int:
    """Threads that decode or write photos."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


def label_photos(
    labeller: Labeller,
    sources: Iterable[photos.Photo],
    output_size: tuple[int, int] | None,
    batch_size: int,
) -> Iterator[tuple[photos.Photo, ParsedPhoto | photos.PhotoError]]:
    """Labels photos one batch after the other, while threads read the next ones.

    Args:
      labeller: the model.
      sources: photos; taken as they are needed.
      output_size: (height, width), or None for each photo's own.
      batch_size: the most photos the network sees at once, where they have one output size.

    Yields:
      In order, each of the sources and its result, or the error of one that cannot be read.
    """
    label, batch_size = labeller.plan(output_size, batch_size)

    def load(source: photos.Photo) -> _Loaded:
        photo = photos.read(source)
        background = photo if output_size is None else resize.resize_image(photo, output_size)
        return _Loaded(labeller.network_input(photo), background)

    with concurrent.futures.ThreadPoolExecutor(num_workers()) as pool:
        loading = _ahead(pool, load, sources, batch_size + num_workers())
        while batch := list(itertools.islice(loading, batch_size)):
            results = [(source, _result_or_error(future)) for source, future in batch]
            good = [loaded for _, loaded in results if isinstance(loaded, _Loaded)]
            label_maps = iter(())
            if good:
                inputs = jax.tree.map(
                    lambda *arrays: _stacked(arrays, batch_size), *(one.inputs for one in good)
                )
                label_maps = iter(label(inputs, good[0].background.shape[:2]))
            for source, loaded in results:
                if isinstance(loaded, _Loaded):
                    yield source, _parsed(labeller, loaded, next(label_maps))
                else:
                    yield source, loaded


def _parsed(labeller: Labeller, loaded: _Loaded, labels: np.ndarray) -> ParsedPhoto:
    weigh = functools.partial(_probabilities, labeller, loaded.inputs, labels.shape)
    return ParsedPhoto(labels, loaded.background, labeller.class_names, weigh)


def _probabilities(labeller: Labeller, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
    """float32 [C, *size]."""
    return labeller.probabilities(jax.tree.map(lambda leaf: leaf[None], inputs), size)[0]


def _result_or_error(loading: concurrent.futures.Future) -> _Loaded | photos.PhotoError:
    try:
        return loading.result()
    except photos.PhotoError as error:
        return error


def _stacked(arrays: Sequence[np.ndarray], count: int) -> np.ndarray:
    """[count, ...], with zeros after the arrays."""
    stacked = np.zeros((count, *arrays[0].shape), arrays[0].dtype)
    stacked[: len(arrays)] = arrays
    return stacked


def _ahead(
    pool: concurrent.futures.Executor,
    function: Callable[[Any], Any],
    arguments: Iterable[Any],
    count: int,
) -> Iterator[tuple[Any, concurrent.futures.Future]]:
    """Starts `function` on the arguments in a pool, never more than `count` before they are taken."""
    waiting: collections.deque[tuple[Any, concurrent.futures.Future]] = collections.deque()
    for argument in arguments:
        waiting.append((argument, pool.submit(function, argument)))
        if len(waiting) >= count:
            yield waiting.popleft()
    yield from waiting
