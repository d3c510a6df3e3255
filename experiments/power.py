"""How many runs a difference takes to be found, at the standard deviations that a study has seen so far.

    python -m experiments.power runs/photographs
    python -m experiments.power runs/photographs --difference=0.3 --alpha=0.05

For each question of the study's plan (where no study has one, for each setting beside the first), a table a plan: the
runs of each variant that find the difference in 80 and in 90 % of cases, where they are paired by seed and where they
are not. Level: a two-sided t-test at --alpha divided by the number of questions, which is Holm's first step; --family=1
leaves that out. Questions of equivalence, whose test is another, are left out. In brackets: the range that the 95 %
interval of the SD gives, which is wide: five runs tell an SD to within a factor of 5. Below three nothing is judged.
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.runs import scores_option

if TYPE_CHECKING:
    from fpliif_jax.experiments.comparison.spreads import Spread, SpreadsOfPlan

_COMMAND = "experiments.power"
_POWERS = (0.8, 0.9)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument("study", type=pathlib.Path, metavar="STUDY", help="folder of the runs")
    parser.add_argument(
        "--difference", type=float, help="to be found, in F1 points; none: the study's margin"
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="of all questions together")
    parser.add_argument(
        "--family", type=int, help="number of questions that share alpha; none: those planned"
    )
    scores_option.add_to(parser)
    command_line.run(_COMMAND, _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.comparison.spreads import spreads_of, studies_without_plan

    if flags.difference is not None and not 0 < flags.difference <= 100:
        raise UserError(f"--difference is {flags.difference:g}; it must be above 0, at most 100")
    if not 0 < flags.alpha < 1:
        raise UserError(f"--alpha is {flags.alpha:g}; it must be between 0 and 1")
    if flags.family is not None and flags.family < 1:
        raise UserError(f"--family is {flags.family}; it must be at least 1")
    groups = spreads_of(flags.study, flags.without_matrices)
    without, unreadable = studies_without_plan(flags.study)
    problems = [f"the plan of {name} cannot be read: {why}" for name, why in unreadable.items()]
    if not any(one.spreads for one in groups):
        reasons = [line for one in groups for line in left_out(one)] + problems
        few = "it has no two settings with two finished runs of the same seeds"
        raise UserError(f"{flags.study} has no SD to go by: {'; '.join(reasons) or few}")
    for one in groups:
        if one.title:
            print(one.title)
        if one.spreads:
            print(table(one.spreads, flags.difference, flags.alpha, flags.family or one.family))
        print("\n".join((*left_out(one), "")))
    if without and groups[0].title:
        print(f"left out, as they have no plan: {', '.join(without)}")
    for problem in problems:
        print(problem)


def left_out(group: "SpreadsOfPlan") -> list[str]:
    """The comparisons that have no line in the table, a line a reason."""
    return [f"left out, {why}: {', '.join(names)}" for why, names in group.left_out.items()]


def table(spreads: "Sequence[Spread]", difference: float | None, alpha: float, family: int) -> str:
    """The runs that are needed, a line a comparison.

    Args:
      spreads: of the comparisons.
      difference: to be found, in points; None: the margin of each.
      alpha: of all tests together.
      family: number of tests.
    """
    level = alpha / family
    shown = f"{difference:g}" if difference else "the margin"
    lines = [
        f"Runs of each variant that find a difference of {shown} (F1 points), two-sided t-test at {level:.3g}"
        + (f" = {alpha:g} / {family} questions (Holm's first step)" if family > 1 else ""),
        "",
        f"{'comparison':<34}{'pairs':>6}{'SD':>7}{'80 %, paired':>20}{'90 %, paired':>20}"
        f"{'SD':>7}{'80 %, not paired':>20}{'90 %':>20}",
    ]
    for one in spreads:
        wanted = difference or one.margin
        cells = [
            _needed(sd, df, wanted, level, power, is_paired)
            for sd, df, is_paired in (
                (one.paired_sd, one.pairs - 1, True),
                (one.run_sd, one.run_df, False),
            )
            for power in _POWERS
        ]
        lines.append(
            f"{one.name[:33]:<34}{one.pairs:>6}{one.paired_sd:>7.2f}{cells[0]:>20}{cells[1]:>20}"
            f"{one.run_sd:>7.2f}{cells[2]:>20}{cells[3]:>20}"
        )
    lines += [
        "",
        "SD: of the differences seed by seed, and of the runs; in brackets the runs at both ends of its 95 % interval "
        "(chi-square).",
    ]
    return "\n".join(lines)


def _needed(
    sd: float, df: int, difference: float, level: float, power: float, is_paired: bool
) -> str:
    """'7 [4–38]'."""
    from fpliif_jax.experiments.stats import power as statistics

    values = (sd, *statistics.sd_interval(sd, df))
    texts = [
        statistics.count_text(
            statistics.runs_needed(value, difference, power, level, is_paired=is_paired)
        )
        for value in values
    ]
    return f"{texts[0]} [{texts[1]}–{texts[2]}]"


if __name__ == "__main__":
    main()
