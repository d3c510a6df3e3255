"""Runs that differ in the seed alone make a group."""

import dataclasses
import itertools
import json
import pathlib
import re
from collections import Counter
from collections.abc import Sequence

from fpliif_jax.data import sides
from fpliif_jax.experiments.runs.run import FinishedRun, Run, SoundRun
from fpliif_jax.experiments.runs.run_data import RunData
from fpliif_jax.experiments.runs.seed_sources import FOLLOWS, possible_seeds
from fpliif_jax.experiments.runs.value_types import SEED_SOURCES
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import Fields, JsonObject
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.run_folder.run_config import flatten_config


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one experiment: the same config, data and framework, other seeds.

    Attributes:
      name: the longest folder that its runs have in common, or the run's own name.
      config: what they share: without the seed, without where data lie; each of seeds.* is 'follows' or the
        value that it is fixed at; how they were scored, where that was decided after the training.
      framework: 'jax' or 'pytorch'.
      runs: all that belong to it, finished or not, in their order.
    """

    name: str
    config: JsonObject
    framework: str
    runs: list[SoundRun]

    @property
    def finished(self) -> list[FinishedRun]:
        """Runs that may be pooled: scored after the whole of their training."""
        return [run for run in self.runs if isinstance(run, FinishedRun)]

    @property
    def duplicates(self) -> tuple[int, ...]:
        """Seeds of more than one finished run: they are no independent values."""
        counts = Counter(run.seed for run in self.finished)
        return tuple(sorted(seed for seed, count in counts.items() if count > 1))


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Puts together the runs of one experiment, in the order of their first runs.

    Two runs belong together if they lie in the same study, or in none; if their configs differ in nothing but the
    seed, what follows it, where data lie, the number of threads and of pictures, and a number where the other leaves
    it to the program; and if they were scored by the same rules, trained in the same framework, trained and evaluated
    on the same data (by fingerprint, by whose left its classes mean, and by digest where both have it) and have as many
    parameters. A run without a digest joins those with one, and an unfinished run the finished ones, where there is
    only one such group. Weights that no run trained are a group of their own, evaluated under whatever seed. Broken
    runs are in no group.
    """
    by_config: dict[str, list[SoundRun]] = {}
    for run in runs:
        if isinstance(run, SoundRun):
            settings = flatten_config(_without_numbers(_without_seeds(run)))
            settings = config_fields.without_earlier(settings)
            # What was planned, and what is judged together, is a study's own; weights of elsewhere are no other seed's.
            given = run.name if run.scores_given_weights else None
            key = json.dumps([str(run.study), settings, given], sort_keys=True)
            by_config.setdefault(key, []).append(run)
    grouped = []
    for same in itertools.chain.from_iterable(map(_by_numbers, by_config.values())):
        sources = _seed_sources(same)
        by_sources: dict[tuple, list[SoundRun]] = {}
        for run in same:
            by_sources.setdefault((sources[run.path], run.framework), []).append(run)
        for (pattern, _), members in by_sources.items():
            config = _without_seeds(members[0]) | {
                "seeds": dict(zip(SEED_SOURCES, pattern, strict=True))
            }
            grouped += [(config, part) for part in _same_data(members)]
    order = {run.path: index for index, run in enumerate(runs)}
    grouped.sort(key=lambda pair: order[pair[1][0].path])
    return [
        Group(_common_name(members), config, members[0].framework, members)
        for config, members in grouped
    ]


def _by_numbers(runs: list[SoundRun]) -> list[list[SoundRun]]:
    """Runs that differ in nothing but numbers that may be left to the program, by these numbers.

    Where one says 'auto' the others are earlier runs of the same experiment, unless a seed comes twice.
    """
    numbers = [
        tuple(
            (field, value)
            for field, value in sorted(run.config.flat.items())
            if config_fields.may_be_auto(field)
        )
        for run in runs
    ]
    has_auto = any(value == AUTO for values in numbers for _, value in values)
    seeds = {
        json.dumps([run.framework, run.seed, run.config.content.get("seeds")], sort_keys=True)
        for run in runs
    }
    if has_auto and len(seeds) == len(runs):
        return [runs]
    parts: dict[tuple, list[SoundRun]] = {}
    for run, values in zip(runs, numbers, strict=True):
        parts.setdefault(values, []).append(run)
    return list(parts.values())


