"""A trained face parser in Python: photos in, label maps out."""

import contextlib
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import overload

import jax
import ml_collections
import numpy as np
from PIL import Image

from fpliif_jax import systems, weights
from fpliif_jax.commands import compilation_cache
from fpliif_jax.data import sides
from fpliif_jax.data_builders.errors import UserError, one_line
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.fields import choices
from fpliif_jax.interop.weights_of_file import config_of_file, read_weights
from fpliif_jax.predict import find_faces, labelling, photos, videos
from fpliif_jax.predict.find_faces import NONE
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.predict.photos import Photo, PhotoError
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference

Size = int | tuple[int, int]


class ForkError(UserError, RuntimeError):
    """A parser cannot be used in a process that was forked from its own."""


class FaceParser:
    """A trained face parser; make one and call it with photos.

        parser = FaceParser.from_pretrained("drawn")
        parsed = parser("photo.jpg", size=512)
        parsed.labels, parsed.mask("hair"), parsed.probabilities, parsed.overlay()

    The first call compiles, the following ones do not, whatever the size; compiled programs are kept on the disk for
    the next process, see `compilation_cache.enable`.

    Attributes:
      class_names: names by class id.
      config: the settings that the model was trained with.
    """

    def __init__(self, trained: InferenceCheckpoint, origin: object = "this model") -> None:
        """Takes a model that is read already; `origin` says in messages where it is from."""
        compilation_cache.enable()
        self.class_names = trained.class_names
        self.config = trained.config
        self._origin = str(origin)
        self._process = os.getpid()
        self._values = sum(np.size(leaf) for leaf in jax.tree.leaves(trained.variables["params"]))
        self._labeller = systems.of(trained.config).inference.make_labeller(trained)
        if trained.sides_are_swapped:
            warnings.warn(sides.explanation(origin), stacklevel=3)

    @classmethod
    def from_pretrained(cls, name: str) -> "FaceParser":
        """The parser of weights that come with the package.

        Args:
          name: one of `fpliif_jax.weights.NAMES`: 'drawn', 'drawn_small' and 'drawn_19_classes', FP-LIIFs, or
            'drawn_stn_icnn'.

        Raises:
          WeightsError: there are no such weights, or their file is damaged; lists the names.
        """
        return cls(weights.load(name), f"weights {name!r}")

    @classmethod
    def from_run(cls, workdir: str | os.PathLike[str], checkpoint: str = "best") -> "FaceParser":
        """The parser of a run.

        Args:
          workdir: the run's folder.
          checkpoint: 'best', 'last' or 'after_STAGE'.

        Raises:
          CheckpointError: there is no such checkpoint, or it is damaged.
        """
        workdir = expanded(workdir)
        return cls(load_for_inference(workdir, checkpoint), workdir)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], config: ml_collections.ConfigDict | None = None
    ) -> "FaceParser":
        """The parser of a file of weights.

        Args:
          path: of a `.safetensors` file that `fpliif_jax.interop` wrote, which holds its settings; or, with `config`,
            of any that `interop.read_weights` reads.
          config: the settings that the weights were trained with.

        Raises:
          InteropError: the file cannot be read, does not hold its settings and `config` is missing, or the model is
            another.
          CheckpointError: the networks are not those of the settings.
        """
        path = expanded(path)
        return cls(read_weights(path, config or config_of_file(path)), path)

    def __repr__(self) -> str:
        title = systems.of(self.config).title
        return (
            f"FaceParser({title}, {len(self.class_names)} classes, {self._values:,} parameters, "
            f"from {self._origin})"
        )

    @overload
    def __call__(
        self,
        photo: Photo,
        size: Size | None = None,
        *,
        find: str = NONE,
        batch_size: int | None = None,
    ) -> ParsedPhoto: ...

    @overload
    def __call__(
        self,
        photo: list[Photo] | tuple[Photo, ...],
        size: Size | None = None,
        *,
        find: str = NONE,
        batch_size: int | None = None,
    ) -> list[ParsedPhoto]: ...

    def __call__(
        self,
        photo: Photo | list[Photo] | tuple[Photo, ...],
        size: Size | None = None,
        *,
        find: str = NONE,
        batch_size: int | None = None,
    ) -> ParsedPhoto | list[ParsedPhoto]:
        """Parses a photo, or each of a list or tuple.

        Args:
          photo: path, content of a file, uint8 array [H, W, 3], [H, W, 4] or [H, W], or Pillow image; see
            `photos.read`. A list or tuple of these is answered with a list.
          size: of the label map, side of a square or (height, width); None: the photo's own.
          find: 'none' parses the photo as a whole, which a face should fill; 'auto' finds the faces first, with the
            parser itself (`find_faces`), and parses each in a window of its own. There the answer is the mean of the
            window's probabilities and, times the window's share of the photo, the whole photo's; around the windows
            is background.
          batch_size: the most photos that the network sees at once, where they have one size; 8 by default, on a CPU
            1. Batches make the same label maps but for ties within rounding.

        Returns:
          The parsed photo. A list holds all of them, 4 bytes a pixel each: for many, see `stream`.

        Raises:
          PhotoError: a photo cannot be used; says which, by its path or index, and why.
          TypeError: a photo is none of these types.
          ValueError: a size or batch size that is no whole number or below 1, a size of more than
            `photos.MAX_PIXELS`.
          SettingsError, which is a ValueError: another `find`.
          FindError: faces are to be found by a model that cannot, as STN-iCNN, which has no class for skin.
          ForkError: this process was forked from the one that made the parser.
        """
        many = isinstance(photo, list | tuple)
        sources = list(photo) if many else [photo]
        batch_size = min(_checked_batch_size(batch_size), max(len(sources), 1))
        parsed = list(self.stream(sources, size, find=find, batch_size=batch_size))
        return parsed if many else parsed[0]

    def stream(
        self,
        sources: Iterable[Photo],
        size: Size | None = None,
        *,
        find: str = NONE,
        batch_size: int | None = None,
        on_error: Callable[[Photo, PhotoError], None] | None = None,
    ) -> Iterator[ParsedPhoto]:
        """Parses any number of photos in bounded memory, reading ahead.

        Args:
          sources: photos, as for a call; taken as they are needed, some before the results of those before. An array
            or picture may be written to once the next one is asked for, as those of a camera or an animation are.
          size, find, batch_size: as for a call.
          on_error: called with a photo that cannot be used and the reason; the photo is then passed over.

        Yields:
          the parsed photos, in order.

        Raises:
          As a call; PhotoError without `on_error` alone.
          TypeError: `sources` is a single photo.
        """
        self._check_process()
        is_array_of_one = isinstance(sources, np.ndarray) and sources.ndim < 4
        if is_array_of_one or isinstance(sources, str | bytes | os.PathLike | Image.Image):
            raise TypeError("stream takes several photos, as a list; call the parser with one")
        output_size = _checked_size(size)
        batch_size = _checked_batch_size(batch_size)
        choices.check("find", find, find_faces.CHOICES)
        results = labelling.label_photos(self._labeller, sources, output_size, batch_size, find)
        return _good(results, on_error)

    def video(
        self,
        path: str | os.PathLike[str],
        size: Size | None = None,
        *,
        find: str = NONE,
        batch_size: int | None = None,
    ) -> Iterator[tuple[float, ParsedPhoto]]:
        """Parses the frames of a video in bounded memory; needs the extra 'video'.

        Args:
          path: of a file .mp4, .m4v, .mov, .mkv or .webm.
          size, find, batch_size: as for a call; frames are turned upright.

        Yields:
          for each frame, in order, when it is shown, in seconds, and the parsed frame. What of the file is damaged
          is passed over, and said in a warning at the end.

        Raises:
          VideoError: it cannot be used; says why.
          As a call besides.
        """
        self._check_process()
        output_size = _checked_size(size)
        batch_size = _checked_batch_size(batch_size)
        choices.check("find", find, find_faces.CHOICES)
        name = one_line(os.fspath(path))
        try:
            with videos.Video(expanded(path)) as video:
                frames, shown_size = video.frames(), output_size or video.size
                results = labelling.label_photos(
                    self._labeller, frames, shown_size, batch_size, find, read=videos.Frame.pixels
                )
                with contextlib.closing(results):
                    for frame, parsed in results:
                        # pyrefly: ignore[invalid-yield] - a frame that cannot be read is a VideoError
                        yield frame.seconds, parsed
                for problem in video.problems:
                    warnings.warn(f"{name}: {problem}", stacklevel=2)
        except videos.VideoError as error:
            raise videos.VideoError(f"{name}: {error}") from error

    def _check_process(self) -> None:
        """JAX would wait for ever for threads that a fork does not have."""
        if os.getpid() != self._process:
            raise ForkError(
                "this parser was made in the process that this one was forked from, where JAX works no more: start "
                "processes by multiprocessing's 'spawn', and make a parser in each"
            )


def _good(
    results: Generator[tuple[Photo, ParsedPhoto | PhotoError], None, None],
    on_error: Callable[[Photo, PhotoError], None] | None,
) -> Iterator[ParsedPhoto]:
    with contextlib.closing(results):
        for index, (source, result) in enumerate(results):
            if isinstance(result, ParsedPhoto):
                yield result
            elif on_error is None:
                is_path = isinstance(source, str | os.PathLike)
                name = one_line(os.fspath(source)) if is_path else f"photo {index}"
                raise PhotoError(f"{name}: {result}") from result
            else:
                on_error(source, result)


def _checked_size(size: Size | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(map(_is_whole_number, sides)):
        raise ValueError(f"size is {size!r}: give a side, (height, width) or None")
    height, width = map(int, sides)
    if min(height, width) < 1 or height * width > photos.MAX_PIXELS:
        raise ValueError(f"size is {size!r}: must have 1 to {photos.MAX_PIXELS} pixels in all")
    return height, width


def _checked_batch_size(batch_size: int | None) -> int:
    if batch_size is None:
        return labelling.default_batch_size()
    if not _is_whole_number(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}: must be a whole number, at least 1")
    return int(batch_size)


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
