"""Prints where the windows of STN-iCNN are in every run of `window_drift`: a line for each variant, as Markdown.

    python -m docs.photographs.window_drift runs/window_drift

Errors are the mean distances of predicted windows from the true ones in pixels of the canvas, over all parts and
images of a split; mean ± SD over the seeds. The last column has those of validation after each epoch.
"""

import json
import pathlib
import sys
from typing import Any

import numpy as np


def lines(study: pathlib.Path) -> list[str]:
    """The table's lines; a variant without finished runs has none."""
    table = ["| variant | seeds | window error | … of the size | overall F1 | after each epoch |"]
    table.append("|---|---|---|---|---|---|")
    variants = json.loads((study / "plan.json").read_text("utf-8"))["plan"]["variants"]
    for name, variant in variants.items():
        runs = sorted((study / name).glob("seed*/results.json"))
        scores = [_entry(path) for path in runs]
        if not scores:
            continue
        epochs = [_by_epoch(path.with_name("metrics.jsonl")) for path in runs]
        columns = (
            [one["window_error"]["mean"] for one in scores],
            [one["window_size_error"]["mean"] for one in scores],
            [100 * one["group_f1"]["overall"] for one in scores],
        )
        cells = [variant["label"], str(len(scores)), *(_mean_and_sd(values) for values in columns)]
        cells.append(", ".join(f"{value:.2f}" for value in np.mean(epochs, axis=0)))
        table.append(f"| {' | '.join(cells)} |")
    return table


def _entry(path: pathlib.Path) -> dict[str, Any]:
    """The scores by the row image."""
    (entry,) = (
        one for one in json.loads(path.read_text("utf-8"))["evaluations"] if one["row"] == "image"
    )
    return entry


def _by_epoch(path: pathlib.Path) -> list[float]:
    """Window errors of validation in the joint training; none in a run without it."""
    records = map(json.loads, path.read_text("utf-8").splitlines())
    return [
        one["window_error"]["mean"]
        for one in records
        if one.get("stage") == "end_to_end" and "window_error" in one
    ]


def _mean_and_sd(values: list[float]) -> str:
    sd = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
    return f"{np.mean(values):.2f}{sd}"


if __name__ == "__main__":
    print("\n".join(lines(pathlib.Path(sys.argv[1]))))
