"""From a prepared data set to batches: TFDS source -> resized arrays -> grain -> batches.

**Splits.** config.data.split = 'official' takes those of the data set. 'random' joins them all and
sorts the examples by the SHA-256 of "<split_seed> <id>": the first split_fractions[0] of them,
rounded down, are for training, the next split_fractions[1], rounded down, for validation, the rest
for testing. STN-iCNN divides CelebAMask-HQ 6:2:2 (section 3.1) without saying how. 'first' joins them too,
sorts the examples by id, numbers by their value, and takes the first split_counts[0] for training, the next
split_counts[1] for validation, the next split_counts[2] for testing, and no others: the authors' code does so with
CelebAMask-HQ. With train_subset = n, training has only the n images whose "subset <split_seed> <id>" hash lowest. Ids
alone decide, so the same images are chosen on every machine, however the set was prepared.
"""

import dataclasses
import functools
import io
import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import grain
import ml_collections
import numpy as np
from absl import logging
from PIL import Image

from fpliif_jax import choices
from fpliif_jax.data import preprocess, resize_cache
from fpliif_jax.data_builders import (
    class_names,
    label_digests,
    prepare,
    random_split,
    synthetic_faces,
)
from fpliif_jax.data_builders.errors import DataError, said
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder

Batch = dict[str, np.ndarray]

LABELS = ("all", "facial_parts")
SPLITS = ("official", "random", "first")
_SPLIT_NAMES = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A prepared data set and where its resized copies live.

    Attributes:
      builder: the TFDS builder.
      metadata: its counts, fingerprint and class names.
      config: config.data.
    """

    builder: FaceParsingBuilder
    metadata: prepare.PreparedMetadata
    config: ml_collections.ConfigDict

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label maps; index = id."""
        if self.config.labels == "facial_parts":
            return class_names.FACIAL_PARTS
        return self.metadata.class_names

    @property
    def whose_left(self) -> str:
        """Whose left the names of the classes mean, see `data_builders.class_names`."""
        return class_names.whose_left(self.class_names)

    @property
    def counts(self) -> dict[str, int]:
        """Examples by split as config.data divides the set, 0 where a split is missing."""
        counts = _counts_without_subset(self)
        if self.config.train_subset and counts["train"]:
            counts["train"] = self.config.train_subset
        return counts

    @property
    def missing_splits(self) -> tuple[str, ...]:
        """Splits without examples."""
        return tuple(split for split, count in self.counts.items() if not count)

    @functools.cached_property
    def digest(self) -> dict[str, dict[str, str | None]] | None:
        """Digests of ids and label maps of the examples that config.data gives each split, and of all of them.

        The label maps are those of the prepared set, not yet resized, renamed (data.labels) or framed. See
        `label_digests.digests_of_splits`; None where the prepared set has no record of them.
        """
        recorded = self.metadata.label_digests
        if recorded is None:
            return None
        own: dict[str, dict[str, str]] = dict.fromkeys(_SPLIT_NAMES, {}) | recorded
        if self.config.split != "official" or self.config.train_subset:
            own = {
                split: {
                    member.id: recorded[member.split][member.id] for member in _members(self, split)
                }
                for split in _SPLIT_NAMES
            }
        return label_digests.digests_of_splits(own)

    def record(self) -> dict[str, Any]:
        """What results say of the data, ready for JSON."""
        return {
            "name": self.metadata.name,
            "builder_config": self.metadata.builder_config,
            "complete": self.metadata.complete,
            "official_ids": self.metadata.official_ids,
            "drawn": self.metadata.drawn,
            "drawing": self.metadata.drawing,
            "counts": self.counts,
            "fingerprint": self.metadata.fingerprint,
            "digest": self.digest,
            "whose_left": self.whose_left,
        }

    def environment(self) -> dict[str, Any]:
        """What the record of a training run's surroundings says of the data, ready for JSON."""
        return {
            "data_fingerprint": self.metadata.fingerprint,
            "data_digest": self.digest and self.digest["labels"]["all"],
            "data_drawn": self.metadata.drawn,
            "whose_left": self.whose_left,
        }


