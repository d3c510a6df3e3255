"""Writes whole sets of drawn faces: checks, worker processes, and the one step that makes a set
stand under its name only when it is complete."""

import contextlib
import dataclasses
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

import fpliif_jax
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.host.ordered_map import available_cores
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.data_builders.prepared.prepared_set import lock, put_in_place
from fpliif_jax.data_builders.raw.drawn import SETTINGS_FILE
from fpliif_jax.data_builders.synthetic_faces.drawing import STYLES
from fpliif_jax.data_builders.synthetic_faces.job import Job, draw_share
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS
from fpliif_jax.data_builders.synthetic_faces.photographic.also import ADDITIONS
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS

DRAWING_VERSIONS = {name: layout.drawing_version for name, layout in LAYOUTS.items()}
# Those of the styles beyond the plain one, part of their sets' settings too: raised with what they alone draw.
STYLE_VERSIONS = {"photographic": 2}
# Version 3 is 2 with what is also drawn: a face that shows none of it, and a set without it, have the bytes of 2.
_WITH_ADDITIONS = {"photographic": 3}
_ANOTHER_FOLDER = "another output_dir (in training config.data.manual_dir)"
_FEW_FACES = 24  # not worth the start of worker processes


def write_dataset(
    layout: str,
    output_dir: str | os.PathLike[str],
    num_train: int,
    num_val: int,
    num_test: int,
    image_size: int = 256,
    seed: int = 0,
    num_workers: int | None = None,
    mask_size: int | None = None,
    overwrite: bool = False,
    style: str = "plain",
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> Path:
    """Draws faces and writes them as the official archive of a data set unpacks.

    The same arguments give the same bytes, whatever `num_workers`. A finished set with the same
    settings is left as it is; one that this function wrote with other settings is replaced, and
    where it is one of an earlier drawing a line on stderr says so.

    Args:
        layout: 'lapa', 'celebamask_hq', 'helen' or 'own_data'.
        output_dir: becomes the builders' `manual_dir`; the set is a folder in it.
        num_train, num_val, num_test: faces in each split, 0 or more, not all 0.
        image_size: pixels a side, 32 … 4096.
        seed: 0 or more.
        num_workers: processes; by default one a core.
        mask_size: pixels a side of CelebAMask-HQ's masks; by default `image_size`.
        overwrite: also replace a folder that this function did not write.
        style: what the faces look like, 'plain' or 'photographic'.
        without: parts that the photographic style leaves out, of `photographic.without.PARTS`, in any order.
        also: what it draws beyond them, of `photographic.also.ADDITIONS`, in any order.
    Returns:
        The set's own folder, `output_dir/LaPa`, `…/CelebAMask-HQ`, `…/SmithCVPR2013_dataset_resized`
        or `…/own_data`.
    Raises:
        DataError: an argument out of range, a folder in the way, a disk that is full or read-only.
    """
    if mask_size is None:
        mask_size = image_size
    job = Job(
        layout,
        num_train,
        num_val,
        num_test,
        image_size,
        mask_size,
        seed,
        style,
        each_once(without),
        each_once(also),
    )
    _check_job(job)
    if num_workers is None:
        num_workers = available_cores() if len(job.tasks()) > _FEW_FACES else 1
    elif num_workers < 1:
        raise DataError(f"num_workers={num_workers}: draw with at least one process.")
    root = expanded(output_dir) / LAYOUTS[layout].folder
    if not overwrite and _is_finished(root, job):  # perhaps on a disk that may only be read
        return root
    try:
        with lock(root):
            if overwrite or not _is_finished(root, job):
                _refuse_foreign_folder(root, overwrite)
                reason = why_outdated(layout, root.parent)
                if reason is not None:
                    print(f"{root}: drawn anew, for {reason}", file=sys.stderr)
                _draw(root, job, min(num_workers, len(job.tasks())))
    except OSError as error:
        raise DataError(
            f"{error.filename or root}: could not be written ({error.strerror or error}). Choose "
            f"{_ANOTHER_FOLDER}, or make room."
        ) from error
    return root


def each_once(parts: Collection[str]) -> tuple[str, ...]:
    """The parts in their one order, each once: a set is the same however they are listed."""
    return tuple(sorted(set(parts)))


def style_version(style: str, also: Collection[str]) -> int:
    """The version of a style beyond the plain one, with what is also drawn."""
    return (_WITH_ADDITIONS if also else STYLE_VERSIONS)[style]


def _check_job(job: Job) -> None:
    if job.layout not in LAYOUTS:
        raise DataError(f"layout={job.layout!r}: choose one of {', '.join(LAYOUTS)}.")
    for split, count in job.counts.items():
        most = LAYOUTS[job.layout].largest[split]
        if not 0 <= count <= most:
            raise DataError(
                f"num_{split}={count}: the layout {job.layout} holds 0 to {most} faces there."
            )
    if not any(job.counts.values()):
        raise DataError("num_train, num_val and num_test are all 0: ask for at least one face.")
    for name, value in (("image_size", job.image_size), ("mask_size", job.mask_size)):
        if not 32 <= value <= 4096:
            raise DataError(f"{name}={value}: choose 32 to 4096 pixels.")
    if job.mask_size != job.image_size and job.layout != "celebamask_hq":
        raise DataError(
            f"mask_size={job.mask_size}: only celebamask_hq has masks of another size than its "
            "images. Leave mask_size out."
        )
    if job.style not in STYLES:
        raise DataError(f"style={job.style!r}: choose one of {', '.join(STYLES)}.")
    for name, parts, known in (("without", job.without, PARTS), ("also", job.also, ADDITIONS)):
        for part in parts:
            if part not in known:
                raise DataError(f"{name}={part!r}: choose of {', '.join(known)}.")
        if parts and job.style != "photographic":
            raise DataError(
                f"{name}={','.join(parts)}: it is for style=photographic; style={job.style} has no such parts."
            )
    if job.seed < 0:
        raise DataError(f"seed={job.seed}: choose 0 or more.")


def _settings(job: Job) -> dict[str, str | int]:
    settings: dict[str, Any] = {
        **dataclasses.asdict(job),
        "drawing_version": DRAWING_VERSIONS[job.layout],
    }
    for name in ("without", "also"):
        settings[name] = ",".join(settings[name])
        if not settings[name]:  # as the settings were before there was such a thing
            del settings[name]
    if job.style == "plain":  # as the settings were before there were styles
        del settings["style"]
    else:
        settings["style_version"] = style_version(job.style, job.also)
    return settings


def why_outdated(layout: str, manual_dir: Path) -> str | None:
    """Why the drawn set in a folder is not one of today; None where it is, or where none is drawn.

    Args:
        layout: 'lapa', 'celebamask_hq', 'helen' or 'own_data'.
        manual_dir: folder of a raw download, drawn or not; it need not exist.
    """
    version = _drawing_version(layout, manual_dir)
    if version is None or version >= DRAWING_VERSIONS[layout]:
        return None
    reason = f"it is of drawing version {version} of {layout}, not {DRAWING_VERSIONS[layout]}"
    if version < LAYOUTS[layout].first_with_right_sides:
        reason += ": left and right of brows and eyes were the person's, not the picture's"
    return reason


def refuse_earlier_sides(layout: str, manual_dir: Path) -> None:
    """Refuses a drawn set whose labels have other sides than those of its layout have today.

    Args:
        layout, manual_dir: see `why_outdated`.
    Raises:
        DataError: says to draw it anew.
    """
    version = _drawing_version(layout, manual_dir)
    if version is not None and version < LAYOUTS[layout].first_with_right_sides:
        raise DataError(
            f"{manual_dir}: {why_outdated(layout, manual_dir)}. Draw it anew with the same command, "
            "then prepare it with --rebuild."
        )


def _drawing_version(layout: str, manual_dir: Path) -> int | None:
    if layout not in LAYOUTS:
        return None
    for root in (manual_dir / LAYOUTS[layout].folder, manual_dir):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            return int(json.loads(read_regular(root / SETTINGS_FILE, MEBIBYTE))["drawing_version"])
    return None


def _is_finished(root: Path, job: Job) -> bool:
    try:
        settings = json.loads(read_regular(root / SETTINGS_FILE, MEBIBYTE))
        return settings == _settings(job)
    except (OSError, ValueError, RecursionError):
        return False


def _refuse_foreign_folder(root: Path, overwrite: bool) -> None:
    if overwrite or not root.exists() or (root / SETTINGS_FILE).is_file():
        return
    if not root.is_dir() or any(root.iterdir()):
        raise DataError(
            f"{root}: this is there already and was not drawn by synthetic_faces. Choose "
            f"{_ANOTHER_FOLDER}, or pass --overwrite (overwrite=True) to delete it."
        )


def _draw(root: Path, job: Job, num_workers: int) -> None:
    # The lock of the set removes what a killed drawing left under this name.
    partial = root.parent / f"incomplete.drawn_{root.name}"
    with _removed_after_failure(partial):
        layout = LAYOUTS[job.layout]
        for folder in layout.folders(job.counts):
            (partial / folder).mkdir(parents=True)
        total = len(job.tasks())
        with tqdm(
            total=total,
            desc=f"drawing {root.name}",
            unit=" faces",
            file=sys.stderr,
            mininterval=0.2 if sys.stderr.isatty() else 10.0,
        ) as bar:
            if num_workers == 1:
                for _ in draw_share(job, partial, 0, 1):
                    bar.update()
            else:
                for _ in _faces_of_workers(job, partial, num_workers):
                    bar.update()
        layout.write_lists(partial, job.tasks())
        (partial / SETTINGS_FILE).write_text(json.dumps(_settings(job), indent=2) + "\n")
        put_in_place(partial, root)


@contextlib.contextmanager
def _removed_after_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _faces_of_workers(job: Job, root: Path, num_workers: int) -> Iterator[str]:
    """Yields once for each face that one of `num_workers` processes has written."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Planes of a picture are freed and needed again all the time: glibc is to keep their memory.
    environment |= {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "134217728"}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(
            None,
            [str(Path(fpliif_jax.__file__).parents[1]), os.environ.get("PYTHONPATH")],
        )
    )
    order = {
        "job": dataclasses.asdict(job),
        "root": str(root.resolve()),
        "num_workers": num_workers,
    }
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fpliif_jax.data_builders.synthetic_faces.worker",
                json.dumps(order | {"worker": worker}),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for worker in range(num_workers)
    ]
    # A thread for each worker passes its lines on, and in the end the worker itself.
    lines: queue.SimpleQueue[str | subprocess.Popen[str]] = queue.SimpleQueue()

    def pass_on(worker: subprocess.Popen[str]) -> None:
        for line in worker.stdout:  # pyrefly: ignore[not-iterable] - a pipe
            lines.put(line)
        lines.put(worker)

    for worker in workers:
        threading.Thread(target=pass_on, args=(worker,), daemon=True).start()
    try:
        running = num_workers
        while running:
            line = lines.get()
            if isinstance(line, str):
                yield line
            else:
                _check_success(line, root)
                running -= 1
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()  # pyrefly: ignore[missing-attribute] - a pipe
            worker.stderr.close()  # pyrefly: ignore[missing-attribute] - a pipe


def _check_success(worker: subprocess.Popen[str], root: Path) -> None:
    message = worker.stderr.read().strip()  # pyrefly: ignore[missing-attribute] - a pipe
    if worker.wait() != 0:
        reason = message.splitlines()[-1] if message else "killed, perhaps for want of memory"
        raise DataError(
            f"{root}: a drawing process ended with code {worker.returncode} ({reason}). Make room, "
            "or run again with a smaller num_workers."
        )
