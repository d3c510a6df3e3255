"""What the numbers may depend on outside of the config: what all runs share, and what they do not."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.run_folder.run_config import flatten_config

_OF_ONE_RUN = ("command", "started", "follows_seed")


@dataclasses.dataclass(frozen=True)
class Difference:
    """A field of environment.json in which runs differ: its value by run."""

    field: str
    values: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Environments:
    """The environments of all runs: the fields that have one value, and the others."""

    common: dict[str, Any]
    differences: Sequence[Difference]


def environments(runs: Sequence[Run]) -> Environments:
    """Compares environment.json of all runs that have it, its fields flat."""
    flat = {}
    for run in runs:
        if run.environment.content:
            # Files of older runs do not have the framework.
            fields = flatten_config(run.environment.content) | {"framework": run.framework}
            flat[run.name] = {name: fields[name] for name in fields if name not in _OF_ONE_RUN}
    names = list(dict.fromkeys(field for fields in flat.values() for field in fields))
    common, differences = {}, []
    for field in names:
        values = {name: fields.get(field) for name, fields in flat.items()}
        first = next(iter(values.values()))
        if all(value == first for value in values.values()):
            common[field] = first
        else:
            differences.append(Difference(field, values))
    return Environments(common, differences)
