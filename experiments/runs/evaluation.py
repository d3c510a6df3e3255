"""What a run says of an evaluation: its scores in results.json, and what it counted in every image."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpliif_jax.run_folder.evaluation_files import evaluation_file

MEANS = ("mean_f1", "miou", "miou_with_background", "per_image_mean_f1")

Place = tuple[str, str, str]  # split, checkpoint and protocol
Scores = Mapping[str, float | None]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The scores of a checkpoint on a split by one protocol: fractions, None where undefined.

    Attributes:
      split, checkpoint, protocol: names; results.json calls the last one row.
      images: of the split.
      means: of `MEANS`.
      class_f1, group_f1: by name.
    """

    split: str
    checkpoint: str
    protocol: str
    images: int
    means: Scores
    class_f1: Scores
    group_f1: Scores

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Evaluation":
        """An entry of 'evaluations' of results.json, checked."""
        names = ("split", "checkpoint", "row", "images")
        means = {name: content[name] for name in MEANS}
        return cls(
            *(content[name] for name in names), means, content["class_f1"], content["group_f1"]
        )

    @property
    def place(self) -> Place:
        """What tells it from the run's others."""
        return (self.split, self.checkpoint, self.protocol)

    @property
    def file(self) -> pathlib.PurePosixPath:
        """Of its confusion matrices, in the run's folder."""
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
