"""CelebAMask-HQ: 30,000 portraits, 19 classes."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from fpliif_jax.data_builders.class_names import (
    CELEBAMASK_HQ,
    CELEBAMASK_HQ_FACIAL_PARTS,
    FACIAL_PARTS,
)
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.prepared.prepared_split import Example
from fpliif_jax.data_builders.raw import raw_images, raw_tree
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree

_IMAGES = "CelebA-HQ-img"
_MASKS = "CelebAMask-HQ-mask-anno"
_MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
_IMAGES_PER_MASK_FOLDER = 2000
# Split of CelebA by the index in it (`orig_idx`): the first one that is no longer train,
# validation.
_FIRST_VALIDATION, _FIRST_TEST = 162_770, 182_637

_FARL_ORDER = (
    "neck",
    "skin",
    "cloth",
    "l_ear",
    "r_ear",
    "l_brow",
    "r_brow",
    "l_eye",
    "r_eye",
    "nose",
    "mouth",
    "l_lip",
    "u_lip",
    "hair",
    "eye_g",
    "hat",
    "ear_r",
    "neck_l",
)


def _own_masks_order() -> tuple[str, ...]:
    """Everything else first; then Helen's parts, its first label last, so that this one wins."""
    helen = {name: CELEBAMASK_HQ_FACIAL_PARTS.get(name, name) for name in CELEBAMASK_HQ[1:]}
    others = [name for name, part in helen.items() if part not in FACIAL_PARTS]
    parts = [name for name in helen if name not in others]
    parts.sort(key=lambda name: FACIAL_PARTS.index(helen[name]), reverse=True)
    return (*others, *parts)


@dataclasses.dataclass(eq=False, kw_only=True)
class MergeConfig(tfds.core.BuilderConfig):
    """The order in which overlapping masks are painted into one label map, later over earlier."""

    order: tuple[str, ...]


class Builder(FaceParsingBuilder):
    """TFDS builder of CelebAMask-HQ.

    Raw layout `CelebAMask-HQ/{CelebA-HQ-img/<i>.jpg,
    CelebAMask-HQ-mask-anno/<i // 2000>/<i:05d>_<part>.png, CelebA-HQ-to-CelebA-mapping.txt}`.
    """

    BUILDER_CONFIGS = [
        MergeConfig(
            name="official",
            description="Masks painted in the order of the ids, as the data set's own script does.",
            order=CELEBAMASK_HQ[1:],
        ),
        MergeConfig(
            name="farl",
            description="Masks painted in the order of FaRL and SegFace.",
            order=_FARL_ORDER,
        ),
        MergeConfig(
            name="own_masks",
            description="Every part of the face has its own mask, whatever covers it, as in the code "
            "of STN-iCNN's authors; of parts that overlap, the first of Helen's labels wins.",
            order=_own_masks_order(),
        ),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "official"

    CLASS_NAMES = CELEBAMASK_HQ
    LABELS_ARE_SCALED = True
    OFFICIAL_COUNTS = {"train": 24_183, "validation": 2_993, "test": 2_824}
    OFFICIAL_IDS = frozenset(map(str, range(30_000)))
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download CelebAMask-HQ.zip by the link on "
        "https://github.com/switchablenorms/CelebAMask-HQ (CUHK; non-commercial research only, "
        "read the agreement there) and unpack it in a folder DIR, so that there is "
        "DIR/CelebAMask-HQ/CelebA-HQ-img."
    )

    def index_raw_tree(self, manual_dir: pathlib.Path) -> RawTree:
        """See FaceParsingBuilder. The id is the image's number, examples are in its order."""
        root = raw_tree.find_root(
            manual_dir,
            "CelebAMask-HQ",
            [_IMAGES, _MASKS, _MAPPING],
            "CelebAMask-HQ.zip",
            self.remedies.how_to_get_it(),
        )
        for name in (_IMAGES, _MASKS, _MAPPING):
            if not (root / name).exists():
                raise DataError(
                    f"{root / name}: this part of the data set is missing. Unpack the archive "
                    "again."
                )
        masks = _index_masks(root)
        images = _index_images(root)
        splits = _read_mapping(root / _MAPPING)
        mapped = {number for numbers in splits.values() for number in numbers}
        for number in sorted(images - mapped):
            raise DataError(
                f"{root / _IMAGES / f'{number}.jpg'}: this image has no row in {root / _MAPPING}, "
                "so its split is unknown. Restore the official mapping file, or remove the image."
            )
        for number in sorted(mapped - images):
            raise DataError(
                f"{root / _IMAGES / f'{number}.jpg'}: this image is missing, but it has a row in "
                f"{root / _MAPPING}. Unpack the archive again (to use a part of the set, remove "
                "the other rows)."
            )
        for number in sorted(images - masks.keys()):
            raise DataError(
                f"{root / _IMAGES / f'{number}.jpg'}: this image has no mask in "
                f"{root / _MASKS / str(number // _IMAGES_PER_MASK_FOLDER)}. Unpack the archive "
                "again."
            )
        for number in sorted(masks.keys() - images):
            raise DataError(
                f"{root / _MASKS / _mask_file(number, masks[number][0])}: this mask has no image "
                f"{root / _IMAGES / f'{number}.jpg'}. Unpack the archive again, or remove the mask."
            )
        return RawTree(
            manual_dir,
            root,
            (_MAPPING,),
            {
                split: [_raw_example(number, masks[number]) for number in sorted(numbers)]
                for split, numbers in splits.items()
                if numbers
            },
        )

    def encode_labels(
        self, paths: Sequence[pathlib.Path], contents: Sequence[bytes]
    ) -> tuple[Example, np.ndarray]:
        """See FaceParsingBuilder. Paints the masks in the order of the builder config."""
        masks = {
            _part(path.name): raw_images.decode_binary_mask(content, path)
            for path, content in zip(paths, contents, strict=True)
        }
        raw_images.check_same_sizes([mask.shape for mask in masks.values()], paths)
        label_map = merge_masks(masks, self.builder_config.order)
        return {"label_map": raw_images.encode_png(label_map)}, label_map


