"""Whether the numbers that FP-LIIF's paper prints fit each other: means, repetitions, differences."""

import decimal
from collections.abc import Iterator

from fpliif_jax.experiments.audit.finding import (
    Finding,
    Tables,
    exact_mean,
    label,
    rounded,
    truncated,
)
from fpliif_jax.experiments.audit.scores import (
    CELEBAMASK_HQ,
    LAPA,
    OURS,
    TABLES,
    class_scores,
    mean_f1,
)
from fpliif_jax.experiments.audit.sentences import describe


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about numbers that the paper says twice."""
    for source in (*TABLES.values(), "FP-LIIF Fig. 9"):
        yield _class_means(tables, source)
    yield _repeated_scores(tables)
    yield _differences_in_words(tables)


def _class_means(tables: Tables, source: str) -> Finding:
    same, cut, off = 0, [], []
    largest = decimal.Decimal(0)
    allowed = True
    for (system, protocol), row in tables.rows(source).items():
        printed = row.total
        mean, shown = exact_mean(class_scores(row)), decimal.Decimal(printed.printed)
        if rounded(mean, printed.decimals) == shown:
            same += 1
            continue
        way = cut if truncated(mean, printed.decimals) == shown else off
        way.append((label(system, protocol), mean, shown))
        largest = max(largest, abs(mean - shown))
        # A mean of rounded classes is known to half their last digit, and is rounded itself.
        digits = (max(v.decimals for v in class_scores(row)), printed.decimals)
        allowed &= abs(mean - shown) <= sum(decimal.Decimal(5).scaleb(-d - 1) for d in digits)
    table = source.removeprefix("FP-LIIF ").lower().replace(".", "").replace(" ", "-")
    return describe(
        f"fp-liif-means-{table}",
        "print",
        "agrees" if not largest else "rounding" if allowed else "contradiction",
        section="fp-liif-means",
        source=source,
        same=same,
        cut=cut,
        off=off,
        largest=largest,
        allowed=allowed,
    )


def _repeated_scores(tables: Tables) -> Finding:
    places = [
        ("Table 1", mean_f1(tables, LAPA, *OURS)),
        ("Fig. 9", mean_f1(tables, "FP-LIIF Fig. 9", *OURS)),
        ("Table 5, λ = 40", mean_f1(tables, "FP-LIIF Table 5", OURS[0], "lambda=40")),
        ("§5.1", mean_f1(tables, "FP-LIIF §5.1", *OURS)),
        ("§5.1, instance norm", mean_f1(tables, "FP-LIIF §5.1", OURS[0], "instance_norm")),
    ]
    digits = min(value.decimals for _, value in places)
    same = len({rounded(decimal.Decimal(v.printed), digits) for _, v in places}) == 1
    values = [value.value for _, value in places]
    classes = tables.row("FP-LIIF Fig. 9", *OURS)
    copied = all(
        tables.row(LAPA, *OURS)[name].value == value.value for name, value in classes.items()
    )
    spread = max(values) - min(values)
    return describe(
        "fp-liif-lapa-repeated",
        "print",
        "contradiction" if not (same and copied) else "rounding" if spread else "agrees",
        places=places,
        same=same,
        copied=copied,
        digits=digits,
        spread=spread,
    )


def _differences_in_words(tables: Tables) -> Finding:
    lead = (
        mean_f1(tables, CELEBAMASK_HQ, "FP-LIIF", "512").value
        - mean_f1(tables, CELEBAMASK_HQ, "DML-CSR", "").value
    )
    said = tables.one(source="FP-LIIF §5", metric="mean_f1_difference").value
    lapa = mean_f1(tables, LAPA, "FP-LIIF", "512").value
    rival = tables.one(source="FP-LIIF §5", dataset="lapa", metric="mean_f1").value
    city = tables.one(source="FP-LIIF §5.3", system="FP-LIIF", metric="miou").value
    best = tables.one(source="FP-LIIF §5.3", system="state of the art", metric="miou").value
    least = tables.one(source="FP-LIIF §5.3", metric="miou_difference").value
    fits = round(lead, 2) == said and lapa >= rival and best - city > least
    return describe(
        "fp-liif-differences",
        "print",
        "agrees" if fits else "contradiction",
        said=said,
        rival=rival,
        least=least,
        lead=lead,
        lapa=lapa,
        city=best - city,
        fits=fits,
    )
