"""The rule of the verdicts, on arrays: what `verdicts.verdict` decides by, and what its simulation runs.

Let d be the mean of our runs minus the published value, in F1 points. The margin is the difference that counts as none,
fixed in the config before the runs are made (config.study.equivalence_margin). In this order:

1. 'not comparable': the caller gives a reason (other data, another protocol, a set that is not complete).
2. 'inconclusive': there are fewer than three runs, or fewer than five that all have one value: how much runs differ is
   not known. Identical values are copies of a run, or rounded, sooner than luck.
3. The 90 % interval of d lies inside (−margin, margin), which is what two one-sided tests at 5 % ask:
   'reproduced' if the published number is also what such runs give: it lies in the 95 % prediction interval of one more
   run; or, where the paper gives a mean and an SD, Welch's test finds no difference (p ≥ 0.05);
   'reproduced within margin' if not: there is a difference, too small to matter.
4. 'not reproduced': two tests at 5 % agree.
   The mean of such runs is not within the margin of the published value: the 95 % interval of d lies outside
   [−margin, margin].
   The published value is no further run like ours: it lies outside their 95 % prediction interval. For it is a draw as
   well. Were it taken as exact, a value from the very distribution of our runs would be 'not reproduced' in 25 % of
   cases at SD 1 and n = 10 (margin 0.5), and the more often the more runs we make.
5. 'inconclusive': all else. The runs can show neither.

The interval of d is that of a one-sample t-test; where the paper gives an SD over n runs, that of Welch. What was
published is taken for one run, or for the mean of the n runs that the paper gives. A published SD of 0 says nothing of
how much runs differ, as in rule 2: the value is then taken for one run, without SD. Where the paper gives an SD but no
n, the verdict is made for n = 3, 5 and 10: it is their common word, the weaker one where all are within the margin, or
else 'inconclusive'; for 'not reproduced' the published value is taken for the mean of two runs, the fewest that have an
SD.

Verdicts that are read together (the classes of one row of a table) are one family: 'not reproduced' then asks for
Holm's p below 0.05 over all of the family. If all published values are further runs like ours, even one such word comes
in at most 5 % of families, however their members depend on each other.

So 'not reproduced' errs in at most 5 % of rows whose published runs are like ours, at any SD and n. It says that there
is a difference, and that our mean is beyond the margin from the published number; not that the paper's own mean, which
one run does not show, is. 'Reproduced' speaks of the published number too: it errs in at most 5 % if the mean of runs
like ours is further from that number than the margin.
"""

import dataclasses
import enum

import numpy as np
import scipy.stats

from fpliif_jax.experiments.stats import holm, mean_tests, run_values, seed_statistics


class Verdict(enum.StrEnum):
    """The word for a published number."""

    REPRODUCED = "reproduced"
    WITHIN_MARGIN = "reproduced within margin"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"


LEVEL = 0.05  # of every test, and of a family together
FEWEST_EQUAL_RUNS = 5
_FEWEST_WITH_SD = 2

# Every array of a call has the same shape, or one that broadcasts to it.
Numbers = np.ndarray | float


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What runs say of a published number whose kind is known; arrays of one shape, in F1 points.

    Attributes:
      difference: mean − published.
      low_90, high_90, low_95, high_95: intervals of the difference.
      prediction_low, prediction_high: 95 % interval of one more run like ours, or of the mean of as many as the
        published value is of.
      p: two-sided, of "there is no difference": of Welch's test, or of the one-sample t-test.
      p_equivalence: of the two one-sided tests.
      p_new_run: two-sided, of "the published value is one more run like ours", or the mean of several.
      p_not_reproduced: of both tests that 'not reproduced' asks for: the larger.
      word: by the rules 3 to 5, of this number alone.
    """

    difference: np.ndarray
    low_90: np.ndarray
    high_90: np.ndarray
    low_95: np.ndarray
    high_95: np.ndarray
    prediction_low: np.ndarray
    prediction_high: np.ndarray
    p: np.ndarray
    p_equivalence: np.ndarray
    p_new_run: np.ndarray
    p_not_reproduced: np.ndarray
    word: np.ndarray


@dataclasses.dataclass(frozen=True)
class Decision:
    """A word for each published number, and its evidence for each number of runs that the published SD may be of.

    Attributes:
      word: of Verdict, as text, by the rules 3 to 5, of each number alone.
      p_not_reproduced: what a family adjusts: below LEVEL if and only if the word is 'not reproduced'.
      evidence: by number of published runs; a single entry, of key None, where that is known or there is no SD.
    """

    word: np.ndarray
    p_not_reproduced: np.ndarray
    evidence: dict[int | None, Evidence]


def can_judge(n: int, sd: float) -> bool:
    """Rule 2: whether runs of this number and SD show how much runs differ."""
    return n >= (seed_statistics.FEWEST_RUNS if sd > 0 else FEWEST_EQUAL_RUNS)


def decide(
    mean: Numbers,
    sd: Numbers,
    n: Numbers,
    published: Numbers,
    margin: float,
    published_sd: Numbers | None = None,
    published_n: int | None = None,
) -> Decision:
    """Words for runs that can be judged.

    Args:
      mean, sd, n: of our runs, SD with ddof = 1.
      published: what was published.
      margin: in points, above 0.
      published_sd: at least 0; all 0 is as None, of one run.
      published_n: how many runs were published.
    """
    if published_sd is None or not np.any(published_sd):
        runs = published_n if published_sd is None and published_n else 1
        error, df = sd / np.sqrt(n), np.subtract(n, 1)
        evidence = _evidence((mean, sd, n), published, margin, (error, df), runs, is_mean=False)
    elif published_n is not None:
        evidence = _against_mean((mean, sd, n), published, margin, published_sd, published_n)
    else:
        return _for_unknown_n((mean, sd, n), published, margin, published_sd)
    return Decision(evidence.word, evidence.p_not_reproduced, {None: evidence})


def as_family(word: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words and Holm's p of families along the last axis.

    Args:
      word: of the members by themselves.
      p: their p_not_reproduced; NaN: not tested.
    """
    p_family = holm.holm_last_axis(p)
    is_lost = (word == Verdict.NOT_REPRODUCED) & ~(p_family < LEVEL)
    return np.where(is_lost, Verdict.INCONCLUSIVE, word), p_family


