"""Copies what the numbers of a study rest on into a folder that can be kept and published.

    python -m experiments.collect runs/photographs --output=experiments/results/photographs
    python -m experiments.collect runs/table5 --output=table5 --without_matrices

It copies plan.json and study.json, of each finished run config.json, results.json, environment.json, metrics.jsonl and
the confusion matrices of the evaluations that results.json names, and what the plan measures besides (cost.json,
benchmark.json, robustness.json): the report of the copy (`--runs=FOLDER`) is that of the study's finished runs. Left
behind are weights, pictures, logs, earlier results, and the places of this machine: paths in configs are emptied,
commands are cut to their module, Linux kernels to their number, and of the run that another starts from VARIANT/SEED
is left.
--without_matrices leaves the confusion matrices behind too, most of the size: the copy has every score of every run,
of which the same option makes a report, without intervals over images. What is copied already is copied again; a copy
that has what the study has no more is refused.
"""

import argparse
import json
import os
import pathlib
import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError, counted
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.runs.local_versions import without_local_version
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.evaluation_files import FOLDER, SUFFIX
from fpliif_jax.weights import shipped

if TYPE_CHECKING:
    from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
    from fpliif_jax.experiments.plans.plan_version import Version
    from fpliif_jax.experiments.runs.run import Run

