"""The raw layouts of LaPa, CelebAMask-HQ and Helen, as their archives unpack, and that of one's own data.

A layout is a top folder, the files of one face, and the lists that name all faces.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.face import Face

SPLITS = ("train", "val", "test")
_JPEG_QUALITY = 95
_FAST_PNG = {"compress_level": 1, "compress_type": 3}  # run lengths: masks are flat

# The split of CelebAMask-HQ is a rule on the number of the CelebA image a face came from.
_FIRST_ORIG_IDX = {"train": 0, "val": 162770, "test": 182637}
_LAST_ORIG_IDX = {"train": 162769, "val": 182636, "test": 202598}


@dataclass(frozen=True)
class Task:
    """One face to draw and write: `number` counts over all splits, `index` within the split."""

    split: str
    index: int
    number: int


@dataclass(frozen=True)
class Layout:
    """folder: the archive's top folder. write_face(root, task, face, mask_label_map): the files of
    one face. write_lists(root, tasks): what names all of them. folders(counts): every folder to
    make beforehand, relative to the top one. largest: most faces a split can hold.
    drawing_version: part of a set's settings; raise it with every change that alters a drawn byte.
    first_with_right_sides: the version from which on left and right are as `class_names` says."""

    folder: str
    write_face: Callable[[Path, Task, Face, np.ndarray], None]
    write_lists: Callable[[Path, list[Task]], None]
    folders: Callable[[Mapping[str, int]], list[str]]
    largest: Mapping[str, int]
    drawing_version: int = 1
    first_with_right_sides: int = 1


def _save_picture(image: np.ndarray, path: Path) -> None:
    Image.fromarray(image).save(path, quality=_JPEG_QUALITY)


# --- LaPa


def lapa_id(task: Task) -> str:
    """File stem of a face in the LaPa layout."""
    return f"synthetic_{task.split}_{task.index:06d}"


def _write_lapa_face(root: Path, task: Task, face: Face, mask_label_map: np.ndarray) -> None:
    del mask_label_map
    folder, name = root / task.split, lapa_id(task)
    _save_picture(face.image, folder / "images" / f"{name}.jpg")
    Image.fromarray(face.lapa_label_map).save(folder / "labels" / f"{name}.png", compress_level=4)
    rows = [f"{x:.4f} {y:.4f}" for x, y in face.landmarks.tolist()]
    (folder / "landmarks" / f"{name}.txt").write_text("\n".join([str(len(rows)), *rows]) + "\n")


def _lapa_folders(counts: Mapping[str, int]) -> list[str]:
    kinds = ("images", "labels", "landmarks")
    return [f"{split}/{kind}" for split in SPLITS if counts[split] for kind in kinds]


# --- CelebAMask-HQ


def _write_celebamask_hq_face(
    root: Path, task: Task, face: Face, mask_label_map: np.ndarray
) -> None:
    _save_picture(face.image, root / "CelebA-HQ-img" / f"{task.number}.jpg")
    folder = root / "CelebAMask-HQ-mask-anno" / str(task.number // 2000)
    for label, part in enumerate(classes.CELEBAMASK_HQ_PARTS, start=1):
        mask = mask_label_map == label
        if label == classes.SKIN:
            # The skin runs on beneath the parts of the face, which come later in the order.
            mask = np.isin(mask_label_map, _SKIN_AND_PARTS)
        if not mask.any():
            continue
        grey = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
        grey.convert("RGB").save(folder / f"{task.number:05d}_{part}.png", **_FAST_PNG)


_SKIN_AND_PARTS = (
    classes.SKIN,
    classes.NOSE,
    classes.L_EYE,
    classes.R_EYE,
    classes.L_BROW,
    classes.R_BROW,
    classes.MOUTH,
    classes.U_LIP,
    classes.L_LIP,
)


def _celebamask_hq_folders(counts: Mapping[str, int]) -> list[str]:
    groups = range((sum(counts.values()) - 1) // 2000 + 1)
    return ["CelebA-HQ-img", *(f"CelebAMask-HQ-mask-anno/{group}" for group in groups)]


def _write_celebamask_hq_lists(root: Path, tasks: list[Task]) -> None:
    lines = ["idx        orig_idx   orig_file"]
    for task in tasks:
        orig_idx = _FIRST_ORIG_IDX[task.split] + task.index
        lines.append(f"{task.number:<10d} {orig_idx:<10d} {orig_idx + 1:06d}.jpg")
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")


# --- Helen


def helen_name(task: Task) -> str:
    """File stem of a face in the Helen layout."""
    return f"synthetic_{task.number:06d}_1"


def _write_helen_face(root: Path, task: Task, face: Face, mask_label_map: np.ndarray) -> None:
    del mask_label_map
    name = helen_name(task)
    _save_picture(face.image, root / "images" / f"{name}.jpg")
    folder = root / "labels" / name
    folder.mkdir()
    for label, mask in enumerate(face.soft_masks()):
        Image.fromarray(mask).save(folder / f"{name}_lbl{label:02d}.png", **_FAST_PNG)


def _write_helen_lists(root: Path, tasks: list[Task]) -> None:
    names = {"train": "exemplars.txt", "val": "tuning.txt", "test": "testing.txt"}
    for split, file_name in names.items():
        rows = [f"{t.number + 1} , {helen_name(t)}\n" for t in tasks if t.split == split]
        (root / file_name).write_text("".join(rows))


# --- one's own data, with LaPa's classes


def _write_own_face(root: Path, task: Task, face: Face, mask_label_map: np.ndarray) -> None:
    del mask_label_map
    name = lapa_id(task)
    _save_picture(face.image, root / "images" / f"{name}.jpg")
    Image.fromarray(face.lapa_label_map).save(root / "labels" / f"{name}.png", compress_level=4)


def _write_own_lists(root: Path, tasks: list[Task]) -> None:
    (root / "classes.txt").write_text("\n".join(LAPA_AND_HELEN) + "\n")
    names = {"train": "train.txt", "val": "validation.txt", "test": "test.txt"}
    for split, file_name in names.items():
        ids = [lapa_id(task) for task in tasks if task.split == split]
        if ids:
            (root / file_name).write_text("\n".join(ids) + "\n")


_ANY_NUMBER = dict.fromkeys(SPLITS, 1_000_000)

LAYOUTS = {
    # 2 has the picture's sides in LaPa and Helen (see data_builders.class_names); 1 had the person's.
    "lapa": Layout(
        "LaPa",
        _write_lapa_face,
        lambda root, tasks: None,
        _lapa_folders,
        _ANY_NUMBER,
        drawing_version=2,
        first_with_right_sides=2,
    ),
    "celebamask_hq": Layout(
        "CelebAMask-HQ",
        _write_celebamask_hq_face,
        _write_celebamask_hq_lists,
        _celebamask_hq_folders,
        {split: _LAST_ORIG_IDX[split] - _FIRST_ORIG_IDX[split] + 1 for split in SPLITS},
    ),
    "helen": Layout(
        "SmithCVPR2013_dataset_resized",
        _write_helen_face,
        _write_helen_lists,
        lambda counts: ["images", "labels"],
        _ANY_NUMBER,
        drawing_version=2,
        first_with_right_sides=2,
    ),
    "own_data": Layout(
        "own_data",
        _write_own_face,
        _write_own_lists,
        lambda counts: ["images", "labels"],
        _ANY_NUMBER,
    ),
}
