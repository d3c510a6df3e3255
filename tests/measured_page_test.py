"""Tests of docs/measured.md: the table of nineteen classes is that of the committed confusion matrices, by NumPy."""

import json
import pathlib

import numpy as np

from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, class_title

_ROOT = pathlib.Path(__file__).parents[1]
_RUNS = _ROOT / "experiments" / "results" / "drawn_19_classes"


def _total(run: str, evaluation: str) -> tuple[list[str], np.ndarray]:
    with np.load(_RUNS / run / "seed0" / "evaluations" / f"{evaluation}.npz") as file:
        return file["class_names"].tolist(), file["confusion_matrices"].sum(axis=0)


def _f1(total: np.ndarray) -> np.ndarray:
    return 200 * np.diagonal(total) / (total.sum(axis=0) + total.sum(axis=1))


def _section() -> str:
    page = (_ROOT / "docs" / "measured.md").read_text("utf-8")
    return page.split("\n### Nineteen classes\n")[1].split("\n## ")[0]


def test_nineteen_classes_are_those_of_the_matrices() -> None:
    names, drawn = _total("drawn", "test-best-256")
    names_of_photographs, photographs = _total("photographs", "validation-best-256")
    assert names == names_of_photographs == list(CELEBAMASK_HQ)
    sizes = photographs.sum(axis=0) / photographs.sum(axis=1)
    columns = [_f1(drawn), _f1(photographs)]
    rows = [
        [name, class_title(name), *(f"{column[i]:.2f}" for column in columns), f"{sizes[i]:.2f}"]
        for i, name in enumerate(names)
    ][1:]
    rows.append(["**mean**", "", *(f"{column[1:].mean():.2f}" for column in columns), ""])
    lines = [line for line in _section().splitlines() if line.startswith("| ")][1:]
    shown = [[cell.strip().split(" (")[0] for cell in line.split("|")[1:-1]] for line in lines]
    assert shown == rows


def test_the_classes_shared_with_lapa_are_those_of_the_matrices() -> None:
    names, total = _total("photographs", "validation-best-256")
    becomes = {"eye_g": "skin"} | dict.fromkeys(
        ("l_ear", "r_ear", "hat", "ear_r", "neck_l", "neck", "cloth"), "background"
    )
    kept = [name for name in names if name not in becomes]
    merged = np.array([[becomes.get(name, name) == one for name in names] for one in kept], int)
    mean = _f1(merged @ total @ merged.T)[1:].mean()
    assert f"their mean F1 on photographs is {mean:.2f}" in " ".join(_section().split())


def test_the_run_is_the_one_that_the_page_names() -> None:
    for run in ("drawn", "photographs"):
        folder = _RUNS / run / "seed0"
        environment = json.loads((folder / "environment.json").read_text("utf-8"))
        results = json.loads((folder / "results.json").read_text("utf-8"))
        assert str(environment).count("6a482d3")
        assert {one["step"] for one in results["evaluations"]} == {3500}
