"""What FP-LIIF's paper says about its scores, recomputed from its own tables."""

import decimal
from collections.abc import Iterator

import numpy as np
from scipy import stats

from fpliif_jax.experiments.audit.finding import (
    SET_NAMES,
    Finding,
    Tables,
    exact_mean,
    label,
    listed,
    rounded,
    truncated,
)
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.pictures import PART_OF_ALIAS

OURS = ("FP-LIIF", "256")
TABLES = {"lapa": "FP-LIIF Table 1", "celebamask_hq": "FP-LIIF Table 2"}


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about FP-LIIF's scores."""
    yield _mean_iou(tables)
    yield _tie(tables)
    yield _best_classes(tables)
    yield _marginal_gap(tables)
    yield _helen(tables)
    yield _sfnet(tables)
    for source in (*TABLES.values(), "FP-LIIF Fig. 9"):
        yield _class_means(tables, source)
    yield _repeated_scores(tables)
    yield _differences_in_words(tables)
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


# ----------------------------------------------------------------------------------------- classes


def _classes(row: dict[str, PublishedValue]) -> list[PublishedValue]:
    return [value for value in row.values() if value.metric == "f1"]


def _mean_iou(tables: Tables) -> Finding:
    lines = [("set", "FP-LIIF", "DML-CSR", "difference", "known to")]
    behind, undecided = [], 0
    for dataset, source in TABLES.items():
        scores, doubt = {}, 0.0
        for system, protocol in (OURS, ("DML-CSR", "")):
            f1 = np.array([v.value for v in _classes(tables.row(source, system, protocol))])
            scores[system] = float(np.mean(100 * f1 / (200 - f1)))
            # A class is known to half of its last digit.
            doubt += float(np.mean(0.05 * 2e4 / (200 - f1) ** 2))
        difference = scores["FP-LIIF"] - scores["DML-CSR"]
        if difference <= 0:
            behind.append(f"on {SET_NAMES[dataset]} DML-CSR's comes out {-difference:.3f} higher")
        undecided += abs(difference) <= doubt
        numbers = [f"{score:.2f}" for score in scores.values()]
        lines.append((SET_NAMES[dataset], *numbers, f"{difference:+.3f}", f"±{doubt:.2f}"))
    printed = [v for v in tables.all(metric="miou") if v.dataset in SET_NAMES]
    return Finding(
        id="fp-liif-miou",
        title="State of the art in mean IoU",
        says="State-of-the-art IoU on CelebAMask-HQ and LaPa (§1); “outperforms them on mean-F1 and mean-IoU” "
        "(§6); "
        "§4.3 announces mIoU for the comparison with DML-CSR.",
        recomputed=f"The paper prints {len(printed) or 'no'} mIoU of a face set. A class's IoU follows from its F1, "
        "F1 / (2 − F1) where both are of the pixels of all images, so Tables 1 and 2 give the means over classes "
        "without background, as exactly as their digits allow.",
        size=f"{len(printed)} of the 4 values behind the claim are printed"
        + (f"; {listed(behind)}" if behind else ""),
        meaning="The lead in mIoU is claimed but shown nowhere"
        + (
            f"; by the paper's own class scores it is undecided on {undecided} of {len(TABLES)} sets, the "
            "differences being smaller than the digits can tell."
            if undecided
            else "."
        ),
        status="doubt" if not printed or behind else "agrees",
        consequence="main result",
        table=tuple(lines),
    )


def _tie(tables: Tables) -> Finding:
    source = TABLES["celebamask_hq"]
    rival = best_rival(tables, source)
    ours = tables.row(source, *OURS)
    own = exact_mean(_classes(ours))
    other = exact_mean(_classes(tables.row(source, rival.system, rival.protocol)))
    better = own > other and ours["mean"].value > rival.value
    return Finding(
        id="fp-liif-tie",
        title="FP-LIIF against its best rival on CelebAMask-HQ",
        says=f"“Performs better than the baselines on CelebA in terms of mean-F1” (§5); Table 2 prints "
        f"{ours['mean'].printed} for FP-LIIF and {rival.printed} for {rival.system}.",
        recomputed=f"The printed classes average {own:.4f} for FP-LIIF and {other:.4f} for {rival.system}; rounded, "
        f"{rounded(own, 2)} and {rounded(other, 2)}. Classes are printed to .1, so each of these means is known to "
        f".05. At 512² Table 2 prints {mean_f1(tables, source, 'FP-LIIF', '512').printed}.",
        size=f"{own - other:+.4f} points",
        meaning="FP-LIIF leads."
        if better
        else f"At 256² FP-LIIF does not lead {rival.system}"
        + (": Table 2 prints a tie" if ours["mean"].value == rival.value else "")
        + ". Nor is it behind: the difference of the classes is smaller than their digits can tell.",
        status="agrees" if better else "contradiction",
        consequence="main result",
    )


