"""Reading videos as they come from people: frames one after the other, upright and in colour, and the sound as it is.

PyAV (the extra 'video') reads them from a regular file and in the format of its suffix alone: of what else FFmpeg
knows, lists of other files and addresses among it, nothing is tried.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import types
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fpliif_jax.commands import command_names
from fpliif_jax.data_builders.errors import UserError, one_line
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, open_regular

if TYPE_CHECKING:  # of the extra 'video'
    import av

# What FFmpeg calls the containers, in reading.
_FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "matroska",
}  # fmt: skip
SUFFIXES = tuple(_FORMATS)
MAX_PIXELS = 8192 * 4320  # of a frame, of which some are in memory at once
MAX_BYTES = 2**20 * MEBIBYTE  # a tebibyte: nothing is read at once
MAX_FRAMES = 24 * 3600 * 60  # a day of 60 a second; a small file can stand for endless ones
_UNSPECIFIED = 2  # of FFmpeg's colour spaces
_HD = 720  # rows, from which a video that does not say its colour space is taken for BT.709, as players do
_MOST_MISSING = 0.5  # seconds that a file may be shorter than it says


class VideoError(UserError):
    """A video cannot be used; the message says why, without the path."""


class Frame:
    """A frame of a video.

    Attributes:
      index: of the frames, from 0.
      seconds: when it is shown.
      time: the same in units of the video's `time_base`.
      duration: how long, in the same units; 0 where the file does not say.
    """

    def __init__(self, picture: av.VideoFrame, index: int, time: int, video: Video) -> None:
        self.index, self.time = index, time
        self.seconds = float(time * video.time_base)
        self.duration = picture.duration or 0
        self._picture, self._size = picture, video.coded_size

    def pixels(self) -> np.ndarray:
        """uint8 [H, W, 3], upright.

        Raises:
          VideoError: its pixels are of a kind that FFmpeg cannot convert.
        """
        height, width = self._size
        is_unsaid = self._picture.colorspace == _UNSPECIFIED and height >= _HD
        space = "itu709" if is_unsaid else None
        try:
            pixels = self._picture.to_ndarray(
                format="rgb24", width=width, height=height, src_colorspace=space
            )
        except _errors() as error:
            raise VideoError(f"frame {self.index}: {_reason(error)}") from error
        return np.ascontiguousarray(np.rot90(pixels, _quarter_turns(self._picture)))


class Video:
    """A video that is open for reading, once; to be used in a `with` statement.

    Attributes:
      path: of the file.
      size: (height, width) of the upright frames, in pixels.
      coded_size: the same before they are turned.
      time_base: seconds of a unit of frames' times.
      rate: frames a second, on average.
      pixel_aspect: width by height of an upright pixel as it is shown; 1 where the file does not say.
      num_frames: how many there will be, by what the file says; None where it says nothing.
      sounds: PyAV's streams of sound.
      problems: what is found damaged in reading, a line each.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens a video and looks at its first frame.

        Raises:
          VideoError: missing, no regular file, not of the kind that its suffix says, damaged, without a picture, or
            with frames of more than `MAX_PIXELS`; or PyAV is not installed.
        """
        self.path = pathlib.Path(path)
        if not is_video(path):
            raise VideoError(f"not a video: its name must end with {', '.join(SUFFIXES)}")
        self.problems: list[str] = []
        first = _first_frame(self.path)
        self.coded_size = (first.height, first.width)
        lies_on_side = _quarter_turns(first) % 2
        self.size = (first.width, first.height) if lies_on_side else self.coded_size
        self._open = contextlib.ExitStack()
        self._container = self._open.enter_context(_opened(self.path))
        self._stream = self._container.streams.video[0]
        self.time_base: Fraction = self._stream.time_base
        self.rate = self._stream.average_rate or Fraction(25)
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        self.pixel_aspect = 1 / aspect if lies_on_side else aspect
        self.sounds = tuple(self._container.streams.audio)
        self.num_frames = self._stream.frames or None
        if self.num_frames is None and self._container.duration:
            self.num_frames = round(Fraction(self._container.duration, 10**6) * self.rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def frames(self, on_sound: Callable[[av.Packet], None] | None = None) -> Iterator[Frame]:
        """The frames, in the order in which they are shown.

        Args:
          on_sound: called with each packet of the streams of sound, as it is reached.

        Raises:
          VideoError: there are more than `MAX_FRAMES`.
        """
        count, damaged = 0, 0
        last: int | None = None
        end = Fraction(0)
        for packet in self._packets():
            if packet.pts is not None and packet.time_base:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream in self.sounds and packet.dts is not None and on_sound:
                on_sound(packet)
            if packet.stream is not self._stream:
                continue
            try:
                pictures = packet.decode()
            except _errors():
                damaged += 1
                continue
            for picture in pictures:
                damaged += picture.is_corrupt
                if count == MAX_FRAMES:
                    raise VideoError(f"more than {MAX_FRAMES:,} frames")
                earliest = -(2**62) if last is None else last + 1
                last = max(earliest, picture.pts) if picture.pts is not None else max(earliest, 0)
                yield Frame(picture, count, last, self)
                count += 1
        if damaged:
            self.problems.append(f"{damaged} of its frames are damaged or left out")
        if self._container.duration:
            stated = Fraction((self._container.start_time or 0) + self._container.duration, 10**6)
            if stated - end > _MOST_MISSING:
                self.problems.append(
                    f"it ends after {float(end):.1f} of the {float(stated):.1f} s that it says it has"
                )

    def _packets(self) -> Iterator[av.Packet]:
        """Packets of the file, as far as it can be read."""
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except _errors() as error:
                self.problems.append(f"it cannot be read to its end: {_reason(error)}")
                packet = None
            if packet is None:
                return
            yield packet


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a path's suffix is that of a video."""
    return pathlib.Path(path).suffix.lower() in SUFFIXES