@dataclasses.dataclass(frozen=True)
class Split:
    """The resized examples of a split.

    Attributes:
      ids: [N] str, the official ids.
      images: [N, S, S, 3] uint8, S = config.data.image_size.
      labels: by size s: [N, s, s] uint8.
      image_sizes: [N, 2] int32, height and width of the picture inside its S × S frame; S and S
        unless framed on a canvas.
    """

    ids: np.ndarray
    images: np.ndarray
    labels: dict[int, np.ndarray]
    image_sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def load_dataset(config: ml_collections.ConfigDict) -> Dataset:
    """Prepares the data set unless it is prepared already; draws it first if it is synthetic.

    Args:
      config: config.data.

    Raises:
      ValueError: as `check_settings`.
      DataError: the raw files are missing, damaged, or not those the prepared set was made of; or
        they have fewer training images than config.train_subset.
    """
    check_settings(config)
    manual_dir, data_dir = config.manual_dir or None, config.data_dir or None
    if config.synthetic.num_train > 0:
        manual_dir, data_dir = _draw(config)
    builder = prepare.prepare(
        config.name,
        builder_config=None if config.builder_config == "default" else config.builder_config,
        manual_dir=manual_dir,
        data_dir=data_dir,
        num_workers=config.num_workers or None,
    )
    dataset = Dataset(builder, prepare.metadata(builder), config)
    total = sum(dataset.metadata.counts.values())
    if config.split == "first" and sum(config.split_counts) > total:
        raise DataError(
            f"config.data.split_counts is {tuple(config.split_counts)}, and {config.name} has {total} "
            "images: choose at most that many in all"
        )
    available = _counts_without_subset(dataset)["train"]
    # Without training images a set can still be evaluated.
    if available and config.train_subset > available:
        raise DataError(
            f"config.data.train_subset is {config.train_subset}, and {config.name} has {available} "
            "training images: choose at most that many, or 0 for all"
        )
    return dataset


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Checks how images are framed, named and divided.

    Args:
      config: config.data.

    Raises:
      ValueError: names the impossible field, its value and what it may be.
    """
    choices.check("data.framing", config.framing, preprocess.FRAMINGS)
    choices.check("data.labels", config.labels, LABELS)
    choices.check("data.split", config.split, SPLITS)
    shares = tuple(config.split_fractions)
    if len(shares) != 3 or not min(shares) >= 0 or not math.isclose(sum(shares), 1):
        raise ValueError(
            f"data.split_fractions = {shares}: it must be three numbers, none below 0, whose sum "
            "is 1, for training, validation and test"
        )
    counts = tuple(config.get("split_counts") or ())
    if config.split == "first" and (len(counts) != 3 or min(counts) < 0 or not sum(counts)):
        raise ValueError(
            f"data.split_counts = {counts}: data.split = 'first' needs three numbers of examples, none "
            "below 0 and not all 0, for training, validation and test"
        )
    longest_side = config.get("longest_side")
    if longest_side is not None and config.framing != "canvas":
        raise ValueError(
            f"data.longest_side = {longest_side}: it is for data.framing = 'canvas', not {config.framing!r}"
        )
    preprocess.check_longest_side(longest_side, config.image_size)
    if config.train_subset < 0:
        raise ValueError(f"data.train_subset = {config.train_subset}: it must be 0 (all) or more")


def facial_parts_table(names: tuple[str, ...]) -> np.ndarray:
    """Which of `class_names.FACIAL_PARTS` each class of a data set is.

    Args:
      names: the data set's; index = id.

    Returns:
      uint8 [len(names)]: the part's id, 0 (background) for what is none.

    Raises:
      ValueError: a part is missing.
    """
    parts = class_names.FACIAL_PARTS
    named = [class_names.CELEBAMASK_HQ_FACIAL_PARTS.get(name, name) for name in names]
    missing = [part for part in parts if part not in named]
    if missing:
        raise ValueError(
            f"data.labels = 'facial_parts': the data set has no {', '.join(missing)} among its "
            f"classes {', '.join(names)}; choose 'all' (FP-LIIF; STN-iCNN needs these parts)"
        )
    return np.array([parts.index(name) if name in parts else 0 for name in named], np.uint8)


def load_split(dataset: Dataset, name: str, label_sizes: tuple[int, ...]) -> Split:
    """Opens a split's resized images and label maps, resizing them first where needed.

    Args:
      dataset: a prepared set.
      name: 'train', 'validation' or 'test'.
      label_sizes: sides of the square label maps wanted; on a canvas only config.data.image_size.

    Raises:
      DataError: the disk is full or the cache cannot be written.
      ValueError: a label size that a canvas does not have.
    """
    config = dataset.config
    if config.framing == "canvas" and set(label_sizes) - {config.image_size}:
        raise ValueError(
            f"label maps of {label_sizes} pixels: with data.framing = 'canvas' they are of "
            f"data.image_size = {config.image_size} pixels"
        )
    arrays = [_images(config), *(_labels(dataset, size) for size in label_sizes)]
    if config.framing == "canvas":
        arrays.append(_sizes(config))
    ids, (images, *others) = _cached(
        dataset,
        _folder_name(dataset, name),
        _open_source(dataset, name),
        arrays,
        f"resizing {name}",
    )
    image_sizes = np.full((len(ids), 2), config.image_size, np.int32)
    if config.framing == "canvas":
        image_sizes = others.pop()
    return Split(ids, images, dict(zip(label_sizes, others, strict=True)), image_sizes)


def _images(config: ml_collections.ConfigDict) -> resize_cache.ResizedArray:
    size, bicubic = config.image_size, config.bicubic
    if config.framing == "canvas":
        longest_side = config.get("longest_side")
        return resize_cache.ResizedArray(
            f"canvas-{_frame(config)}-{bicubic}.npy",
            (size, size, 3),
            lambda example: preprocess.place_on_canvas(
                example["image"], size, bicubic, longest_side
            )[0],
        )
    return resize_cache.ResizedArray(
        f"images-{size}-{bicubic}.npy",
        (size, size, 3),
        lambda example: preprocess.resize_image(example["image"], (size, size), bicubic),
    )


def _labels(dataset: Dataset, size: int) -> resize_cache.ResizedArray:
    config, num_classes = dataset.config, len(dataset.class_names)
    parts = config.labels == "facial_parts"
    table = facial_parts_table(dataset.metadata.class_names) if parts else None
    filters = f"{config.label_resize}-{config.bicubic}"
    if config.label_resize == "nearest":
        filters = "nearest"
    on_canvas = config.framing == "canvas"
    prefix, frame = ("canvas-", _frame(config)) if on_canvas else ("", size)
    kind = "facial_parts" if parts else "labels"
    if class_names.whose_left(dataset.metadata.class_names) != dataset.whose_left:
        kind += "-swapped"  # without it: the parts as they were before their sides were swapped
    return resize_cache.ResizedArray(
        f"{prefix}{kind}-{frame}-{filters}.npy",
        (size, size),
        functools.partial(_framed_labels, size, num_classes, table, config),
        values=num_classes,
    )


def _sizes(config: ml_collections.ConfigDict) -> resize_cache.ResizedArray:
    def make(example: dict[str, np.ndarray]) -> np.ndarray:
        size = example["image"].shape[:2]
        size = preprocess.canvas_size(size, config.image_size, config.get("longest_side"))
        return np.array(size, np.int32)

    return resize_cache.ResizedArray(
        f"canvas-sizes-{_frame(config)}.npy", (2,), make, np.dtype(np.int32)
    )


def _frame(config: ml_collections.ConfigDict) -> str:
    """Of a canvas and the images on it, for names of files."""
    longest_side = config.get("longest_side")
    return (
        str(config.image_size) if longest_side is None else f"{config.image_size}-of-{longest_side}"
    )


class _Member(NamedTuple):
    """An example: which one of which official split."""

    split: str
    position: int
    id: str


class _Chosen:
    """Examples chosen from several official splits, in the order of `members`."""

    def __init__(self, builder: FaceParsingBuilder, members: list[_Member]) -> None:
        self._members = members
        self._sources = {
            split: _DecodedByPillow(builder, split)
            for split in sorted({member.split for member in members})
        }

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, position: int) -> dict[str, bytes | np.ndarray]:
        member = self._members[position]
        return self._sources[member.split][member.position]


class _DecodedByPillow:
    """Examples of a prepared split: 'id', 'image' and 'label_map'.

    TFDS would decode with OpenCV where that is installed, and a JPEG's pixels depend on the decoder.
    Helen's soft masks, eleven times as large as its label map, are left alone.
    """

    def __init__(self, builder: FaceParsingBuilder, split: str) -> None:
        self._builder = builder
        self._source = builder.encoded_examples(split)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, position: int) -> dict[str, bytes | np.ndarray]:
        example = self._source[position]
        with self._builder.reporting_damage(), Image.open(io.BytesIO(example["image"])) as image:
            pixels = np.asarray(image.convert("RGB"))
        labels = self._source.label_map(position, example)
        return {"id": example["id"], "image": pixels, "label_map": labels}


def steps_per_epoch(split_size: int, batch_size: int, copies: int = 1) -> int:
    """Batches in an epoch of `copies` of every example, the last, smaller one included."""
    return -(-split_size * copies // batch_size)


def train_batches(
    split: Split,
    *,
    label_size: int,
    batch_size: int,
    rows: slice,
    seed: int,
    first_step: int,
    last_step: int,
    copies: int = 1,
    first_epoch: int = 0,
    augmentation_seed: int | None = None,
) -> Iterator[Batch]:
    """Shuffled training batches; any step can be the first, so a run goes on where it stopped.

    An epoch has every example once for each copy number 0 … copies − 1, all shuffled together.

    Args:
      split: the training split.
      label_size: side of the label maps.
      batch_size: examples in a global batch, padding not counted.
      rows: this process's rows of the padded global batch.
      seed: the order of every epoch depends on it alone.
      first_step: training step to begin with.
      last_step: where to stop, not included.
      copies: how often an epoch has each example.
      first_epoch: the epoch that step 0 belongs to.
      augmentation_seed: handed on with every example; None: `seed`.

    Yields:
      images [n, S, S, 3] uint8, labels [n, s, s] uint8, image_sizes [n, 2] int32 (0 for padding),
      example_ids [n] int32 (position in the split; -1 for padding), copy [n] int32 (0 for padding),
      weights [n] float32 (0 for padding), epoch [n] int32, seed [n] int32 (augmentation_seed).
    """
    augmentation_seed = seed if augmentation_seed is None else augmentation_seed
    count, per_epoch = len(split) * copies, steps_per_epoch(len(split), batch_size, copies)
    order = grain.MapDataset.range(count).seed(seed).shuffle()

    def load(step: int) -> Batch:
        epoch, index = divmod(step, per_epoch)
        epoch += first_epoch
        first = index * batch_size
        drawn = [order[epoch * count + i] for i in range(first, min(first + batch_size, count))]
        batch = _gather(split, label_size, [number // copies for number in drawn], rows)
        mine = [number % copies for number in drawn[rows]]
        batch["copy"] = np.zeros(len(batch["weights"]), np.int32)
        batch["copy"][: len(mine)] = mine
        batch["epoch"] = np.full(len(batch["weights"]), epoch, np.int32)
        batch["seed"] = np.full(len(batch["weights"]), augmentation_seed, np.int32)
        return batch

    steps = grain.MapDataset.range(first_step, last_step).map(load)
    options = grain.ReadOptions(num_threads=min(4, os.cpu_count() or 1), prefetch_buffer_size=4)
    return iter(steps.to_iter_dataset(options))


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
    split: Split, *, label_sizes: tuple[int, ...], batch_size: int, rows: slice
) -> Iterator[Batch]:
    """All examples of a split once, in order; the last batch is padded, never dropped.

    Yields:
      images [n, S, S, 3] uint8, 'labels_<s>' [n, s, s] uint8 for each size, image_sizes [n, 2]
      int32, example_ids [n] int32, weights [n] float32.
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


