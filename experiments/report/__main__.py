"""Writes the report of a study.

    python -m experiments.report --runs=runs/lapa --output=report
    python -m experiments.report --runs=runs/lapa --output=report --external=pytorch.csv --nophotos

Reads every run under --runs, finished or not, and writes into --output: report.md, report.html (one file, no server),
report.json, and a CSV, LaTeX and JSON file for each table. Published numbers stand beside ours with interval and
verdict; runs that cannot be compared are shown, never beside a verdict of "reproduced"; broken and half-finished
runs are listed.

--external adds numbers measured elsewhere, in the format of experiments/published with a column for the seed;
--nophotos leaves out photographs, to publish a report on data whose licence forbids them. --without_matrices is for
results as published in experiments/results: runs without confusion matrices count by their recorded scores, which are
not computed again and have no intervals over images.
"""

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.runs import scores_option

if TYPE_CHECKING:
    from fpliif_jax.experiments.comparison.study import Incomplete
    from fpliif_jax.experiments.runs.arrays import Examples
    from fpliif_jax.experiments.runs.run import Run


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the report."""
    parser = command_line.CommandParser("experiments.report", __doc__)
    parser.add_argument(
        "--runs", type=pathlib.Path, required=True, help="folder that holds all runs"
    )
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder to write into")
    parser.add_argument(
        "--external",
        type=pathlib.Path,
        action="append",
        default=[],
        help="CSV file of numbers measured elsewhere; may be given several times",
    )
    parser.add_argument("--nophotos", action="store_true", help="leave out the photographs")
    scores_option.add_to(parser)
    command_line.run("experiments.report", _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.comparison.analysis import analyse_runs
    from fpliif_jax.experiments.report.write import write_report
    from fpliif_jax.experiments.runs import scores_alone
    from fpliif_jax.experiments.runs.runs import read_runs

    runs = read_runs(flags.runs, keep_matrices=True, without_matrices=flags.without_matrices)
    study, shown = analyse_runs(flags.runs, runs, flags.external)
    if not (study.groups or study.tables or study.incomplete_runs):
        raise UserError(
            f"there are no runs in {flags.runs}; make some with python -m experiments.multi_seed or "
            "python -m experiments.reproduce, or check --runs"
        )
    if not study.groups and not flags.without_matrices:
        scores_alone.refuse(runs, flags.runs)
    examples, unusable = _examples(shown)
    study = dataclasses.replace(study, incomplete_runs=[*study.incomplete_runs, *unusable])
    write_report(study, examples, flags.output, photos=not flags.nophotos)
    print("\n".join(study.summary))
    print(flags.output / "report.html")


def _examples(
    shown: "dict[str, Run]",
) -> "tuple[dict[str, Examples], list[Incomplete]]":
    """The pictures of each group, and the files that cannot be used."""
    from fpliif_jax.experiments.comparison.study import Incomplete
    from fpliif_jax.experiments.runs.arrays import load_examples
    from fpliif_jax.experiments.runs.run import RunError

    examples_of, unusable = {}, []
    for identifier, run in shown.items():
        try:
            examples = load_examples(run)
        except RunError as error:
            unusable.append(Incomplete(run.name, "pictures", str(error)))
            continue
        if examples is not None:
            examples_of[identifier] = examples
    return examples_of, unusable


if __name__ == "__main__":
    main()