def merge_masks(masks: dict[str, np.ndarray], order: Sequence[str]) -> np.ndarray:
    """Paints overlapping masks into one label map.

    Args:
        masks: bool [H, W] for each part that is visible, by name.
        order: the parts, in the order of painting: a later one covers an earlier one.

    Returns:
        Label map uint8 [H, W] with the official ids, 0 where there is no mask.
    """
    label_map = np.zeros(next(iter(masks.values())).shape, np.uint8)
    for part in order:
        if part in masks:
            label_map[masks[part]] = CELEBAMASK_HQ.index(part)
    return label_map


def _mask_file(number: int, part: str) -> str:
    return f"{number // _IMAGES_PER_MASK_FOLDER}/{number:05d}_{part}.png"


def _part(file_name: str) -> str:
    return os.path.splitext(file_name)[0].partition("_")[2]


def _raw_example(number: int, parts: Sequence[str]) -> RawExample:
    in_order_of_ids = sorted(parts, key=CELEBAMASK_HQ.index)
    return RawExample(
        str(number),
        f"{_IMAGES}/{number}.jpg",
        tuple(f"{_MASKS}/{_mask_file(number, part)}" for part in in_order_of_ids),
    )


def _index_images(root: pathlib.Path) -> set[int]:
    numbers = set()
    for stem in raw_tree.image_stems(root / _IMAGES, ".jpg"):
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", stem):
            raise DataError(
                f"{root / _IMAGES / stem}.jpg: images are named <number>.jpg, without leading "
                "zeros. Restore the official name, or remove the file."
            )
        numbers.add(int(stem))
    return numbers


def _index_masks(root: pathlib.Path) -> dict[int, list[str]]:
    """Parts that have a mask, by image number."""
    masks: dict[int, list[str]] = {}
    for folder in raw_tree.folder_entries(root / _MASKS):
        if not raw_tree.is_folder(folder):
            continue
        for stem in raw_tree.image_stems(pathlib.Path(folder.path), ".png"):
            path = f"{folder.path}/{stem}.png"
            number, _, part = stem.partition("_")
            if part not in CELEBAMASK_HQ[1:] or not re.fullmatch(r"[0-9]{5,9}", number):
                raise DataError(
                    f"{path}: masks are named <five digits>_<part>.png, where part is one of "
                    f"{' '.join(CELEBAMASK_HQ[1:])}. Restore the official name, or remove the file."
                )
            if f"{folder.name}/{stem}.png" != _mask_file(int(number), part):
                raise DataError(
                    f"{path}: this mask belongs in "
                    f"{root / _MASKS / _mask_file(int(number), part)}. Unpack the archive again."
                )
            masks.setdefault(int(number), []).append(part)
    return masks


def _read_mapping(path: pathlib.Path) -> dict[str, list[int]]:
    """Image numbers of each split, from rows `idx orig_idx orig_file`."""
    splits: dict[str, list[int]] = {split: [] for split in raw_tree.SPLITS}
    seen: dict[int, int] = {}
    for line_number, line in raw_tree.read_rows(path):
        row = line.split()
        if row[:2] == ["idx", "orig_idx"]:
            continue
        if len(row) != 3 or not all(re.fullmatch(r"[0-9]{1,9}", number) for number in row[:2]):
            raise DataError(
                f"{path}, line {line_number}: expected 'idx orig_idx orig_file', found "
                f"{raw_tree.shown(line)}. Restore the official mapping file."
            )
        number, original = int(row[0]), int(row[1])
        if number in seen:
            raise DataError(
                f"{path}, line {line_number}: image {number} already has a row, line "
                f"{seen[number]}. Restore the official mapping file."
            )
        seen[number] = line_number
        if original < _FIRST_VALIDATION:
            splits["train"].append(number)
        elif original < _FIRST_TEST:
            splits["validation"].append(number)
        else:
            splits["test"].append(number)
    return splits
