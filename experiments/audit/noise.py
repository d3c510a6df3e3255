"""FP-LIIF's claims about its scores, against the spread of its own runs (Table 7)."""

import itertools
from collections.abc import Iterator

import numpy as np
from scipy import integrate, stats

from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables, listed
from fpliif_jax.experiments.audit.scores import OURS, TABLES, best_rival, mean_f1, runs

_RUNS = (3, 5, 10)  # Table 7 does not say how many it is about
_NOISE_HEADER = ("difference of mean F1", "points", "in its SD", *(f"n = {n}" for n in _RUNS))


def check(tables: Tables) -> Iterator[Finding]:
    """All findings that hang on Table 7."""
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
            below.append((dataset, difference))
        lines.append(
            (
                SET_NAMES[dataset],
                mean.printed,
                f"{rival.printed} ({rival.system})",
                f"{difference:+.2f}",
            )
        )
    return Finding(
        id="fp-liif-over-runs",
        title="State of the art in mean F1, with the mean over runs instead of one run",
        says="New state-of-the-art mean F1 on CelebAMask-HQ and LaPa (§1, §6; Tables 1 and 2, one run each).",
        recomputed="Table 7's means over runs, beside the best rival of Tables 1 and 2, of which no spread is "
        "published (§6.1.1).",
        size=listed(f"{d:+.2f} points on {SET_NAMES[s]}" for s, d in below) if below else "none",
        meaning=f"Over several runs FP-LIIF does not lead on {listed(SET_NAMES[s] for s, _ in below)}: what lead "
        "there is is that of single runs. That it lies behind is not shown either: these differences are within the "
        "noise, as the finding about each rival has it."
        if below
        else "The mean over runs leads as well.",
        status="contradiction" if below else "agrees",
        consequence="main result",
        table=tuple(lines),
    )


def _noise_line(name: str, difference: float, sd: float) -> tuple[tuple[str, ...], bool]:
    """A line of a table of differences of two single runs, and whether the difference is noise at any n."""
    beyond = [_smallest_difference(sd, n) for n in _RUNS]
    cells = [f"{difference:+.2f}", f"{difference / (sd * 2**0.5):+.1f}"]
    cells += ["yes" if abs(difference) > least else "no" for least in beyond]
    return (name, *cells), abs(difference) <= min(beyond)


def _smallest_difference(sd: float, runs: int) -> float:
    """Of two single runs, at the 95 % level: t times SD · √2, the SD being one of so many runs."""
    return float(stats.t.ppf(0.975, runs - 1)) * sd * 2**0.5


def _needed(tables: Tables, *datasets: str) -> str:
    lines = []
    for dataset in datasets:
        sd = runs(tables, dataset)[1]
        least = " / ".join(f"{_smallest_difference(sd.value, n):.2f}" for n in _RUNS)
        lines.append(f"{least} points on {SET_NAMES[dataset]} (SD {sd.printed})")
    counts = " / ".join(map(str, _RUNS))
    return f"To stand out from the noise at the 95 % level takes {listed(lines)}, if Table 7 is about {counts} runs"


def _rivals_against_noise(tables: Tables) -> Finding:
    lines, noise, total = [_NOISE_HEADER], [], 0
    for dataset, source in TABLES.items():
        sd = runs(tables, dataset)[1].value
        ours = mean_f1(tables, source, *OURS).value
        rivals = [v for v in tables.all(source=source, metric="mean_f1") if v.system != OURS[0]]
        for rival in sorted(rivals, key=lambda value: -value.value):
            name = f"{SET_NAMES[dataset]}: FP-LIIF − {rival.system}"
            line, is_noise = _noise_line(name, ours - rival.value, sd)
            lines.append(line)
            total += 1
            if is_noise:
                noise.append(f"{rival.system} on {SET_NAMES[dataset]}")
    return Finding(
        id="fp-liif-rivals-noise",
        title="Lead over each rival, against the spread of FP-LIIF's own runs",
        says="FP-LIIF performs better than the baselines in mean F1 (§5; Tables 1 and 2, one run each).",
        recomputed=f"{_needed(tables, *TABLES)}. The rivals' spread is taken to be the same; none is published.",
        size=f"{len(noise)} of {total} differences are within the noise",
        meaning=f"One run each cannot rank FP-LIIF and {listed(noise)}."
        if noise
        else "Every difference is larger than the noise.",
        status="doubt" if noise else "agrees",
        consequence="main result",
        table=tuple(lines),
    )