def mark_of(path: str | os.PathLike[str]) -> str | None:
    """The comment in a video's file; None where there is none, or the file cannot be read."""
    try:
        with _opened(pathlib.Path(path)) as container:
            return container.metadata.get("comment") or container.metadata.get("COMMENT")
    except VideoError:
        return None


def import_av() -> types.ModuleType:
    """PyAV.

    Raises:
      VideoError: it is not installed.
    """
    try:
        import av
    except ModuleNotFoundError:
        raise VideoError(command_names.missing_package("a video", "av")) from None
    return av


def _first_frame(path: pathlib.Path) -> av.VideoFrame:
    with _opened(path) as container:
        if not container.streams.video:
            raise VideoError("it has no picture: it is sound alone, or damaged")
        stream = container.streams.video[0]
        height, width = stream.codec_context.height, stream.codec_context.width
        if height * width > MAX_PIXELS:
            raise VideoError(f"frames of {width}x{height} pixels are too many (most: {MAX_PIXELS})")
        for packet in container.demux(stream):
            try:
                for picture in packet.decode():
                    return picture
            except _errors():  # of frames before the first that is whole
                continue
    raise VideoError("damaged: none of its frames can be read")


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    """PyAV's container."""
    av = import_av()
    kind = path.suffix.lower()
    # FFmpeg refuses larger frames before it makes room for them.
    limit = {"max_pixels": str(MAX_PIXELS)}
    try:
        file = open_regular(path, MAX_BYTES)
    except FileNotFoundError:
        raise VideoError("no such file or folder") from None
    except OSError as error:
        raise VideoError(error.strerror or str(error)) from error
    with file:
        try:
            container = av.open(file, format=_FORMATS[kind], options=limit)
        except _errors() as error:
            reason = _reason(error)
            raise VideoError(f"damaged, or not a video of the kind {kind} ({reason})") from error
        with container:
            for stream in container.streams.video:
                stream.codec_context.options = limit
                stream.thread_type = "AUTO"
            yield container


def _quarter_turns(picture: av.VideoFrame) -> int:
    """Quarter turns, counterclockwise, that a frame is turned by to be shown."""
    return round(picture.rotation / 90)


def _errors() -> tuple[type[Exception], ...]:
    """Exceptions that PyAV raises for damaged files."""
    return (import_av().FFmpegError, ValueError, OSError, UnicodeError)


def _reason(error: Exception) -> str:
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
