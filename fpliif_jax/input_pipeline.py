"""From a prepared data set to batches: TFDS source -> resized arrays -> grain -> batches."""

import dataclasses
import functools
import io
import os
import pathlib
from collections.abc import Iterator

import grain
import ml_collections
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

import data_builders.prepare
from data_builders import synthetic_faces
from data_builders.errors import DataError
from fpliif_jax import preprocess, resize_cache

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A prepared data set and where its resized copies live.

    Attributes:
      builder: the TFDS builder.
      metadata: its counts, fingerprint and class names.
      config: config.data.
    """

    builder: tfds.core.DatasetBuilder
    metadata: data_builders.prepare.PreparedMetadata
    config: ml_collections.ConfigDict

    @property
    def missing_splits(self) -> tuple[str, ...]:
        """Splits that the raw download lacks."""
        return tuple(split for split, count in self.metadata.counts.items() if not count)


@dataclasses.dataclass(frozen=True)
class Split:
    """The resized examples of a split.

    Attributes:
      ids: [N] str, the official ids.
      images: [N, S, S, 3] uint8, S = config.data.image_size.
      labels: by size s: [N, s, s] uint8.
    """

    ids: np.ndarray
    images: np.ndarray
    labels: dict[int, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


def load_dataset(config: ml_collections.ConfigDict) -> Dataset:
    """Prepares the data set unless it is prepared already; draws it first if it is synthetic.

    Args:
      config: config.data.

    Raises:
      DataError: the raw files are missing, damaged, or not those the prepared set was made of.
    """
    manual_dir, data_dir = config.manual_dir or None, config.data_dir or None
    if config.synthetic.num_train > 0:
        manual_dir, data_dir = _draw(config)
    builder = data_builders.prepare.prepare(
        config.name,
        builder_config=None if config.builder_config == "default" else config.builder_config,
        manual_dir=manual_dir,
        data_dir=data_dir,
        num_workers=config.num_workers or None,
    )
    return Dataset(builder, data_builders.prepare.metadata(builder), config)


def load_split(dataset: Dataset, name: str, label_sizes: tuple[int, ...]) -> Split:
    """Opens a split's resized images and label maps, resizing them first where needed.

    Args:
      dataset: a prepared set.
      name: 'train', 'validation' or 'test'.
      label_sizes: sides of the square label maps wanted.

    Raises:
      DataError: the disk is full or the cache cannot be written.
    """
    config, metadata = dataset.config, dataset.metadata
    image_size = (config.image_size, config.image_size)
    arrays = [
        resize_cache.ResizedArray(
            f"images-{config.image_size}-{config.bicubic}.npy",
            (*image_size, 3),
            lambda example: preprocess.resize_image(example["image"], image_size, config.bicubic),
        )
    ]
    filters = f"{config.label_resize}-{config.bicubic}"
    if config.label_resize == "nearest":
        filters = "nearest"
    for size in label_sizes:
        make = functools.partial(_resized_labels, size, len(metadata.class_names), config)
        arrays.append(resize_cache.ResizedArray(f"labels-{size}-{filters}.npy", (size, size), make))
    folder = (
        _cache_dir(dataset)
        / f"{metadata.name}-{metadata.builder_config or 'default'}-{metadata.fingerprint[:16]}"
        / name
    )
    try:
        ids, (images, *labels) = resize_cache.open_or_build(
            folder,
            _DecodedByPillow(dataset.builder, name),
            arrays,
            description=f"resizing {metadata.name} {name}",
            num_workers=config.num_workers or None,
        )
    except OSError as error:
        raise DataError(f"resized images cannot be written: {error}") from error
    return Split(ids, images, dict(zip(label_sizes, labels, strict=True)))


class _DecodedByPillow:
    """Examples of a prepared split: 'id', 'image' and 'label_map'.

    TFDS would decode with OpenCV where that is installed, and a JPEG's pixels depend on the decoder.
    Helen's soft masks, eleven times as large as its label map, are left alone.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder, split: str) -> None:
        encoded = {"image", "label_map", "soft_masks"} & set(builder.info.features)
        self._source = builder.as_data_source(
            split, decoders={name: tfds.decode.SkipDecoding() for name in encoded}
        )

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, position: int) -> dict[str, bytes | np.ndarray]:
        example = self._source[position]
        with Image.open(io.BytesIO(example["image"])) as image:
            pixels = np.asarray(image.convert("RGB"))
        with Image.open(io.BytesIO(example["label_map"])) as label_map:
            labels = np.asarray(label_map)
        return {"id": example["id"], "image": pixels, "label_map": labels}


