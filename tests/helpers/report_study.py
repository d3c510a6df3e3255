"""A study made by hand in the form of report.json, and as the analysis hands it to the report."""

import dataclasses
import json
import statistics
from typing import Any

import numpy as np

from fpliif_jax.data_builders.class_names import FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.experiments.comparison.deviations import Deviation
from fpliif_jax.experiments.comparison.scores import Score, ScoreKey, Statistics
from fpliif_jax.experiments.comparison.study import Incomplete, Study, as_json
from fpliif_jax.experiments.comparison.study_groups import (
    Confusion,
    Curve,
    Curves,
    ReportGroup,
    RunSummary,
    StageCurves,
)
from fpliif_jax.experiments.comparison.study_tables import (
    Comparison,
    Published,
    ReportRow,
    ReportTable,
    Test,
)
from fpliif_jax.experiments.runs.arrays import Examples
from fpliif_jax.experiments.runs.environments import Difference, Environments
from fpliif_jax.experiments.runs.results import RecordedDataset
from fpliif_jax.experiments.stats.seed_statistics import Summary
from fpliif_jax.experiments.stats.verdict_rule import Verdict

SEEDS = range(5)
HOSTILE = '<script>alert("x")</script> | 100% & a_b $x$ #1'
FP_LIIF_STAGES = (("parsing", 70.0, "mean F1"),)
STN_ICNN_STAGES = (
    ("coarse", 2.2, "mean F1 of the coarse mask"),
    ("localisation", 0.08, "mean F1"),
    ("fine", 1.9, "mean F1"),
    ("end_to_end", 0.9, "mean F1"),
)


def _content() -> dict[str, Any]:
    """Groups of five seeds and of one, comparable and not; tables with every verdict; nulls wherever allowed."""
    random = np.random.default_rng(0)
    faces = "lapa"
    groups = [
        _group(random, "g0", "table1/lapa", 92.38, settings={"loss.edge_weight": 40.0}),
        _group(random, "g1", "table5/lambda=0", 91.2, settings={"loss.edge_weight": 0.0}),
        _group(random, "g2", "table5/lambda=10", 91.9, settings={"loss.edge_weight": 10.0}),
        _group(
            random,
            "g3",
            "stn_icnn_synthetic",
            90.6,
            names=FACIAL_PARTS,
            model="stn_icnn",
            stages=STN_ICNN_STAGES,
            rows=("image", "canvas", "coarse"),
            reasons=[
                "the data set is incomplete: 400 of 2,000 images in train",
                "drawn faces, not Helen",
            ],
        ),
        _group(random, "g4", HOSTILE, 77.0, seeds=[3], settings={"loss.edge_weight": 40.0}),
        _bare_group(),
    ]
    by_id = {group["id"]: group for group in groups}
    rows = [
        _row(by_id["g0"], "FP-LIIF", "92.41", "reproduced"),
        _row(by_id["g0"], "FP-LIIF", "95.10", "not reproduced", "f1", "hair"),
        _row(by_id["g0"], "FP-LIIF", "91.70", "inconclusive", "f1", "nose"),
        _row(by_id["g4"], HOSTILE, None, None),
        _row(by_id["g3"], "STN-iCNN on drawn faces", "91.0", "not comparable", "mean_f1", "mean"),
        _unrun_row("EHANet", "91.50"),
        _external_row(random, "PyTorch", "92.41"),
    ]
    rows[4]["reason"] = "drawn faces, not Helen"
    lambdas = [
        _row(by_id["g1"], "λ = 0", "91.30", "reproduced within margin"),
        _row(by_id["g2"], "λ = 10", "91.9", "reproduced"),
        _row(by_id["g0"], "λ = 40", "92.35", "reproduced", sd=0.06, n=None),
    ]
    tables = [
        {
            "id": "table1",
            "title": "FP-LIIF Table 1: LaPa",
            "unit": "F1, percent",
            "rows": rows,
            "comparisons": [],
        },
        {
            "id": "table5",
            "title": "FP-LIIF Table 5: effect of λ on LaPa",
            "unit": "F1, percent",
            "rows": lambdas,
            "comparisons": [
                _comparison("λ = 40", "λ = 0", 1.15, [0.9, 1.4], p=0.0004, p_holm=0.0008),
                _comparison("λ = 40", "λ = 10", 0.41, [-0.1, 0.92], p=0.09, p_holm=0.09),
                _comparison(HOSTILE, "λ = 10", None, None, p=None, p_holm=None),
            ],
        },
        {
            "id": "empty",
            "title": "Nothing run",
            "unit": "F1, percent",
            "rows": [],
            "comparisons": [],
        },
    ]
    return {
        "title": "Reproducibility study of FP-LIIF and STN-iCNN",
        "root": "runs",
        "margin": 0.5,
        "summary": [
            "Six published numbers were looked at; three are reproduced, one of them within the margin of 0.5 points.",
            "One cannot be compared, because its runs are of drawn faces.",
        ],
        "commands": [
            "python -m experiments.multi_seed --config=configs/lapa.py --seeds=0,1,2,3,4 --workdir=runs/table1/lapa",
            'echo "a < b" && python -m experiments.report --runs=runs --output=report',
        ],
        "groups": groups,
        "tables": tables,
        "incomplete_runs": [
            {
                "name": "table5/lambda=40/seed3",
                "status": "unfinished",
                "problem": "step 400 of 750",
            },
            {"name": HOSTILE, "status": "broken", "problem": "results.json is not valid JSON"},
            {"name": "table5/lambda=60/seed0", "status": "unfinished", "problem": None},
        ],
        "environments": {
            "common": {
                "python": "3.11.7",
                "versions": {"jax": "0.10.2", "numpy": "2.4.6"},
                "devices": ["cpu"],
                "xla_flags": None,
                "data": faces,
            },
            "differences": [
                {
                    "field": "git_commit",
                    "values": {
                        f"table1/lapa/seed{seed}": ("6d2610d" if seed < 3 else "4cda144")
                        for seed in SEEDS
                    },
                },
                {"field": HOSTILE, "values": {"table1/lapa/seed0": None}},
            ],
        },
        "external": ["results_of_pytorch.csv"],
    }


