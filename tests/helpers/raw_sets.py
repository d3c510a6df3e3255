"""Tiny raw trees of the three sets, and what was prepared from them."""

import pathlib
import subprocess
import sys

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SIZE = (12, 16)  # height, width: not square, so that swapped axes show
HELEN_FOLDER = "SmithCVPR2013_dataset_resized"

Folders = tuple[pathlib.Path, str]  # where raw trees and prepared sets go


def save_image(path: pathlib.Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG", quality=95)


def save_png(path: pathlib.Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG")


def random_labels(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 11, size, np.uint8)


def write_lapa(manual_dir: pathlib.Path) -> pathlib.Path:
    """Three, two and one images; labels of image n are random_labels(n)."""
    for folder, numbers in {"train": (1, 2, 3), "val": (4, 5), "test": (6,)}.items():
        for n in numbers:
            save_image(manual_dir / f"LaPa/{folder}/images/{n}_0.jpg", n)
            save_png(manual_dir / f"LaPa/{folder}/labels/{n}_0.png", random_labels(n))
            landmarks = manual_dir / f"LaPa/{folder}/landmarks/{n}_0.txt"
            landmarks.parent.mkdir(exist_ok=True)
            landmarks.write_text("1\n3.0 4.0\n")
    return manual_dir


def save_mask(root: pathlib.Path, number: int, part: str, mask: np.ndarray) -> None:
    path = root / f"CelebAMask-HQ-mask-anno/{number // 2000}/{number:05d}_{part}.png"
    save_png(path, np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, axis=-1))


def write_mapping(root: pathlib.Path, rows: list[tuple[int, int]]) -> None:
    lines = ["idx        orig_idx   orig_file"]
    lines += [f"{idx:<10d} {original:<10d} {original + 1:06d}.jpg" for idx, original in rows]
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")


def write_celebamask_hq(manual_dir: pathlib.Path) -> pathlib.Path:
    """Images 24 x 32 with masks 12 x 16, at both ends of every split; every image all skin."""
    root = manual_dir / "CelebAMask-HQ"
    rows = [(0, 162_769), (1, 0), (2, 162_770), (1999, 182_636), (2000, 182_637), (10, 202_598)]
    for number, _ in rows:
        save_image(root / f"CelebA-HQ-img/{number}.jpg", number, (24, 32))
        save_mask(root, number, "skin", np.ones(SIZE, bool))
    write_mapping(root, rows)
    return manual_dir


def soft_masks(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (11, *SIZE), np.uint8)


def write_helen(manual_dir: pathlib.Path, folder: str = HELEN_FOLDER) -> pathlib.Path:
    """Two, one and one images, named a_1 … a_4; the masks of a_n are soft_masks(n)."""
    root = manual_dir / folder
    lists = {"exemplars.txt": (2, 1), "tuning.txt": (3,), "testing.txt": (4,)}
    for list_name, numbers in lists.items():
        for n in numbers:
            save_image(root / f"images/a_{n}.jpg", n)
            for class_id, mask in enumerate(soft_masks(n)):
                save_png(root / f"labels/a_{n}/a_{n}_lbl{class_id:02d}.png", mask)
        rows = "".join(f"{row} , a_{n}\n" for row, n in enumerate(numbers, start=1))
        (root / list_name).write_text(rows)
    return manual_dir


WRITERS = {"lapa": write_lapa, "celebamask_hq": write_celebamask_hq, "helen": write_helen}


def examples(builder: tfds.core.DatasetBuilder, split: str) -> list[dict]:
    return list(builder.as_data_source(split))


def prepared_files(data_dir: str) -> list[str]:
    """What lies under data_dir of sets that are prepared or begun."""
    return [
        path
        for path in map(str, pathlib.Path(data_dir).glob("**/*"))
        if path.endswith((".json", ".array_record")) or "incomplete." in path
        if ".config" not in path
    ]


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