def _without_numbers(config: JsonObject) -> Fields:
    return {
        field: value
        for field, value in flatten_config(config).items()
        if not config_fields.may_be_auto(field)
    }


def _without_seeds(run: SoundRun) -> JsonObject:
    """config.json, with how the run was scored: of one that was scored again results.json alone says that."""
    config = run.config
    fields = {key: value for key, value in config.content.items() if key not in ("seed", "seeds")}
    for section, group in fields.items():
        if isinstance(group, dict):
            own = {f"{section}.{name}": value for name, value in group.items()}
            own = {field: value for field, value in own.items() if field not in config.scoring}
            own |= {f: v for f, v in run.scoring.items() if f.startswith(f"{section}.")}
            fields[section] = {
                field.removeprefix(f"{section}."): value
                for field, value in own.items()
                if not config_fields.changes_no_result(field)
            }
    start, train = config.init_from, dict(fields["train"])
    if not start:  # earlier runs of FP-LIIF have no such field
        train.pop("init_from", None)
    elif isinstance(start, str):  # one that goes on from another goes on from that of its seed
        train["init_from"] = re.sub(rf"\bseed{config.seed}\b", "seed*", start)
    return fields | {"train": train}


def _seed_sources(runs: list[SoundRun]) -> dict[pathlib.Path, tuple]:
    """Seed of each source of variation, by run (its path): 'follows' the seed, or the value it is fixed at.

    A run says which follow. One of an earlier version without results cannot tell: with seed 0 and a source at 0, both
    are possible. So of what is possible each takes what most other runs can share, first those beside it,
    then all; and 'follows' where that is equal.
    """
    possible = {}
    for run in runs:
        recorded = None if run.results is None else run.results.follows_seed
        if recorded is None:
            recorded = run.environment.follows_seed
        choices = possible_seeds(run.config.flat, recorded).values()
        possible[run.path] = list(itertools.product(*choices))
    everywhere = Counter(itertools.chain.from_iterable(possible.values()))
    beside: dict[pathlib.Path, Counter] = {}
    for path, patterns in possible.items():
        beside.setdefault(path.parent, Counter()).update(patterns)
    return {
        path: max(
            patterns,
            key=lambda pattern, near=beside[path.parent]: (
                near[pattern],
                everywhere[pattern],
                pattern.count(FOLLOWS),
            ),
        )
        for path, patterns in possible.items()
    }


def _same_data(runs: list[SoundRun]) -> list[list[SoundRun]]:
    finished: dict[tuple[RunData, int | None], list[SoundRun]] = {}
    others: dict[tuple[str | None, str | None, str], list[SoundRun]] = {}
    # Those that recorded most come first: a group is what they tell.
    for run in sorted(runs, key=lambda run: isinstance(run, FinishedRun) and run.data.unknowns):
        if isinstance(run, FinishedRun):
            key = (run.data, run.results.parameters)
            fitting = [one for one in finished if one[1] == key[1] and one[0].fits(key[0])]
            finished.setdefault(fitting[0] if len(fitting) == 1 else key, []).append(run)
        else:
            environment = run.environment
            left = sides.whose_left(run.config.content, environment.whose_left)
            trained = (environment.data_fingerprint, environment.data_digest, left)
            others.setdefault(trained, []).append(run)
    parts = list(finished.values())
    for (trained, digest, left), unfinished in others.items():
        same_files = [
            (data.digests[0], part)
            for (data, _), part in finished.items()
            if trained is None or (trained, left) == (data.fingerprints[0], data.whose_left)
        ]
        same_labels = [part for labels, part in same_files if labels == digest]
        fitting = same_labels or [part for labels, part in same_files if None in (labels, digest)]
        if len(fitting) == 1:
            fitting[0].extend(unfinished)
        else:
            parts.append(unfinished)
    order = {run.path: index for index, run in enumerate(runs)}
    return [sorted(part, key=lambda run: order[run.path]) for part in parts]


def _common_name(runs: list[SoundRun]) -> str:
    if len(runs) == 1:
        return runs[0].name
    parts = [run.name.split("/") for run in runs]
    shared = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return "/".join(level[0] for level in shared) or runs[0].path.parent.resolve().name
