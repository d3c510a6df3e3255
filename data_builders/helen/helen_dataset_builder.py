"""Helen with the segment labels of Smith et al.: 2,330 faces, 11 classes, soft masks."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.prepared.prepared_split import Example
from fpliif_jax.data_builders.raw import raw_images, raw_tree
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree

_FOLDER = "SmithCVPR2013_dataset_resized"
_LISTS = {"train": "exemplars.txt", "validation": "tuning.txt", "test": "testing.txt"}


class Builder(FaceParsingBuilder):
    """TFDS builder of Helen.

    Raw layout, in `SmithCVPR2013_dataset_resized` or directly in manual_dir: `images/<name>.jpg`,
    `labels/<name>/<name>_lbl<NN>.png` with NN 00 … 10, `exemplars.txt`, `tuning.txt`,
    `testing.txt`.

    Besides the common features, of which `label_map` is the argmax of the soft masks (the lowest id
    where several are highest, so background where all are 0), examples have
        soft_masks: uint8 [11 H, W, 1], 0 … 255 for probability 0 … 1: the eleven masks below each
            other, in the order of the ids; reshape to [11, H, W].
    """

    CLASS_NAMES = LAPA_AND_HELEN
    OFFICIAL_COUNTS = {"train": 2_000, "validation": 230, "test": 100}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Download {_FOLDER}.zip from http://www.cs.wisc.edu/~lizhang/projects/face-parsing/ "
        "(Smith et al., University of Wisconsin-Madison; research only) and unpack it in a folder "
        f"DIR, so that there is DIR/{_FOLDER}/exemplars.txt."
    )

    def label_features(self) -> dict[str, tfds.features.FeatureConnector]:
        """See FaceParsingBuilder."""
        return super().label_features() | {
            "soft_masks": tfds.features.Image(
                shape=(None, None, 1),
                encoding_format="png",
                doc="Eleven masks [H, W] below each other, 0 … 255 for probability 0 … 1.",
            )
        }

    def index_raw_tree(self, manual_dir: pathlib.Path) -> RawTree:
        """See FaceParsingBuilder. Examples are in list order; images in no list are left out."""
        root = _find_root(manual_dir, self.remedies.how_to_get_it())
        images = set(raw_tree.image_stems(root / "images", ".jpg"))
        for folder in ("images", "labels"):
            if not (root / folder).is_dir():
                raise DataError(
                    f"{root / folder}: this folder is missing. Unpack the archive again."
                )
        folders = [e for e in raw_tree.folder_entries(root / "labels") if raw_tree.is_folder(e)]
        labels = [raw_tree.check_name(folder) for folder in folders]
        raw_tree.check_pairs(root, "images/{}.jpg", "labels/{}", images, labels)
        splits: dict[str, list[RawExample]] = {}
        seen: dict[str, str] = {}
        for split, list_name in _LISTS.items():
            if not os.path.lexists(root / list_name):
                continue
            for line_number, line in raw_tree.read_rows(root / list_name):
                where = f"{root / list_name}, line {line_number}"
                name = _parse_row(line, where)
                if name not in images:
                    raise DataError(
                        f"{where}: there is no image {root / 'images' / name}.jpg. Unpack the "
                        "archive again, or remove the row."
                    )
                if name in seen:
                    raise DataError(
                        f"{where}: {name} is listed already, in {seen[name]}. Restore the official "
                        "lists."
                    )
                seen[name] = where
                splits.setdefault(split, []).append(self._raw_example(root, name))
        lists = tuple(name for name in _LISTS.values() if os.path.lexists(root / name))
        return RawTree(manual_dir, root, lists, splits)

    def encode_labels(
        self, paths: Sequence[pathlib.Path], contents: Sequence[bytes]
    ) -> tuple[Example, np.ndarray]:
        """See FaceParsingBuilder."""
        masks = [
            raw_images.decode_soft_mask(content, path)
            for path, content in zip(paths, contents, strict=True)
        ]
        raw_images.check_same_sizes([mask.shape for mask in masks], paths)
        label_map = np.argmax(masks, axis=0).astype(np.uint8)
        return {
            "label_map": raw_images.encode_png(label_map),
            "soft_masks": raw_images.encode_png(np.concatenate(masks)),
        }, label_map

    def _raw_example(self, root: pathlib.Path, name: str) -> RawExample:
        official = {f"{name}_lbl{class_id:02d}" for class_id in range(len(self.CLASS_NAMES))}
        present = set(raw_tree.image_stems(root / "labels" / name, ".png"))
        for stem in sorted(official - present):
            raise DataError(
                f"{root / 'labels' / name / stem}.png: this mask is missing. Unpack the archive "
                "again."
            )
        for stem in sorted(present - official):
            raise DataError(
                f"{root / 'labels' / name / stem}.png: this is no mask of {name}, or its label id "
                f"is out of range (00 to {len(self.CLASS_NAMES) - 1}). Remove it, or restore the "
                "official name."
            )
        masks = tuple(f"labels/{name}/{stem}.png" for stem in sorted(official))
        return RawExample(name, f"images/{name}.jpg", masks)


def _find_root(manual_dir: pathlib.Path, instructions: str) -> pathlib.Path:
    # Some unpack the archive into a folder of their own choice: the lists then lie directly in it.
    if any((manual_dir / list_name).exists() for list_name in _LISTS.values()):
        return manual_dir
    return raw_tree.find_root(
        manual_dir, _FOLDER, list(_LISTS.values()), f"{_FOLDER}.zip", instructions
    )


def _parse_row(line: str, where: str) -> str:
    """The name in a row `<number> , <name>`."""
    number, comma, name = (part.strip() for part in line.partition(","))
    if not (comma and number.isdecimal() and name):
        raise DataError(
            f"{where}: expected '<number> , <name>', found {raw_tree.shown(line)}. Restore the "
            "official list."
        )
    if name in (".", "..") or any(character in name for character in "/\\\0"):
        raise DataError(
            f"{where}: {name!r} is no file name (it would lead out of the folder). Restore the "
            "official list."
        )
    return name
