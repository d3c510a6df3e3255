"""Draws fine_tuning.svg: the mean F1 by how many photographs are trained on, from drawn weights and from scratch.

    python -m docs.photographs.curve

It reads the runs of `experiments/results/fine_tuning`, which `experiments.reproduce fine_tuning` and
`experiments.collect` have made.
"""

import json
import pathlib

import numpy as np
import scipy.stats

from fpliif_jax.experiments.report.figures import figure_svg

_HERE = pathlib.Path(__file__).parent
_RUNS = _HERE.parents[1] / "experiments" / "results" / "fine_tuning"
_STARTS = {"drawn": "from drawn weights", "scratch": "from scratch"}
_WIDTH, _HEIGHT = 760, 380


def scores(row: str) -> dict[str, dict[int, list[float]]]:
    """F1 points by start and number of photographs, one a seed."""
    by_start: dict[str, dict[int, list[float]]] = {start: {} for start in _STARTS}
    for path in sorted(_RUNS.glob("*/seed*/results.json")):
        start, _, count = path.parts[-3].partition("_")
        evaluations = json.loads(path.read_text("utf-8"))["evaluations"]
        (score,) = (one["mean_f1"] for one in evaluations if one["row"] == row)
        by_start[start].setdefault(int(count), []).append(100 * score)
    return {start: dict(sorted(counts.items())) for start, counts in by_start.items()}


def draw() -> str:
    """The picture as SVG: means, every seed, and the 95 % t-intervals of the means as bands."""
    with figure_svg.style():
        figure = figure_svg.new_figure(_WIDTH, _HEIGHT)
        axes = figure_svg.add_axes(figure, 62, 20, _WIDTH - 62 - 160, _HEIGHT - 20 - 52)
        axes.set_xscale("log")
        for start, colour in zip(
            _STARTS, (figure_svg.Colour.OURS, figure_svg.Colour.PUBLISHED), strict=True
        ):
            counts = scores("256")[start]
            numbers, values = list(counts), np.array(list(counts.values()))
            means, runs = values.mean(axis=1), values.shape[1]
            half = scipy.stats.t.ppf(0.975, runs - 1) * values.std(axis=1, ddof=1) / np.sqrt(runs)
            axes.fill_between(numbers, means - half, means + half, color=colour, alpha=0.15, lw=0)
            axes.plot(numbers, means, color=colour, lw=1.6)
            axes.plot(np.repeat(numbers, runs), values.ravel(), "o", color=colour, ms=3.5)
            at = (numbers[-1] * 1.12, means[-1])
            axes.annotate(_STARTS[start], at, color=colour, va="center", annotation_clip=False)
        axes.set_xticks(numbers, [f"{number:,}" for number in numbers], minor=False)
        axes.minorticks_off()
        axes.set_xlabel("photographs trained on")
        axes.set_ylabel("mean F1 on 248 others")
        return figure_svg.with_paper(figure_svg.to_svg(figure))


if __name__ == "__main__":
    (_HERE / "fine_tuning.svg").write_text(draw(), "utf-8")
