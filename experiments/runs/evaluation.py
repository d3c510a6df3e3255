"""What a run says of an evaluation: its scores in results.json, and what it counted in every image."""

import dataclasses
import pathlib
from collections.abc import Mapping

import msgspec
import numpy as np

from fpliif_jax.experiments.runs.value_types import Count, SafeName, Score, Split
from fpliif_jax.run_folder.evaluation_files import evaluation_file

MEANS = ("mean_f1", "miou", "miou_with_background", "per_image_mean_f1")

Place = tuple[str, str, str]  # split, checkpoint and protocol
Scores = Mapping[str, float | None]


class Evaluation(msgspec.Struct, frozen=True, rename={"protocol": "row"}):
    """The scores of a checkpoint on a split by one protocol: fractions, None where undefined.

    Attributes:
      split, checkpoint, protocol: names; results.json calls the last one row.
      images: of the split.
      mean_f1, miou, miou_with_background, per_image_mean_f1: see `means`.
      class_f1, group_f1: by name.
      step: of the checkpoint.
    """

    split: Split
    checkpoint: SafeName
    protocol: SafeName
    images: Count
    mean_f1: Score
    miou: Score
    miou_with_background: Score
    per_image_mean_f1: Score
    class_f1: dict[str, Score]
    group_f1: dict[str, Score]
    step: Count | None = None

    @property
    def means(self) -> Scores:
        """The mean scores, those of `MEANS`, by name."""
        return {name: getattr(self, name) for name in MEANS}

    @property
    def place(self) -> Place:
        """Split, checkpoint and protocol, which tell it from the run's others."""
        return (self.split, self.checkpoint, self.protocol)

    @property
    def file(self) -> pathlib.PurePosixPath:
        """File of its confusion matrices, relative to the run's folder."""
        return evaluation_file(*self.place)


@dataclasses.dataclass(frozen=True)
class Matrices:
    """What an evaluation counted in every image.

    Attributes:
      example_ids: N official ids, all different.
      confusion_matrices: int64 [N, C, C], rows truth, columns prediction.
      class_names: C names, the background first.
    """

    example_ids: tuple[str, ...]
    confusion_matrices: np.ndarray
    class_names: tuple[str, ...]
