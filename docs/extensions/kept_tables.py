"""Tables of measurements, made of the JSON that is kept of them in experiments/results."""

import functools
import importlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

import markdown_tables

from docs.faces import find, rules
from fpliif_jax.experiments.benchmark import deployment
from fpliif_jax.experiments.runs import typed_json

RESULTS = pathlib.Path(__file__).parents[2] / "experiments" / "results"
DEPLOYMENT = "amd-epyc-2-cores-deployment"


def kept(path: str) -> Any:
    """The content of a JSON file of experiments/results."""
    return json.loads((RESULTS / path).read_text("utf-8"))


def deployed(*names: str) -> dict[str, Callable[[], str]]:
    """What makes the tables of files of `DEPLOYMENT`, by their names without '.json': 'drawn-video'."""
    return {name: functools.partial(_deployed, name) for name in names}


def _deployed(name: str) -> str:
    part = importlib.import_module(f"{deployment.__name__}.{name.rpartition('-')[2]}")
    rows = kept(f"{DEPLOYMENT}/{name}.json")["rows"]
    return part.table(typed_json.parse(list[part.Row], rows, name))


def published_decoder() -> str:
    """The largest differences from the logits of LIIF's authors, by kind of query."""
    return markdown_tables.table(
        ("queries", "PyTorch − LIIF", "JAX − LIIF"),
        (
            (row["queries"], *(_shown(row[name]) for name in ("pytorch", "jax")))
            for row in kept("liif_decoder/differences.json")["rows"]
        ),
    )


def found_faces() -> str:
    """Faces that do not fill the photo, with find='auto' and without."""
    rows = kept("find_faces/find.json")["rows"]
    by_kind = sorted(rows, key=lambda row: row["faces"] != "drawn")
    return "\n".join([*find.HEAD, *map(find.line, by_kind)])


def rules_of_finding() -> str:
    """Each rule on the canvases that it was chosen on, then on fresh ones."""
    rows = [
        {**row, "faces": f"{name}, {'drawn' if row['faces'] == 'drawn' else 'photographs'}"}
        for name in ("tuning", "fresh")
        for row in kept(f"find_faces/{name}.json")["rows"]
    ]
    return "\n".join(rules.table(rows))


def largest_differences(*kinds: str) -> str:
    """Largest differences between PyTorch and JAX, as their tests found them."""
    largest = kept("amd-epyc-2-cores-parity/differences.json")["largest"]
    return ", ".join(_shown(largest[kind]) for kind in kinds)


def _shown(difference: float) -> str:
    return f"{difference:.1e}".replace("e-0", "e-")