def make_study() -> dict[str, Any]:
    """The study as report.json has it: groups of five seeds and of one, tables with every verdict, nulls."""
    return as_written(as_study(_content()))


def as_written(study: Study) -> dict[str, Any]:
    """What is in report.json."""
    return json.loads(json.dumps(as_json(study), allow_nan=False))


def empty_study() -> dict[str, Any]:
    """A study of a folder without runs."""
    return make_study() | {
        "summary": [],
        "commands": [],
        "groups": [],
        "tables": [],
        "incomplete_runs": [],
        "environments": {"common": {}, "differences": []},
        "external": [],
    }


def as_study(content: dict[str, Any]) -> Study:
    """A study as report.json has it."""
    environments = content["environments"]
    return Study(
        **content
        | {
            "groups": [as_group(group) for group in content["groups"]],
            "tables": [as_table(table) for table in content["tables"]],
            "incomplete_runs": [Incomplete(**run) for run in content["incomplete_runs"]],
            "environments": Environments(
                environments["common"], [Difference(**one) for one in environments["differences"]]
            ),
        }
    )


def as_table(content: dict[str, Any]) -> ReportTable:
    """A table as report.json has it."""
    comparisons = [
        Comparison(**_without(one, "class"), class_name=one["class"])
        for one in content["comparisons"]
    ]
    rows = [as_row(row) for row in content["rows"]]
    return ReportTable(
        content["id"],
        content["title"],
        content["unit"],
        rows,
        comparisons,
        content.get("note", ""),
    )


def as_row(content: dict[str, Any]) -> ReportRow:
    """A row as report.json has it."""
    published, verdict = content["published"], content["verdict"]
    return ReportRow(
        group=content["group"],
        label=content["label"],
        system=content["system"],
        key=_as_key(content),
        published=None if published is None else Published(**published),
        margin=content.get("margin"),
        against=content.get("against"),
        statistics=_as_statistics(content),
        prediction_interval=content["prediction_interval"],
        tests=[Test(**test) for test in content["tests"]],
        verdict=None if verdict is None else Verdict(verdict),
        reason=content["reason"],
        rests_on_runs=content["rests_on_runs"],
    )


