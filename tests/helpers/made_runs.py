"""Folders of finished runs whose scores are known beforehand, for tests of the study."""

import copy
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.class_names import FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.run_folder import how_far
from fpliif_jax.run_folder.run_config import config_fingerprint, flatten_config, json_config

LAPA = plan_and_text("table1")[0].variants[0]
IMAGES = 12  # of the test split; a multiple of 3
# How far the scores of the other evaluations lie below that of the best checkpoint on the test split, in points, in
# the order of results.json; and their images.
OTHERS = {
    ("validation", "best"): (6.0, 7),
    ("test", "last"): (3.0, IMAGES),
}
# Classes are taken for the next one of their three; each three differ in difficulty (points of F1, mean 0) and size.
_DIFFICULTIES = {11: (1.0, 0.0, -1.0, 0.0), 9: (1.0, -1.0, 0.0)}
_PIXELS = (3000, 1000, 2000, 4000)  # of each class in each image


def config_of(variant: Variant = LAPA, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """The published config of a variant as JSON; double underscores of changes stand for dots."""
    arguments = scales.as_arguments(*scales.scaled(variant, "paper"))
    config = command_line.config_of((*arguments, f"--config.seed={seed}"))
    config.update_from_flattened_dict(
        {field.replace("__", "."): value for field, value in changes.items()}
    )
    return json_config(config)


def matrices_of_f1(
    percent: float, classes: int = len(LAPA_AND_HELEN), images: int = IMAGES
) -> np.ndarray:
    """int [N, C, C] whose classes c ≥ 1 have this mean F1 over all images (if these are a multiple of 3).

    Of P pixels of each class of a three, P − e are right and e taken for the next of the three, which loses as many:
    F1 = 1 − e / P. Neither classes nor images are alike, and no matrix is its own transpose.
    """
    matrices = np.zeros((images, classes, classes), int)
    numbers = [*range(1, classes), 0]  # the background is in the last, shorter one
    for index, difficulty in enumerate(_DIFFICULTIES[classes]):
        members, pixels = numbers[3 * index : 3 * index + 3], _PIXELS[index]
        shares = np.full(images, 1 - (percent + difficulty) / 100)
        errors = (pixels * shares + 7 * (index + 1) * ((np.arange(images) + index) % 3 - 1)).round()
        for member, following in zip(members, [*members[1:], members[0]], strict=True):
            matrices[:, member, member] = pixels - errors
            matrices[:, member, following] = errors
    return matrices


def write_evaluations(
    folder: pathlib.Path, matrices: Mapping[tuple[str, str, str], np.ndarray], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Writes int [N, C, C] by split, checkpoint and row as a run's evaluations; those of its results.json."""
    (folder / "evaluations").mkdir(exist_ok=True)
    evaluations = []
    for (split, which, row), counted in matrices.items():
        np.savez_compressed(
            folder / "evaluations" / f"{split}-{which}-{row}.npz",
            example_ids=np.array([f"{split} face {index}" for index in range(len(counted))]),
            confusion_matrices=counted,
            class_names=np.array(names),
        )
        where = {"split": split, "checkpoint": which, "step": 20, "row": row}
        evaluations.append({**where, **metrics.scores(counted, names)})
    return evaluations


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
    """A finished run whose best checkpoint has the given mean F1 on the test split, by row.

    Its other evaluations have other scores and other images, as `OTHERS` says. Without a framework it does not say
    which.
    """
    folder.mkdir(parents=True)
    names = FACIAL_PARTS if config["model"]["name"] == "stn_icnn" else LAPA_AND_HELEN
    evaluations = write_evaluations(
        folder,
        {
            (split, which, row): matrices_of_f1(percent - below, len(names), images)
            for (split, which), (below, images) in {
                **OTHERS,
                ("test", "best"): (0.0, IMAGES),
            }.items()
            for row, percent in percents.items()
        },
        names,
    )
    epochs = sum(how_far.epochs_of_stages(flatten_config(config)).values())
    results = {
        "config": config,
        "config_fingerprint": config_fingerprint(config),
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
        "train": {"epochs": epochs, "steps": 20, "images_per_second": 10.0, "seconds": 60.0},
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
    """Runs seed0, seed1, … of a config with these mean F1 in the row 256, or canvas of STN-iCNN."""
    row = "canvas" if config["model"]["name"] == "stn_icnn" else "256"
    for seed, percent in enumerate(percents):
        own = copy.deepcopy(config)
        own["seed"] = seed
        own["seeds"] = dict.fromkeys(own["seeds"], seed)
        write_run(folder / f"seed{seed}", own, {row: percent}, **options)