# §5: where FP-LIIF "performs better".
_SAID_BEST = {
    "lapa": ("left_eye", "right_eye", "left_brow", "right_brow", "skin"),
    "celebamask_hq": (
        "skin",
        "nose",
        "l_eye",
        "r_eye",
        "u_lip",
        "l_lip",
        "hair",
        "neck_l",
        "neck",
        "cloth",
    ),
}


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
            lines.append(
                (
                    SET_NAMES[dataset],
                    name,
                    own.printed,
                    f"{rival.printed} ({rival_system})",
                    f"{own.value - rival.value:+.1f}",
                )
            )
    return Finding(
        id="fp-liif-best-classes",
        title="Classes in which FP-LIIF is said to be best",
        says=f"§5 names {len(_SAID_BEST['lapa'])} classes of LaPa and {len(_SAID_BEST['celebamask_hq'])} of "
        "CelebAMask-HQ in which FP-LIIF performs better than the baselines.",
        recomputed=f"Tables 1 and 2, at 256²: of these {total}, FP-LIIF is behind in {worse} and level in {ties}.",
        size=f"{worse + ties} of {total} classes",
        meaning="Some of the classes said to be FP-LIIF's best are another system's, or shared."
        if worse + ties
        else "It leads in all of them.",
        status="contradiction" if worse else "doubt" if ties else "agrees",
        consequence="claim",
        table=tuple(lines) if worse + ties else (),
    )


def _marginal_gap(tables: Tables) -> Finding:
    gaps = []
    for dataset, source in TABLES.items():
        rows = tables.rows(source)
        for own in _classes(rows[OURS]):
            best = max(row[own.class_name].value for row in rows.values())
            gaps.append((best - own.value, dataset, own.class_name))
    largest = sorted(gaps, reverse=True)[:3]
    gap, dataset, name = largest[0]
    sd, number = runs(tables, dataset)[1], len(_classes(tables.row(TABLES[dataset], *OURS)))
    of_one = sd.value * number**0.5
    large = gap > 2 * 2**0.5 * of_one  # two SD of a difference of two runs
    return Finding(
        id="fp-liif-marginal-gap",
        title="How far FP-LIIF is behind in its worst classes",
        says="“The gap between the best classwise scores and FP-LIIF's classwise scores is marginal” (§6.1).",
        recomputed="Largest gaps in Tables 1 and 2: "
        + listed(
            f"{g:.1f} ({PART_OF_ALIAS.get(c, c).replace('_', ' ')} of {SET_NAMES[d]})"
            for g, d, c in largest
        )
        + f". No spread of a class is published. Were the {number} classes of {SET_NAMES[dataset]} alike and "
        f"independent, the SD of {sd.printed} of their mean (Table 7) would make {of_one:.2f} of one; a rare class "
        "has more.",
        size=f"{gap:.1f} points",
        meaning="“Marginal” is no number, but in a few classes FP-LIIF is points behind; the same paragraph names hat "
        "and earrings, and has too few examples for the reason."
        if large
        else "The gaps are small.",
        status="doubt" if large else "agrees",
        consequence="claim",
    )


def _helen(tables: Tables) -> Finding:
    rows = tables.rows("FP-LIIF Table 3")
    own = rows[OURS]
    best = max(row["overall"].value for row in rows.values())
    last = [name for name in own if own[name].value == min(r[name].value for r in rows.values())]
    gap = best - own["overall"].value
    sd = runs(tables, "helen")[1].value
    far = gap > 10 * sd
    return Finding(
        id="fp-liif-helen",
        title="Helen: “comparable to SOTA”",
        says="“Our results … are comparable to SOTA” (caption of Table 3), “close to SOTA” (§5).",
        recomputed=f"Overall {own['overall'].printed} against {best:g}; of the {len(own)} columns FP-LIIF is the "
        f"last "
        f"of three in {len(last)}.",
        size=f"{-gap:+.1f} points, {gap / sd:.0f} times Table 7's SD",
        meaning="“Comparable” is no number, and the faces were not aligned (§5); but on Helen FP-LIIF is clearly "
        f"behind, in the whole and in {len(last) - 1} of {len(own) - 1} parts."
        if far
        else "The difference is small.",
        status="doubt" if far else "agrees",
        consequence="claim",
    )


