"""FP-LIIF's claims about its scores, against the spread of its own runs (Table 7)."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import integrate, stats

from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables
from fpliif_jax.experiments.audit.scores import OURS, TABLES, best_rival, mean_f1, runs
from fpliif_jax.experiments.audit.sentences import describe
from fpliif_jax.systems.protocol import Protocol

_RUNS = (3, 5, 10)  # Table 7 does not say how many it is about
_NOISE_HEADER = ("difference of mean F1", "points", "in its SD", *(f"n = {n}" for n in _RUNS))


def check(tables: Tables) -> Iterator[Finding]:
    """All findings that depend on Table 7."""
    yield _over_runs(tables)
    yield _rivals_against_noise(tables)
    yield _ablations_against_noise(tables)
    yield _single_runs(tables)
    yield _mean_and_variance(tables)
    yield _resolutions(tables)


def _over_runs(tables: Tables) -> Finding:
    lines, below = [("set", "FP-LIIF, mean of runs", "best rival", "difference")], []
    for dataset, source in TABLES.items():
        mean, rival = runs(tables, dataset)[0], best_rival(tables, source)
        difference = mean.value - rival.value
        if difference < 0:
            below.append((SET_NAMES[dataset], difference))
        cells = (mean.printed, f"{rival.printed} ({rival.system})", f"{difference:+.2f}")
        lines.append((SET_NAMES[dataset], *cells))
    status = "contradiction" if below else "agrees"
    return describe("fp-liif-over-runs", "main result", status, table=lines, below=below)


def _noise_line(name: str, difference: float, sd: float) -> tuple[tuple[str, ...], bool]:
    """A line of a table of differences of two single runs, and whether the difference is noise at any n."""
    beyond = [_smallest_difference(sd, n) for n in _RUNS]
    cells = [f"{difference:+.2f}", f"{difference / (sd * 2**0.5):+.1f}"]
    cells += ["yes" if abs(difference) > least else "no" for least in beyond]
    return (name, *cells), abs(difference) <= min(beyond)


def _smallest_difference(sd: float, runs: int) -> float:
    """Least significant difference of two single runs at the 5 % level: t · SD · √2, for the SD of so many runs."""
    return float(stats.t.ppf(0.975, runs - 1)) * sd * 2**0.5


def _needed(tables: Tables, *datasets: str) -> dict[str, Any]:
    """What takes a difference beyond the noise: the numbers of 'noise/Needed'."""
    least = []
    for dataset in datasets:
        sd = runs(tables, dataset)[1]
        points = " / ".join(f"{_smallest_difference(sd.value, n):.2f}" for n in _RUNS)
        least.append((SET_NAMES[dataset], points, sd.printed))
    return {"least": least, "counts": _RUNS}


def _rivals_against_noise(tables: Tables) -> Finding:
    lines: list[tuple[str, ...]] = [_NOISE_HEADER]
    noise = []
    for dataset, source in TABLES.items():
        sd = runs(tables, dataset)[1].value
        ours = mean_f1(tables, source, *OURS).value
        rivals = [v for v in tables.all(source=source, metric="mean_f1") if v.system != OURS[0]]
        for rival in sorted(rivals, key=lambda value: -value.value):
            name = f"{SET_NAMES[dataset]}: FP-LIIF − {rival.system}"
            line, is_noise = _noise_line(name, ours - rival.value, sd)
            lines.append(line)
            if is_noise:
                noise.append(f"{rival.system} on {SET_NAMES[dataset]}")
    return describe(
        "fp-liif-rivals-noise",
        "main result",
        "doubt" if noise else "agrees",
        table=lines,
        noise=noise,
        total=len(lines) - 1,
        **_needed(tables, *TABLES),
    )


def _ablations_against_noise(tables: Tables) -> Finding:
    sd = runs(tables, "lapa")[1].value

    def of(variant: str) -> float:
        return mean_f1(tables, "FP-LIIF §5.1", OURS[0], variant).value

    weights = [
        (v.protocol.replace("lambda=", "λ = "), v.value)
        for v in tables.all(source="FP-LIIF Table 5")
    ]
    pairs = [
        ("§5.1: instance norm − batch norm", of("instance_norm") - of("batch_norm")),
        ("§5.1: instance norm − EDSR, no norm", of("instance_norm") - of("edsr")),
        ("§5.1: LIIF decoder − Conv U-Net decoder", of("256") - of("unet")),
    ]
    for (low, before), (high, after) in itertools.pairwise(weights):
        pairs.append((f"Table 5: {high} − {low}", after - before))
    high, after = weights[-1]
    for low, before in weights[:2]:  # without the edge loss; and the λ of CelebAMask-HQ
        pairs.append((f"Table 5: {high} − {low}", after - before))
    judged = [(name, *_noise_line(name, difference, sd)) for name, difference in pairs]
    noise = [name for name, _, is_noise in judged if is_noise]
    return describe(
        "fp-liif-ablations-noise",
        "claim",
        "doubt" if noise else "agrees",
        table=(_NOISE_HEADER, *(line for _, line, _ in judged)),
        noise=noise,
        shown=[name for name, line, _ in judged if "no" not in line],
        total=len(pairs),
        **_needed(tables, "lapa"),
    )


def _single_runs(tables: Tables) -> Finding:
    lines, scores = [("set", "single run", "mean of runs", "SD", "above the mean")], []
    sources = TABLES | {"helen": "FP-LIIF Table 3"}
    for dataset, source in sources.items():
        mean, sd = runs(tables, dataset)
        single = tables.row(source, *OURS).total
        score = (single.value - mean.value) / sd.value
        scores.append(score)
        cells = (single.printed, mean.printed, sd.printed, f"{score:+.2f} SD")
        lines.append((SET_NAMES[dataset], *cells))
    average = float(np.mean(scores))
    best_of = min(range(2, 11), key=lambda n: abs(_expected_best(n) - average))
    plausible = max(map(abs, scores)) < 2
    return describe(
        "fp-liif-single-runs",
        "claim",
        "agrees" if plausible else "contradiction",
        table=lines,
        above=sum(score > 0 for score in scores),
        total=len(scores),
        average=average,
        best_of=best_of,
        expected=_expected_best(best_of),
        plausible=plausible,
    )


def _expected_best(n: int) -> float:
    """Mean of the largest of n standard normal values."""

    def density(x: float) -> float:
        return float(x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1))

    return float(integrate.quad(density, -10, 10)[0])


def _mean_and_variance(tables: Tables) -> Finding:
    sds = [runs(tables, dataset)[1] for dataset in (*TABLES, "helen")]
    roots = [value.value**0.5 for value in sds]
    factor = min(root / value.value for root, value in zip(roots, sds, strict=True))
    return describe("fp-liif-variance", "recipe", "doubt", sds=sds, roots=roots, factor=factor)


def _resolutions(tables: Tables) -> Finding:
    texts = ("512", "192->256", "128->256", "96->256", "64->256")
    lines = [("output", *(f"{SET_NAMES[d]}, points" for d in TABLES), "in SD of Table 7")]
    near = []
    for protocol in map(Protocol.parse, texts):
        points, in_sd = [], []
        for dataset, source in TABLES.items():
            own = mean_f1(tables, source, *OURS).value
            difference = mean_f1(tables, source, "FP-LIIF", protocol.text).value - own
            points.append(f"{difference:+.2f}")
            in_sd.append(difference / runs(tables, dataset)[1].value)
        if max(map(abs, in_sd)) < 2:
            near.append(str(protocol.output_size))
        lines.append((protocol.title, *points, " / ".join(f"{x:+.1f}" for x in in_sd)))
    status = "cannot be recomputed"
    return describe("fp-liif-resolutions", "recipe", status, table=lines, near=near)
