"""Writes whole sets of drawn faces: checks, the drawing, and the one step that makes a set
stand under its name only when it is complete."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.host.ordered_map import available_cores
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.data_builders.prepared.prepared_set import lock, put_in_place
from fpliif_jax.data_builders.raw.drawn import SETTINGS_FILE
from fpliif_jax.data_builders.synthetic_faces.drawing import STYLES
from fpliif_jax.data_builders.synthetic_faces.drawing_versions import (
    DRAWING_VERSIONS,
    style_version,
    why_outdated,
)
from fpliif_jax.data_builders.synthetic_faces.job import Job, draw_share
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS
from fpliif_jax.data_builders.synthetic_faces.photographic.also import ADDITIONS
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS
from fpliif_jax.data_builders.synthetic_faces.processes import faces_of_processes

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
                for _ in faces_of_processes(job, partial, num_workers):
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