def _sfnet(tables: Tables) -> Finding:
    rows = tables.rows(TABLES["lapa"])
    names = [value.class_name for value in _classes(rows[OURS])]

    def profile(row: dict[str, PublishedValue]) -> list[float]:
        return [row[name].value for name in names]

    sfnet = tables.row("FP-LIIF Fig. 9", "SFNet", "")
    rivals = [row for (system, _), row in rows.items() if system != OURS[0]]
    agreement = [stats.spearmanr(profile(a), profile(b))[0] for a in rivals for b in rivals]
    own = [stats.spearmanr(profile(sfnet), profile(row))[0] for row in rivals]
    lead = {n: sfnet[n].value - max(row[n].value for row in rows.values()) for n in names}
    ahead = [f"{name} {gap:+.1f}" for name, gap in lead.items() if gap > 0]
    behind = [f"{name} {gap:+.1f}" for name, gap in lead.items() if gap < -10]
    strange = max(own) < min(agreement)
    return Finding(
        id="fp-liif-sfnet",
        title="Columns of SFNet in Fig. 9",
        says="SFNet's F1 by class on LaPa (Fig. 9).",
        recomputed=f"Against the best of Table 1: {listed(ahead)}; {listed(behind)}. Rank correlation of its "
        f"classes with the rivals' of Table 1: {min(own):.2f} to {max(own):.2f}; among the rivals "
        f"{min(agreement):.2f} or more.",
        size=f"rank correlation {max(own):.2f} instead of {min(agreement):.2f}",
        meaning="SFNet's scores seem to stand under the wrong classes; their mean is the same, unless one of "
        "them is "
        "the background's."
        if strange
        else "SFNet finds the same classes hard as the others.",
        status="doubt" if strange else "agrees",
        consequence="print",
    )


# ----------------------------------------------------------------------------------------- numbers


def _class_means(tables: Tables, source: str) -> Finding:
    ways: dict[str, list[str]] = {"rounded": [], "cut": [], "off": []}
    largest = decimal.Decimal(0)
    allowed = True
    for (system, protocol), row in tables.rows(source).items():
        printed = row["mean"]
        mean, shown = exact_mean(_classes(row)), decimal.Decimal(printed.printed)
        name = label(system, protocol)
        if rounded(mean, printed.decimals) == shown:
            ways["rounded"].append(name)
            continue
        ways["cut" if truncated(mean, printed.decimals) == shown else "off"].append(
            f"{name} {mean:.3f}, printed {shown}"
        )
        largest = max(largest, abs(mean - shown), key=abs)
        # A mean of rounded classes is known to half their last digit, and is rounded itself.
        digit = max(v.decimals for v in _classes(row))
        allowed &= abs(mean - shown) <= decimal.Decimal(5).scaleb(-digit - 1) + decimal.Decimal(
            5
        ).scaleb(-printed.decimals - 1)
    total = sum(map(len, ways.values()))
    said = [f"{len(ways['rounded'])} of {total} means are the rounded means of the printed classes"]
    if ways["cut"]:
        said.append(f"{len(ways['cut'])} are cut after two digits ({'; '.join(ways['cut'])})")
    if ways["off"]:
        said.append(f"{len(ways['off'])} neither ({'; '.join(ways['off'])})")
    status = "agrees" if not largest else "rounding" if allowed else "contradiction"
    return Finding(
        id="fp-liif-means-"
        + source.removeprefix("FP-LIIF ").lower().replace(".", "").replace(" ", "-"),
        title=f"Means over classes in {source.removeprefix('FP-LIIF ')}",
        says=f"Class F1 and their mean ({source}).",
        recomputed="; ".join(said) + ".",
        size=f"{largest:.3f} points at most",
        meaning={
            "agrees": "The means are those of their classes.",
            "rounding": "The means are those of their classes but for a last digit.",
            "contradiction": "A mean cannot come from its classes.",
        }[status],
        status=status,
        consequence="print",
    )


