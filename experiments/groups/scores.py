"""Scores of groups of faces, in percent, from the confusion matrix of every face."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.groups.attributes import ATTRIBUTES
from fpliif_jax.experiments.stats import image_bootstrap
from fpliif_jax.experiments.stats.number_text import MISSING, number
from fpliif_jax.fields.json_types import JsonObject

FEWEST_FACES = 10  # of a group that may be called the worst


class Scored(NamedTuple):
    """Results of labelling N drawn faces.

    Attributes:
      groups: of each face its group by the name of the attribute.
      matrices: int64 [N, C, C], confusion matrices, rows the truth.
    """

    groups: list[dict[str, str]]
    matrices: np.ndarray


@dataclasses.dataclass(frozen=True)
class Score:
    """The mean F1 of faces over some classes; low and high are its 95 % bootstrap interval, None for one face."""

    faces: int
    mean_f1: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, matrices: np.ndarray, classes: Sequence[int], resamples: int) -> "Score":
        """Score of confusion matrices, int64 [N, C, C]."""
        score = functools.partial(metrics.mean_f1_of, classes=classes)
        bootstrap = image_bootstrap.image_bootstrap(matrices[None], score, resamples=resamples)
        mean = bootstrap.mean if bootstrap else None
        f1 = _percent(score(matrices.sum(axis=0)))
        low, high = (mean.low, mean.high) if mean else (None, None)
        return cls(len(matrices), f1, low, high)


@dataclasses.dataclass(frozen=True)
class GroupScore:
    """A group's score over the classes that its faces have.

    Attributes:
      attribute, group: names.
      faces, mean_f1, low, high: see `Score`.
      all_f1: of all faces over the same classes.
      lowest_class, lowest_f1: of these; None where there is none.
      absent: by the name of a class that the group lacks, the share of its pixels that are given to it.
    """

    attribute: str
    group: str
    faces: int
    mean_f1: float | None
    low: float | None
    high: float | None
    all_f1: float | None
    lowest_class: str | None
    lowest_f1: float | None
    absent: dict[str, float]

    @property
    def absent_text(self) -> str:
        """'teeth 0.31 %; hat 2.00 %'."""
        return "; ".join(f"{name} {share:.2f} %" for name, share in self.absent.items())


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of all faces, by class, and of the groups that have faces, in order.

    A group may lack a class: nobody whose mouth is closed shows its inside. One wrong pixel would then cost a tenth of
    the mean F1, so that of a group is over the classes that its faces have, and stands beside that of all faces over
    the same classes; what the model sees of the others is a share of the pixels.
    """

    overall: Score
    classes: dict[str, Score]
    groups: tuple[GroupScore, ...]

    @classmethod
    def of(cls, scored: Scored, names: tuple[str, ...], resamples: int = 2000) -> "Scores":
        """Scores of labelled faces; names are those of the classes."""
        every_class = range(1, len(names))
        groups = []
        for attribute in ATTRIBUTES:
            members = np.array([of_face[attribute.name] for of_face in scored.groups])
            groups += [
                _group_score((attribute.name, group), scored.matrices, is_member, names, resamples)
                for group in attribute.groups
                if (is_member := members == group).any()
            ]
        return cls(
            Score.of(scored.matrices, every_class, resamples),
            {names[one]: Score.of(scored.matrices, [one], resamples) for one in every_class},
            tuple(groups),
        )

    @property
    def worst_group(self) -> GroupScore | None:
        """The group furthest below all faces, of those of at least `FEWEST_FACES` faces, but not all."""
        large = [
            (one.mean_f1 - one.all_f1, one)
            for one in self.groups
            if FEWEST_FACES <= one.faces < self.overall.faces
            and one.mean_f1 is not None
            and one.all_f1 is not None
        ]
        return min(large, key=lambda pair: pair[0])[1] if large else None

    def as_json(self) -> JsonObject:
        """'overall', 'classes' by name, 'attributes' by name of the attribute and of the group, and 'worst_group'."""
        attributes: dict[str, JsonObject] = {}
        for one in self.groups:
            content = dataclasses.asdict(one)
            group = attributes.setdefault(content.pop("attribute"), {})
            group[content.pop("group")] = content
        return {
            "overall": dataclasses.asdict(self.overall),
            "classes": {
                name: {"faces": one.faces, "f1": one.mean_f1, "low": one.low, "high": one.high}
                for name, one in self.classes.items()
            },
            "attributes": attributes,
            "worst_group": self.worst_group and dataclasses.asdict(self.worst_group),
        }

    def as_text(self) -> str:
        """What the command prints: a line for each group, then the worst."""
        lines = [
            f"{'attribute':<22}{'group':<26}{'faces':>5}{'mean F1':>9}  {'95 % interval':<15}{'all':>5}  "
            f"{'lowest class':<18}absent, but seen on"
        ]
        for one in self.groups:
            lowest = f"{one.lowest_class} {number(one.lowest_f1, 1)}"
            lines.append(
                f"{one.attribute:<22}{one.group:<26}{one.faces:>5}{number(one.mean_f1, 1):>9}  "
                f"{interval(one):<15}{number(one.all_f1, 1):>5}  {lowest:<18}{one.absent_text}".rstrip()
            )
        overall, worst = self.overall, self.worst_group
        lines.append(f"all faces: {number(overall.mean_f1, 1)} ({interval(overall)})")
        if worst is not None:
            lines.append(
                f"worst of the groups with {FEWEST_FACES} faces or more: {worst.attribute}, {worst.group}: "
                f"{worst.mean_f1:.1f} ({interval(worst)}); all faces over the same classes: {worst.all_f1:.1f}"
            )
        return "\n".join(lines)


def _group_score(
    named: tuple[str, str],
    matrices: np.ndarray,
    is_member: np.ndarray,
    names: tuple[str, ...],
    resamples: int,
) -> GroupScore:
    total = matrices[is_member].sum(axis=0)
    present = [index for index in range(1, len(names)) if total[index].any()]
    absent = set(range(1, len(names))) - set(present)
    f1 = 100 * metrics.class_f1(total)
    lowest = min(present, key=lambda index: f1[index], default=None)
    return GroupScore(
        *named,
        **vars(Score.of(matrices[is_member], present, resamples)),
        all_f1=_percent(metrics.mean_f1_of(matrices.sum(axis=0), present)),
        lowest_class=None if lowest is None else names[lowest],
        lowest_f1=None if lowest is None else float(f1[lowest]),
        absent={
            names[index]: 100 * float(total[:, index].sum() / total.sum())
            for index in sorted(absent)
        },
    )


def _percent(value: np.ndarray) -> float | None:
    """A share in percent, for JSON; None in the place of NaN, which JSON has not."""
    return None if np.isnan(value) else 100 * float(value)


def interval(score: Score | GroupScore) -> str:
    """'90.1–92.4'."""
    return MISSING if score.low is None else f"{score.low:.1f}–{score.high:.1f}"
