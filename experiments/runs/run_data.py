"""Which data a run rests on: files by fingerprint, ids and label maps by digest, as far as it recorded them."""

import dataclasses
from collections.abc import Mapping

from fpliif_jax.data import sides
from fpliif_jax.files.json_types import JsonObject

_SHOWN_DIGITS = 16  # of 64: enough to compare by eye


@dataclasses.dataclass(frozen=True)
class RunData:
    """What a run was trained and evaluated on.

    Attributes:
      fingerprints: of the raw trees, trained and evaluated on; None where a run does not have it.
      digests: of the label maps of all splits, trained on and evaluated on; None where an older version made the run.
      splits: of the label maps of each split, evaluated on; None likewise.
      whose_left: 'picture' or 'person', see `fpliif_jax.data.sides`.
    """

    fingerprints: tuple[str | None, str | None]
    digests: tuple[str | None, str | None]
    splits: tuple[tuple[str, str | None], ...] | None
    whose_left: str

    @classmethod
    def of(
        cls, config: JsonObject, results: JsonObject, environment: JsonObject | None
    ) -> "RunData":
        """From config.json, results.json and environment.json, checked."""
        environment = environment or {}
        labels = labels_digests(results["dataset"])
        return cls(
            (environment.get("data_fingerprint"), results["dataset"].get("fingerprint")),
            (environment.get("data_digest"), labels and labels["all"]),
            labels and tuple(sorted(labels.items())),
            sides.whose_left(config, results["dataset"].get("whose_left")),
        )

    def fits(self, other: "RunData") -> bool:
        """Whether nothing that both recorded differs."""
        pairs = [*zip(self.digests, other.digests, strict=True), (self.splits, other.splits)]
        known = (self.fingerprints, self.whose_left) == (other.fingerprints, other.whose_left)
        return known and all(None in pair or pair[0] == pair[1] for pair in pairs)

    @property
    def is_of_other_data(self) -> bool:
        """Whether the run was evaluated on other data than it was trained on: neither files nor labels are the same."""
        trained, evaluated = self.fingerprints
        if None in (trained, evaluated) or trained == evaluated:
            return False
        return None in self.digests or len(set(self.digests)) > 1

    @property
    def unknowns(self) -> int:
        """How much of it is not recorded."""
        return [*self.digests, self.splits].count(None)


@dataclasses.dataclass(frozen=True)
class ScoredSet:
    """The data set that a run was evaluated on.

    Attributes:
      name: 'lapa'.
      complete: whether it has as many images as the official one.
      official_ids: whether it has its ids; None where that is not known.
      drawn: whether faces are drawn.
      counts: images by split.
    """

    name: str
    complete: bool
    official_ids: bool | None
    drawn: bool
    counts: Mapping[str, int]

    @classmethod
    def of(cls, dataset: JsonObject) -> "ScoredSet":
        """From the dataset of a line."""
        known = (dataset[field] for field in ("name", "complete"))
        drawn = bool(dataset.get("drawn"))
        return cls(*known, dataset.get("official_ids"), drawn, dataset["counts"])


def labels_digests(dataset: JsonObject) -> dict[str, str | None] | None:
    """Digests of label maps by split and of all, from a dataset of results.json; None if not recorded."""
    digest = dataset.get("digest")
    return None if digest is None else digest["labels"]


def short(digest: str | None) -> str:
    """A digest as people compare it, 'none' for None."""
    return "none" if digest is None else digest[:_SHOWN_DIGITS]
