"""What FP-LIIF's paper says about its scores, recomputed from its own tables."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.experiments.audit.finding import (
    SET_NAMES,
    Finding,
    Row,
    Tables,
    exact_mean,
    label,
)
from fpliif_jax.experiments.audit.sentences import describe
from fpliif_jax.experiments.published import PublishedValue

OURS = ("FP-LIIF", "256")
LAPA, CELEBAMASK_HQ = "FP-LIIF Table 1", "FP-LIIF Table 2"
TABLES = {"lapa": LAPA, "celebamask_hq": CELEBAMASK_HQ}


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about FP-LIIF's scores."""
    yield _mean_iou(tables)
    yield _tie(tables)
    yield _best_classes(tables)
    yield _marginal_gap(tables)
    yield _helen(tables)
    yield _sfnet(tables)
    yield _mouth(tables)


def mean_f1(tables: Tables, source: str, system: str, protocol: str) -> PublishedValue:
    """The mean F1 of a line of a table."""
    return tables.one(source=source, system=system, protocol=protocol, metric="mean_f1")


def best_rival(tables: Tables, source: str) -> PublishedValue:
    """The highest mean F1 of another system than FP-LIIF."""
    rivals = [v for v in tables.all(source=source, metric="mean_f1") if v.system != OURS[0]]
    return max(rivals, key=lambda value: value.value)


def runs(tables: Tables, dataset: str) -> tuple[PublishedValue, PublishedValue]:
    """Mean and SD over FP-LIIF's runs (Table 7)."""
    mean, sd = tables.exactly(2, source="FP-LIIF Table 7", dataset=dataset)
    return mean, sd


def class_scores(row: Row) -> list[PublishedValue]:
    return [value for value in row.values() if value.metric == "f1"]


def _mean_iou(tables: Tables) -> Finding:
    lines: list[tuple[str, ...]] = [("set", "FP-LIIF", "DML-CSR", "difference", "known to")]
    behind, undecided = [], 0
    for dataset, source in TABLES.items():
        scores, doubt = [], 0.0
        for system, protocol in (OURS, ("DML-CSR", "")):
            f1 = np.array([v.value for v in class_scores(tables.row(source, system, protocol))])
            scores.append(float(np.mean(100 * f1 / (200 - f1))))
            # A class is known to half of its last digit.
            doubt += float(np.mean(0.05 * 2e4 / (200 - f1) ** 2))
        difference = scores[0] - scores[1]
        if difference <= 0:
            behind.append((SET_NAMES[dataset], -difference))
        undecided += abs(difference) <= doubt
        numbers = [f"{score:.2f}" for score in scores]
        lines.append((SET_NAMES[dataset], *numbers, f"{difference:+.3f}", f"±{doubt:.2f}"))
    printed = [v for v in tables.all(metric="miou") if v.dataset in SET_NAMES]
    return describe(
        "fp-liif-miou",
        "main result",
        "doubt" if not printed or behind else "agrees",
        table=lines,
        printed=len(printed),
        behind=behind,
        undecided=undecided,
        sets=len(TABLES),
    )


def _tie(tables: Tables) -> Finding:
    rival = best_rival(tables, CELEBAMASK_HQ)
    ours = tables.row(CELEBAMASK_HQ, *OURS)
    own = exact_mean(class_scores(ours))
    other = exact_mean(class_scores(tables.row(CELEBAMASK_HQ, rival.system, rival.protocol)))
    better = own > other and ours.total.value > rival.value
    return describe(
        "fp-liif-tie",
        "main result",
        "agrees" if better else "contradiction",
        ours=ours.total,
        rival=rival,
        own=own,
        other=other,
        larger=mean_f1(tables, CELEBAMASK_HQ, "FP-LIIF", "512"),
        better=better,
    )


# §5: where FP-LIIF "performs better".
_SAID_BEST = {
    "lapa": ("left_eye", "right_eye", "left_brow", "right_brow", "skin"),
    "celebamask_hq": ("skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip", "hair", "neck_l", "neck",
                      "cloth"),
}  # fmt: skip


