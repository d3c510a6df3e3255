"""How far the windows went when parts were hidden: statistics of both croppers, and as text.

`robustness.json` has them as they are. What has a default here may be missing there: nothing else is read again.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from fpliif_jax.data.facial_parts import PART_NAMES
from fpliif_jax.experiments.runs.value_types import Measure

CROPPERS = ("stn", "centroid")


class Findings(NamedTuple):
    """What hiding each part of N images did; centres are y and x in pixels of the canvas.

    Attributes:
      present: bool [N, 6], whether the image has the part.
      true_centres: float32 [N, 6, 2]; of absent parts (0, 0).
      boxes: int32 [N, 6, 4], first row, first column, last row, last column of the part.
      mask_has_part: bool [N, 7, 6], whether K's mask has part j with nothing hidden (0) or part i hidden (i + 1).
      centres: by cropper, float32 [N, 7, 6, 2], centre of the window of part j likewise.
    """

    present: np.ndarray
    true_centres: np.ndarray
    boxes: np.ndarray
    mask_has_part: np.ndarray
    centres: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Average:
    """Averages of n values; None where there is none."""

    mean: Measure | None = None
    median: Measure | None = None
    n: int = 0

    @classmethod
    def of(cls, values: np.ndarray) -> "Average":
        """Averages of numbers of any shape."""
        if not values.size:
            return cls()
        values = values.astype(np.float64)
        return cls(float(values.mean()), float(np.median(values)), values.size)


@dataclasses.dataclass(frozen=True)
class OfCropper:
    """Statistics of one cropper, as `python -m experiments.robustness --help` describes them."""

    distance_before: Average
    distance_after: Average
    moved: Average = Average()
    inside_before: Measure | None = None
    inside_after: Measure | None = None
    others_moved: Average = Average()


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfParts:
    """Statistics over hidden parts.

    Attributes:
      hidden: how many.
      lost_before, lost: how many of these K's mask lacked entirely before hiding and after.
      stn, centroid: by cropper.
    """

    hidden: int = 0
    lost_before: int = 0
    lost: int = 0
    stn: OfCropper
    centroid: OfCropper

    @classmethod
    def of(cls, findings: Findings, hidden: np.ndarray) -> "OfParts":
        """Statistics of the parts that are True in bool [N, 6]."""
        images, parts = np.nonzero(hidden)
        had_part = findings.mask_has_part[images, 0, parts]
        has_part = findings.mask_has_part[images, 1 + parts, parts]
        of_croppers = {name: _of_cropper(findings, name, images, parts) for name in CROPPERS}
        return cls(
            hidden=len(images),
            lost_before=int((~had_part).sum()),
            lost=int((~has_part).sum()),
            **of_croppers,
        )


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Statistics of all hidden parts, of those that K's mask lost entirely, and of each part by name."""

    overall: OfParts
    when_lost: OfParts
    parts: dict[str, OfParts]

    @classmethod
    def of(cls, findings: Findings) -> "Statistics":
        """Statistics of all images."""
        present = findings.present
        lost = present & ~np.diagonal(findings.mask_has_part[:, 1:], axis1=1, axis2=2)
        parts = {
            name: OfParts.of(findings, present & (np.arange(len(PART_NAMES)) == part))
            for part, name in enumerate(PART_NAMES)
        }
        return cls(OfParts.of(findings, present), OfParts.of(findings, lost), parts)

    def as_text(self) -> str:
        """The means: a line for each part, the croppers side by side."""
        lines = [
            f"{'':<24}{'from its true centre':<29}{'centre in its box, %':<26}{'others moved':>14}",
            f"{'hidden':<10}{'n':>6}{'lost':>6}  {'STN':<14}{'centroid':<15}{'STN':<13}{'centroid':<13}"
            f"{'STN':>5}{'centroid':>9}",
        ]
        groups = {"all": self.overall, "lost by K": self.when_lost, **self.parts}
        for name, group in groups.items():
            distances, inside, moved = [], [], []
            for one in (group.stn, group.centroid):
                before, after = one.distance_before.mean, one.distance_after.mean
                distances.append(f"{_shown(before, 1)} → {_shown(after, 1)}")
                before, after = one.inside_before, one.inside_after
                inside.append(f"{_shown(before, 0, 100)} → {_shown(after, 0, 100)}")
                moved.append(_shown(one.others_moved.mean, 1))
            lines.append(
                f"{name:<10}{group.hidden:>6}{group.lost:>6}  {distances[0]:<14}{distances[1]:<15}"
                f"{inside[0]:<13}{inside[1]:<13}{moved[0]:>5}{moved[1]:>9}"
            )
        return "\n".join([*lines, "means, in pixels of the canvas; before → after hiding"])


def _of_cropper(findings: Findings, name: str, images: np.ndarray, parts: np.ndarray) -> OfCropper:
    """Statistics of a cropper over hidden parts: int [M], image and part of each."""
    true, boxes = findings.true_centres[images, parts], findings.boxes[images, parts]
    is_other = findings.present[images] & (np.arange(len(PART_NAMES)) != parts[:, None])
    centres = findings.centres[name]
    all_before, all_after = centres[images, 0], centres[images, 1 + parts]
    each = np.arange(len(images))
    before, after = all_before[each, parts], all_after[each, parts]
    moved = np.linalg.norm(all_after - all_before, axis=-1)
    return OfCropper(
        distance_before=Average.of(np.linalg.norm(before - true, axis=-1)),
        distance_after=Average.of(np.linalg.norm(after - true, axis=-1)),
        moved=Average.of(moved[each, parts]),
        inside_before=_share_inside(before, boxes),
        inside_after=_share_inside(after, boxes),
        others_moved=Average.of(moved[is_other]),
    )


def _share_inside(centres: np.ndarray, boxes: np.ndarray) -> float | None:
    if not len(centres):
        return None
    # A pixel reaches half a pixel to each side of its centre.
    inside = (centres >= boxes[:, :2] - 0.5) & (centres <= boxes[:, 2:] + 0.5)
    return float(inside.all(axis=1).mean())


def _shown(value: float | None, digits: int, factor: int = 1) -> str:
    return "–" if value is None else f"{factor * value:.{digits}f}"
