"""Copies what the numbers of a study rest on into a folder that can be kept and published.

    python -m experiments.collect runs/photographs --output=experiments/results/photographs
    python -m experiments.collect runs/table5 --output=table5

It copies plan.json and study.json, and of each finished run config.json, results.json, environment.json, metrics.jsonl
and the confusion matrices of evaluations/: the report of the copy (`--runs=FOLDER`) is that of the study. Left behind
are weights, pictures, logs, and the places of this machine: paths in configs are emptied, and commands are cut to their
module. Runs that are copied already are copied again.
"""

import argparse
import json
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError

_COMMAND = "experiments.collect"


def main(arguments: Sequence[str] | None = None) -> None:
    """Copies and says how many runs."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument("study", type=pathlib.Path, metavar="STUDY", help="folder of the runs")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder to copy into")
    command_line.run(_COMMAND, _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from fpliif_jax.experiments.plans import frozen_plan
    from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json
    from fpliif_jax.experiments.runs.runs import read_runs
    from fpliif_jax.files import atomic_file

    source, output = flags.study.resolve(), flags.output.resolve()
    if output == source or output.is_relative_to(source) or source.is_relative_to(output):
        raise UserError(f"--output={flags.output} lies in the study or around it; give another one")
    runs = [run for run in read_runs(flags.study) if run.status == "finished"]
    if not runs:
        raise UserError(f"{flags.study} has no finished run; there is nothing to collect")
    files = [path for name in ("plan.json", "study.json") for path in source.rglob(name)]
    for run in runs:
        files += [run.path / name for name in ("config.json", "results.json", "environment.json")]
        files += [run.path / "metrics.jsonl", *sorted(run.path.glob("evaluations/*.npz"))]
    size, places = 0, []
    for path in files:
        if not path.is_file():
            continue  # a run of an earlier version may lack it
        content = path.read_bytes()
        if path.suffix == ".json":
            if path.name == frozen_plan.NAME:
                frozen_plan.read_frozen(path.parent, source)  # refuses one that was changed
            content = parse_json(content, str(path))
            if not isinstance(content, dict):
                raise UnreadableError(f"{path} is no JSON object")
            places += _places_of_plan(content) if path.name == "plan.json" else []
            content = _without_places(path.name, content)
        target = output / path.resolve().relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file.replacing(target) as file:
            file.write(content)
        size += len(content)
    if places:
        print(
            f"plan.json still names {', '.join(places)}: its digest is of these; see whether they may be published"
        )
    print(f"{len(runs)} runs, {size / 2**20:.1f} MiB: {flags.output}")


def _without_places(name: str, content: dict[str, Any]) -> bytes:
    """A file of a run as JSON, without paths of this machine."""
    if name == "config.json":
        _empty_places(content)
    elif name == "results.json":
        _empty_places(content["config"])
    elif name == "plan.json":  # its digest is of what is planned, and places are no part of that
        for version in (content, *content["additions"]):
            version["frozen"]["command"] = _module_of(version["frozen"]["command"])
    if isinstance(content.get("command"), str):
        content["command"] = _module_of(content["command"])
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _empty_places(config: dict[str, Any]) -> None:
    from fpliif_jax.run_folder.config_fields import Role, has_role
    from fpliif_jax.run_folder.run_config import flatten_config

    for field in flatten_config(config):
        if has_role(field, Role.PLACE):
            *groups, last = field.split(".")
            node = config
            for group in groups:
                node = node[group]
            node[last] = None


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


def _places_of_plan(plan: dict[str, Any]) -> list[str]:
    """What a plan.json says of this machine and its digest is of: paths of configs, and fields that are places."""
    from fpliif_jax.run_folder.config_fields import Role, has_role

    places = []
    for version in (plan, *plan["additions"]):
        for variant in version["plan"]["variants"].values():
            places += [
                field for field in variant.get("overrides", {}) if has_role(field, Role.PLACE)
            ]
            if pathlib.PurePath(variant["config"]).is_absolute():
                places.append(variant["config"])
    return list(dict.fromkeys(places))


if __name__ == "__main__":
    main()
