"""Folders of finished runs whose scores are known beforehand, for tests of the study."""

import copy
import json
import pathlib
from typing import Any

import numpy as np

from data_builders.class_names import LAPA_AND_HELEN
from experiments.study import scales
from experiments.study.tables import Variant, table_named
from fpliif_jax import checkpoint, metrics, settings

LAPA = table_named("table1").variants[0]
IMAGES = 12
PIXELS = 1000  # of each class in each image


def config_of(variant: Variant = LAPA, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """The published config of a variant as JSON; double underscores of changes stand for dots."""
    arguments = scales.as_arguments(*scales.scaled(variant, "paper"))
    config = settings.config_of((*arguments, f"--config.seed={seed}"))
    config.update_from_flattened_dict(
        {field.replace("__", "."): value for field, value in changes.items()}
    )
    return checkpoint.json_config(config)


def matrices_of_f1(percent: float, classes: int = len(LAPA_AND_HELEN)) -> np.ndarray:
    """int [N, C, C] in which every class has this F1 over all images, but not in each.

    Of 1000 pixels of each class 1000 − e are right and e taken for the next class, which loses as many:
    F1 = 1 − e / 1000.
    """
    wrong = np.full(IMAGES, PIXELS * (1 - percent / 100)) + 5.0 * (np.arange(IMAGES) % 3 - 1)
    wrong = wrong.round().astype(int)
    eye = np.eye(classes, dtype=int)
    errors = wrong[:, None, None]
    return (PIXELS - errors) * eye + errors * np.roll(eye, 1, axis=1)


def write_run(
    folder: pathlib.Path,
    config: dict[str, Any],
    percents: dict[str, float],
    complete: bool = True,
    environment: dict[str, Any] | None = None,
    framework: str | None = None,
    parameters: int = 2283019,
    dataset: dict[str, Any] | None = None,
) -> pathlib.Path:
    """A finished run whose classes all have the given F1, by row; without a framework it does not say which."""
    folder.mkdir(parents=True)
    names = LAPA_AND_HELEN
    evaluations = []
    (folder / "evaluations").mkdir()
    for row, percent in percents.items():
        matrices = matrices_of_f1(percent)
        np.savez_compressed(
            folder / "evaluations" / f"test-best-{row}.npz",
            example_ids=np.array([f"face {index}" for index in range(IMAGES)]),
            confusion_matrices=matrices,
            class_names=np.array(names),
        )
        where = {"split": "test", "checkpoint": "best", "step": 20, "row": row}
        evaluations.append({**where, **metrics.scores(matrices, names)})
    results = {
        "config": config,
        "seed": config["seed"],
        "model": config["model"]["name"],
        "parameters": parameters,
        "dataset": {
            "name": config["data"]["name"],
            "builder_config": "default",
            "complete": complete,
            "counts": {"train": 18176, "validation": 2000, "test": 2000},
            "fingerprint": "f" * 64,
            **(dataset or {}),
        },
        "evaluations": evaluations,
        "train": {"epochs": 2, "steps": 20, "images_per_second": 10.0, "seconds": 60.0},
        "notes": [],
    }
    told = {"command": f"python -m fpliif_jax.main --workdir={folder.name}", "backend": "cpu"}
    told |= {"versions": {"jax": "0.10.2"}, "data_fingerprint": "f" * 64, **(environment or {})}
    if framework is not None:
        results["framework"] = told["framework"] = framework
    records = [
        {"step": 10, "split": "train", "stage": "parsing", "epoch": 1, "loss": 3.5},
        {"step": 10, "split": "validation", "stage": "parsing", "epoch": 1, "mean_f1": 0.8},
        {"step": 20, "split": "train", "stage": "parsing", "epoch": 2, "loss": 2.5},
    ]
    for name, content in (
        ("config.json", config),
        ("results.json", results),
        ("environment.json", told),
    ):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    return folder


def write_seeds(
    folder: pathlib.Path, config: dict[str, Any], percents: list[float], **options: Any
) -> None:
    """Runs seed0, seed1, … of a config with these F1 in the row 256."""
    for seed, percent in enumerate(percents):
        own = copy.deepcopy(config)
        own["seed"] = seed
        own["seeds"] = dict.fromkeys(own["seeds"], seed)
        write_run(folder / f"seed{seed}", own, {"256": percent}, **options)
