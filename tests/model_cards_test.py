"""Tests of the model cards: their tables are those of the committed measurements, by NumPy."""

import json
import pathlib
from typing import Any

import numpy as np

_ROOT = pathlib.Path(__file__).parents[1]
_RESULTS = _ROOT / "experiments" / "results" / "weights"


def _card(weights: str) -> str:
    name = weights.replace("drawn", "model_card", 1)
    return (_ROOT / "docs" / f"{name}.md").read_text("utf-8")


def _json(weights: str, name: str) -> dict[str, Any]:
    return json.loads((_RESULTS / weights / name).read_text("utf-8"))


def _hidden_row(name: str, measured: list[dict[str, Any]]) -> str:
    """A row over parts that were hidden, of which all count alike."""
    counts = [one["hidden"] for one in measured]
    cells, inside = [f"{name} ({sum(counts)})"], []
    for windows in ("stn", "centroid"):
        of_parts = [one[windows] for one in measured]
        before, after = (
            np.average([one[key]["mean"] for one in of_parts], weights=counts)
            for key in ("distance_before", "distance_after")
        )
        cells.append(f"{before:.1f} → {after:.1f}")
        share = np.average([one["inside_after"] for one in of_parts], weights=counts)
        inside.append(f"{100 * share:.0f} %")
    return f"| {' | '.join([*cells, ' / '.join(inside)])} |"


def test_hidden_parts_of_photographs_are_those_measured() -> None:
    kept = _json("drawn_stn_icnn", "robustness.json")
    assert (kept["model"], kept["images"]) == ("--weights=drawn_stn_icnn", 100)
    parts = kept["parts"]
    of_rows = {
        "all parts": [kept["overall"]],
        "… where the coarse mask lost the part": [kept["when_lost"]],
        "brows": [parts["brow1"], parts["brow2"]],
        "eyes": [parts["eye1"], parts["eye2"]],
        "nose": [parts["nose"]],
        "mouth": [parts["mouth"]],
    }
    assert sum(one["hidden"] for one in parts.values()) == kept["overall"]["hidden"]
    card = _card("drawn_stn_icnn")
    for name, measured in of_rows.items():
        assert _hidden_row(name, measured) in card
