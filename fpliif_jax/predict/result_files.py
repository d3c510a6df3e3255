"""Where the results of photos and videos go, and which files are results of an earlier run."""

import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.predict import photos, videos

_LABELS, _OVERLAY = "_labels", "_overlay"


class PredictError(UserError):
    """The command cannot be carried out; the message says why and what to do."""


class Task(NamedTuple):
    """A photo or video and the start of its results' paths, to which the suffixes are added."""

    source: pathlib.Path
    target: pathlib.Path

    @property
    def is_video(self) -> bool:
        """Whether it is a video, by its suffix."""
        return videos.is_video(self.source)

    @property
    def labels(self) -> pathlib.Path:
        """The label map of a photo, the folder of those of a video."""
        return pathlib.Path(f"{self.target}{_LABELS}{'' if self.is_video else '.png'}")

    @property
    def overlay(self) -> pathlib.Path:
        """The photo or video with the classes' colours laid over it."""
        suffix = self.source.suffix.lower() if self.is_video else ".jpg"
        return pathlib.Path(f"{self.target}{_OVERLAY}{suffix}")


def plan(
    files: Sequence[tuple[pathlib.Path, pathlib.Path]], output_dir: pathlib.Path
) -> list[Task]:
    """Gives every photo and video its own place in the output folder.

    Where a place is taken, by the results of an earlier file of the list, by a folder of such results or by one of the
    files themselves, `_2`, `_3`, … is added.

    Args:
      files: `PhotoFiles.photos`.
      output_dir: where the results go.
    """
    inputs = {os.path.realpath(source) for source, _ in files}
    # Lower case, for file systems that do not tell X.jpg from x.jpg.
    folders = {str(output_dir / parent).lower() for _, name in files for parent in name.parents}
    taken = set()
    tasks = []
    for source, relative in files:
        for number in itertools.count(1):
            stem = relative.stem if number == 1 else f"{relative.stem}_{number}"
            task = Task(source, output_dir / relative.parent / stem)
            results = (task.labels, task.overlay)
            is_input = any(os.path.realpath(path) in inputs for path in results)
            is_folder = any(str(path).lower() in folders for path in results)
            if str(task.target).lower() not in taken and not is_input and not is_folder:
                break
        # pyrefly: ignore[unbound-name] - the numbers never end
        taken.add(str(task.target).lower())
        tasks.append(task)
    return tasks


def is_earlier_result(path: pathlib.Path) -> bool:
    """Whether a file that was named as photo or video is a result of an earlier run."""
    return path.stem.endswith((_LABELS, _OVERLAY)) and _is_result(path)


def check_places(tasks: Sequence[Task], frame_labels: bool) -> None:
    """Refuses to replace what this command did not write.

    Args:
      tasks: whose results are to be written.
      frame_labels: whether the label maps of videos are.

    Raises:
      PredictError: names the first of them.
    """
    for task in tasks:
        for path in (task.labels, task.overlay):
            if path == task.labels and task.is_video and not frame_labels:
                continue
            if os.path.lexists(path) and not _is_result(path):
                raise PredictError(
                    f"{path} is in the way: it is not a result of this command, or not one of this version; "
                    "move it, or choose another --output_dir"
                )


def _is_result(path: pathlib.Path) -> bool:
    if path.is_dir():
        return not path.is_symlink() and all(map(photos.is_result, path.iterdir()))
    if videos.is_video(path):
        return videos.mark_of(path) == photos.RESULT_MARK
    return photos.is_result(path)
