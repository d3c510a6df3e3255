"""What the numbers may depend on outside of the config: what all runs share, and what they do not."""

from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.run_folder.run_config import flatten_config


def environments(runs: Sequence[Run]) -> dict[str, Any]:
    """{"common": {field: value}, "differences": [{"field", "values": value by run}]} of environment.json."""
    flat = {}
    for run in runs:
        if run.environment:
            flat[run.name] = flatten_config(run.environment)
            flat[run.name]["framework"] = run.framework  # which files of older runs do not have
            flat[run.name].pop("command", None)
    names = list(dict.fromkeys(field for fields in flat.values() for field in fields))
    common, differences = {}, []
    for field in names:
        values = {name: fields.get(field) for name, fields in flat.items()}
        first = next(iter(values.values()))
        if all(value == first for value in values.values()):
            common[field] = first
        else:
            differences.append({"field": field, "values": values})
    return {"common": common, "differences": differences}
