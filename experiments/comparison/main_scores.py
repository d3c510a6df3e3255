"""What the summary says of the main scores: the mean of each setting, and how far seeds and test images move it."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.comparison.data_notes import scored_on
from fpliif_jax.experiments.comparison.lines import Line, unique_label
from fpliif_jax.experiments.comparison.measured import MeasuredGroup, SeedScores, described
from fpliif_jax.experiments.stats import seed_statistics
from fpliif_jax.experiments.stats.number_text import number
from fpliif_jax.systems.protocol import Protocol

_MOST = 6  # settings that are named one by one


class _MeanScore(NamedTuple):
    n: int
    mean: float
    sd: float | None
    image_sd: float | None


def sentences(lines: Sequence[Line]) -> list[str]:
    """One or more for each score that settings have in common; what is not the same score is not set side by side."""
    by_score: dict[tuple, dict[str, _MeanScore]] = {}
    for line in lines:
        score = line.main_score
        if score is not None:
            main, names = score.key, tuple(line.class_names)
            key = (main.measure, main.split, scored_on(line), main.protocol, names)
            mean = _mean_score(line.measured, score)
            by_score.setdefault(key, {})[unique_label(line, lines)] = mean
    summary = []
    for (measure, split, scored, protocol, names), members in by_score.items():
        title = score_title(*measure)
        if len(by_score) > 1:
            row = Protocol.of_key(protocol).title
            title += f" of {len(names)} classes ({split} split of {scored}, row {row})"
        summary += _of_score(title, split, members)
    fewest = seed_statistics.FEWEST_RUNS
    if any(one.n < fewest for members in by_score.values() for one in members.values()):
        summary.append(f"An interval over seeds needs {fewest} of them.")
    return summary


def _of_score(title: str, split: str, members: Mapping[str, _MeanScore]) -> list[str]:
    counts = {one.n for one in members.values()}
    shared = counted(counts.pop(), "seed") if len(counts) == 1 else ""
    texts = {label: _mean(one, with_count=not shared) for label, one in members.items()}
    heading = f"{title[0].upper()}{title[1:]}"
    over = f"mean ± SD over {shared or 'the seeds'}"
    if len(members) == 1:
        ((label, text),) = texts.items()
        summary = [f"{label}: {title} {text} ({shared if shared == '1 seed' else over})."]
    elif len(members) <= _MOST:
        each = "; ".join(f"{label}: {text}" for label, text in texts.items())
        summary = [f"{heading} of each setting, {over}: {each}."]
    else:
        low, *_, high = sorted(members, key=lambda label: members[label].mean)
        summary = [
            f"{heading} of {len(members)} settings, {over}: lowest {low}, {texts[low]}; highest {high}, {texts[high]}."
        ]
    if any(one.sd is None for one in members.values()):
        summary.append("How much a score of one seed varies is not known.")
    sds = sorted(one.image_sd for one in members.values() if one.image_sd is not None)
    if sds:
        ends = dict.fromkeys((number(sds[0]), number(sds[-1])))
        what = "this mean" if len(members) == 1 else "each of these means"
        summary.append(
            f"With other {split} images of the same kind {what} would vary by an SD of {' to '.join(ends)}."
        )
    return summary


def _mean_score(measured: MeasuredGroup, score: SeedScores) -> _MeanScore:
    """Mean and spreads of a score that a setting has, so of at least one seed."""
    values = list(score.values.values())
    sd = seed_statistics.summary(values).sd
    image_sd = described(score.values, measured.images(score)).image_sd
    return _MeanScore(len(values), statistics.fmean(values), sd, image_sd)


def _mean(one: _MeanScore, with_count: bool) -> str:
    """'66.30 ± 0.33', or '66.30 ± 0.33 (3 seeds)'."""
    sd = "" if one.sd is None else f" ± {number(one.sd)}"
    count = f" ({counted(one.n, 'seed')})" if with_count else ""
    return f"{number(one.mean)}{sd}{count}"