def _best_classes(tables: Tables) -> Finding:
    lines, worse, ties, total = [("set", "class", "FP-LIIF", "best rival", "difference")], 0, 0, 0
    for dataset, classes in _SAID_BEST.items():
        rows = tables.rows(TABLES[dataset])
        for name in classes:
            own = rows[OURS][name]
            rival_system, rival = max(
                ((s, row[name]) for (s, _), row in rows.items() if s != OURS[0]),
                key=lambda pair: pair[1].value,
            )
            total += 1
            if own.value > rival.value:
                continue
            worse += own.value < rival.value
            ties += own.value == rival.value
            cells = (own.printed, f"{rival.printed} ({rival_system})")
            lines.append((SET_NAMES[dataset], name, *cells, f"{own.value - rival.value:+.1f}"))
    return describe(
        "fp-liif-best-classes",
        "claim",
        "contradiction" if worse else "doubt" if ties else "agrees",
        table=lines if worse + ties else (),
        said=_SAID_BEST,
        total=total,
        worse=worse,
        ties=ties,
    )


def _marginal_gap(tables: Tables) -> Finding:
    gaps = []
    for dataset, source in TABLES.items():
        rows = tables.rows(source)
        for own in class_scores(rows[OURS]):
            best = max(row[own.class_name].value for row in rows.values())
            gaps.append((best - own.value, dataset, own.class_name))
    largest = sorted(gaps, reverse=True)[:3]
    gap, dataset, _ = largest[0]
    sd, number = runs(tables, dataset)[1], len(class_scores(tables.row(TABLES[dataset], *OURS)))
    of_one = sd.value * number**0.5
    large = gap > 2 * 2**0.5 * of_one  # two SD of a difference of two runs
    return describe(
        "fp-liif-marginal-gap",
        "claim",
        "doubt" if large else "agrees",
        largest=[(g, SET_NAMES[d], class_title(name)) for g, d, name in largest],
        number_of_classes=number,
        set=SET_NAMES[dataset],
        sd=sd,
        of_one=of_one,
        gap=gap,
        large=large,
    )


def _helen(tables: Tables) -> Finding:
    rows = tables.rows("FP-LIIF Table 3")
    own = rows[OURS]
    best = max(row.total.value for row in rows.values())
    last = [name for name in own if own[name].value == min(r[name].value for r in rows.values())]
    gap = best - own.total.value
    sd = runs(tables, "helen")[1].value
    far = gap > 10 * sd
    return describe(
        "fp-liif-helen",
        "claim",
        "doubt" if far else "agrees",
        own=own.total,
        best=best,
        columns=len(own),
        last=len(last),
        gap=gap,
        sd=sd,
        far=far,
    )


def _sfnet(tables: Tables) -> Finding:
    rows = tables.rows(LAPA)
    names = [value.class_name for value in class_scores(rows[OURS])]

    def profile(row: Row) -> list[float]:
        return [row[name].value for name in names]

    sfnet = tables.row("FP-LIIF Fig. 9", "SFNet", "")
    rivals = [row for (system, _), row in rows.items() if system != OURS[0]]
    agreement = [stats.spearmanr(profile(a), profile(b))[0] for a in rivals for b in rivals]
    own = [stats.spearmanr(profile(sfnet), profile(row))[0] for row in rivals]
    lead = {n: sfnet[n].value - max(row[n].value for row in rows.values()) for n in names}
    strange = max(own) < min(agreement)
    return describe(
        "fp-liif-sfnet",
        "print",
        "doubt" if strange else "agrees",
        ahead=[(name, gap) for name, gap in lead.items() if gap > 0],
        behind=[(name, gap) for name, gap in lead.items() if gap < -10],
        own=own,
        least=min(agreement),
        strange=strange,
    )


def _mouth(tables: Tables) -> Finding:
    above = []
    for (system, protocol), row in tables.rows("FP-LIIF Table 3").items():
        best = max(row[name].value for name in ("upper_lip", "inner_mouth", "lower_lip"))
        above.append((label(system, protocol), row["mouth"].value - best))
    union = all(gap > 0 for _, gap in above)
    status = "agrees" if union else "contradiction"
    return describe("fp-liif-mouth", "recipe", status, above=above, union=union)