def as_group(content: dict[str, Any]) -> ReportGroup:
    """A group as report.json has it; what the study made by hand leaves out is empty."""
    confusion, main = content["confusion"], content["main"]
    if confusion is not None:
        confusion = Confusion(
            *(confusion[name] for name in ("split", "checkpoint", "row")),
            class_names=content["class_names"],
            matrix=confusion["matrix"],
        )
    left_out = {"folder": "", "duplicate_seeds": [], "fixed_seeds": {}, "problems": []}
    return ReportGroup(
        **left_out
        | _without(content, "id")
        | {
            "identifier": content["id"],
            "dataset": RecordedDataset.of(content["dataset"]),
            "runs": [RunSummary(**run) for run in content["runs"]],
            "main": None if main is None else _as_key(main),
            "scores": [Score(_as_key(one), _as_statistics(one)) for one in content["scores"]],
            "confusion": confusion,
            "curves": Curves([as_stage(stage) for stage in content["curves"]["stages"]]),
            "deviations": [Deviation(**one) for one in content["deviations"]],
        }
    )


def as_stage(content: dict[str, Any]) -> StageCurves:
    """Curves of a stage as report.json has them."""
    series = {name: [Curve(**one) for one in content[name]] for name in ("loss", "validation")}
    return StageCurves(**content | series)


def _as_key(content: dict[str, Any]) -> ScoreKey:
    return ScoreKey(*(content[name] for name in ("split", "checkpoint", "row", "metric", "class")))


def _as_statistics(content: dict[str, Any]) -> Statistics:
    summary = content["summary"]
    numbers = {
        field.name: content.get(field.name)
        for field in dataclasses.fields(Statistics)
        if field.name not in ("values", "summary")
    }
    return Statistics(
        {int(seed): value for seed, value in content["values"].items()},
        None if summary is None else Summary(**summary),
        **numbers,
    )


def _without(content: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != field}


