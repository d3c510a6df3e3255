"""The table of STN-iCNN's Fig. 5: where the windows are when a part is hidden, by `experiments.robustness`.

The paper has a picture and no numbers, so nothing is compared; seeds and croppers stand beside each other.
"""

import pathlib
import re
from collections.abc import Collection, Sequence
from typing import Any

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.comparison.report_row import table_row
from fpliif_jax.experiments.comparison.study import ReportRow, ReportTable, ScoreKey
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes
from fpliif_jax.experiments.runs.json_values import is_number

FILE = "robustness/robustness.json"
_LIMIT = 4 * MEBIBYTE
_CROPPERS = {"stn": "STN", "centroid": "centroids"}
_MOMENTS = {"distance_before": "before", "distance_after": "hidden"}


def tables(
    root: pathlib.Path, studies: Sequence[Study], broken: Collection[str] = ()
) -> list[ReportTable]:
    """Distances of the windows' centres from the true ones, in pixels of the canvas, a table a study.

    Args:
      root: folder of the runs.
      studies: in it.
      broken: names of runs that are left out.
    """
    made = []
    for study in studies:
        variants = study.table.variants if study.table else ()
        measuring = [variant for variant in variants if any(f == FILE for _, f in variant.then)]
        rows = [row for variant in measuring for row in _rows(root, study, variant, broken)]
        if rows:
            made.append(
                ReportTable(
                    f"{study.table.name}-windows",
                    f"{study.table.title}: distance of its window from its true centre",
                    "pixels of the canvas",
                    rows,
                )
            )
    return made


def _rows(
    root: pathlib.Path, study: Study, variant: Variant, broken: Collection[str]
) -> list[ReportRow]:
    contents = {}
    for path in sorted((root / study.folder / variant.name).glob(f"seed*/{FILE}")):
        seed = re.fullmatch(r"seed(\d{1,9})", path.parents[1].name)
        if seed is None or path.parents[1].relative_to(root).as_posix() in broken:
            continue
        try:
            contents[int(seed[1])] = parse_json(read_bytes(path, root, _LIMIT), path.name)
        except UnreadableError:
            continue  # the run that it is of is listed, and its own files tell what is wrong
    rows = []
    for cropper, cropper_label in _CROPPERS.items():
        for moment, moment_label in _MOMENTS.items():
            values = {
                seed: value
                for seed, content in sorted(contents.items())
                if (value := _mean(content, cropper, moment)) is not None
            }
            if values:
                label = f"{variant.label}: {cropper_label}, {moment_label}"
                rows.append(
                    table_row(
                        label,
                        ScoreKey("", "best", "", moment, "mean"),
                        values=values,
                        reason="the paper has a picture and no numbers",
                    )
                )
    return rows


def _mean(content: Any, *path: str) -> float | None:
    for name in ("overall", *path, "mean"):
        content = content.get(name) if isinstance(content, dict) else None
    return float(content) if is_number(content) else None
