"""Dividing examples at random by their ids alone: the same on every machine, in whatever order they come."""

import fractions
import hashlib
from collections.abc import Sequence

SPLIT_FRACTIONS = (0.6, 0.2, 0.2)  # training, validation, test; STN-iCNN's, section 3.1


def by_hash(seed: int, identifier: str) -> bytes:
    """The key that ids are sorted by: SHA-256 of "<seed> <id>"."""
    return hash_of(f"{seed} {identifier}")


def hash_of(text: str) -> bytes:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def split_sizes(total: int, shares: Sequence[float]) -> tuple[int, int, int]:
    """How many of `total` examples are for training, validation and test: the first two rounded down."""
    # As the decimal fraction that it was written as: int(0.29 * 100) would be 28.
    train, validation = (int(fractions.Fraction(str(share)) * total) for share in shares[:2])
    return train, validation, total - train - validation
