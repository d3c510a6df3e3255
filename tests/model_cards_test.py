"""Tests of the model cards: their tables are those of the committed measurements, by NumPy."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_RESULTS = _ROOT / "experiments" / "results" / "weights"
_WEIGHTS = ("drawn", "drawn_small", "drawn_19_classes", "drawn_stn_icnn")


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


def _f1(matrices: np.ndarray) -> np.ndarray:
    """In percent, of int64 [N, C, C] with the truth in rows; NaN where a class is neither there nor seen."""
    total = matrices.sum(axis=0)
    right = np.diagonal(total)
    with np.errstate(invalid="ignore"):
        return 200 * right / (total.sum(axis=0) + total.sum(axis=1))


def _rows_of_card(weights: str) -> Iterator[tuple[str, str, list[str]]]:
    """Attribute, group and the other cells of each row of a card's table of groups."""
    section = _card(weights).partition("## By group")[2].partition("\n## ")[0]
    attribute = ""
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| **"):
            attribute = cells[0].strip("*")
        elif attribute and line.startswith("|"):
            yield attribute, cells[0], cells[1:]


@pytest.mark.parametrize("weights", _WEIGHTS)
def test_groups_are_those_of_the_faces(weights: str) -> None:
    kept, faces = _json(weights, "groups.json"), np.load(_RESULTS / weights / "faces.npz")
    assert kept["model"] == f"--weights={weights}"
    matrices, names = faces["confusion_matrices"], faces["class_names"]
    rows = list(_rows_of_card(weights))
    assert len(rows) >= 40
    for attribute, group, cells in rows:
        members = faces["groups"][:, faces["attributes"].tolist().index(attribute)] == group
        there = np.flatnonzero(matrices[members].sum(axis=(0, 2))[1:]) + 1
        own, everyone = (_f1(matrices[chosen])[there] for chosen in (members, slice(None)))
        lowest = f"{names[there[own.argmin()]]} {own.min():.1f}"
        measured = kept["attributes"][attribute][group]
        interval = f"{measured['low']:.1f}–{measured['high']:.1f}"
        shown = [
            str(members.sum()),
            f"{own.mean():.1f} ({interval})",
            f"{everyone.mean():.1f}",
            lowest,
        ]
        assert cells == shown, (attribute, group)
        assert measured["mean_f1"] == pytest.approx(own.mean())


@pytest.mark.parametrize("weights", _WEIGHTS)
def test_classes_of_the_400_faces_are_theirs(weights: str) -> None:
    kept, faces = _json(weights, "groups.json"), np.load(_RESULTS / weights / "faces.npz")
    f1 = dict(zip(faces["class_names"].tolist(), _f1(faces["confusion_matrices"]), strict=True))
    f1.pop("background")
    measured = kept["classes"] | {"**mean**": kept["overall"]}
    for name, score in (f1 | {"**mean**": np.mean(list(f1.values()))}).items():
        low, high = (measured[name][bound] for bound in ("low", "high"))
        (line,) = (line for line in _card(weights).splitlines() if line.startswith(f"| {name} | "))
        assert line.split(" | ")[2] == f"{score:.2f} ({low:.1f}–{high:.1f})"


@pytest.mark.parametrize("weights", ["drawn_small", "drawn_19_classes"])
def test_classes_of_the_photographs_are_theirs(weights: str) -> None:
    with np.load(_RESULTS / weights / "photographs.npz") as file:
        names, matrices = file["class_names"].tolist(), file["confusion_matrices"]
    assert len(matrices) == 248
    f1 = dict(zip(names, _f1(matrices), strict=True))
    f1.pop("background")
    for name, score in (f1 | {"**mean**": np.mean(list(f1.values()))}).items():
        (line,) = (line for line in _card(weights).splitlines() if line.startswith(f"| {name} | "))
        assert line.split(" | ")[3].startswith(f"{score:.2f} (")
