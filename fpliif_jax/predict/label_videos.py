"""Labels videos with a trained model: what `python -m fpliif_jax.predict` does with those."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tqdm

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host import atomic_file, atomic_folder
from fpliif_jax.predict import labelling, photos
from fpliif_jax.predict.result_files import Task
from fpliif_jax.predict.video_writer import VideoWriter
from fpliif_jax.predict.videos import Frame, Video, VideoError
from fpliif_jax.systems.labeller import Labeller


class InterruptedVideoError(UserError):
    """Ctrl-C or SIGTERM came; the message says what is there."""


class Choices(NamedTuple):
    """What the person chose.

    Attributes:
      output_size: (height, width), or None for each video's own.
      batch_size: the most frames the network sees at once.
      find: 'auto' or 'none', see `labelling.label_photos`.
      frame_labels: whether each frame's label map is written too.
    """

    output_size: tuple[int, int] | None
    batch_size: int
    find: str
    frame_labels: bool


def predict(
    labeller: Labeller,
    tasks: Sequence[Task],
    choices: Choices,
    interruption: Interruption,
    report: Callable[[str], None],
) -> int:
    """Labels videos and writes the results, those of each when all of its frames are labelled.

    Args:
      labeller: the model.
      tasks: videos and where their results go.
      choices: of the person.
      interruption: that ends the work after a frame.
      report: gets a line about everything that had to be passed over.

    Returns:
      the number of videos labelled to their end, without damage.
    """
    num_whole = 0
    for task in tasks:
        try:
            with interruption.deferred(), Video(task.source) as video:
                _label(labeller, task, video, choices, interruption, report)
        except VideoError as error:
            report(f"{task.source}: {error}")
            continue
        except OSError as error:
            report(f"{task.source}: its result cannot be written: {error}")
            continue
        for problem in video.problems:
            report(f"{task.source}: {problem}")
        num_whole += not video.problems
        if interruption.requested:  # while the results were put in their places
            raise InterruptedVideoError(f"interrupted after {task.source}")
    return num_whole


def _label(
    labeller: Labeller,
    task: Task,
    video: Video,
    choices: Choices,
    interruption: Interruption,
    report: Callable[[str], None],
) -> None:
    size = choices.output_size or video.size
    task.overlay.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = None
        if choices.frame_labels:
            folder = stack.enter_context(atomic_folder.replacing(task.labels))
        file = stack.enter_context(atomic_file.replacing(task.overlay))
        writer = stack.enter_context(VideoWriter(file, video, size, photos.RESULT_MARK))
        progress = stack.enter_context(
            tqdm.tqdm(
                total=video.num_frames, unit="frame", file=sys.stderr, desc=task.source.name[:30]
            )
        )
        results = stack.enter_context(
            contextlib.closing(
                labelling.label_photos(
                    labeller,
                    video.frames(writer.copy_sound),
                    size,
                    choices.batch_size,
                    choices.find,
                    read=Frame.pixels,
                )
            )
        )
        for frame, parsed in results:
            if interruption.requested:
                raise InterruptedVideoError(
                    f"interrupted: nothing of {task.source} is kept; the results before it are there"
                )
            # pyrefly: ignore[missing-attribute] - a frame that cannot be read is a VideoError
            writer.write(np.asarray(parsed.overlay()), frame)
            if folder is not None:
                # pyrefly: ignore[missing-attribute] - as above
                parsed.save(folder / f"{frame.index:06d}.png")
            progress.update()
    for note in writer.notes:
        report(f"{task.source}: {note}")
