"""Part 'video': what a frame takes to be read and labelled, laid over and written."""

import argparse
import contextlib
import dataclasses
import io
import itertools
import pathlib
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np

from fpliif_jax import systems, weights
from fpliif_jax.commands import compilation_cache
from fpliif_jax.experiments.benchmark import markdown
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.predict import labelling, photos, videos
from fpliif_jax.predict.find_faces import NONE
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.predict.video_writer import VideoWriter
from fpliif_jax.predict.videos import Frame, Video
from fpliif_jax.systems.labeller import Labeller

# Containers and sides of frames, which label maps have too; of 512² half as many frames.
_VIDEOS = ((".mp4", 256), (".mp4", 512), (".webm", 256))
_DIFFERENT = 8  # faces, one after the other again and again: drawing is slow
_RATE = 25


@dataclasses.dataclass(frozen=True)
class Row:
    """A video, and the seconds of a frame for each step."""

    suffix: str
    side: int
    frames: int
    processor_seconds: dict[str, float]
    seconds: dict[str, float]  # of the clock


def measure(flags: argparse.Namespace) -> list[Row]:
    """A row for each video, drawn faces as its frames.

    Args:
      flags: with `weights` and `frames`.

    Raises:
      VideoError: PyAV is missing, or its FFmpeg lacks a codec.
    """
    compilation_cache.enable()
    trained = weights.load(flags.weights)
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    rows = []
    with tempfile.TemporaryDirectory(prefix="video-") as folder:
        for suffix, side in _VIDEOS:
            count = max(1, flags.frames * 256 // side)
            path = pathlib.Path(folder) / f"{side}{suffix}"
            _draw_video(path, side, count)
            _label_frames(labeller, path, 1)  # compiles
            rows.append(_measured(labeller, path, side))
    return rows


def facts() -> JsonObject:
    """What a reader of the results needs to know of PyAV and its FFmpeg."""
    import av

    return {"version": av.__version__, "ffmpeg": av.ffmpeg_version_info}


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown: processor seconds of a frame."""
    lines = []
    for row in rows:
        steps = [f"{seconds:.3f} s" for seconds in row.processor_seconds.values()]
        by_clock = f"{1 / sum(row.seconds.values()):.1f}"
        lines.append([f"{row.side}² in `{row.suffix}`", row.frames, *steps, by_clock])
    return markdown.table(
        ["output", "frames", *rows[0].seconds, "frames a second by the clock"], lines
    )


def _draw_video(path: pathlib.Path, side: int, count: int) -> None:
    av = videos.import_av()
    faces = [drawn_face(index, side) for index in range(min(count, _DIFFERENT))]
    with av.open(path, "w") as container:
        codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
        stream = container.add_stream(codec, rate=_RATE)
        stream.height = stream.width = side
        stream.pix_fmt = "yuv420p"
        for index in range(count):
            picture = av.VideoFrame.from_ndarray(faces[index % len(faces)])
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _label_frames(
    labeller: Labeller, path: pathlib.Path, most: int | None = None
) -> list[tuple[Frame, ParsedPhoto]]:
    """The first frames of a video, or all, with their label maps, as `predict` makes them."""
    batch_size = labelling.default_batch_size()
    with Video(path) as video:
        results = labelling.label_photos(
            labeller, video.frames(), video.size, batch_size, NONE, read=Frame.pixels
        )
        with contextlib.closing(results):
            # pyrefly: ignore[bad-return] - frames that were drawn here can be read
            return list(itertools.islice(results, most))


def _measured(labeller: Labeller, path: pathlib.Path, side: int) -> Row:
    taken: dict[str, tuple[float, float]] = {}

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        started, processor_started = time.perf_counter(), time.process_time()
        yield
        taken[name] = (
            time.process_time() - processor_started,
            time.perf_counter() - started,
        )

    with step("reading and labelling"):
        frames = _label_frames(labeller, path)
    with step("overlay"):
        overlays = [(np.asarray(parsed.overlay()), frame) for frame, parsed in frames]
    with (
        Video(path) as video,
        step("writing"),
        VideoWriter(io.BytesIO(), video, video.size, photos.RESULT_MARK) as writer,
    ):
        for pixels, frame in overlays:
            writer.write(pixels, frame)
    count = len(frames)
    processor, clock = ({name: pair[i] / count for name, pair in taken.items()} for i in (0, 1))
    return Row(path.suffix, side, count, processor, clock)