def make_examples(
    size: int = 16,
    count: int = 12,
    rows: tuple[str, ...] = ("16", "32", "12to16", "8to16"),
    class_names: tuple[str, ...] = LAPA_AND_HELEN,
    ids: tuple[str, ...] | None = None,
) -> Examples:
    """Discs on noise; the k-th image is wrong in fewer pixels than the one before it."""
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (count, size, size, 3), np.uint8)
    truths, predictions = [], []
    for row in rows:
        side = int(row.split("to")[-1]) if row[0].isdigit() else size
        y, x = np.mgrid[:side, :side] / side - 0.5
        truth = np.where(np.hypot(x, y) < 0.35, 1, 0).astype(np.uint8)
        truth = np.repeat(truth[None], count, axis=0)
        truth[:, 0, 0] = 255  # does not count
        prediction = np.where(truth == 255, 0, truth)
        for k in range(count):
            prediction[k, : (count - k) * side // (2 * count), side // 2] = 2
        truths.append(truth)
        predictions.append(prediction)
    split_size = 5 * count
    return Examples(
        images=images,
        ids=ids or tuple(f"face_{k}" for k in range(count)),
        per_image_f1=np.linspace(0.4, 0.95, count),
        rank=np.linspace(0, split_size - 1, count).round().astype(np.int64),
        split_size=split_size,
        split="test",
        checkpoint="best",
        rows=rows,
        truths=tuple(truths),
        predictions=tuple(predictions),
        class_names=class_names,
    )


def summary_of(values: list[float]) -> dict[str, Any]:
    """n, mean, SD and the rest, by the standard library."""
    sd = statistics.stdev(values) if len(values) > 1 else None
    return {
        "n": len(values),
        "mean": statistics.fmean(values),
        "sd": sd,
        "sem": None if sd is None else sd / len(values) ** 0.5,
        "minimum": min(values),
        "maximum": max(values),
    }


def _score(random: Any, centre: float, seeds: list[int], **where: str) -> dict[str, Any]:
    values = {str(seed): float(centre + random.normal(0, 0.18)) for seed in seeds}
    summary = summary_of(list(values.values()))
    mean, sem = summary["mean"], summary["sem"]
    several = sem is not None
    reach = 2.776 * sem if several else None
    return where | {
        "values": values,
        "summary": summary,
        "t_interval": [mean - reach, mean + reach] if several else None,
        "bootstrap_interval": [mean - 0.7 * reach, mean + 0.7 * reach] if several else None,
        "image_interval": [mean - 0.4, mean + 0.4],
        "image_sd": 0.2,
        "seed_and_image_interval": [mean - 0.5, mean + 0.5] if several else None,
    }


def _group(
    random: Any,
    group_id: str,
    name: str,
    centre: float,
    names: tuple[str, ...] = LAPA_AND_HELEN,
    seeds: list[int] | None = None,
    settings: dict[str, Any] | None = None,
    model: str = "fp_liif",
    stages: tuple = FP_LIIF_STAGES,
    rows: tuple[str, ...] = ("64", "128", "48to64", "32to64"),
    reasons: list[str] | None = None,
) -> dict[str, Any]:
    seeds = list(SEEDS) if seeds is None else seeds
    scores = []
    for offset, row in enumerate(rows):
        place = {"split": "test", "checkpoint": "best", "row": row}
        for metric, label in (
            ("mean_f1", "mean"),
            ("miou", "mean"),
            ("group_f1", "eyes"),
            ("per_image_mean_f1", "mean"),
        ):
            drop = offset + 10 * (metric == "miou")
            scores.append(
                _score(random, centre - drop, seeds, metric=metric, **{"class": label}, **place)
            )
        if offset == 0:
            for index, label in enumerate(names[1:]):
                middle = centre + 4 * np.sin(index)
                scores.append(
                    _score(random, middle, seeds, metric="f1", **{"class": label}, **place)
                )
    undefined = {"summary": None, "values": {str(seed): None for seed in seeds}}
    undefined |= dict.fromkeys(
        (
            "t_interval",
            "bootstrap_interval",
            "image_interval",
            "image_sd",
            "seed_and_image_interval",
        )
    )
    scores.append(
        {"split": "test", "checkpoint": "best", "row": rows[0], "metric": "f1", "class": "earring"}
        | undefined
    )
    count = len(names)
    matrix = random.random((count, count)) ** 6 * 0.05 + np.eye(count)
    matrix[-1] = 0
    matrix[:-1] /= matrix[:-1].sum(axis=1, keepdims=True)
    main = {"split": "test", "checkpoint": "best", "row": rows[0]}
    return {
        "id": group_id,
        "name": name,
        "model": model,
        "framework": "jax",
        "dataset": {
            "name": "lapa",
            "builder_config": None,
            "complete": reasons is None,
            "counts": {"train": 18176, "validation": 2000, "test": 2000},
            "fingerprint": "71fdac4fb73b4507",
        },
        "parameters": 2283019,
        "seeds": seeds,
        "settings": settings or {},
        "runs": [
            {
                "name": f"{name}/seed{seed}",
                "seed": seed,
                "seconds": 126.0 if seed else None,
                "images_per_second": 45.2,
                "git_commit": "6d2610d8b64c1d0746ccff62c9af6fa1dfe74cf9",
                "command": f"python -m fpliif_jax.main --config.seed={seed}",
                "notes": ["resumed once"] if seed == 1 else [],
            }
            for seed in seeds
        ],
        "main": main | {"metric": "mean_f1", "class": "mean"},
        "scores": scores,
        "class_names": list(names),
        "confusion": main | {"matrix": matrix.tolist()},
        "curves": {"stages": [_stage(random, stage, seeds, centre) for stage in stages]},
        "deviations": [
            {
                "field": "loss.temperature_mode",
                "here": "divide",
                "paper": "not said",
                "kind": "reading",
            },
            {"field": "train.epochs", "here": 10, "paper": 200, "kind": "scale"},
            {"field": f"model.{group_id}", "here": [1, 2, 3], "paper": None, "kind": "scale"},
        ],
        "comparable": reasons is None,
        "reasons": reasons or [],
    }


def _bare_group() -> dict[str, Any]:
    """A group of which next to nothing is known."""
    return {
        "id": "g5",
        "name": "bare",
        "model": "fp_liif",
        "framework": "jax",
        "dataset": {
            "name": "lapa",
            "builder_config": None,
            "complete": False,
            "counts": {},
            "fingerprint": None,
        },
        "parameters": None,
        "seeds": [],
        "settings": {},
        "runs": [],
        "main": None,
        "scores": [],
        "class_names": [],
        "confusion": None,
        "curves": {"stages": []},
        "deviations": [],
        "comparable": False,
        "reasons": ["no run has finished"],
    }


def _stage(random: Any, stage: tuple, seeds: list[int], centre: float) -> dict[str, Any]:
    name, start, metric = stage
    steps = list(range(25, 751, 25))
    every = steps[2::3]
    loss, validation = [], []
    for seed in seeds:
        falling = [
            float(start * np.exp(-step / 180) + 0.1 * start + random.normal(0, 0.02 * start))
            for step in steps
        ]
        rising = [
            float(centre * (1 - np.exp(-step / 120)) + random.normal(0, 0.8)) for step in every
        ]
        loss.append({"seed": seed, "steps": steps, "values": falling})
        validation.append({"seed": seed, "steps": every, "values": [None, *rising[1:]]})
    if name == "localisation":
        validation = []
    return {"name": name, "loss": loss, "validation": validation, "validation_metric": metric}


def _published(text: str, sd: float | None = None, n: int | None = None) -> dict[str, Any]:
    return {
        "value": float(text),
        "printed": text,
        "decimals": len(text.partition(".")[2]),
        "sd": sd,
        "n": n,
        "source": "FP-LIIF Table 1",
        "unit": "percent",
    }


def _row(
    group: dict[str, Any],
    label: str,
    published: str | None,
    verdict: str | None,
    metric: str = "mean_f1",
    class_name: str = "mean",
    sd: float | None = None,
    n: int | None = None,
) -> dict[str, Any]:
    where = {"metric": metric, "class": class_name}
    score = next(item for item in group["scores"] if all(item[key] == where[key] for key in where))
    mean, deviation = score["summary"]["mean"], score["summary"]["sd"]
    reach = None if deviation is None else 2.776 * deviation * (1 + 1 / 5) ** 0.5
    tests = [
        {
            "name": "one-sample t-test",
            "statistic": -1.42,
            "df": 4,
            "p": 0.228,
            "assumes": "seeds are independent and their scores normal",
        },
        {
            "name": "equivalence (TOST)",
            "statistic": None,
            "df": None,
            "p": None,
            "assumes": "the same",
        },
    ]
    return {
        "group": group["id"],
        "label": label,
        "system": "ours",
        "split": "test",
        "checkpoint": "best",
        "row": score["row"],
        **where,
        "published": None if published is None else _published(published, sd, n),
        "margin": 0.5,
        "values": score["values"],
        "summary": score["summary"],
        "t_interval": score["t_interval"],
        "bootstrap_interval": score["bootstrap_interval"],
        "prediction_interval": None if reach is None else [mean - reach, mean + reach],
        "image_interval": score["image_interval"],
        "tests": tests if verdict not in (None, "not comparable") else [],
        "verdict": verdict,
        "reason": f"why it is {verdict}" if verdict else "",
        "rests_on_runs": True,
    }


def _unrun_row(label: str, published: str) -> dict[str, Any]:
    """A system of the published table that nobody ran here."""
    nothing = dict.fromkeys(
        (
            "group",
            "split",
            "checkpoint",
            "row",
            "summary",
            "t_interval",
            "bootstrap_interval",
            "prediction_interval",
            "image_interval",
            "verdict",
        )
    )
    return nothing | {
        "label": label,
        "system": label,
        "metric": "mean_f1",
        "class": "mean",
        "published": _published(published),
        "values": {},
        "tests": [],
        "reason": "",
        "rests_on_runs": True,
    }


def _external_row(random: Any, system: str, published: str) -> dict[str, Any]:
    score = _score(random, 92.2, list(SEEDS), metric="mean_f1", **{"class": "mean"})
    return _unrun_row(f"{system} run", published) | {
        "system": system,
        "values": score["values"],
        "summary": score["summary"],
        "t_interval": score["t_interval"],
        "prediction_interval": score["t_interval"],
        "verdict": "reproduced",
        "reason": "the published value lies in the prediction interval",
    }


def _comparison(
    a: str,
    b: str,
    difference: float | None,
    interval: list[float] | None,
    p: float | None,
    p_holm: float | None,
) -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "metric": "mean_f1",
        "class": "mean",
        "difference": difference,
        "interval": interval,
        "test": "paired t",
        "n": 5,
        "p": p,
        "p_holm": p_holm,
        "equivalent_p": None,
        "margin": 0.5,
    }
