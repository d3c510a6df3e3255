"""Which prediction belongs to which true label map: by name, and where names differ by what they have in common."""

import dataclasses
import os
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from fpliif_jax.data_builders.errors import DataError, counted
from fpliif_jax.data_builders.raw import raw_tree

SUFFIX = ".png"
MOST_FILES = 10**6
_LOOKED_AT = 200  # names from which prefix and suffix are guessed
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


@dataclasses.dataclass(frozen=True)
class Pair:
    """A true label map and its prediction; the id is the name of the former without its ending."""

    id: str
    truth: pathlib.Path
    prediction: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Pairing:
    """All pairs in the order of their ids.

    Attributes:
      pairs: at least one.
      missing: ids without a prediction.
      extra: names of predictions that are of no label map.
      notes: how names were matched where they are not the same, and what was passed over; sentences.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    notes: tuple[str, ...]


def pair_folders(truth: pathlib.Path, predictions: pathlib.Path) -> Pairing:
    """Pairs the PNG files of two folders.

    Names are compared as they are; then without a prefix or suffix that all predictions share ('12_labels' for '12');
    then without zeros before numbers ('00012' for '12'); then without both. The first way that pairs most files is
    taken, if no two files can be meant by one name.

    Raises:
      DataError: a folder is missing or empty, no two names match, or a match is ambiguous.
    """
    true_files, true_notes = _png_files(truth)
    predicted_files, predicted_notes = _png_files(predictions)
    ways = [
        _Way(zeros, *affixes)
        for zeros in (False, True)
        for affixes in _affixes(true_files, predicted_files, zeros)
    ]
    way = max(ways, key=lambda way: way.count(true_files, predicted_files))
    if not way.count(true_files, predicted_files):
        raise DataError(
            f"{predictions}: no prediction has the name of a label map of {truth}: the first are "
            f"{min(predicted_files)} and {min(true_files)}. Are they of another split, or renamed? "
            "Give them the names of their label maps."
        )
    by_key = {
        key: _one_of(files, key, way, predictions)
        for key, files in _by_key(predicted_files, way.key_of_prediction).items()
    }
    true_keys = {
        stem: key
        for key, stems in _by_key(true_files, way.key_of_truth).items()
        for stem in [_one_of(stems, key, way, truth)]
    }
    pairs = tuple(
        Pair(stem, truth / true_files[stem], predictions / predicted_files[by_key[key]])
        for stem, key in sorted(true_keys.items())
        if key in by_key
    )
    used = {pair.prediction.name for pair in pairs}
    notes = [*true_notes, *predicted_notes, *way.notes(pairs)]
    return Pairing(
        pairs,
        tuple(stem for stem in sorted(true_files) if true_keys.get(stem) not in by_key),
        tuple(name for name in sorted(predicted_files.values()) if name not in used),
        tuple(notes),
    )


@dataclasses.dataclass(frozen=True)
class _Way:
    """A way of comparing names."""

    strips_zeros: bool
    prefix: str
    suffix: str

    def key_of_truth(self, stem: str) -> str:
        return _ZEROS.sub("", stem) if self.strips_zeros else stem

    def key_of_prediction(self, stem: str) -> str | None:
        """Key of a prediction's name without its ending; None where it lacks prefix or suffix."""
        own = stem[len(self.prefix) : len(stem) - len(self.suffix)]
        if not own or self.prefix + own + self.suffix != stem:
            return None
        return self.key_of_truth(own)

    def count(self, truth: Mapping[str, str], predictions: Mapping[str, str]) -> int:
        keys = {self.key_of_prediction(stem) for stem in predictions} - {None}
        return len(keys & {self.key_of_truth(stem) for stem in truth})

    def notes(self, pairs: Sequence[Pair]) -> list[str]:
        """How names were matched where they are not the same."""
        padded = [
            pair
            for pair in pairs
            if self.prefix + pair.truth.stem + self.suffix != pair.prediction.stem
        ]
        texts = []
        if self.prefix or self.suffix:
            texts.append(f"predictions are called {self.prefix}NAME{self.suffix}{SUFFIX}")
        if padded:
            texts.append("numbers have other zeros before them")
        if not texts:
            return []
        example = (padded or pairs)[0]
        return [
            f"names were matched: {' and '.join(texts)}; {example.prediction.name} is of "
            f"{example.truth.name}"
        ]


def _one_of(stems: list[str], key: str, way: _Way, folder: pathlib.Path) -> str:
    if len(stems) > 1:
        raise DataError(
            f"{folder}: {stems[0]}{SUFFIX} and {stems[1]}{SUFFIX} can both be meant by {key!r}. "
            "Give predictions the names of their label maps, and remove the others."
        )
    return stems[0]


def _by_key(stems: Mapping[str, str], key_of: Callable[[str], str | None]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for stem in stems:
        key = key_of(stem)
        if key is not None:
            groups.setdefault(key, []).append(stem)
    return groups


def _affixes(
    truth: Mapping[str, str], predictions: Mapping[str, str], strips_zeros: bool
) -> list[tuple[str, str]]:
    """Prefixes and suffixes to try: none, and those that most of the names looked at have around a label map's name.

    They end, or begin, at a separator: '12_labels' is of '12', and '12' is not of '2'.
    """
    keys = {_Way(strips_zeros, "", "").key_of_truth(stem) for stem in truth}
    counts: Counter[tuple[str, str]] = Counter()
    for stem in list(predictions)[:_LOOKED_AT]:
        starts = [0, *(i for i in range(1, len(stem)) if not stem[i - 1].isalnum())]
        ends = [len(stem), *(i for i in range(1, len(stem)) if not stem[i].isalnum())]
        for start in starts:
            for end in ends:
                own = stem[start:end]
                if own and (_ZEROS.sub("", own) if strips_zeros else own) in keys:
                    counts[stem[:start], stem[end:]] += 1
    counts.pop(("", ""), None)
    common = counts.most_common(2)
    if not common or (len(common) == 2 and common[0][1] == common[1][1]):
        return [("", "")]
    return [("", ""), common[0][0]]


def _png_files(folder: pathlib.Path) -> tuple[dict[str, str], list[str]]:
    """Names of the PNG files by stem, sorted, and what is to be said of the others."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder. Give a folder of PNG label maps.")
    files: dict[str, str] = {}
    others: list[str] = []
    for entry in raw_tree.folder_entries(folder):
        stem, ending = os.path.splitext(raw_tree.check_name(entry))
        if entry.is_dir() or ending.lower() != SUFFIX:
            others.append(entry.name)
        elif stem in files:
            raise DataError(f"{entry.path}: {files[stem]} is there, too. Remove one of the two.")
        else:
            files[stem] = entry.name
    if len(files) > MOST_FILES:
        raise DataError(f"{folder}: more than {MOST_FILES:,} files. Score them in parts.")
    if not files:
        content = f"; it holds {others[0]}" if others else ""
        raise DataError(f"{folder}: there is no PNG file in this folder{content}.")
    count = len(others)
    note = (
        f"{folder.name}: {counted(count, 'file')} other than PNG passed over, the first {min(others)}"
        if others
        else ""
    )
    return files, [note] if note else []
