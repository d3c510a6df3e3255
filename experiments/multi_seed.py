"""Runs one config with several seeds, each in a folder of its own, and prints mean and SD.

    python -m experiments.multi_seed --config=lapa --seeds=0,1,2,3,4 --workdir=runs/lapa
    python -m experiments.multi_seed --config=lapa --workdir=runs/lapa_torch --framework=pytorch

Every other argument is --config.FIELD=VALUE and goes to `python -m fpliif_jax.main`, or with --framework=pytorch to
`python -m experiments.pytorch.train`. The run of seed 3 is in WORKDIR/seed3, with all that the process printed in
run.log. Runs that are finished with the same settings are skipped, interrupted ones go on. A run that fails is listed
at the end, with exit code 1, and does not stop the others.

A seed varies the initial parameters, the order of the data and the augmentations. Fix any of them with
--config.seeds.initialisation=0, --config.seeds.data_order=0 or --config.seeds.augmentation=0.

--jobs=N runs N at a time and shares the GPUs out among them; --launcher=slurm submits an array with one task a seed
(submitit; --slurm=slurm_partition=gpu,gpus_per_node=4,timeout_min=600).
"""

import argparse
import importlib.util
import json
import pathlib
import shlex
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ml_collections

from fpliif_jax.commands import command_line, command_names
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.experiments.launching import options

if TYPE_CHECKING:
    from fpliif_jax.experiments.launching.jobs import Job

_COMMAND = "experiments.multi_seed"
_TRAINERS = {"jax": "fpliif_jax.main", "pytorch": "fpliif_jax.experiments.pytorch.train"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is not finished and prints the table."""
    flags, passed_on = _parse(arguments)
    typed = shlex.join(sys.argv[1:] if arguments is None else arguments)
    command_line.run(_COMMAND, _work, flags, passed_on, typed)


def _work(flags: argparse.Namespace, passed_on: list[str], typed: str) -> None:
    import jax

    from fpliif_jax.experiments.launching import launch
    from fpliif_jax.experiments.plans.seeds import read_seeds
    from fpliif_jax.experiments.plans.study_file import Study
    from fpliif_jax.experiments.stats import seed_statistics  # noqa: F401 - what it lacks is an error before the runs
    from fpliif_jax.training import preflight

    # Looking at settings must not take the memory of a GPU that the runs are to have.
    jax.config.update("jax_platforms", "cpu")
    options.check_options(flags)
    seeds = read_seeds(flags.seeds)
    config = command_line.config_of(passed_on)
    preflight.check_settings(config)
    _check_framework(flags.framework, config)
    workdir = expanded(flags.workdir)
    jobs = [seed_job(passed_on, workdir / f"seed{seed}", seed, flags.framework) for seed in seeds]
    command = f"{command_names.command_name(_COMMAND)} {typed}"
    study = Study(str(workdir), None, "", command, tuple(job.name for job in jobs))
    outcomes = launch.start(jobs, flags, study, [config])
    finished = [outcome.job.workdir for outcome in outcomes if outcome.is_well]
    if finished:
        print(table(finished))
    launch.finish(outcomes, workdir)


def _check_framework(framework: str, config: ml_collections.ConfigDict) -> None:
    """Refuses what no run could be trained with.

    Raises:
      UserError: says what is missing.
    """
    if framework != "pytorch":
        return
    from fpliif_jax import systems
    from fpliif_jax.experiments.pytorch import read_fields

    if not systems.of(config).has_torch_twin:
        raise UserError(
            f"--framework=pytorch: config.model.name is {config.model.name!r}, which has no PyTorch twin"
        )
    read_fields.check_read(config)
    if importlib.util.find_spec("torch") is None:
        raise UserError(command_names.missing_package("--framework=pytorch", "torch"))


def seed_job(
    passed_on: Sequence[str], workdir: pathlib.Path, seed: int, framework: str = "jax"
) -> "Job":
    """Trains and evaluates one seed of a config.

    Args:
      passed_on: --config=FILE and --config.FIELD=VALUE.
      workdir: of the run.
      seed: of the run.
      framework: 'jax' or 'pytorch', to train it with.
    """
    from fpliif_jax.experiments.launching.jobs import Job, training_step

    arguments = (*passed_on, f"--config.seed={seed}")
    step = training_step(_TRAINERS[framework], arguments, workdir, framework)
    return Job(f"seed{seed}", workdir, (step,))


def table(workdirs: Sequence[pathlib.Path]) -> str:
    """Mean and SD over runs of each evaluation, in percent, with every run's value, and the notes that all have.

    Scores are those of `shown_scores`, the one that the paper compares first.
    """
    from fpliif_jax.evaluation.score_table import shown_scores
    from fpliif_jax.experiments.stats import seed_statistics
    from fpliif_jax.systems.protocol import Protocol

    values: dict[tuple[str, ...], list[float]] = defaultdict(list)
    notes: list[list[str]] = []
    for workdir in workdirs:
        results = json.loads((workdir / "results.json").read_text(encoding="utf-8"))
        drawn = ["data: the faces are drawn"] if results["dataset"].get("drawn") else []
        notes.append(drawn + [f"note: {note}" for note in results["notes"]])
        for entry in results["evaluations"]:
            for title, score in shown_scores(results, entry).items():
                if score is not None:
                    key = (entry["split"], entry["checkpoint"], entry["row"], title)
                    values[key].append(100 * score)
    lines = [
        f"{'split':<11}{'checkpoint':<12}{'row':>17} {'score':<10}{'mean':>7}{'SD':>7}{'n':>3}  each run"
    ]
    for (split, which, row, title), percents in values.items():
        summary = seed_statistics.summary(percents)
        sd = "–" if summary.sd is None else f"{summary.sd:.2f}"
        each = " ".join(f"{percent:.2f}" for percent in percents)
        name = Protocol.of_key(row).title
        lines.append(
            f"{split:<11}{which:<12}{name:>17} {title:<10}{summary.mean:>7.2f}{sd:>7}{summary.n:>3}  {each}"
        )
    # What is true of all runs, as what they were trained on where that is not what they were scored on.
    lines += [line for line in (notes[0] if notes else []) if all(line in own for own in notes)]
    return "\n".join(lines)


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The command's own options, and the arguments that are passed on to the runs."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument("--config", required=True, help="experiment: a name, as lapa, or a file")
    parser.add_argument("--seeds", default="0-4", help="0,1,2 or 0-4 (the default)")
    parser.add_argument("--workdir", required=True, help="folder of the study")
    parser.add_argument(
        "--framework",
        choices=tuple(_TRAINERS),
        default="jax",
        help="what the runs are trained with",
    )
    options.add_options(parser)
    flags, rest = options.parse(parser, arguments)
    return flags, [f"--config={flags.config}", *rest]


if __name__ == "__main__":
    main()
