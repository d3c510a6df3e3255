"""What an overall F1 can be: whether a common weighting of the parts gives the overall scores of several rows.

Pooled over parts, F1 = 2 ΣTP / Σ(A + P), with A the pixels of a part in the truth and P in the prediction: the mean of
the parts' F1, weighted with A + P. Rows of the same images share A, and P is near A where scores are high, so
their weights are nearly the same.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import optimize

from fpliif_jax.experiments.audit.finding import Finding, Row, Tables
from fpliif_jax.experiments.audit.sentences import describe

HELEN, CELEBAMASK_HQ, RIVALS = ("STN-iCNN Table 2", "STN-iCNN Table 3", "STN-iCNN Table 4")
FP_LIIF_HELEN = "FP-LIIF Table 3"
PARTS = ("eyes", "brows", "nose", "mouth")
_MOUTH = ("upper_lip", "inner_mouth", "lower_lip")


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about overall scores."""
    yield _gain(tables)
    yield _kinds(tables)
    yield _pooled(tables)


def common_weights(parts: Sequence[Sequence[float]], overall: Sequence[float]) -> float:
    """The least largest misfit of any common weighting, by linear programming.

    Args:
      parts: [rows, parts], percent.
      overall: [rows], percent.

    Returns:
      points by which the best non-negative weights with sum 1 miss the overall score of a row.
    """
    matrix, target = np.asarray(parts), np.asarray(overall)
    number = matrix.shape[1]
    slack = -np.ones((len(matrix), 1))
    solution = optimize.linprog(
        c=[0.0] * number + [1.0],
        A_ub=np.block([[matrix, slack], [-matrix, slack]]),
        b_ub=np.concatenate([target, -target]),
        A_eq=[[1.0] * number + [0.0]],
        b_eq=[1.0],
    )
    return float(solution.fun)


def area_error(
    parts: Sequence[Sequence[float]], overall: Sequence[float], rounding: float
) -> float:
    """How wrong predicted areas must be for pooled scores to give the rows, each with weights of its own.

    Args:
      parts: [rows, parts], percent.
      overall: [rows], percent.
      rounding: points by which every score may differ from what is printed.

    Returns:
      the least δ ≤ 1 such that A > 0 and predicted areas P within (1 ± δ) A exist, to 1e-4; 1 if none do.
    """
    matrix, target = np.asarray(parts), np.asarray(overall)
    rows, number = matrix.shape
    excess = np.kron(np.eye(rows), np.ones(number)) * (matrix - target[:, None]).ravel()
    margin = np.kron(np.eye(rows), np.full(number, 2 * rounding))
    weights, areas = np.eye(rows * number), np.tile(np.eye(number), (rows, 1))
    no_area = np.zeros((rows, number))

    def is_possible(delta: float) -> bool:
        limits = np.block(
            [
                [areas * (2 - delta), -weights],
                [areas * -(2 + delta), weights],
                [no_area, excess - margin],
                [no_area, -excess - margin],
            ]
        )
        sums = [[1.0] * number + [0.0] * (rows * number)]
        program = optimize.linprog(
            np.zeros(limits.shape[1]), limits, np.zeros(len(limits)), sums, [1.0]
        )
        return program.status == 0

    low, high = 0.0, 1.0
    if is_possible(low):
        return low
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if is_possible(middle) else (middle, high)
    return high


def _scores(rows: Sequence[Row]) -> tuple[list[list[float]], list[float]]:
    return (
        [[row[name].percent for name in PARTS] for row in rows],
        [row.total.percent for row in rows],
    )


def _misfit(rows: Sequence[Row]) -> float:
    return common_weights(*_scores(rows))


def _rounding(rows: Sequence[Row]) -> float:
    """Points that rounding explains: half a last digit of an overall score, and half of one of the parts'."""
    overall = min(row.total.decimals for row in rows)
    # FP-LIIF's table leaves final zeros out: 94 is 94.0.
    parts = max(row[name].decimals for row in rows for name in PARTS)
    return 0.5 * 10.0**-overall + 0.5 * 10.0**-parts


def _gain(tables: Tables) -> Finding:
    before, after = (tables.row(HELEN, system, "") for system in ("STN-iCNN*", "STN-iCNN"))
    misfit, rounding = _misfit((before, after)), _rounding((before, after))
    notebook = tables.one(source="STN-iCNN notebooks", system="STN-iCNN", protocol="")
    later = _misfit((before, after | {"overall": notebook}))
    return describe(
        "stn-icnn-overall-gain",
        "main result",
        "agrees" if misfit <= rounding else "doubt",
        gain=after.total.percent - before.total.percent,
        of_parts={name: after[name].percent - before[name].percent for name in PARTS},
        misfit=misfit,
        rounding=rounding,
        notebook=notebook.percent,
        after=after.total.percent,
        later=later,
        error=area_error(*_scores((before, after)), rounding / 2),
    )


def _kinds(tables: Tables) -> Finding:
    own = {system: tables.row(HELEN, system, "") for system in ("STN-iCNN*", "STN-iCNN")}
    before, after = own.values()
    lines: list[tuple[str, ...]] = [
        ("Helen", *PARTS, "overall", *(f"to {system}" for system in own))
    ]
    apart, least, below = [], [], []
    for source in (RIVALS, FP_LIIF_HELEN):
        for (system, _), row in tables.rows(source).items():
            if system in own:
                continue
            misfits = [_misfit((reference, row)) for reference in (before, after)]
            if min(misfits) > _rounding((row, after)):
                apart.append(system)
                least.append(min(misfits))
            all_lower = all(row[name].value < before[name].value for name in PARTS)
            if all_lower and row.total.value > before.total.value:
                below.append(system)
            scores = (*(row[name] for name in PARTS), row.total)
            printed = (f"{score.percent:.1f}" for score in scores)
            lines.append((system, *printed, *(f"{misfit:.2f}" for misfit in misfits)))
    return describe(
        "stn-icnn-overall-kinds",
        "main result",
        "doubt" if apart else "agrees",
        table=lines,
        rounding=_rounding((after,)),
        below=below,
        apart=apart,
        most=max(least, default=0.0),
        total=len(lines) - 1,
    )


def _pooled(tables: Tables) -> Finding:
    rows_of = {
        f"iCNN and STN-iCNN* of {HELEN}": [
            tables.row(HELEN, system, "") for system in ("iCNN", "STN-iCNN*")
        ],
        CELEBAMASK_HQ: list(tables.rows(CELEBAMASK_HQ).values()),
        FP_LIIF_HELEN: list(tables.rows(FP_LIIF_HELEN).values()),
    }
    misfits = {name: _misfit(rows) for name, rows in rows_of.items()}
    off = [name for name, rows in rows_of.items() if misfits[name] > _rounding(rows)]
    mouths = [
        row
        for source in (HELEN, CELEBAMASK_HQ, RIVALS)
        for row in tables.rows(source).values()
        if all(name in row for name in _MOUTH)
    ]
    unions = sum(row["mouth"].percent > max(row[name].percent for name in _MOUTH) for row in mouths)
    return describe(
        "stn-icnn-pooled",
        "recipe",
        "agrees" if not off and unions else "doubt",
        misfits=[(name, misfit, len(rows_of[name])) for name, misfit in misfits.items()],
        most=max(misfits.values()),
        unions=unions,
        mouths=len(mouths),
        off=off,
    )