def steps_per_epoch(split_size: int, batch_size: int) -> int:
    """Batches in an epoch, the last, smaller one included."""
    return -(-split_size // batch_size)


def train_batches(
    split: Split,
    *,
    label_size: int,
    batch_size: int,
    rows: slice,
    seed: int,
    first_step: int,
    last_step: int,
) -> Iterator[Batch]:
    """Shuffled training batches; any step can be the first, so a run goes on where it stopped.

    Args:
      split: the training split.
      label_size: side of the label maps.
      batch_size: examples in a global batch, padding not counted.
      rows: this process's rows of the padded global batch.
      seed: the order of every epoch depends on it alone.
      first_step: training step to begin with.
      last_step: where to stop, not included.

    Yields:
      images [n, S, S, 3] uint8, labels [n, s, s] uint8, example_ids [n] int32 (position in the
      split; -1 for padding), weights [n] float32 (0 for padding), epoch [n] int32.
    """
    count, per_epoch = len(split), steps_per_epoch(len(split), batch_size)
    order = grain.MapDataset.range(count).seed(seed).shuffle()

    def load(step: int) -> Batch:
        epoch, index = divmod(step, per_epoch)
        first = index * batch_size
        positions = [order[epoch * count + i] for i in range(first, min(first + batch_size, count))]
        batch = _gather(split, label_size, positions, rows)
        batch["epoch"] = np.full(len(batch["weights"]), epoch, np.int32)
        return batch

    steps = grain.MapDataset.range(first_step, last_step).map(load)
    options = grain.ReadOptions(num_threads=min(4, os.cpu_count() or 1), prefetch_buffer_size=4)
    return iter(steps.to_iter_dataset(options))


def evaluation_batches(
    split: Split, *, label_sizes: tuple[int, ...], batch_size: int, rows: slice
) -> Iterator[Batch]:
    """All examples of a split once, in order; the last batch is padded, never dropped.

    Yields:
      images [n, S, S, 3] uint8, 'labels_<s>' [n, s, s] uint8 for each size, example_ids [n] int32,
      weights [n] float32.
    """

    def load(index: int) -> Batch:
        positions = list(range(index * batch_size, min((index + 1) * batch_size, len(split))))
        batch = _gather(split, label_sizes[0], positions, rows)
        batch[f"labels_{label_sizes[0]}"] = batch.pop("labels")
        for size in label_sizes[1:]:
            batch[f"labels_{size}"] = _take(split.labels[size], batch["example_ids"])
        return batch

    batches = grain.MapDataset.range(steps_per_epoch(len(split), batch_size)).map(load)
    options = grain.ReadOptions(num_threads=min(4, os.cpu_count() or 1), prefetch_buffer_size=2)
    return iter(batches.to_iter_dataset(options))


def _gather(split: Split, label_size: int, positions: list[int], rows: slice) -> Batch:
    """This process's rows of a batch; rows past the examples are padding."""
    example_ids = np.full(rows.stop - rows.start, -1, np.int32)
    mine = positions[rows]
    example_ids[: len(mine)] = mine
    return {
        "images": _take(split.images, example_ids),
        "labels": _take(split.labels[label_size], example_ids),
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


def _resized_labels(
    size: int, num_classes: int, config: ml_collections.ConfigDict, example: dict[str, np.ndarray]
) -> np.ndarray:
    return preprocess.resize_label_map(
        example["label_map"],
        (size, size),
        num_classes,
        method=config.label_resize,
        bicubic=config.bicubic,
    )


def _cache_dir(dataset: Dataset) -> pathlib.Path:
    if dataset.config.cache_dir:
        return pathlib.Path(dataset.config.cache_dir).expanduser()
    # The builder's folder is <data_dir>/<name>/[<config>/]<version>.
    data_dir = dataset.builder.data_path.parent
    while data_dir.name != dataset.metadata.name:
        data_dir = data_dir.parent
    return pathlib.Path(data_dir.parent) / "resized"


def _draw(config: ml_collections.ConfigDict) -> tuple[str, str]:
    """Draws the synthetic raw download unless it is there; builders take it for an official one.

    Returns:
      (manual_dir, data_dir): folders of their own for these very faces.
    """
    if not config.manual_dir or not config.data_dir:
        raise DataError(
            "synthetic faces need folders of their own: set --config.data.manual_dir and "
            "--config.data.data_dir"
        )
    wanted = config.synthetic
    counts = f"{wanted.num_train}-{wanted.num_val}-{wanted.num_test}"
    faces = f"{config.name}-{counts}-{wanted.image_size}px-seed{wanted.seed}"
    manual_dir = pathlib.Path(config.manual_dir).expanduser() / faces
    data_dir = pathlib.Path(config.data_dir).expanduser() / faces
    synthetic_faces.write_dataset(
        config.name,
        manual_dir,
        num_train=wanted.num_train,
        num_val=wanted.num_val,
        num_test=wanted.num_test,
        image_size=wanted.image_size,
        seed=wanted.seed,
        num_workers=config.num_workers or None,
    )
    return str(manual_dir), str(data_dir)