def _framed_labels(
    size: int,
    num_classes: int,
    table: np.ndarray | None,
    config: ml_collections.ConfigDict,
    example: dict[str, np.ndarray],
) -> np.ndarray:
    labels = example["label_map"]
    if table is not None:
        labels = table[labels]
    options = {"method": config.label_resize, "bicubic": config.bicubic}
    if config.framing == "canvas":
        picture = example["image"].shape[:2]
        picture = preprocess.canvas_size(picture, size, config.get("longest_side"))
        return preprocess.place_labels_on_canvas(labels, size, picture, num_classes, **options)
    return preprocess.resize_label_map(labels, (size, size), num_classes, **options)


def _counts_without_subset(dataset: Dataset) -> dict[str, int]:
    """Examples by split before config.data.train_subset takes some of the training images."""
    counts = dict(dataset.metadata.counts)
    if dataset.config.split == "official":
        return counts
    if dataset.config.split == "first":
        return dict(zip(_SPLIT_NAMES, dataset.config.split_counts, strict=True))
    sizes = random_split.split_sizes(sum(counts.values()), dataset.config.split_fractions)
    return dict(zip(_SPLIT_NAMES, sizes, strict=True))


def _open_source(dataset: Dataset, name: str) -> Sequence[dict[str, bytes | np.ndarray]]:
    """The decoded examples of a split as config.data divides the set."""
    config = dataset.config
    if config.split == "official" and not (name == "train" and config.train_subset):
        return _DecodedByPillow(dataset.builder, name)
    return _Chosen(dataset.builder, _members(dataset, name))


