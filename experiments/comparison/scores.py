"""Scores of a study: what each is a score of, and the statistics of its values over seeds.

Scores are in percent points, intervals (low, high), and what is undefined is None.
"""

import dataclasses

from fpliif_jax.experiments.stats.seed_statistics import Summary

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class ScoreKey:
    """Identity of a score: evaluation, protocol, metric and class.

    Attributes:
      split, checkpoint: of the evaluation.
      protocol: as in results.json, where it is called row ('192to256').
      metric: 'mean_f1', 'f1', 'group_f1', 'miou', 'miou_with_background', 'per_image_mean_f1', or what was counted or
        timed.
      class_name: 'mean', or the class or group.
    """

    split: str
    checkpoint: str
    protocol: str
    metric: str
    class_name: str

    @property
    def evaluation(self) -> tuple[str, str, str]:
        """Split, checkpoint and protocol."""
        return (self.split, self.checkpoint, self.protocol)

    @property
    def measure(self) -> tuple[str, str]:
        """Metric and class."""
        return (self.metric, self.class_name)


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Values by seed and what they say; no intervals over fewer than three runs.

    Attributes:
      values: by seed; runs of unknown seed count from −1 downwards.
      summary: None where nothing is known.
      t_interval, bootstrap_interval: of the mean over seeds, 95 %.
      image_interval, image_sd: of the mean over test images.
      seed_and_image_interval: over both.
    """

    values: dict[int, float]
    summary: Summary | None
    t_interval: Interval | None = None
    bootstrap_interval: Interval | None = None
    image_interval: Interval | None = None
    image_sd: float | None = None
    seed_and_image_interval: Interval | None = None

    @property
    def mean(self) -> float | None:
        """Mean of the values; None where nothing was measured."""
        return None if self.summary is None else self.summary.mean

    @property
    def has_values(self) -> bool:
        """Whether anything was measured."""
        return self.mean is not None


@dataclasses.dataclass(frozen=True)
class Score:
    """A score of a group of runs."""

    key: ScoreKey
    statistics: Statistics
