"""The report's terms in plain words."""

from collections.abc import Sequence

from fpliif_jax.experiments.stats.seed_statistics import FEWEST_RUNS


def terms(
    margins: Sequence[float], has_interval_over_seeds: bool = True
) -> tuple[tuple[str, str], ...]:
    """(term, explanation) in the order in which a reader meets them.

    Args:
      margins: of equivalence, in F1 points, ascending.
      has_interval_over_seeds: whether any score is of enough seeds for an interval of their mean.
    """
    points = f"{' or '.join(f'{margin:g}' for margin in margins)} F1 points"
    whose = ", of each row its runs' own," if len(margins) > 1 else ""
    none = "" if has_interval_over_seeds else ": no score here has as many, and so none has it"
    return (
        (
            "seed",
            "One complete training from scratch. A seed changes the initial weights, the order of the images "
            "and their augmentation, unless a setting fixes one of these. Every seed that was run is shown; "
            "none is chosen.",
        ),
        (
            "mean ± SD, n",
            "Mean over the seeds and their standard deviation (with n − 1 in the denominator), which tells how "
            "much a single training varies. It is not the uncertainty of the mean: that is the interval.",
        ),
        (
            "95 % interval of the mean",
            "Student's t-interval over seeds: where the mean of very many seeds would lie. It takes the seeds' "
            "scores for roughly normal. The bootstrap interval makes no such assumption, but with few seeds it "
            f"is too narrow. Both, and the prediction interval, need {FEWEST_RUNS} seeds{none}.",
        ),
        (
            "interval over test images",
            "Seeds are one source of variation, the choice of test images is another. Here the test images are "
            "drawn again and again with replacement, and the score is recomputed. A gain smaller than this "
            "interval may not hold on other faces.",
        ),
        (
            "prediction interval",
            "Where the score of one more run would fall with 95 % probability: mean ± t · SD · √(1 + 1/n). A "
            "single published number is itself one run, so this is what it is held against. More runs of ours do "
            "not narrow it below 1.96 SD.",
        ),
        (
            "margin",
            f"Differences below {points} are taken for practically the same. The margin{whose} was fixed in the config "
            "before anything was run.",
        ),
        (
            "reproduced",
            "The difference from the published number is shown to be smaller than the margin (two one-sided "
            "tests at 5 %), and the published number is what such runs give: it lies in the prediction interval, "
            "or, where the paper gives a standard deviation, Welch's test finds no difference.",
        ),
        (
            "reproduced within margin",
            "The difference is shown to be smaller than the margin, but there is one.",
        ),
        (
            "not reproduced",
            "The whole 95 % interval of the difference lies outside the margin, and the published number is not "
            "what such runs give: it lies outside their prediction interval too. If it comes from runs like ours, "
            "this word is given in at most 5 % of rows; for all classes of a row together likewise, by Holm's "
            "correction.",
        ),
        (
            "inconclusive",
            "The runs can show neither: there are too few (below three, or below five with one and the same "
            "value), or they vary too much for this margin, or the published run alone is known too badly.",
        ),
        (
            "not comparable",
            "Other data, an incomplete set or another protocol. The numbers are shown, but no verdict is given; "
            "the reasons stand beside them.",
        ),
        (
            "p, Holm's p, p of equivalence",
            "p is the probability of a difference at least as large if there were none. Where several "
            "comparisons are made, Holm's p allows for their number. The p of equivalence is that of two "
            "one-sided tests against the margin: if it is small, the two are practically the same. A large p "
            "alone never shows that.",
        ),
        (
            "deviation",
            "A setting that differs from the paper's. A reading settles what the paper leaves open or "
            "contradicts itself about; a scale makes the experiment smaller than the paper's.",
        ),
        (
            "digest",
            "SHA-256 of all ids, or of all label maps with their ids and sizes, of a split. Where two studies have "
            "the same digest, they rest on the same labels of the same faces, however their files are compressed; "
            "photographs are not part of it. No digest of an official set is published, so that a set with the "
            "official counts is not known to be the official one.",
        ),
        (
            "row, such as 48 → 64",
            "The model is asked for labels on a grid of 48 × 48 and scored at 64 × 64. A single number means "
            "that both are the same.",
        ),
        (
            "per-image F1",
            "Mean F1 over the classes of one image. The gallery is ranked by it; nothing in it is picked by "
            "hand.",
        ),
    )