def _members(dataset: Dataset, name: str) -> list[_Member]:
    """Which examples a split of our own or a subset has, in order."""
    config = dataset.config
    official = config.split == "official"
    members = [
        _Member(split, position, identifier)
        for split in ((name,) if official else _SPLIT_NAMES)
        for position, identifier in enumerate(_official_ids(dataset, split))
    ]
    if not official:
        if config.split == "random":
            members.sort(key=lambda member: random_split.by_hash(config.split_seed, member.id))
        else:
            members.sort(key=lambda member: _by_number(member.id))
        counts = _counts_without_subset(dataset)
        start = sum(counts[other] for other in _SPLIT_NAMES[: _SPLIT_NAMES.index(name)])
        members = members[start : start + counts[name]]
    if name == "train" and config.train_subset:
        hashes = [
            random_split.hash_of(f"subset {config.split_seed} {member.id}") for member in members
        ]
        lowest = sorted(range(len(members)), key=hashes.__getitem__)[: config.train_subset]
        members = [members[position] for position in sorted(lowest)]
    return members


def _official_ids(dataset: Dataset, split: str) -> list[str]:
    """The ids of an official split, from the cache once they were read; empty if it is missing."""
    if not dataset.metadata.counts[split]:
        return []
    source = dataset.builder.encoded_examples(split)
    ids, _ = _cached(dataset, split, source, [], f"listing {split}")
    return ids.tolist()


