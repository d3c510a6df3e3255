"""The runs of a plan: a job for each variant and seed, seed by seed."""

import dataclasses
import json
import pathlib
from collections.abc import Collection, Sequence

import ml_collections
from tqdm import tqdm

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.launching.jobs import Job, Step, training_step
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.run_name import RunName
from fpliif_jax.experiments.plans.variant import Table, Variant
from fpliif_jax.experiments.robustness import recorded
from fpliif_jax.experiments.runs import seed_sources
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.training import preflight

# Its output is a folder; what needs no data is measured without.
_BENCHMARK = "fpliif_jax.experiments.benchmark"
_BENCHMARK_FLAGS = ("--parts=latency", "--dtypes=float32")
# Whose output anybody may have written, of other images or by other settings.
_UNLIKE = {"fpliif_jax.experiments.robustness": recorded.unlike_in}


def at_scale(
    table: Table, scale: str, passed_on: Sequence[str] = ()
) -> tuple[Table, dict[str, ml_collections.ConfigDict]]:
    """The plan as it is run at a scale, and the configs of the variants that are run, by name; all are checked.

    A variant that is at this scale the same as another is left out, which is printed; what starts from it starts from
    that other one.

    Raises:
      SettingsError: the settings of a variant are impossible.
    """
    named = {variant.name: variant for variant in table.variants}
    configs = {}
    for variant in tqdm(table.variants, desc="checking settings", unit="variant", leave=False):
        config = command_line.config_of(_arguments(table, variant, scale, passed_on))
        preflight.check_settings(config)
        configs[variant.name] = config
    settings = {
        name: json.dumps(seed_sources.settings_of(config), sort_keys=True)
        for name, config in configs.items()
    }

    def runs_of(variant: Variant) -> tuple[object, ...]:
        start = None if variant.needs is None else runs_of(named[variant.needs])
        seeds = variant.seeds or table.seeds
        return settings[variant.name], variant.then, start, variant.trains, seeds

    first: dict[tuple[object, ...], str] = {}
    kept = {name: first.setdefault(runs_of(variant), name) for name, variant in named.items()}
    for name, same in kept.items():
        if name != same:
            print(f"{name} is at this scale the same as {same}: left out")
            del configs[name]
    variants = tuple(
        dataclasses.replace(variant, needs=None if variant.needs is None else kept[variant.needs])
        for variant in table.variants
    )
    return dataclasses.replace(table, variants=variants), configs


def jobs_of(
    table: Table,
    names: Collection[str],
    scale: str,
    seeds: Sequence[int],
    workdir: pathlib.Path,
    passed_on: Sequence[str] = (),
) -> list[Job]:
    """All runs of a plan, seed by seed, so that an early end leaves whole comparisons.

    Args:
      table: the plan, of `at_scale`.
      names: of the variants that are run at this scale, likewise.
      scale: of `experiments.plans.scales`.
      seeds: of the runs of variants without their own; what is not trained is done once.
      workdir: of the study.
      passed_on: --config.FIELD=VALUE for all.

    Raises:
      UserError: a variant starts from a run of a seed that is not planned.
    """
    variants = [variant for variant in table.variants if variant.name in names]
    seeds_of = {variant.name: variant.seeds or tuple(seeds) for variant in table.variants}
    jobs = [
        _measuring_job(variant, workdir, _arguments(table, variant, scale, passed_on))
        for variant in variants
        if not variant.trains
    ]
    trained = [variant for variant in variants if variant.trains]
    for seed in sorted({seed for variant in trained for seed in seeds_of[variant.name]}):
        for variant in trained:
            if seed not in seeds_of[variant.name]:
                continue
            if variant.needs is not None and seed not in seeds_of[variant.needs]:
                raise UserError(
                    f"{variant.name} starts from {variant.needs}, whose seeds lack {seed}; plan it for both"
                )
            jobs.append(_training_job(table, variant, scale, seed, workdir, passed_on))
    return jobs


def _arguments(
    table: Table, variant: Variant, scale: str, *replacing: Sequence[str]
) -> tuple[str, ...]:
    """Arguments of the variant and `replacing`, of which each replaces the fields before it that it sets."""
    given = scales.replaced((), *replacing)
    fields = scales.scaled(variant, scale, table.is_published, given)
    return scales.replaced(scales.as_arguments(*fields), given)


def _training_job(
    table: Table,
    variant: Variant,
    scale: str,
    seed: int,
    workdir: pathlib.Path,
    passed_on: Sequence[str],
) -> Job:
    name = str(RunName(variant.name, seed))
    folder = workdir / name
    own = (f"--config.seed={seed}",)
    needs = None
    if variant.needs is not None:
        needs = str(RunName(variant.needs, seed))
        own += (f"--config.train.init_from={workdir / needs}",)
    arguments = _arguments(table, variant, scale, passed_on, own)
    train = training_step("fpliif_jax.main", arguments, folder)
    then = tuple(
        Step(module, (f"--workdir={folder}",), output, unlike=_UNLIKE.get(module))
        for module, output in variant.then
    )
    return Job(name, folder, (train, *then), needs, seed)


def _measuring_job(variant: Variant, workdir: pathlib.Path, arguments: tuple[str, ...]) -> Job:
    folder = workdir / variant.name
    config = json_config(command_line.config_of(arguments))
    sizes = ("--sizes=rows",) if variant.rows else ()  # STN-iCNN's labels have one size
    steps = tuple(
        Step(
            module,
            (*arguments, *_BENCHMARK_FLAGS, *sizes, f"--output={folder}")
            if module == _BENCHMARK
            else (*arguments, f"--output={folder / output}"),
            output,
            config,
        )
        for module, output in variant.then
    )
    return Job(variant.name, folder, steps)