def _for_unknown_n(
    runs: tuple[Numbers, Numbers, Numbers],
    published: Numbers,
    margin: float,
    published_sd: Numbers,
) -> Decision:
    each: dict[int | None, Evidence] = {
        n: _against_mean(runs, published, margin, published_sd, n)
        for n in mean_tests.UNKNOWN_COUNTS
    }
    words = np.stack([evidence.word for evidence in each.values()])
    # Within the margin for every n; only whether there is a difference at all depends on it.
    is_within = np.isin(words, (Verdict.REPRODUCED, Verdict.WITHIN_MARGIN)).all(axis=0)
    word = np.where(is_within, Verdict.WITHIN_MARGIN, Verdict.INCONCLUSIVE)
    word = np.where((words == words[0]).all(axis=0), words[0], word)
    of_two = _p_new_run(runs, np.subtract(runs[0], published), _FEWEST_WITH_SD)
    p = np.max([of_two, *(evidence.p_not_reproduced for evidence in each.values())], axis=0)
    word = np.where((word == Verdict.NOT_REPRODUCED) & (p >= LEVEL), Verdict.INCONCLUSIVE, word)
    return Decision(word, p, each)


def _against_mean(
    runs: tuple[Numbers, Numbers, Numbers],
    published: Numbers,
    margin: float,
    published_sd: Numbers,
    published_n: int,
) -> Evidence:
    interval = mean_tests.welch_error(*runs[1:], published_sd, published_n)
    return _evidence(runs, published, margin, interval, published_n, is_mean=True)


def _evidence(
    runs: tuple[Numbers, Numbers, Numbers],
    published: Numbers,
    margin: float,
    interval: tuple[Numbers, Numbers],
    published_n: int,
    is_mean: bool,
) -> Evidence:
    """Args: mean, SD and n; …; standard error and degrees of freedom of the difference; is_mean: with its SD."""
    (mean, sd, n), (error, df) = runs, interval
    difference = np.subtract(mean, published)
    difference = np.where(np.abs(difference) <= run_values.EQUAL, 0.0, difference)
    far = np.abs(difference)
    half_90, half_95 = (error * scipy.stats.t.ppf(level, df) for level in (0.95, 0.975))
    reach = _new_run_error(sd, n, published_n) * scipy.stats.t.ppf(0.975, np.subtract(n, 1))
    p = _two_sided(far, error, df)
    p_equivalence = _tail(margin - far, error, df)
    p_new_run = _p_new_run(runs, difference, published_n)
    p_not_reproduced = np.maximum(_two_sided(far - margin, error, df), p_new_run)
    is_same = (p if is_mean else p_new_run) >= LEVEL
    word = np.where(p_not_reproduced < LEVEL, Verdict.NOT_REPRODUCED, Verdict.INCONCLUSIVE)
    word = np.where(
        p_equivalence < LEVEL, np.where(is_same, Verdict.REPRODUCED, Verdict.WITHIN_MARGIN), word
    )
    return Evidence(
        difference,
        difference - half_90,
        difference + half_90,
        difference - half_95,
        difference + half_95,
        mean - reach,
        mean + reach,
        p,
        p_equivalence,
        p_new_run,
        p_not_reproduced,
        word,
    )


def _new_run_error(sd: Numbers, n: Numbers, published_n: int) -> Numbers:
    return sd * np.sqrt(1 / published_n + 1 / np.asarray(n))


def _p_new_run(
    runs: tuple[Numbers, Numbers, Numbers], difference: np.ndarray, published_n: int
) -> np.ndarray:
    _, sd, n = runs
    return _two_sided(np.abs(difference), _new_run_error(sd, n, published_n), np.subtract(n, 1))


def _two_sided(far: Numbers, error: Numbers, df: Numbers) -> np.ndarray:
    return np.minimum(2 * _tail(far, error, df), 1.0)


def _tail(distance: Numbers, error: Numbers, df: Numbers) -> np.ndarray:
    """Upper tail of t = distance / error; with no error 0 if the distance is above 0, else 1."""
    distance, error = np.broadcast_arrays(distance, error)
    t = np.where(distance > 0, np.inf, -np.inf)
    np.divide(distance, error, out=t, where=error > 0)
    return scipy.stats.t.sf(t, df)
