"""Which examples a split has, by their ids alone: so on every machine the same, however the set was prepared.

config.data.split = 'official' takes those of the data set. 'random' joins them all and
sorts the examples by the SHA-256 of "<split_seed> <id>": the first split_fractions[0] of them,
rounded down, are for training, the next split_fractions[1], rounded down, for validation, the rest
for testing. STN-iCNN divides CelebAMask-HQ 6:2:2 (section 3.1) without saying how. 'first' joins them too,
sorts the examples by id, numbers by their value, and takes the first split_counts[0] for training, the next
split_counts[1] for validation, the next split_counts[2] for testing, and no others: the authors' code does so with
CelebAMask-HQ. With train_subset = n, training has only the n images whose "subset <split_seed> <id>" hash lowest.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import ml_collections

from fpliif_jax.data_builders import random_split
from fpliif_jax.data_builders.errors import SettingsError

SPLIT_NAMES = ("train", "validation", "test")


class Member(NamedTuple):
    """An example: which one of which official split."""

    split: str
    position: int
    id: str


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Checks how a set is divided, where each field alone is possible.

    Args:
      config: config.data.

    Raises:
      SettingsError: names the impossible field, its value and what it may be.
    """
    shares = tuple(config.split_fractions)
    if not math.isclose(sum(shares), 1):
        raise SettingsError(
            f"config.data.split_fractions is {shares}, whose sum must be 1: shares for training, validation and test"
        )
    counts = tuple(config.get("split_counts") or ())
    if config.split == "first" and not sum(counts):
        raise SettingsError(
            f"config.data.split_counts is {counts}: config.data.split='first' needs three numbers of examples, not "
            "all 0, for training, validation and test"
        )


def is_own(config: ml_collections.ConfigDict, name: str) -> bool:
    """Whether a split of these settings (config.data) has other examples than the official one of that name."""
    return config.split != "official" or (name == "train" and config.train_subset > 0)


def counts(
    config: ml_collections.ConfigDict, official: Mapping[str, int], *, subset: bool = True
) -> dict[str, int]:
    """Examples by split, 0 where a split is missing.

    Args:
      config: config.data.
      official: examples of the official splits.
      subset: False: as if config.train_subset were 0.
    """
    sizes = dict(official)
    if config.split == "first":
        sizes = dict(zip(SPLIT_NAMES, config.split_counts, strict=True))
    elif config.split == "random":
        shares = random_split.split_sizes(sum(official.values()), config.split_fractions)
        sizes = dict(zip(SPLIT_NAMES, shares, strict=True))
    if subset and config.train_subset and sizes["train"]:
        sizes["train"] = config.train_subset
    return sizes


def members(
    config: ml_collections.ConfigDict, name: str, official_ids: Mapping[str, Sequence[str]]
) -> list[Member]:
    """Which examples a split has, in order.

    Args:
      config: config.data.
      name: 'train', 'validation' or 'test'.
      official_ids: ids of the official splits, in their order: of this one alone where config.split is 'official'.
    """
    chosen = [
        Member(split, position, identifier)
        for split, ids in official_ids.items()
        for position, identifier in enumerate(ids)
    ]
    if config.split != "official":
        if config.split == "random":
            chosen.sort(key=lambda member: random_split.by_hash(config.split_seed, member.id))
        else:
            chosen.sort(key=lambda member: _by_number(member.id))
        official = {split: len(ids) for split, ids in official_ids.items()}
        sizes = counts(config, official, subset=False)
        start = sum(sizes[other] for other in SPLIT_NAMES[: SPLIT_NAMES.index(name)])
        chosen = chosen[start : start + sizes[name]]
    if name == "train" and config.train_subset:
        hashes = [
            random_split.hash_of(f"subset {config.split_seed} {member.id}") for member in chosen
        ]
        lowest = sorted(range(len(chosen)), key=hashes.__getitem__)[: config.train_subset]
        chosen = [chosen[position] for position in sorted(lowest)]
    return chosen


def folder_name(config: ml_collections.ConfigDict, name: str) -> str:
    """Name of a split's folder in the cache: another for other examples or another order."""
    parts = [name]
    if config.split == "random":
        parts += ["random", *(str(float(share)) for share in config.split_fractions)]
    if config.split == "first":
        parts += ["first", *map(str, config.split_counts)]
    if name == "train" and config.train_subset:
        parts.append(f"subset{config.train_subset}")
    if "random" in parts or parts[-1].startswith("subset"):
        parts.append(f"seed{config.split_seed}")
    return "-".join(parts)


def _by_number(identifier: str) -> tuple[bool, int, str]:
    """Sorts ids that are numbers by their value, and before the others."""
    is_number = identifier.isascii() and identifier.isdigit()
    return not is_number, int(identifier) if is_number else 0, identifier
