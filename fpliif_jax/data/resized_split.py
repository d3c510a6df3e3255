"""The resized images and label maps of a split: made once from the prepared examples, then memory-mapped files."""

import dataclasses
import functools
import io
from collections.abc import Sequence
from typing import Any

import ml_collections
import numpy as np
from PIL import Image

from fpliif_jax.data import canvas, renamed_labels, resize, resize_cache, splits
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.prepared.prepared_split import reporting_damage


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


def load_split(dataset: Dataset, name: str, label_sizes: tuple[int, ...]) -> Split:
    """Opens a split's resized images and label maps, resizing them first where needed.

    Args:
      dataset: a prepared set.
      name: 'train', 'validation' or 'test'.
      label_sizes: sides of the square label maps; on a canvas only config.data.image_size.

    Raises:
      DataError: the disk is full or the cache cannot be written.
      ValueError: a label size that a canvas does not have.
    """
    config = dataset.config
    if config.framing == "canvas" and set(label_sizes) - {config.image_size}:
        raise ValueError(
            f"label maps of {label_sizes} pixels: with config.data.framing='canvas' their side is "
            f"config.data.image_size = {config.image_size}"
        )
    arrays = [_images(config), *(_labels(dataset, size) for size in label_sizes)]
    if config.framing == "canvas":
        arrays.append(_sizes(config))
    ids, (images, *others) = dataset.cached(
        splits.folder_name(config, name),
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
            lambda example: canvas.place_on_canvas(example["image"], size, bicubic, longest_side)[
                0
            ],
        )
    return resize_cache.ResizedArray(
        f"images-{size}-{bicubic}.npy",
        (size, size, 3),
        lambda example: resize.resize_image(example["image"], (size, size), bicubic),
    )


def _labels(dataset: Dataset, size: int) -> resize_cache.ResizedArray:
    config, num_classes = dataset.config, len(dataset.class_names)
    table = renamed_labels.class_table(config.labels, dataset.metadata.class_names)
    filters = f"{config.label_resize}-{config.bicubic}"
    if config.label_resize == "nearest":
        filters = "nearest"
    on_canvas = config.framing == "canvas"
    prefix, frame = ("canvas-", _frame(config)) if on_canvas else ("", size)
    kind = "labels" if table is None else config.labels
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
        size = canvas.canvas_size(size, config.image_size, config.get("longest_side"))
        return np.array(size, np.int32)

    return resize_cache.ResizedArray(
        f"canvas-sizes-{_frame(config)}.npy", (2,), make, np.dtype(np.int32)
    )


def _frame(config: ml_collections.ConfigDict) -> str:
    """Sides of a canvas and of the largest image on it, as names of files have them."""
    longest_side = config.get("longest_side")
    return (
        str(config.image_size) if longest_side is None else f"{config.image_size}-of-{longest_side}"
    )


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
        picture = canvas.canvas_size(picture, size, config.get("longest_side"))
        return canvas.place_labels_on_canvas(labels, size, picture, num_classes, **options)
    return resize.resize_label_map(labels, (size, size), num_classes, **options)


def _open_source(dataset: Dataset, name: str) -> Sequence[dict[str, Any]]:
    """The decoded examples of a split as config.data divides the set."""
    if splits.is_own(dataset.config, name):
        # pyrefly: ignore[bad-return] - of a sequence what is asked for: its length, and one example
        return _Chosen(dataset.builder, dataset.members(name))
    # pyrefly: ignore[bad-return] - likewise
    return _DecodedByPillow(dataset.builder, name)


class _Chosen:
    """Examples chosen from several official splits, in the order of `members`."""

    def __init__(self, builder: FaceParsingBuilder, members: list[splits.Member]) -> None:
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
        with (
            reporting_damage(self._builder.damaged),
            Image.open(io.BytesIO(example["image"]), formats=("JPEG", "PNG")) as image,
        ):
            pixels = np.asarray(image.convert("RGB"))
        labels = self._source.label_map(position, example)
        return {"id": example["id"], "image": pixels, "label_map": labels}
