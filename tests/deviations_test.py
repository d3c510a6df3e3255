"""Tests of experiments.study.deviations: what may be held against the papers."""

import pathlib
from typing import Any

import pytest

from experiments.study import deviations, scales
from experiments.study.tables import Variant, table_named
from fpliif_jax import checkpoint, settings

DOCS = pathlib.Path(__file__).parents[1] / "docs"
LAPA = table_named("table1").variants[0]
OFFICIAL = {"name": "lapa", "complete": True, "counts": {"train": 1, "validation": 1, "test": 1}}


def _config(variant: Variant, **changes: Any) -> dict[str, Any]:
    arguments = scales.as_arguments(*scales.scaled(variant, "paper"))
    arguments += tuple(
        f"--config.{field.replace('__', '.')}={value}" for field, value in changes.items()
    )
    return checkpoint.json_config(settings.config_of(arguments))


def test_every_reading_is_documented() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("reproduction*.md"))
    undocumented = [field for field in deviations.READINGS if f"`{field}`" not in text]
    # `model.dtype` follows `dtype`.
    assert undocumented == ["model.dtype"]


@pytest.mark.parametrize(
    "name", ["table1", "table2", "table3", "table5", "ablations", "stn_table2", "stn_table3"]
)
def test_the_published_settings_deviate_in_nothing(name: str) -> None:
    for variant in table_named(name).variants:
        config = _config(variant, seed=3, data__manual_dir="/x", train__microbatch=4)
        assert deviations.deviations(config, variant) == []
        dataset = {**OFFICIAL, "name": deviations.dataset_of(variant)}
        assert deviations.obstacles(config, dataset, [], variant) == []


def test_a_reading_is_named_and_is_no_obstacle() -> None:
    config = _config(LAPA, model__ensemble="area")
    found = deviations.deviations(config, LAPA)
    assert found == [deviations.Deviation("model.ensemble", "area", "average", "reading")]
    assert deviations.obstacles(config, OFFICIAL, found, LAPA) == []


def test_another_experiment_is_an_obstacle() -> None:
    config = _config(LAPA, model__features=32, train__epochs=10, loss__edge_weight=10.0)
    found = deviations.deviations(config, LAPA)
    assert {one.field for one in found} == {"model.features", "train.epochs", "loss.edge_weight"}
    (reason,) = deviations.obstacles(config, OFFICIAL, found, LAPA)
    assert "model.features is 32, not 64" in reason


def test_lambda_is_open_on_helen_alone() -> None:
    helen = table_named("table3").variants[0]
    (found,) = deviations.deviations(_config(helen, loss__edge_weight=10.0), helen)
    assert found.kind == "reading"


def test_other_data_are_an_obstacle() -> None:
    config = _config(LAPA)
    part = {**OFFICIAL, "complete": False, "counts": {"train": 600, "validation": 50, "test": 9}}
    assert deviations.obstacles(config, part, [], LAPA) == [
        "the data are not the official set: 600 / 50 / 9 images"
    ]
    helen = {**OFFICIAL, "name": "helen"}
    assert deviations.obstacles(config, helen, [], LAPA) == ["the data are helen, not lapa"]
    drawn = _config(LAPA, data__synthetic__num_train=600)
    assert deviations.obstacles(drawn, part, [], LAPA) == ["the faces are drawn (600 / 50 / 9)"]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("table1", "lapa"),
        ("table2", "celebamask_hq"),
        ("table5", "lambda=0"),
        ("ablations", "unet"),
        ("stn_table2", "icnn"),
        ("stn_table2", "stn_icnn_apart"),
        ("stn_table2", "official"),
        ("stn_table3", "stn_icnn"),
    ],
)
def test_runs_by_themselves_find_their_experiment(table: str, name: str) -> None:
    variant = next(v for v in table_named(table).variants if v.name == name)
    assert deviations.variant_of(_config(variant, seed=4)) == variant


def test_what_is_published_does_not_depend_on_where_the_report_is_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(LAPA)
    deviations._published_config.cache_clear()
    monkeypatch.chdir(tmp_path)
    assert deviations.deviations(config, LAPA) == []
