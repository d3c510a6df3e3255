"""Writing a video beside one that is read: other pictures, at the same times and with the same sound."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np

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
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers of the colours that HD video has, and of their range


class VideoWriter:
    """Writes pictures with the times of a video's frames; to be used in a `with` statement.

    Attributes:
      notes: what of the video is not kept, a line each.
    """

    def __init__(self, file: BinaryIO, video: Video, size: tuple[int, int], mark: str) -> None:
        """Begins a file of the same kind as the video's.

        Args:
          file: to write; it stays open.
          video: whose times and sound it gets.
          size: (height, width) of the pictures.
          mark: comment that the file carries, to tell what wrote it.

        Raises:
          VideoError: PyAV's FFmpeg cannot encode such a file.
        """
        av = videos.import_av()
        self.notes: list[str] = []
        container_format, codec, options = _KINDS[video.path.suffix.lower()]
        # H.264 halves the colours of even sides alone.
        is_even = not (size[0] % 2 or size[1] % 2)
        self._pixel_format = "yuv420p" if is_even or codec != _H264[0] else "yuv444p"
        self._time_base = video.time_base
        self._container = av.open(file, "w", format=container_format)
        try:
            self._container.metadata["comment"] = mark
            self._stream = self._container.add_stream(codec, rate=video.rate, options=options)
            self._stream.height, self._stream.width = size
            self._stream.pix_fmt = self._pixel_format
            context = self._stream.codec_context
            context.time_base = video.time_base
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
        except (av.FFmpegError, ValueError) as error:
            self._container.close()
            raise VideoError(f"its overlay cannot be encoded here: {error}") from error
        self._sounds = {}
        for sound in video.sounds:
            try:
                self._sounds[sound] = self._container.add_stream_from_template(sound)
            except (av.FFmpegError, ValueError) as error:
                self.notes.append(f"its sound is left out of the overlay: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._encode(None)
        finally:
            with contextlib.suppress(*(() if kind is None else (Exception,))):
                self._container.close()

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
        """Adds a packet of the video's sound as it is."""
        stream = self._sounds.get(packet.stream)
        if stream is not None:
            packet.stream = stream
            self._container.mux(packet)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        """Adds a frame, or what the encoder still holds."""
        try:
            self._container.mux(self._stream.encode(picture))
        except OSError:  # of the disk
            raise
        except videos.import_av().FFmpegError as error:
            raise VideoError(f"its overlay cannot be encoded: {error}") from error
