"""A folder of photos and label maps of one's own, with a list of its classes."""

import os
import pathlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fpliif_jax.data_builders import random_split
from fpliif_jax.data_builders.class_list import parse_class_list
from fpliif_jax.data_builders.errors import DataError, counted
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.prepared.prepared_split import Example
from fpliif_jax.data_builders.raw import label_maps, photos, raw_tree
from fpliif_jax.data_builders.raw.raw_images import Photograph
from fpliif_jax.data_builders.raw.raw_tree import SPLITS, RawExample, RawTree

_FOLDER = "own_data"  # as synthetic_faces writes it
_CLASSES = "classes.txt"
_LISTS = {split: f"{split}.txt" for split in SPLITS}
_LEFTOVERS = ("thumbs.db", "desktop.ini")  # of Windows; hidden files are passed over everywhere
_REMEDY = "Save it anew in a form that is read (docs/own_data.md), or take the photo and its label map out."
_LIST_REMEDY = "Make it a text file in UTF-8 with one entry a line (docs/own_data.md)."
# Endings apart, what others call their lists.
_SPLITS_ELSEWHERE = {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
}
_SPLITS_ELSEWHERE |= {"testing": "test"} | {split: split for split in SPLITS}


class Builder(FaceParsingBuilder):
    """TFDS builder of a set of one's own.

    Raw layout, directly in manual_dir or in its folder `own_data`: `images/<id>.jpg` (or another of
    `photos.SUFFIXES`), `labels/<id>.png`, `classes.txt`, and none or some of `train.txt`, `validation.txt` and
    `test.txt`. Without these three the ids are divided as `data.split = 'random'` does with its defaults.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put photos into DIR/images, their label maps under the same names into DIR/labels, and a list of "
        f"the classes into DIR/{_CLASSES} (docs/own_data.md)."
    )

    def index_raw_tree(self, manual_dir: pathlib.Path) -> RawTree:
        """See FaceParsingBuilder. Examples are in the order of their lists, or of their hashes."""
        root = self._find_root(manual_dir)
        classes = parse_class_list(
            raw_tree.read_rows(root / _CLASSES, _LIST_REMEDY), root / _CLASSES
        )
        images = _files_by_id(root / "images", photos.SUFFIXES, photos.WHY_NOT)
        labels = _files_by_id(root / "labels", label_maps.SUFFIXES, label_maps.WHY_NOT)
        _check_pairs(root, images, labels)
        lists = _find_lists(root)
        if lists:
            splits = _read_lists(root, lists, images)
            listed = {identifier for ids in splits.values() for identifier in ids}
            remark = _left_out([identifier for identifier in images if identifier not in listed])
        else:
            splits = _divide(root, images)
            remark = (
                f"without {', '.join(_LISTS.values())} its photos were divided "
                f"{' : '.join(str(len(ids)) for ids in splits.values())} by the hash of their ids, "
                "so that photos of one person may lie in two of these"
            )
        examples = {
            split: [RawExample(i, f"images/{images[i]}", (f"labels/{labels[i]}",)) for i in ids]
            for split, ids in splits.items()
        }
        return RawTree(
            manual_dir,
            root,
            (_CLASSES, *lists.values()),
            examples,
            classes=classes,
            remarks=(remark,) if remark else (),
            remedy=_REMEDY,
        )

    def check_photograph(self, content: bytes, path: pathlib.Path) -> Photograph:
        """See FaceParsingBuilder."""
        return photos.check_photograph(content, path, _REMEDY)

    def encode_labels(
        self, paths: Sequence[pathlib.Path], contents: Sequence[bytes]
    ) -> tuple[Example, np.ndarray]:
        """See FaceParsingBuilder. A greyscale file is stored as it is."""
        content, ids = label_maps.read_label_map(contents[0], paths[0], self._tree.classes, _REMEDY)
        return {"label_map": content}, ids

    def _find_root(self, manual_dir: pathlib.Path) -> pathlib.Path:
        if not manual_dir.is_dir():
            raise raw_tree.no_folder(manual_dir, self.remedies.how_to_get_it())
        parts = ("images", "labels", _CLASSES)
        root = manual_dir
        if not any((root / part).exists() for part in parts) and (root / _FOLDER).is_dir():
            root = root / _FOLDER
        for part in parts:
            if not (root / part).exists():
                raise DataError(f"{root / part}: it is missing. {self.remedies.how_to_get_it()}")
        return root


def _files_by_id(
    folder: pathlib.Path, suffixes: Sequence[str], why_not: Mapping[str, str]
) -> dict[str, str]:
    """Names of the files of a folder by id, the name without its ending; sorted."""
    files: dict[str, str] = {}
    seen: dict[str, str] = {}
    for entry in raw_tree.folder_entries(folder):
        name = raw_tree.check_name(entry)
        identifier, suffix = os.path.splitext(name)
        if name.lower() in _LEFTOVERS:
            continue
        if raw_tree.is_folder(entry):
            raise DataError(
                f"{entry.path}: folders in {folder.name} are not read. Move its files up."
            )
        if suffix.lower() not in suffixes:
            reason = why_not.get(suffix.lower(), "it is none of the files that are read")
            raise DataError(
                f"{entry.path}: {reason}. Files in {folder.name} end in {', '.join(suffixes)}; save it as "
                "one of these, or move it elsewhere."
            )
        other = seen.setdefault(_folded(identifier), name)
        if other != name:
            raise DataError(
                f"{entry.path}: its name and that of {other} are the same but for the ending, capitals "
                "or the form of accents. Rename one of the two."
            )
        files[identifier] = name
    return files


def _folded(identifier: str) -> str:
    """What names have in common that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", identifier).casefold())


