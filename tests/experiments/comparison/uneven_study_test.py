"""A study in which nothing is like anything else, computed a second time by hand.

Two splits of other images, two checkpoints, two rows, a seed that was run twice, classes of other difficulty and size,
and matrices that are not their own transposes: a score of the wrong place, axis, class or run is another number.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from made_runs import config_of, write_evaluations, write_run
from report_study import as_written

from fpliif_jax.data_builders.class_names import FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.experiments.comparison import measured
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.systems.fp_liif import system as fp_liif
from fpliif_jax.systems.stn_icnn import stages

RESAMPLES = 300
FOLDERS = {"seed2": 2, "seed10": 10, "seed1": 1, "seed1-again": 1}
IMAGES = {"test": 12, "validation": 7}
GROUPS = {
    "eyes": ("left_eye", "right_eye"),
    "brows": ("left_brow", "right_brow"),
    "mouth": ("upper_lip", "inner_mouth", "lower_lip"),
    "overall": tuple(name for name in LAPA_AND_HELEN if name not in ("background", "skin", "hair")),
}


def _matrices(seed: int, images: int, classes: int, quality: float) -> np.ndarray:
    """int [N, C, C]: class c has about 300 · c pixels in an image, of which c's own share is right."""
    random = np.random.default_rng(seed)
    sizes = 200 + 300 * np.arange(1, classes + 1)[::-1]
    right = quality * (
        1 - 0.02 * np.arange(classes)[[*range(0, classes, 2), *range(1, classes, 2)]]
    )
    found = np.zeros((images, classes, classes), int)
    for image in range(images):
        for c in range(classes):
            share = right[c] * random.uniform(0.9, 1.0)
            others = random.dirichlet(0.3 * np.ones(classes - 1)) * (1 - share)
            found[image, c] = random.multinomial(sizes[c], np.insert(others, c, share))
    return found


