"""Writing a video beside one that is read: other pictures, at the same times and with the same sound."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.predict import videos
from fpliif_jax.predict.videos import Frame, Video, VideoError

if TYPE_CHECKING:  # of the extra 'video'
    import av

# By suffix: what FFmpeg calls the container in writing, the codec and its options. The qualities are what the
# documentations of the codecs recommend, the speeds such that encoding takes less time than labelling.
_H264 = ("libx264", {"preset": "veryfast", "crf": "20"})
_VP9 = (
    "libvpx-vp9",
    {"deadline": "realtime", "cpu-used": "6", "crf": "28", "b": "0", "row-mt": "1"},
)
_KINDS = {
    ".mp4": ("mp4", *_H264),
    ".m4v": ("mp4", *_H264),
    ".mov": ("mov", *_H264),
    ".mkv": ("matroska", *_H264),
    ".webm": ("webm", *_VP9),
}
_MAX_ASPECT = 65535  # numerator and denominator, in H.264
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers of the colours that HD video has, and of their range


class VideoWriter:
    """Writes pictures with the times of a video's frames; to be used in a `with` statement.

    Attributes:
      notes: what of the video is not kept, a line each; complete when the `with` statement has ended.
    """

    def __init__(self, file: BinaryIO, video: Video, size: tuple[int, int], mark: str) -> None:
        """Begins a file of the same kind as the video's.

        Args:
          file: to write; it stays open.
          video: whose times and sound it gets.
          size: (height, width) of the pictures, which are shown in the video's proportions.
          mark: comment that the file carries, to tell what wrote it.

        Raises:
          VideoError: PyAV's FFmpeg cannot encode such a file.
        """
        av = videos.import_av()
        self.notes: list[str] = []
        suffix = video.path.suffix.lower()
        container_format, codec, options = _KINDS[suffix]
        # H.264 halves the colours of even sides alone.
        is_even = not (size[0] % 2 or size[1] % 2)
        self._pixel_format = "yuv420p" if is_even or codec != _H264[0] else "yuv444p"
        self._time_base = video.time_base
        pixel_aspect = _pixel_aspect(video, size)
        if pixel_aspect != 1 and container_format == "webm":
            self.notes.append(
                "its overlay is not shown in its proportions: PyAV writes square pixels into a .webm"
            )
        copied = [sound for sound in video.sounds if self._is_accepted(sound, suffix)]
        self._num_refused = 0
        self._container = av.open(file, "w", format=container_format)
        try:
            with _encoding_errors():
                self._container.metadata["comment"] = mark
                self._stream = self._container.add_stream(codec, rate=video.rate, options=options)
                self._stream.height, self._stream.width = size
                self._stream.pix_fmt = self._pixel_format
                context = self._stream.codec_context
                context.time_base = video.time_base
                context.flags |= av.codec.context.Flags.frame_duration
                if pixel_aspect != 1:
                    context.sample_aspect_ratio = pixel_aspect
                context.colorspace = context.color_primaries = context.color_trc = _BT709
                context.color_range = _LIMITED
                self._sounds = {
                    sound: self._container.add_stream_from_template(sound) for sound in copied
                }
                self._container.start_encoding()
        except BaseException:
            with contextlib.suppress(Exception):
                self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            with contextlib.suppress(Exception):
                self._container.close()
            return
        try:
            self._encode(None)
        finally:
            with _encoding_errors():
                self._container.close()
        if self._num_refused:
            self.notes.append(
                f"{counted(self._num_refused, 'packet of its sound is', 'packets of its sound are')} "
                "damaged and left out of the overlay"
            )

    def write(self, pixels: np.ndarray, frame: Frame) -> None:
        """Adds a picture, uint8 [H, W, 3], that is shown when a frame of the video is."""
        av = videos.import_av()
        picture = av.VideoFrame.from_ndarray(pixels).reformat(
            format=self._pixel_format, dst_colorspace="itu709", dst_color_range="MPEG"
        )
        picture.pts, picture.time_base = frame.time, self._time_base
        picture.duration = frame.duration
        self._encode(picture)

    def copy_sound(self, packet: av.Packet) -> None:
        """Adds a packet of the video's sound as it is; one that the container refuses is left out and counted."""
        stream = self._sounds.get(packet.stream)
        if stream is None:
            return
        packet.stream = stream
        try:
            with _encoding_errors():
                self._container.mux(packet)
        except VideoError:  # such as of a time before that of the packet before
            self._num_refused += 1

    def _encode(self, picture: av.VideoFrame | None) -> None:
        """Adds a frame, or what the encoder still holds."""
        with _encoding_errors():
            self._container.mux(self._stream.encode(picture))

    def _is_accepted(self, sound: av.AudioStream, suffix: str) -> bool:
        """Whether a kind of file takes a stream of sound; if not, that is noted.

        Some streams are refused only when the beginning of a file is written: here of one that nobody reads.
        """
        try:
            with (
                _encoding_errors(),
                videos.import_av().open(io.BytesIO(), "w", format=_KINDS[suffix][0]) as container,
            ):
                container.add_stream_from_template(sound)
                container.start_encoding()
        except VideoError:
            name = (
                sound.codec_context.name if sound.codec_context else "one that FFmpeg does not know"
            )
            self.notes.append(
                f"a sound track is left out of the overlay: {suffix} cannot hold {name}"
            )
            return False
        return True


@contextlib.contextmanager
def _encoding_errors() -> Iterator[None]:
    """Turns FFmpeg's refusals into a `VideoError`; errors of the disk stay `OSError`."""
    try:
        yield
    except OSError:
        raise
    except (videos.import_av().FFmpegError, ValueError) as error:
        raise VideoError(f"its overlay cannot be encoded: {error}") from error


def _pixel_aspect(video: Video, size: tuple[int, int]) -> Fraction:
    """Width by height of a pixel, with which pictures of a size are shown in the video's proportions."""
    (height, width), (rows, columns) = video.size, size
    aspect = video.pixel_aspect * Fraction(width * rows, height * columns)
    below_one = min(aspect, 1 / aspect).limit_denominator(_MAX_ASPECT)
    if not below_one:  # as thin as no pixel is
        return Fraction(1)
    return below_one if aspect < 1 else 1 / below_one