def _cached(
    dataset: Dataset,
    folder_name: str,
    source: Sequence[dict[str, Any]],
    arrays: list[resize_cache.ResizedArray],
    description: str,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """As `resize_cache.open_or_build`; says what to do where the disk is the problem."""
    try:
        return resize_cache.open_or_build(
            _set_folder(dataset) / folder_name,
            source,
            arrays,
            description=f"{description} of {dataset.metadata.name}",
            num_workers=dataset.config.num_workers or None,
        )
    except OSError as error:
        raise DataError(
            f"resized images cannot be written: {said(error)}; set --config.data.cache_dir to another disk"
        ) from error


def _by_number(identifier: str) -> tuple[bool, int, str]:
    """Sorts ids that are numbers by their value, and before the others."""
    is_number = identifier.isascii() and identifier.isdigit()
    return not is_number, int(identifier) if is_number else 0, identifier


def _set_folder(dataset: Dataset) -> pathlib.Path:
    metadata = dataset.metadata
    profile = metadata.builder_config or "default"
    return _cache_dir(dataset) / f"{metadata.name}-{profile}-{metadata.fingerprint[:16]}"


def _folder_name(dataset: Dataset, name: str) -> str:
    """Of a split in the cache; tells which examples it has and in which order."""
    config = dataset.config
    parts = [name]
    if config.split == "random":
        parts += ["random", *(str(float(share)) for share in config.split_fractions)]
    if config.split == "first":
        parts += ["first", *map(str, config.split_counts)]
    if name == "train" and config.train_subset:
        parts.append(f"subset{config.train_subset}")
    if "random" in parts or parts[-1].startswith("subset"):
        parts.append(f"seed{config.split_seed}")
    return "-".join(parts)


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
    # Earlier drawings, and what was prepared from them, keep their folders: earlier runs were on them.
    earlier = pathlib.Path(config.manual_dir).expanduser() / faces
    version = synthetic_faces.DRAWING_VERSIONS.get(config.name, 1)
    if version > 1:
        faces += f"-drawing{version}"
    manual_dir = pathlib.Path(config.manual_dir).expanduser() / faces
    reason = synthetic_faces.why_outdated(config.name, earlier) if version > 1 else None
    if reason is not None and not manual_dir.exists():
        logging.warning("%s: drawn anew in %s, for %s", earlier, manual_dir, reason)
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
