"""Tests of experiments/report/views.py: each number of a study stands under its own name."""

import dataclasses
from typing import Any

import pytest
import report_study

from fpliif_jax.experiments.report import data_text, views
from fpliif_jax.experiments.runs.results import RecordedDigests


@pytest.fixture
def study() -> dict[str, Any]:
    return report_study.make_study()


def test_every_interval_has_its_own_name(study: dict[str, Any]) -> None:
    table = study["tables"][0]
    fields = ("t_interval", "prediction_interval", "bootstrap_interval", "image_interval")
    table["rows"][0] |= {field: [n, n + 0.5] for n, field in enumerate(fields, start=1)}
    assert views.table_view(report_study.as_table(table), 0).rows[0].intervals == (
        ("mean", "[1.00, 1.50]"),
        ("next run", "[2.00, 2.50]"),
        ("bootstrap", "[3.00, 3.50]"),
        ("test images", "[4.00, 4.50]"),
    )


def test_every_p_value_has_its_own_name(study: dict[str, Any]) -> None:
    table = study["tables"][1]
    table["comparisons"][0] |= {"p": 0.01, "p_holm": 0.02, "equivalent_p": 0.03}
    found = views.table_view(report_study.as_table(table), 0).comparisons[0]
    assert (found.p, found.p_holm, found.equivalent_p) == ("0.010", "0.020", "0.030")


def test_any_score_can_be_the_one_that_stands_for_a_group(study: dict[str, Any]) -> None:
    group = study["groups"][0]
    fields = ("split", "checkpoint", "row", "metric", "class")
    for score in group["scores"]:
        main = {field: score[field] for field in fields}
        found = report_study.as_group(group | {"main": main})
        assert found.main_score is found.scores[group["scores"].index(score)]
    for field in fields:
        assert report_study.as_group(group | {"main": main | {field: "another"}}).main_score is None


def test_deviations_are_of_all_only_where_there_are_several_groups(study: dict[str, Any]) -> None:
    deviations = {
        item.field: item.groups for item in views.deviation_views(report_study.as_study(study))
    }
    assert deviations["train.epochs"] == "all"
    assert deviations["model.g0"] == "table1/lapa"
    study |= {"groups": study["groups"][:1], "tables": []}
    assert {item.groups for item in views.deviation_views(report_study.as_study(study))} == {
        "table1/lapa"
    }


def test_digests_of_label_maps_and_of_ids_are_not_exchanged(study: dict[str, Any]) -> None:
    labels = {"train": "1" * 64, "validation": None, "test": None, "all": None}
    ids = labels | {"train": "2" * 64, "test": "3" * 64}
    digest = RecordedDigests(ids=ids, labels=labels)
    group = report_study.as_group(study["groups"][0])

    def rows(**recorded: Any) -> list[tuple[str, str, str]]:
        dataset = dataclasses.replace(group.dataset, **recorded)
        return data_text.digest_rows(dataclasses.replace(group, dataset=dataset))

    assert rows(digest=digest)[:3:2] == [("train", "1" * 64, "2" * 64), ("test", "–", "3" * 64)]
    assert rows() == []
