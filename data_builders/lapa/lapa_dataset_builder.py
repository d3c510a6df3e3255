"""LaPa: 22,176 faces in the wild, 11 classes."""

import pathlib
from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.prepared.prepared_split import Example
from fpliif_jax.data_builders.raw import raw_images, raw_tree
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree

_FOLDERS = {"train": "train", "validation": "val", "test": "test"}


class Builder(FaceParsingBuilder):
    """TFDS builder of LaPa.

    Raw layout `LaPa/{train,val,test}/{images/<id>.jpg,labels/<id>.png}`; landmarks are not read.
    """

    CLASS_NAMES = LAPA_AND_HELEN
    OFFICIAL_COUNTS = {"train": 18_176, "validation": 2_000, "test": 2_000}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download LaPa.tar.gz by the link on https://github.com/jd-opensource/lapa-dataset (JD AI "
        "Research; non-commercial research only) and unpack it in a folder DIR, so that there is "
        "DIR/LaPa/train/images."
    )

    def index_raw_tree(self, manual_dir: pathlib.Path) -> RawTree:
        """See FaceParsingBuilder. Examples are in the order of their ids."""
        root = raw_tree.find_root(
            manual_dir,
            "LaPa",
            [f"{folder}/{kind}" for folder in _FOLDERS.values() for kind in ("images", "labels")],
            "LaPa.tar.gz",
            self.remedies.how_to_get_it(),
        )
        splits = {split: _index_split(root, folder) for split, folder in _FOLDERS.items()}
        _check_ids_are_unique(root, splits)
        not_empty = {split: examples for split, examples in splits.items() if examples}
        return RawTree(manual_dir, root, (), not_empty)

    def encode_labels(
        self, paths: Sequence[pathlib.Path], contents: Sequence[bytes]
    ) -> tuple[Example, np.ndarray]:
        """See FaceParsingBuilder. The label file is stored as it is."""
        label_map = raw_images.check_label_map(contents[0], paths[0], self.CLASS_NAMES)
        return {"label_map": contents[0]}, label_map


def _check_ids_are_unique(root: pathlib.Path, splits: dict[str, list[RawExample]]) -> None:
    seen: dict[str, str] = {}
    for examples in splits.values():
        for example in examples:
            if example.id in seen:
                raise DataError(
                    f"{root / example.image}: there is an image of this id in another split too, "
                    f"{root / seen[example.id]}. Unpack the archive again, or remove one of them "
                    "with its label."
                )
            seen[example.id] = example.image


def _index_split(root: pathlib.Path, folder: str) -> list[RawExample]:
    images = raw_tree.image_stems(root / folder / "images", ".jpg")
    labels = raw_tree.image_stems(root / folder / "labels", ".png")
    for needed, by in (("labels", images), ("images", labels)):
        if by and not (root / folder / needed).is_dir():
            raise DataError(
                f"{root / folder / needed}: this folder is missing, but its counterpart is there. "
                "Unpack the archive again."
            )
    raw_tree.check_pairs(
        root, f"{folder}/images/{{}}.jpg", f"{folder}/labels/{{}}.png", images, labels
    )
    return [
        RawExample(stem, f"{folder}/images/{stem}.jpg", (f"{folder}/labels/{stem}.png",))
        for stem in images
    ]