def _check_pairs(root: pathlib.Path, images: Mapping[str, str], labels: Mapping[str, str]) -> None:
    if images.keys() == labels.keys():
        return
    identifier = min(images.keys() ^ labels.keys())
    is_photo = identifier in images
    own, others = (images, labels) if is_photo else (labels, images)
    folder, counterpart = ("images", "labels") if is_photo else ("labels", "images")
    similar = next((n for i, n in others.items() if _folded(i) == _folded(identifier)), None)
    hint = (
        f"{similar} differs in capitals or accents. Rename it"
        if similar
        else "Add it, or move this one elsewhere"
    )
    raise DataError(
        f"{root / folder / own[identifier]}: this {'photo has no label map' if is_photo else 'label map has no photo'} "
        f"{root / counterpart / identifier}{'.png' if is_photo else '.*'}. {hint}."
    )


def _find_lists(root: pathlib.Path) -> dict[str, str]:
    """Names of the lists that there are, by split. Raises DataError where one goes by another name."""
    for entry in raw_tree.folder_entries(root):
        stem, suffix = os.path.splitext(entry.name)
        split = _SPLITS_ELSEWHERE.get(stem.lower()) if suffix.lower() == ".txt" else None
        if split is not None and entry.name != _LISTS[split]:
            raise DataError(
                f"{entry.path}: lists are called {', '.join(_LISTS.values())}. Rename it to {_LISTS[split]}, "
                "or move it elsewhere."
            )
    # A link to nothing is a list that cannot be read, not none.
    return {split: name for split, name in _LISTS.items() if os.path.lexists(root / name)}


def _read_lists(
    root: pathlib.Path, lists: Mapping[str, str], images: Mapping[str, str]
) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    seen: dict[str, str] = {}
    for split, name in lists.items():
        rows = raw_tree.read_rows(root / name, _LIST_REMEDY)
        if not rows:
            raise DataError(f"{root / name}: it names no photo. Write ids into it, or delete it.")
        for number, identifier in rows:
            where = f"{root / name}, line {number}"
            if identifier not in images:
                hint = _hint_of_line(identifier, images)
                raise DataError(
                    f"{where}: {raw_tree.shown(identifier)} is the id of no photo in {root / 'images'}. {hint}."
                )
            if identifier in seen:
                raise DataError(
                    f"{where}: {identifier} is listed already, in {seen[identifier]}. Remove one of the two."
                )
            seen[identifier] = where
            splits.setdefault(split, []).append(identifier)
    return splits


def _hint_of_line(identifier: str, images: Mapping[str, str]) -> str:
    if os.path.splitext(identifier)[0] in images:
        return "Write ids without ending"
    folded = _folded(identifier)
    similar = next((i for i in images if _folded(i) == folded), None)
    if similar is None:
        return "Correct or remove the line"
    return f"{similar} differs in capitals or accents. Write the id as its photo is called"


def _divide(root: pathlib.Path, ids: Iterable[str]) -> dict[str, list[str]]:
    ordered = sorted(ids, key=lambda identifier: random_split.by_hash(0, identifier))
    sizes = random_split.split_sizes(len(ordered), random_split.SPLIT_FRACTIONS)
    if not all(sizes):
        raise DataError(
            f"{root}: {counted(len(ordered), 'photo is', 'photos are')} too few to be divided at random. Add some, "
            f"or list ids in {', '.join(_LISTS.values())}, those of them that you want."
        )
    rest = iter(ordered)
    return {
        split: [next(rest) for _ in range(size)] for split, size in zip(SPLITS, sizes, strict=True)
    }


def _left_out(ids: Sequence[str]) -> str | None:
    if not ids:
        return None
    return (
        f"{counted(len(ids), 'photo is', 'photos are')} in no list and left out, the first {ids[0]}"
    )
