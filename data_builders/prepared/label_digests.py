"""Digests of what a set contains: its ids and its label maps.

The fingerprint of a raw tree (`fingerprint.py`) is of files and says whether a prepared set is up to date. These
digests are of what was read from them, so that two people can tell whether they hold the same labels: they depend
neither on the order of preparing nor on how files are compressed. Photographs are not part of them.
"""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

LabelDigests = Mapping[str, Mapping[str, str]]  # by split, then by id: `label_map_digest`


def label_map_digest(identifier: str, label_map: np.ndarray) -> str:
    """SHA-256, as 64 hexadecimal digits, of an example's id, size and label map.

    Args:
        identifier: the official id.
        label_map: uint8 [h, w].
    """
    height, width = label_map.shape
    digest = hashlib.sha256(_utf8(f"{identifier}\0{height}\0{width}\0"))
    digest.update(np.ascontiguousarray(label_map, np.uint8).data)
    return digest.hexdigest()


def digests_of_splits(splits: LabelDigests) -> dict[str, dict[str, str | None]]:
    """Digests of all ids and of all label maps: by split, and of all examples whatever their split.

    A digest is the SHA-256, as 64 hexadecimal digits, of sorted lines that each end in a newline: the ids in UTF-8,
    or the digests of the single label maps.

    Returns:
        {"ids": {split: digest, …, "all": digest}, "labels": the same}; None for what has no example.
    """
    return {
        "ids": _by_split({split: list(examples) for split, examples in splits.items()}),
        "labels": _by_split({split: examples.values() for split, examples in splits.items()}),
    }


def _by_split(splits: Mapping[str, Iterable[str]]) -> dict[str, str | None]:
    lines = {
        split: [_utf8(f"{line}\n") for line in split_lines] for split, split_lines in splits.items()
    }
    everything = [line for split_lines in lines.values() for line in split_lines]
    return {name: _digest(own) for name, own in (*lines.items(), ("all", everything))}


def _digest(lines: list[bytes]) -> str | None:
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest() if lines else None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