def _ablations_against_noise(tables: Tables) -> Finding:
    sd = runs(tables, "lapa")[1].value
    section = {
        v.protocol: v.value
        for v in tables.all(source="FP-LIIF §5.1", dataset="lapa", metric="mean_f1")
    }
    weights = [
        (v.protocol.replace("lambda=", "λ = "), v.value)
        for v in tables.all(source="FP-LIIF Table 5")
    ]
    pairs = [
        ("§5.1: instance norm − batch norm", section["instance_norm"] - section["batch_norm"]),
        ("§5.1: instance norm − EDSR, no norm", section["instance_norm"] - section["edsr"]),
        ("§5.1: LIIF decoder − Conv U-Net decoder", section["256"] - section["unet"]),
    ]
    for (low, before), (high, after) in itertools.pairwise(weights):
        pairs.append((f"Table 5: {high} − {low}", after - before))
    high, after = weights[-1]
    for low, before in weights[:2]:  # without the edge loss; and the λ of CelebAMask-HQ
        pairs.append((f"Table 5: {high} − {low}", after - before))
    judged = [(name, *_noise_line(name, difference, sd)) for name, difference in pairs]
    noise = [name for name, _, is_noise in judged if is_noise]
    shown = [name for name, line, _ in judged if "no" not in line]
    return Finding(
        id="fp-liif-ablations-noise",
        title="Each ablation, against the spread of FP-LIIF's own runs",
        says="“The slight improvement prompted us to use IN” (§5.1); F1 grows with λ step by step (Table 5).",
        recomputed="LaPa, one run a variant. " + _needed(tables, "lapa") + ".",
        size=f"{len(noise)} of {len(pairs)} differences are within the noise",
        meaning=f"One run a variant shows no more than {listed(shown) if shown else 'nothing'}; a difference "
        "with three times “no” could as well have the other sign."
        if noise
        else "Every ablation is larger than the noise.",
        status="doubt" if noise else "agrees",
        consequence="claim",
        table=(_NOISE_HEADER, *(line for _, line, _ in judged)),
    )


def _single_runs(tables: Tables) -> Finding:
    lines, scores = [("set", "single run", "mean of runs", "SD", "above the mean")], []
    sources = TABLES | {"helen": "FP-LIIF Table 3"}
    for dataset, source in sources.items():
        mean, sd = runs(tables, dataset)
        single = tables.row(source, *OURS)["overall" if dataset == "helen" else "mean"]
        score = (single.value - mean.value) / sd.value
        scores.append(score)
        cells = (single.printed, mean.printed, sd.printed, f"{score:+.2f} SD")
        lines.append((SET_NAMES[dataset], *cells))
    average = float(np.mean(scores))
    best_of = min(range(2, 11), key=lambda n: abs(_expected_best(n) - average))
    plausible = max(map(abs, scores)) < 2
    return Finding(
        id="fp-liif-single-runs",
        title="The runs of Tables 1–3 among the runs of Table 7",
        says="One run each in Tables 1, 2 and 3; mean and SD over runs in Table 7.",
        recomputed=f"{sum(score > 0 for score in scores)} of {len(scores)} printed runs lie above the mean, by "
        f"{average:+.2f} SD on average; of ordinary runs all would in 1 case of {2 ** len(scores)}. The best of "
        f"{best_of} "
        f"runs is expected {_expected_best(best_of):.2f} SD above.",
        size=f"{average:+.2f} SD on average",
        meaning="Each may be an ordinary run, and so may all; one chosen from a few would look the same. A "
        "reproduction should expect Table 7's means and not Tables 1–3."
        if plausible
        else "A printed run does not belong to the runs of Table 7.",
        status="agrees" if plausible else "contradiction",
        consequence="claim",
        table=tuple(lines),
    )


def _expected_best(n: int) -> float:
    """Mean of the largest of n standard normal values."""

    def density(x: float) -> float:
        return x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1)

    return float(integrate.quad(density, -10, 10)[0])


def _mean_and_variance(tables: Tables) -> Finding:
    sds = [runs(tables, dataset)[1] for dataset in (*TABLES, "helen")]
    roots = [value.value**0.5 for value in sds]
    factor = min(root / value.value for root, value in zip(roots, sds, strict=True))
    return Finding(
        id="fp-liif-variance",
        title="SD or variance in Table 7",
        says="The column is headed “SD”, caption and §6.1.1 call it “variance”; the number of runs is not given.",
        recomputed="Were they variances, the SDs would be "
        + listed(f"{r:.2f}" for r in roots)
        + " instead of "
        + listed(v.printed for v in sds)
        + ".",
        size=f"a factor of {factor:.1f} at least",
        meaning="They are read as SDs here; were they variances, even more differences would be noise.",
        status="doubt",
        consequence="recipe",
    )


def _resolutions(tables: Tables) -> Finding:
    protocols = ["512", "192->256", "128->256", "96->256", "64->256"]
    lines = [("output", *(f"{SET_NAMES[d]}, points" for d in TABLES), "in SD of Table 7")]
    near = []
    for protocol in protocols:
        points, in_sd = [], []
        for dataset, source in TABLES.items():
            own = mean_f1(tables, source, *OURS).value
            difference = mean_f1(tables, source, "FP-LIIF", protocol).value - own
            points.append(f"{difference:+.2f}")
            in_sd.append(difference / runs(tables, dataset)[1].value)
        if max(map(abs, in_sd)) < 2:
            near.append(protocol.partition("->")[0])
        lines.append((protocol.replace("->", "→"), *points, " / ".join(f"{x:+.1f}" for x in in_sd)))
    return Finding(
        id="fp-liif-resolutions",
        title="Output sizes, against the spread of the runs",
        says="“Nominal degradation” at 512² on LaPa, “superior performance” at 512² on CelebAMask-HQ (§5); "
        "“minimal "
        "loss” at 192² and 128² (§5.2).",
        recomputed="Differences from the row at 256². All rows come from one network, so the runs' SD is a "
        "measure of "
        "size only; whether a difference is real would take the scores of every image.",
        size="see the table",
        meaning=f"Output at {listed(near)} pixels differs from 256 on both sets by less than two SD of a change "
        f"of seed."
        if near
        else "Every size differs by more than two SD of a change of seed.",
        status="cannot be recomputed",
        consequence="recipe",
        table=tuple(lines),
    )
