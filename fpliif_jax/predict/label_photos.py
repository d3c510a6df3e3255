"""Labels photos with a trained model, and has videos labelled: what `python -m fpliif_jax.predict` does."""

import argparse
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Sequence

import tqdm
from PIL import Image

from fpliif_jax import systems
from fpliif_jax.commands import compilation_cache, freed_memory
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data import sides
from fpliif_jax.data_builders.errors import counted, one_line, said
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.pictures import label_maps
from fpliif_jax.predict import label_videos, labelling, photos, result_files, videos
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.predict.result_files import PredictError, Task
from fpliif_jax.systems.labeller import Labeller
from fpliif_jax.weights import shipped, trained_model


def predict(
    labeller: Labeller,
    tasks: Sequence[Task],
    output_size: tuple[int, int] | None,
    batch_size: int,
    find: str,
    report: Callable[[str], None],
) -> int:
    """Labels photos and writes the pictures.

    Args:
      labeller: the model.
      tasks: photos and where their results go.
      output_size: (height, width), or None for each photo's own.
      batch_size: the most photos the network sees at once, where they have one output size.
      find: 'auto' or 'none', see `labelling.label_photos`.
      report: gets a line about every photo that had to be passed over.

    Returns:
      the number of photos labelled.
    """

    def write(labelled: tuple[Task, ParsedPhoto | photos.PhotoError]) -> str | None:
        """Writes a photo's results; returns the line to report about one that failed, else None."""
        task, result = labelled
        if isinstance(result, photos.PhotoError):
            return f"{task.source}: {result}"
        try:
            result.save(task.labels)
            label_maps.save_image(result.overlay(), task.overlay, photos.RESULT_MARK)
        except OSError as error:
            return f"{task.source}: its result cannot be written: {error}"
        return None

    batch_size = min(batch_size, len(tasks))
    sources = [task.source for task in tasks]
    results = labelling.label_photos(labeller, sources, output_size, batch_size, find)
    labelled = ((task, result) for task, (_, result) in zip(tasks, results, strict=True))
    # No more photos wait to be written than are labelled at once.
    written = ordered_map(write, labelled, labelling.num_workers(), ahead=batch_size)
    num_labelled = 0
    for problem in tqdm.tqdm(written, total=len(tasks), unit="photo", file=sys.stderr):
        if problem is None:
            num_labelled += 1
        else:
            report(problem)
    return num_labelled


def parse_output_size(text: str) -> tuple[int, int] | None:
    """'512' -> (512, 512), '300x400' -> (300, 400), 'native' -> None.

    Raises:
      PredictError: it is none of these, or of more than `photos.MAX_PIXELS` pixels.
    """
    if text == "native":
        return None
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(re.fullmatch("[0-9]{1,9}", side) for side in sides):
        raise PredictError(
            f"--output_size={text}: give one number (512), HEIGHTxWIDTH (300x400) or native"
        )
    height, width = int(sides[0]), int(sides[-1])
    if not 1 <= height * width <= photos.MAX_PIXELS:
        raise PredictError(
            f"--output_size={text}: must have 1 to {photos.MAX_PIXELS} pixels in all"
        )
    return height, width


def run(flags: argparse.Namespace) -> int:
    """Labels the photos; the flags are those of `python -m fpliif_jax.predict`.

    Returns:
      the exit code: 1 where photos had to be passed over.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    interruption = Interruption("interrupted; the photos labelled so far are there")
    compilation_cache.enable()
    freed_memory.give_back()
    try:
        num_tasks, num_labelled = _run(flags, interruption)
    except label_videos.InterruptedVideoError as interrupted:
        print(interrupted, file=sys.stderr)
        return interruption.exit_code
    return 0 if num_labelled == num_tasks else 1


def _run(flags: argparse.Namespace, interruption: Interruption) -> tuple[int, int]:
    """Returns how many photos, videos and folders that cannot be read there were, and how many were labelled."""
    started = time.monotonic()
    output_size = parse_output_size(flags.output_size)
    if flags.batch_size is not None and flags.batch_size < 1:
        raise PredictError(f"--batch_size={flags.batch_size}: must be at least 1")
    output_dir = expanded(flags.output_dir)
    for argument in flags.photos:
        if os.path.realpath(argument) == os.path.realpath(output_dir):
            raise PredictError(
                f"--output_dir={output_dir} is a folder of photos too, where the results would be "
                "taken for photos the next time; choose another"
            )
    files = photos.find(flags.photos, leave_out=output_dir)
    inputs = [
        (path, name) for path, name in files.photos if not result_files.is_earlier_result(path)
    ]
    tasks = result_files.plan(inputs, output_dir)
    result_files.check_places(tasks, flags.frame_labels)
    if not tasks:
        if files.unread:
            raise files.unread[0]
        raise PredictError(f"no photos in {', '.join(flags.photos)}")
    if any(task.is_video for task in tasks):
        videos.import_av()
    chosen = trained_model.load(flags, shipped.DEFAULT)
    trained = chosen.trained
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PredictError(f"--output_dir={output_dir}: {error.strerror or error}") from error
    for folder in {task.target.parent for task in tasks}:
        atomic_file.remove_leftovers(folder)
    # Photos up to `photos.MAX_PIXELS` are read; Pillow warns at half of that.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

    def report(message: str) -> None:
        tqdm.tqdm.write(one_line(message), file=sys.stderr)

    if trained.sides_are_swapped:
        report(f"note: {sides.explanation(chosen.origin)}")
    if flags.workdir is None:
        report(f"note: {trained.note}")
    if len(inputs) < len(files.photos):
        earlier = len(files.photos) - len(inputs)
        report(f"passed over {counted(earlier, 'result')} of an earlier run")
    if files.others:
        report(photos.passed_over(files.others))
    for error in files.unread:
        report(f"passed over a folder that cannot be read: {said(error)}")
    for task in tasks:
        if task.target.name != task.source.stem:
            report(
                f"{task.source}: its results are called {task.target.name}, for there are others "
                f"called {task.source.stem}"
            )
    batch_size = flags.batch_size or labelling.default_batch_size()
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    photo_tasks, video_tasks = (
        [task for task in tasks if task.is_video == kind] for kind in (False, True)
    )
    num_labelled = 0
    if photo_tasks:
        num_labelled += predict(labeller, photo_tasks, output_size, batch_size, flags.find, report)
    if video_tasks:
        choices = label_videos.Choices(output_size, batch_size, flags.find, flags.frame_labels)
        num_labelled += label_videos.predict(labeller, video_tasks, choices, interruption, report)
    skipped = len(tasks) - num_labelled
    kinds = " and ".join(
        name for name, some in (("photos", photo_tasks), ("videos", video_tasks)) if some
    )
    print(
        f"{num_labelled} of {len(tasks)} {kinds} labelled in {time.monotonic() - started:.1f} s "
        f"with {chosen.description}: {one_line(output_dir)}"
        + (f"; {skipped} passed over" if skipped else "")
    )
    return len(tasks) + len(files.unread), num_labelled
