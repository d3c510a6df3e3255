"""What to draw, and the drawing of one worker's share of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.drawing import draw_face
from fpliif_jax.data_builders.synthetic_faces.face import Face
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS, SPLITS, Task


@dataclass(frozen=True)
class Job:
    """A whole synthetic set. Sizes in pixels a side; mask_size is that of CelebAMask-HQ's masks."""

    layout: str
    num_train: int
    num_val: int
    num_test: int
    image_size: int
    mask_size: int
    seed: int
    style: str = "plain"
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        return dict(zip(SPLITS, (self.num_train, self.num_val, self.num_test), strict=True))

    def tasks(self) -> list[Task]:
        """All faces, train first; they are numbered over the splits."""
        pairs = [(split, i) for split, count in self.counts.items() for i in range(count)]
        return [Task(split, i, number) for number, (split, i) in enumerate(pairs)]


def face_seed(seed: int, split: str, index: int) -> np.random.SeedSequence:
    """The seed of one face: depends on (seed, split, index) and on nothing else."""
    return np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index))


def draw_task(job: Job, task: Task) -> tuple[Face, np.ndarray]:
    """The face, and its 19-class label map of `mask_size` pixels a side, uint8."""
    seed = face_seed(job.seed, task.split, task.index)
    face = draw_face(seed, job.image_size, job.style, job.without, job.also)
    if job.mask_size == job.image_size:
        return face, face.label_map
    same_face = draw_face(seed, job.mask_size, job.style, job.without, job.also)
    return face, same_face.label_map


def draw_share(job: Job, root: Path, worker: int, num_workers: int) -> Iterator[Task]:
    """Draws and writes every `num_workers`-th face from number `worker` on; yields each when it is
    written. The folders have to be there."""
    write_face = LAYOUTS[job.layout].write_face
    for task in job.tasks()[worker::num_workers]:
        face, mask_label_map = draw_task(job, task)
        write_face(root, task, face, mask_label_map)
        yield task
