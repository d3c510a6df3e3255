"""Which data a run rests on: files by fingerprint, ids and label maps by digest, as far as it recorded them."""

import dataclasses

from fpliif_jax.data import sides
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.environment import Environment
from fpliif_jax.experiments.runs.results import Results

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
    def of(cls, config: RunConfig, results: Results, environment: Environment) -> "RunData":
        """Data of a run, from config.json, results.json and environment.json."""
        dataset, labels = results.dataset, results.dataset.labels
        return cls(
            (environment.data_fingerprint, dataset.fingerprint),
            (environment.data_digest, dataset.digest_of_labels),
            None if labels is None else tuple(sorted(labels.items())),
            sides.whose_left(config.content, dataset.whose_left),
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


def short(digest: str | None) -> str:
    """A digest as people compare it, 'none' for None."""
    return "none" if digest is None else digest[:_SHOWN_DIGITS]