_COMMAND = "experiments.collect"
_LIMITS = {
    ".json": 16 * 2**20,
    ".jsonl": 16 * 2**20,
    ".npz": 128 * 2**20,
}  # bytes that reports read
_START = "train.init_from"
_OF_STUDY = ("plan.json", "study.json")
# results.json is last, as in a run: it says that the others are there.
_OF_RUN = ("config.json", "environment.json", "metrics.jsonl", "results.json")
# Files that a report reads, beside evaluations/*.npz.
_REPORTED = (
    *_OF_STUDY,
    *_OF_RUN,
    *("cost.json", "benchmark.json", "robustness.json", "examples.npz"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Copies and says how many runs."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument("study", type=pathlib.Path, metavar="STUDY", help="folder of the runs")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder to copy into")
    parser.add_argument(
        "--without_matrices",
        action="store_true",
        help="scores alone, without what intervals over images need",
    )
    command_line.run(_COMMAND, _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.data_builders.host import atomic_file
    from fpliif_jax.experiments.plans import frozen_plan
    from fpliif_jax.experiments.runs.bounded_files import (
        UnreadableError,
        parse_json,
        read_bytes,
    )
    from fpliif_jax.experiments.runs.run import FinishedRun
    from fpliif_jax.experiments.runs.runs import read_runs
    from fpliif_jax.run_folder import run_lock

    source, output = flags.study.resolve(), flags.output.resolve()
    if output == source or output.is_relative_to(source) or source.is_relative_to(output):
        raise UserError(f"--output={flags.output} lies in the study or around it; give another one")
    read = read_runs(source)
    runs = [run for run in read if isinstance(run, FinishedRun)]
    measured = _measured(source, runs)
    if not runs and not measured:
        raise UserError(f"{flags.study} has no finished run; there is nothing to collect")
    files = [path for name in _OF_STUDY for path in source.rglob(name)]
    for run in runs:
        if not flags.without_matrices:
            files += [run.path / one.file for one in run.evaluations]
        files += [path for name in _OF_RUN if os.path.lexists(path := run.path / name)]
    files += measured
    size, places, planned_starts, contents = 0, [], set(), {}
    # All is read before anything is written: what cannot be read leaves an earlier copy as it was.
    for path in files:  # plans come first: they say which starts of runs are published with them
        if path.suffix != ".json":
            contents[path] = read_bytes(path, source, _LIMITS[path.suffix])
            continue
        if path.name == frozen_plan.NAME:
            plan = frozen_plan.read_frozen(path.parent, source)  # refuses one that was changed
            if plan is None:
                raise UnreadableError(f"{path} has gone since the study was listed")
            places += _places_of_plan(plan)
            planned_starts |= _starts_of_plan(plan)
            content = _without_commands(plan).as_json()
        else:
            content = parse_json(read_bytes(path, source, _LIMITS[path.suffix]), str(path))
            if not isinstance(content, dict):
                raise UnreadableError(f"{path} is no JSON object")
            _empty_all_places(path.name, content, planned_starts)
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        contents[path] = f"{text}\n".encode()
    output.mkdir(parents=True, exist_ok=True)
    with run_lock.writing(output):
        _refuse_leftovers(output, {output / path.relative_to(source) for path in files})
        for path in files:  # what is cut off must not look finished
            if path.name == "results.json":
                (output / path.relative_to(source)).unlink(missing_ok=True)
        for path, content in contents.items():
            target = output / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file.replacing(target) as file:
                file.write(content)
            size += len(content)
    if places:
        print(
            f"plan.json still names {', '.join(places)}: its digest is of these; see whether they may be published"
        )
    left_out = [run.name for run in read if run.status != "finished"]
    if left_out:
        print(f"left out, as they are not finished or broken: {', '.join(left_out)}")
    others = f", {counted(len(measured), 'file')} of other measurements" if measured else ""
    print(f"{counted(len(runs), 'run')}{others}, {size / 2**20:.1f} MiB: {flags.output}")


def _measured(source: pathlib.Path, runs: "Sequence[Run]") -> list[pathlib.Path]:
    """The files that the plan's further steps left: in the folders of runs, or of variants that are not trained."""
    from fpliif_jax.experiments.plans import study_file

    files = []
    for study in study_file.read_studies(source)[0]:
        for variant in study.table.variants if study.table else ():
            folders = [source / study.folder / variant.name]
            if variant.trains:
                folders = [
                    run.path
                    for run in runs
                    if study.holds(run.name) and study.variant_of(run.name) == variant
                ]
            files += [folder / name for folder in folders for _, name in variant.then]
    return [path for path in dict.fromkeys(files) if path.exists()]


def _refuse_leftovers(output: pathlib.Path, targets: Collection[pathlib.Path]) -> None:
    """Refuses a copy whose report would have more than the study's.

    Raises:
      UserError: the folder has a run, a plan, a measurement or a file of a run that is not copied now.
    """
    folders = {path.parent for path in targets}
    leftovers = set()
    for path in output.rglob("*"):
        is_matrices = path.suffix == SUFFIX and path.parent.name == FOLDER
        if path in targets or not (path.name in _REPORTED or is_matrices):
            continue
        folder = path.parent.parent if is_matrices else path.parent  # of the run
        leftovers.add(path if folder in folders else folder)
    if leftovers:
        names = sorted(path.relative_to(output).as_posix() for path in leftovers)
        raise UserError(
            f"{output} has what is not, or no longer, in the study: {shortened(names)}; delete it there, or give "
            "another --output"
        )


def _empty_all_places(name: str, content: JsonObject, planned_starts: Collection[str]) -> None:
    """Takes the paths of this machine out of a file of a study."""
    from fpliif_jax.run_folder import run_config

    config = content if name == "config.json" else content.get("config")
    if isinstance(config, dict):
        _empty_places(config, planned_starts)
        if "config_fingerprint" in content:  # of a run that was read, so it fitted before
            content["config_fingerprint"] = run_config.config_fingerprint(config)
    for part in (content, content.get("environment")):  # a benchmark has its environment inside
        if isinstance(part, dict) and isinstance(part.get("command"), str):
            part["command"] = _module_of(part["command"])
        if isinstance(part, dict) and isinstance(part.get("platform"), str):
            part["platform"] = without_local_version(part["platform"])


def _empty_places(config: JsonObject, planned_starts: Collection[str], prefix: str = "") -> None:
    """Empties the fields that are places, and shortens the run that it starts from, which is a setting."""
    from fpliif_jax.fields.config_fields import Role, has_role

    for key, value in config.items():
        field = f"{prefix}{key}"
        if has_role(field, Role.PLACE):
            config[key] = None
        elif isinstance(value, dict):
            _empty_places(value, planned_starts, f"{field}.")
        elif field == _START and shipped.is_folder_of_run(value) and value not in planned_starts:
            path = pathlib.PurePath(value)
            config[key] = "/".join(path.relative_to(path.anchor).parts[-2:])


def _module_of(command: str) -> str:
    """'python -m fpliif_jax.main --config=lapa' -> 'python -m fpliif_jax.main …'."""
    try:
        words = shlex.split(command)
    except ValueError:  # it was cut, or is none
        return "…"
    kept = [pathlib.PurePath(word).name for word in words[:1]]
    if words[1:2] == ["-m"]:
        kept += words[1:3]
    return " ".join(kept) + (" …" if len(words) > len(kept) else "")


def _without_commands(plan: "FrozenPlan") -> "FrozenPlan":
    """A plan with commands that are cut; its digest is of what is planned, and they are no part of that."""

    def cut(version: "Version") -> "Version":
        command = _module_of(version.moment.command)
        return replace(version, moment=replace(version.moment, command=command))

    return replace(plan, first=cut(plan.first), additions=tuple(map(cut, plan.additions)))


def _places_of_plan(plan: "FrozenPlan") -> list[str]:
    """What a plan.json says of this machine and its digest is of: paths of configs and of runs, and places."""
    from fpliif_jax.fields.config_fields import Role, has_role

    places = []
    for variant in (one for version in plan.versions for one in version.table.variants):
        places += [
            field
            for field, value in variant.overrides
            if has_role(field, Role.PLACE) or (field == _START and shipped.is_folder_of_run(value))
        ]
        if pathlib.PurePath(variant.config).is_absolute():
            places.append(variant.config)
    if any(pathlib.PurePath(start).is_absolute() for start in _starts_of_plan(plan)):
        places.append(_START)  # given on the command line, to all runs
    return list(dict.fromkeys(places))


def _starts_of_plan(plan: "FrozenPlan") -> set[str]:
    """The folders of runs that its configs start from; runs keep these, or they would not be the planned ones."""
    configs = (fields for version in plan.versions for fields in version.configs.values())
    starts = (fields.get(_START) for fields in configs)
    return {start for start in starts if shipped.is_folder_of_run(start)}


if __name__ == "__main__":
    main()
