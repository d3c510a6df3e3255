"""The table of STN-iCNN's Fig. 5: where the windows are when a part is hidden, by `experiments.robustness`.

The paper has a picture and no numbers, so nothing is compared; seeds and croppers stand beside each other.
"""

import pathlib
import re
from collections.abc import Mapping, Sequence

from fpliif_jax.experiments.comparison.report_row import table_row
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study import Incomplete
from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.experiments.robustness import recorded
from fpliif_jax.experiments.robustness.statistics import OfParts
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.run import Run, printable

_CROPPERS = {"stn": "STN", "centroid": "centroids"}
_MOMENTS = {"distance_before": "before", "distance_after": "hidden"}


def tables(
    root: pathlib.Path, studies: Sequence[Study], runs: Sequence[Run]
) -> tuple[list[ReportTable], list[Incomplete]]:
    """Distances of the windows' centres from the true ones, in pixels of the canvas, a table a study.

    Args:
      root: folder of the runs.
      studies: in it.
      runs: in it; what broken ones measured is not read, nor what those of another seed than their folder says.

    Returns:
      the tables, and the files that cannot be used.
    """
    made, unusable, by_name = [], [], {run.name: run for run in runs}
    for study in studies:
        table = study.table
        if table is None:
            continue
        measuring = [
            variant
            for variant in table.variants
            if any(f == recorded.FILE for _, f in variant.then)
        ]
        rows = []
        for variant in measuring:
            by_seed, damaged = _read(root, study, variant, by_name)
            rows += _rows(variant, by_seed)
            unusable += damaged
        if rows:
            made.append(
                ReportTable(
                    f"{table.name}-windows",
                    f"{table.title}: distance of its window from its true centre",
                    "pixels of the canvas",
                    rows,
                )
            )
    return made, unusable


def _read(
    root: pathlib.Path, study: Study, variant: Variant, runs: Mapping[str, Run]
) -> tuple[dict[int, OfParts], list[Incomplete]]:
    by_seed, unusable = {}, []
    for path in sorted((root / study.folder / variant.name).glob(f"seed*/{recorded.FILE}")):
        run = path.parents[1]
        name, seed = run.relative_to(root).as_posix(), re.fullmatch(r"seed(\d{1,9})", run.name)
        own = runs.get(name)
        if seed is None or (own is not None and own.status == "broken"):
            continue
        if own is not None and own.seed not in (None, int(seed[1])):
            problem = (
                f"its config.json has seed {own.seed}: a copy of another run is not shown twice"
            )
            unusable.append(Incomplete(name, "hidden parts", problem))
            continue
        try:
            measured = recorded.read(run, root)
            results = own and own.results
            wrong = "; ".join(recorded.unlike(measured, results)) if results else ""
        except (OSError, UnreadableError) as error:
            measured, wrong = None, str(error)
        if measured is None or wrong:
            problem = printable(f"{wrong}; measure it again with experiments.robustness")
            unusable.append(Incomplete(name, "hidden parts", problem))
        else:
            by_seed[int(seed[1])] = measured.overall
    return dict(sorted(by_seed.items())), unusable


def _rows(variant: Variant, by_seed: dict[int, OfParts]) -> list[ReportRow]:
    rows = []
    for cropper, cropper_label in _CROPPERS.items():
        for moment, moment_label in _MOMENTS.items():
            means = {
                seed: getattr(getattr(overall, cropper), moment).mean
                for seed, overall in by_seed.items()
            }
            values = {seed: mean for seed, mean in means.items() if mean is not None}
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