def _write(root: pathlib.Path, config_changes: dict[str, Any] | None = None) -> dict[tuple, Any]:
    """The runs; returns their matrices by (folder, split, checkpoint, row)."""
    written = {}
    for index, (name, seed) in enumerate(FOLDERS.items()):
        config = config_of(seed=seed, **(config_changes or {}))
        folder = write_run(root / name, config, {"256": 50.0})
        matrices = {}
        for place, (split, which, row) in enumerate(
            (split, which, row)
            for split in ("validation", "test")
            for which in ("last", "best")
            for row in ("64to256", "256")
        ):
            quality = 0.9 - 0.02 * place - 0.005 * index
            matrices[split, which, row] = _matrices(
                100 * index + place, IMAGES[split], len(LAPA_AND_HELEN), quality
            )
        results = json.loads((folder / "results.json").read_text())
        results["evaluations"] = write_evaluations(folder, matrices, LAPA_AND_HELEN)
        (folder / "results.json").write_text(json.dumps(results))
        records = [
            {"step": 5, "split": "train", "stage": "parsing", "loss": 3.0 + index},
            {
                "step": 6,
                "split": "validation",
                "stage": "parsing",
                "mean_f1": 0.1 * index,
                "loss": 9,
            },
            {"step": 7, "split": "train", "stage": "parsing", "loss": 1.0 + index},
            {"step": 8, "split": "train", "stage": "localisation", "loss": 0.5},
            {
                "step": 9,
                "split": "validation",
                "stage": "localisation",
                "mean_f1": 0.2,
                "window_error": {"mean": 4.0 + index, "nose": 1.0},
            },
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
        written |= {(name, *place): found for place, found in matrices.items()}
    return written


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Fewer resamples of images, which are drawn again here, and none of runs, which other tests are about.

    The runs' second stage is one of STN-iCNN's: its validations are read as there.
    """
    training = dataclasses.replace(
        fp_liif.SYSTEM.training, validation_scores=stages.VALIDATION_SCORES
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fp_liif, "SYSTEM", dataclasses.replace(fp_liif.SYSTEM, training=training))
        patch.setattr(measured, "_RESAMPLES", RESAMPLES)
        patch.setattr(measured.seed_statistics, "bootstrap_interval", lambda values: None)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[tuple, Any]]:
    """The study, and the matrices that it is of."""
    root = tmp_path_factory.mktemp("uneven")
    written = _write(root)
    analysed, shown = analyse(root)
    study = as_written(analysed)
    # The pictures of a group are those of its smallest seed.
    assert {name: run.name for name, run in shown.items()} == {"g0": "seed1"}
    return study, written


def _f1(total: np.ndarray) -> np.ndarray:
    """[..., C, C] -> percent [..., C], by the definition: precision by columns, recall by rows."""
    right = np.einsum("...cc->...c", total)
    precision, recall = right / total.sum(-2), right / total.sum(-1)
    return 100 * 2 * precision * recall / (precision + recall)


def _score(total: np.ndarray, metric: str, name: str) -> np.ndarray:
    right = np.einsum("...cc->...c", total)
    if metric == "mean_f1":
        return _f1(total)[..., 1:].mean(-1)
    if metric == "f1":
        return _f1(total)[..., LAPA_AND_HELEN.index(name)]
    if metric == "group_f1":
        members = [LAPA_AND_HELEN.index(part) for part in GROUPS[name]]
        inside = total[..., members, :][..., members].sum((-1, -2))
        return (
            100
            * 2
            * inside
            / (total[..., members, :].sum((-1, -2)) + total[..., members].sum((-1, -2)))
        )
    share = 100 * right / (total.sum(-1) + total.sum(-2) - right)
    return share[..., 1:].mean(-1) if metric == "miou" else share.mean(-1)


def _of_seeds(
    written: dict[tuple, Any], where: tuple[str, str, str] = ("test", "best", "256")
) -> dict[int, np.ndarray]:
    """Matrices [N, C, C] by seed: of equal seeds the first by name counts."""
    return {seed: written[(f"seed{seed}", *where)] for seed in (1, 2, 10)}


ASKED = [
    ("mean_f1", "mean"),
    ("miou", "mean"),
    *(("f1", name) for name in LAPA_AND_HELEN[1:]),
    *(("group_f1", name) for name in GROUPS),
]


@pytest.mark.parametrize(
    "where", [(s, w, r) for s in IMAGES for w in ("best", "last") for r in ("256", "64to256")]
)
def test_every_score_is_that_of_its_place_and_seed(
    made: tuple, where: tuple[str, str, str]
) -> None:
    study, written = made
    (group,) = study["groups"]
    found = {
        (one["metric"], one["class"]): one
        for one in group["scores"]
        if (one["split"], one["checkpoint"], one["row"]) == where
    }
    for metric, name in [*ASKED, ("miou_with_background", "mean")]:
        by_hand = {
            str(seed): float(_score(matrices.sum(0), metric, name))
            for seed, matrices in _of_seeds(written, where).items()
        }
        assert found[metric, name]["values"] == pytest.approx(by_hand)
    per_image = {
        str(seed): _f1(matrices)[:, 1:].mean()
        for seed, matrices in _of_seeds(written, where).items()
    }
    assert found["per_image_mean_f1", "mean"]["values"] == pytest.approx(per_image)


def test_the_headline_is_of_the_best_checkpoint_on_the_test_split(made: tuple) -> None:
    study, written = made
    (group,) = study["groups"]
    values = [
        float(_score(matrices.sum(0), "mean_f1", "")) for matrices in _of_seeds(written).values()
    ]
    # The first row of results.json stands for a group; the paper's rows are found by their names.
    where = {"split": "test", "checkpoint": "best"}
    assert group["main"] | where == group["main"]
    first = [
        float(_score(m.sum(0), "mean_f1", ""))
        for m in _of_seeds(written, ("test", "best", group["main"]["row"])).values()
    ]
    sentence = next(text for text in study["summary"] if "over 3 seeds" in text)
    assert f"mean F1 {np.mean(first):.2f} ± {np.std(first, ddof=1):.2f} (mean" in sentence
    table = next(table for table in study["tables"] if table["id"] == "table1")
    row = next(row for row in table["rows"] if row["row"] == "256")
    assert list(row["values"].values()) == pytest.approx(values)
    assert row | where == row
    assert row["summary"]["mean"] == pytest.approx(np.mean(values))
    small = next(row for row in table["rows"] if row["row"] == "64to256" and row["values"])
    by_hand = [
        float(_score(m.sum(0), "mean_f1", ""))
        for m in _of_seeds(written, ("test", "best", "64to256")).values()
    ]
    assert list(small["values"].values()) == pytest.approx(by_hand)
    classes = next(table for table in study["tables"] if table["id"] == "table1-classes")["rows"]
    for row in classes:
        if row["row"] == "256" and row["system"] == "ours":
            by_hand = [
                float(_score(m.sum(0), "f1", row["class"])) for m in _of_seeds(written).values()
            ]
            assert list(row["values"].values()) == pytest.approx(by_hand)


def _resampled(stacked: np.ndarray, metric: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Means over runs of resampled images, and of resampled images and runs: [resamples] each."""
    of_images, of_seeds = np.random.SeedSequence(0).spawn(2)
    runs, images = stacked.shape[:2]
    draws = np.random.Generator(np.random.PCG64(of_images)).multinomial(
        images, np.full(images, 1 / images), size=RESAMPLES
    )
    scores = _score(np.einsum("bn,snij->bsij", draws, stacked), metric, name)
    weights = np.random.Generator(np.random.PCG64(of_seeds)).multinomial(
        runs, np.full(runs, 1 / runs), size=RESAMPLES
    )
    return scores.mean(1), (scores * weights).sum(1) / runs


def test_intervals_over_images_are_of_their_score_and_of_fixed_runs(made: tuple) -> None:
    study, written = made
    (group,) = study["groups"]
    row = group["main"]["row"]
    stacked = np.stack(list(_of_seeds(written, ("test", "best", row)).values()))
    for metric, name in ASKED:
        (found,) = [
            one
            for one in group["scores"]
            if (one["split"], one["checkpoint"], one["row"]) == ("test", "best", row)
            and (one["metric"], one["class"]) == (metric, name)
        ]
        fixed, crossed = _resampled(stacked, metric, name)
        assert found["image_interval"] == pytest.approx(np.quantile(fixed, [0.025, 0.975]))
        assert found["image_sd"] == pytest.approx(fixed.std(ddof=1))
        assert found["seed_and_image_interval"] == pytest.approx(
            np.quantile(crossed, [0.025, 0.975])
        )
        # Else neither could be told from the other.
        assert (
            abs(np.subtract(found["image_interval"], found["seed_and_image_interval"])).max() > 0.01
        )
    table = next(table for table in study["tables"] if table["id"] == "table1")
    row = next(row for row in table["rows"] if row["row"] == "256")
    stacked = np.stack(list(_of_seeds(written).values()))
    fixed, _ = _resampled(stacked, "mean_f1", "mean")
    assert row["image_interval"] == pytest.approx(np.quantile(fixed, [0.025, 0.975]))


def test_confusion_is_shared_among_the_pixels_of_each_true_class(made: tuple) -> None:
    study, written = made
    (group,) = study["groups"]
    found = group["confusion"]
    total = sum(
        matrices.sum(0)
        for matrices in _of_seeds(written, ("test", "best", group["main"]["row"])).values()
    )
    assert np.array(found["matrix"]) == pytest.approx(total / total.sum(1, keepdims=True), abs=1e-6)
    by_columns = total / total.sum(0, keepdims=True)
    assert abs(by_columns - np.array(found["matrix"])).max() > 0.01
    assert found["class_names"] == list(LAPA_AND_HELEN)
    assert {key: found[key] for key in ("split", "checkpoint", "row")} == {
        key: group["main"][key] for key in ("split", "checkpoint", "row")
    }


def test_curves_are_of_their_split_stage_and_run(made: tuple) -> None:
    study, _ = made
    parsing, localisation = study["groups"][0]["curves"]["stages"]
    assert (parsing["name"], localisation["name"]) == ("parsing", "localisation")
    by_seed = {(c["seed"], tuple(c["values"])): tuple(c["steps"]) for c in parsing["loss"]}
    # In the order of FOLDERS the first losses are 3, 4, 5, 6; of both runs of seed 1 the one that counts is drawn.
    assert by_seed == {
        (2, (3.0, 1.0)): (5, 7),
        (10, (4.0, 2.0)): (5, 7),
        (1, (5.0, 3.0)): (5, 7),
    }
    scores = {(c["seed"], round(c["values"][0], 9)) for c in parsing["validation"]}
    assert scores == {(2, 0.0), (10, 10.0), (1, 20.0)}
    errors = {(c["seed"], c["values"][0], c["steps"][0]) for c in localisation["validation"]}
    assert errors == {(2, 4.0, 9), (10, 5.0, 9), (1, 6.0, 9)}
    assert localisation["validation_metric"] == "window error, pixels"


def test_the_doubled_seed_is_told(made: tuple) -> None:
    study, _ = made
    (group,) = study["groups"]
    assert (group["seeds"], group["duplicate_seeds"]) == ([1, 2, 10], [1])
    assert [one["status"] for one in study["incomplete_runs"]] == ["duplicate"]


def test_stn_icnn_is_judged_by_its_overall_f1_on_the_canvas(tmp_path: pathlib.Path) -> None:
    variant = plan_and_text("stn_table2")[0].variants[2]
    for seed in range(3):
        folder = write_run(tmp_path / f"seed{seed}", config_of(variant, seed), {"image": 50.0})
        matrices = {
            (split, which, row): _matrices(
                1000 * seed + place, 5, len(FACIAL_PARTS), 0.9 - 0.01 * place
            )
            for place, (split, which, row) in enumerate(
                (split, which, row)
                for split in ("validation", "test")
                for which in ("last", "best")
                for row in ("image", "canvas", "coarse")
            )
        }
        results = json.loads((folder / "results.json").read_text())
        results["evaluations"] = write_evaluations(folder, matrices, FACIAL_PARTS)
        (folder / "results.json").write_text(json.dumps(results))
    study = as_written(analyse(tmp_path)[0])
    main = study["groups"][0]["main"]
    assert tuple(main.values()) == ("test", "best", "canvas", "group_f1", "overall")
    found = []
    for seed in range(3):
        total = _matrices(1000 * seed + 10, 5, len(FACIAL_PARTS), 0.8).sum(0)
        inside = total[1:, 1:].sum()
        found.append(100 * 2 * inside / (total[1:].sum() + total[:, 1:].sum()))
    row = next(row for row in study["tables"][0]["rows"] if row["values"])
    assert list(row["values"].values()) == pytest.approx(found)
