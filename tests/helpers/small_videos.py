"""Small videos with sound, made for the tests of videos."""

import pathlib
from collections.abc import Sequence
from fractions import Fraction

import blotchy_photos
import numpy as np
from needs_video import av

MILLISECOND = Fraction(1, 1000)
REGULAR = tuple(range(0, 240, 40))  # milliseconds


def save_video(
    path: pathlib.Path,
    times: Sequence[int] = REGULAR,
    height: int = 40,
    width: int = 32,
    with_picture: bool = True,
    colour: tuple[int, int, int] | None = None,
    sound: str | None = None,
    pixel_aspect: Fraction = Fraction(1),
    last_duration: int | None = None,
) -> None:
    """Frames of moving blotches, or of a colour, at these milliseconds, over a quarter of a second of sound.

    Args:
      path: of the file; its suffix says the container.
      times: of the frames.
      height: of the frames.
      width: of the frames.
      with_picture: whether there are frames at all.
      colour: of all pixels, instead of blotches.
      sound: FFmpeg's encoder, by default that which is usual in the container.
      pixel_aspect: width by height of a pixel as it is shown.
      last_duration: milliseconds that the last frame is shown; None where the file is not to say.
    """
    is_webm = path.suffix == ".webm"
    with av.open(path, "w") as container:
        if with_picture:
            video = container.add_stream("libvpx-vp9" if is_webm else "libx264", rate=25)
            video.height, video.width = height, width
            video.codec_context.time_base = MILLISECOND
            video.codec_context.flags |= av.codec.context.Flags.frame_duration
            video.codec_context.sample_aspect_ratio = pixel_aspect
        sounds = container.add_stream(sound or ("libopus" if is_webm else "aac"), rate=48000)
        for index, time in enumerate(times if with_picture else ()):
            pixels = (
                blotchy_photos.make_photo(height, width, index)
                if colour is None
                else np.uint8([[colour]])
            )
            pixels = np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = time, MILLISECOND
            if last_duration is not None:
                frame.duration = (*times[1:], times[-1] + last_duration)[index] - time
            container.mux(video.encode(frame))
        for index in range(12):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
            samples.sample_rate, samples.pts = 48000, 960 * index
            samples.time_base = Fraction(1, 48000)
            container.mux(sounds.encode(samples))
        if with_picture:
            container.mux(video.encode())
        container.mux(sounds.encode())


def turned(content: bytes) -> bytes:
    """An .mp4 whose picture is to be turned by 90° clockwise, as phones write it."""
    upright = np.array([65536, 0, 0, 0, 65536], ">i4").tobytes()
    quarter = np.array([0, 65536, 0, -65536, 0], ">i4").tobytes()
    track = content.index(b"tkhd")
    place = content.index(upright, track)
    assert place - track < 60
    return content[:place] + quarter + content[place + len(quarter) :]


def frames_of(path: pathlib.Path) -> list[tuple[int, np.ndarray]]:
    """Each frame of a video: milliseconds, and uint8 [H, W, 3]."""
    with av.open(path) as container:
        return [
            (round(1000 * frame.time), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def sound_of(path: pathlib.Path) -> list[bytes]:
    """The packets of a video's sound."""
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]
