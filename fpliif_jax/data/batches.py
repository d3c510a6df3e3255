"""Batches of a split, for training and for evaluation; padded to what the devices take."""

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np

from fpliif_jax.data.resized_split import Split

Batch = dict[str, np.ndarray]


def steps_per_epoch(split_size: int, batch_size: int, copies: int = 1) -> int:
    """Batches in an epoch of `copies` of every example, the last, smaller one included."""
    return -(-split_size * copies // batch_size)


@dataclasses.dataclass(frozen=True)
class EpochOrder:
    """How the epochs of a stage go through a split.

    An epoch has every example once for each copy number 0 … copies − 1, all shuffled together.

    Attributes:
      batch_size: examples in a global batch, padding not counted.
      seed: the order of every epoch depends on it alone.
      copies: how often an epoch has each example.
      first_epoch: the epoch that step 0 belongs to.
      augmentation_seed: handed on with every example; None: `seed`.
    """

    batch_size: int
    seed: int
    copies: int = 1
    first_epoch: int = 0
    augmentation_seed: int | None = None


def train_batches(
    split: Split, label_size: int, order: EpochOrder, local_slice: slice, steps: range
) -> Iterator[Batch]:
    """Shuffled training batches; any step can be the first, so a run goes on where it stopped.

    Args:
      split: the training split.
      label_size: side of the label maps.
      order: of the examples.
      local_slice: this process's rows of the padded global batch.
      steps: training steps, counted from 0.

    Yields:
      images [n, S, S, 3] uint8, labels [n, s, s] uint8, image_sizes [n, 2] int32 (0 for padding),
      example_ids [n] int32 (position in the split; -1 for padding), copy [n] int32 (0 for padding),
      weights [n] float32 (0 for padding), epoch [n] int32, seed [n] int32 (augmentation_seed).
    """
    augmentation_seed = order.seed if order.augmentation_seed is None else order.augmentation_seed
    batch_size, copies = order.batch_size, order.copies
    count, per_epoch = len(split) * copies, steps_per_epoch(len(split), batch_size, copies)
    shuffled = grain.MapDataset.range(count).seed(order.seed).shuffle()

    def load(step: int) -> Batch:
        epoch, index = divmod(step, per_epoch)
        epoch += order.first_epoch
        first = index * batch_size
        drawn: list[Any] = [
            shuffled[epoch * count + i] for i in range(first, min(first + batch_size, count))
        ]
        batch = _gather(split, label_size, [number // copies for number in drawn], local_slice)
        mine = [number % copies for number in drawn[local_slice]]
        batch["copy"] = np.zeros(len(batch["weights"]), np.int32)
        batch["copy"][: len(mine)] = mine
        batch["epoch"] = np.full(len(batch["weights"]), epoch, np.int32)
        batch["seed"] = np.full(len(batch["weights"]), augmentation_seed, np.int32)
        return batch

    loaded = grain.MapDataset.range(steps.start, steps.stop).map(load)
    options = grain.ReadOptions(num_threads=min(4, os.cpu_count() or 1), prefetch_buffer_size=4)
    return iter(loaded.to_iter_dataset(options))


def blank_batch(rows: int, image_size: int, label_size: int) -> Batch:
    """A batch of the form that `train_batches` yields, of black images all of class 0, none of them padding."""
    return {
        "images": np.zeros((rows, image_size, image_size, 3), np.uint8),
        "labels": np.zeros((rows, label_size, label_size), np.uint8),
        "image_sizes": np.full((rows, 2), image_size, np.int32),
        "example_ids": np.arange(rows, dtype=np.int32),
        "copy": np.zeros(rows, np.int32),
        "epoch": np.zeros(rows, np.int32),
        "seed": np.zeros(rows, np.int32),
        "weights": np.ones(rows, np.float32),
    }


def evaluation_batches(
    split: Split, *, label_sizes: tuple[int, ...], batch_size: int, local_slice: slice
) -> Iterator[Batch]:
    """All examples of a split once, in order; the last batch is padded, never dropped.

    Yields:
      images [n, S, S, 3] uint8, 'labels_<s>' [n, s, s] uint8 for each size, image_sizes [n, 2]
      int32, example_ids [n] int32, weights [n] float32.
    """

    def load(index: int) -> Batch:
        positions = list(range(index * batch_size, min((index + 1) * batch_size, len(split))))
        batch = _gather(split, label_sizes[0], positions, local_slice)
        batch[f"labels_{label_sizes[0]}"] = batch.pop("labels")
        for size in label_sizes[1:]:
            batch[f"labels_{size}"] = _take(split.labels[size], batch["example_ids"])
        return batch

    batches = grain.MapDataset.range(steps_per_epoch(len(split), batch_size)).map(load)
    options = grain.ReadOptions(num_threads=min(4, os.cpu_count() or 1), prefetch_buffer_size=4)
    return iter(batches.to_iter_dataset(options))


def _gather(split: Split, label_size: int, positions: list[int], local_slice: slice) -> Batch:
    """This process's rows of a batch; rows past the examples are padding."""
    example_ids = np.full(local_slice.stop - local_slice.start, -1, np.int32)
    mine = positions[local_slice]
    example_ids[: len(mine)] = mine
    return {
        "images": _take(split.images, example_ids),
        "labels": _take(split.labels[label_size], example_ids),
        "image_sizes": _take(split.image_sizes, example_ids),
        "example_ids": example_ids,
        "weights": (example_ids >= 0).astype(np.float32),
    }


def _take(array: np.ndarray, example_ids: np.ndarray) -> np.ndarray:
    """Rows of a memory map, zeros for padding; ascending reads suit disks."""
    taken = np.zeros((len(example_ids), *array.shape[1:]), array.dtype)
    for row in np.argsort(example_ids):
        if example_ids[row] >= 0:
            taken[row] = array[example_ids[row]]
    return taken