def _repeated_scores(tables: Tables) -> Finding:
    wanted = [
        ("Table 1", mean_f1(tables, TABLES["lapa"], *OURS)),
        ("Fig. 9", mean_f1(tables, "FP-LIIF Fig. 9", *OURS)),
        ("Table 5, λ = 40", mean_f1(tables, "FP-LIIF Table 5", OURS[0], "lambda=40")),
        ("§5.1", mean_f1(tables, "FP-LIIF §5.1", *OURS)),
        ("§5.1, instance norm", mean_f1(tables, "FP-LIIF §5.1", OURS[0], "instance_norm")),
    ]
    digits = min(value.decimals for _, value in wanted)
    same = len({rounded(decimal.Decimal(v.printed), digits) for _, v in wanted}) == 1
    values = [value.value for _, value in wanted]
    classes = tables.row("FP-LIIF Fig. 9", *OURS)
    copied = all(
        tables.row(TABLES["lapa"], *OURS)[name].value == value.value
        for name, value in classes.items()
    )
    return Finding(
        id="fp-liif-lapa-repeated",
        title="The same LaPa score in several places",
        says="; ".join(f"{value.printed} ({place})" for place, value in wanted) + ".",
        recomputed=f"They are {'' if same else 'not '}the same to {digits} digit behind the point; the classes of "
        f"Fig. 9 are {'' if copied else 'not '}those of Table 1.",
        size=f"{max(values) - min(values):.2f} points",
        meaning="All ablations start from the run of Table 1."
        if same and copied
        else "The ablations do not start from the run of Table 1.",
        status="agrees"
        if same and copied and max(values) == min(values)
        else "rounding"
        if same and copied
        else "contradiction",
        consequence="print",
    )


def _differences_in_words(tables: Tables) -> Finding:
    source = TABLES["celebamask_hq"]
    lead = (
        mean_f1(tables, source, "FP-LIIF", "512").value
        - mean_f1(tables, source, "DML-CSR", "").value
    )
    said = tables.one(source="FP-LIIF §5", metric="mean_f1_difference").value
    lapa = mean_f1(tables, TABLES["lapa"], "FP-LIIF", "512").value
    rival = tables.one(source="FP-LIIF §5", dataset="lapa", metric="mean_f1").value
    city = tables.one(source="FP-LIIF §5.3", system="FP-LIIF", metric="miou").value
    best = tables.one(source="FP-LIIF §5.3", system="state of the art", metric="miou").value
    least = tables.one(source="FP-LIIF §5.3", metric="miou_difference").value
    fits = round(lead, 2) == said and lapa >= rival and best - city > least
    return Finding(
        id="fp-liif-differences",
        title="Differences told in words",
        says=f"At 512² {said} above DML-CSR on CelebAMask-HQ, and on LaPa still its {rival} (§5); on Cityscapes "
        f"{least:g}+ below the state of the art (§5.3).",
        recomputed=f"{lead:+.2f}; {lapa:.2f} against {rival}; {best - city:.1f}.",
        size="none" if fits else f"{lead - said:+.2f} / {lapa - rival:+.2f} points",
        meaning="The text repeats its tables correctly."
        if fits
        else "The text does not repeat its tables.",
        status="agrees" if fits else "contradiction",
        consequence="print",
    )


def _mouth(tables: Tables) -> Finding:
    above = []
    for (system, protocol), row in tables.rows("FP-LIIF Table 3").items():
        best = max(row[name].value for name in ("upper_lip", "inner_mouth", "lower_lip"))
        above.append((label(system, protocol), row["mouth"].value - best))
    union = all(gap > 0 for _, gap in above)
    return Finding(
        id="fp-liif-mouth",
        title="Whether Helen's “mouth” is a mean or a union",
        says="A column “mouth” beside both lips and the inner mouth (Table 3), not explained.",
        recomputed="The mouth is above the best of its three labels by "
        + listed(f"{gap:.1f} ({name})" for name, gap in above)
        + ".",
        size="not a difference",
        meaning="No mean can be above its parts: the mouth is scored as the union of three labels, confusion among "
        "them being correct; so it is here."
        if union
        else "It may be a mean.",
        status="agrees" if union else "contradiction",
        consequence="recipe",
    )
