"""What the study makes of the data that runs recorded: drawn or not, and digests of ids and label maps."""

import hashlib
import json
import pathlib
from typing import Any

import pytest
from made_runs import config_of, write_run, write_seeds
from report_study import as_written

from fpliif_jax import data_builders
from fpliif_jax.commands import command_line
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.synthetic_faces.__main__ import main as draw
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.report import write_report
from fpliif_jax.experiments.runs import runs
from fpliif_jax.experiments.runs.groups import group_runs

NEAR = [92.4, 92.5, 92.3]


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _data(labels: str = "official", **changes: Any) -> dict[str, Any]:
    """What this version records of a set; the text stands for its label maps."""
    places = ("train", "validation", "test", "all")
    digest = {
        what: {place: _hex(f"{what} {text} {place}") for place in places}
        for what, text in (("ids", "ids"), ("labels", labels))
    }
    return {"drawn": False, "drawing": None, "official_ids": None, "digest": digest} | changes


def _environment(labels: str = "official", **changes: Any) -> dict[str, Any]:
    return {"data_digest": _hex(f"labels {labels} all"), "data_drawn": False} | changes


def _study(root: pathlib.Path) -> dict[str, Any]:
    return as_written(analyse(root)[0])


def _verdicts(study: dict[str, Any]) -> set[str | None]:
    return {row["verdict"] for table in study["tables"] for row in table["rows"] if row["values"]}


# Drawn, or other than official.


def test_a_drawn_set_with_official_counts_gets_no_verdict(
    quick: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generator's own command, the builder and the paper's config; the counts are official in small."""
    counts = {"train": 3, "validation": 2, "test": 1}
    monkeypatch.setattr(data_builders.BUILDERS["helen"], "OFFICIAL_COUNTS", counts)
    arguments = ["--layout=helen", "--num_train=3", "--num_val=2", "--num_test=1"]
    assert draw([*arguments, "--image_size=32", f"--output_dir={tmp_path / 'raw'}"]) == 0
    variant = plan_and_text("table3")[0].variants[0]
    config = config_of(variant)
    assert config["data"]["name"] == "helen" and not config["data"]["synthetic"]["num_train"]
    settled = command_line.config_of(
        (
            "--config=configs/helen.py",
            f"--config.data.manual_dir={tmp_path / 'raw'}",
            f"--config.data.data_dir={tmp_path / 'prepared'}",
        )
    )
    dataset = load_dataset(settled.data)
    record, environment = dataset.record(), dataset.environment()
    assert record["complete"] is True
    write_seeds(tmp_path / "runs", config, NEAR, dataset=record, environment=environment)
    study = _study(tmp_path / "runs")
    (group,) = study["groups"]
    assert group["comparable"] is False
    assert group["reasons"] == ["the faces are drawn (3 train, 2 validation and 1 test images)"]
    assert _verdicts(study) == {"not comparable"}
    assert study["title"] == "Reproducibility study: FP-LIIF, drawn faces in the layout of helen"
    assert group["dataset"]["drawing"]["image_size"] == 32
    write_report(analyse(tmp_path / "runs")[0], {}, tmp_path / "report")
    for name in ("report.md", "report.html"):
        text = (tmp_path / "report" / name).read_text(encoding="utf-8")
        assert "drawn faces" in text and dataset.digest["labels"]["test"] in text


@pytest.mark.parametrize(
    ("dataset", "environment", "reason"),
    [
        ({"official_ids": False}, {}, "the data are not the official set: it has other ids"),
        ({}, {"data_drawn": True}, "trained on drawn faces"),
        (
            {},
            _environment("others") | {"data_fingerprint": "e" * 64},
            "trained on other data than scored on",
        ),
        ({"digest": None}, {"data_fingerprint": "e" * 64}, "trained on other data than scored on"),
    ],
)
def test_what_is_recorded_may_forbid_a_verdict(
    tmp_path: pathlib.Path, dataset: dict[str, Any], environment: dict[str, Any], reason: str
) -> None:
    options = {"dataset": _data(**dataset), "environment": _environment() | environment}
    write_seeds(tmp_path, config_of(), NEAR, **options)
    study = _study(tmp_path)
    assert study["groups"][0]["reasons"] == [reason]
    assert _verdicts(study) == {"not comparable"}


@pytest.mark.parametrize(
    ("group", "field", "value", "status"),
    [
        ("synthetic", "without", ["camera", "pose"], "finished"),
        ("synthetic", "without", [1], "broken"),
        ("synthetic", "also", ["hats", "scarves"], "finished"),
        (None, "split_counts", [3, 2, 1], "finished"),
        (None, "split_counts", ["three"], "broken"),
    ],
)
def test_lists_that_are_none_by_default_are_read_and_checked(
    tmp_path: pathlib.Path, group: str | None, field: str, value: list, status: str
) -> None:
    config = config_of()
    data = config["data"].setdefault(group, {}) if group else config["data"]
    data[field] = value
    write_run(tmp_path / "seed0", config, {"256": 92.4})
    (run,) = runs.read_runs(tmp_path)
    assert run.status == status, run.problem


def test_what_runs_of_no_paper_were_trained_on_is_told(tmp_path: pathlib.Path) -> None:
    config = config_of()
    config["data"]["name"] = "own_data"
    environment = _environment() | {"data_drawn": True}
    write_seeds(tmp_path, config, NEAR, dataset=_data(name="own_data"), environment=environment)
    reasons = _study(tmp_path)["groups"][0]["reasons"]
    assert reasons == ["the papers have no such experiment", "trained on drawn faces"]


def test_the_same_label_maps_from_other_files_are_no_other_data(tmp_path: pathlib.Path) -> None:
    environment = _environment(data_fingerprint="e" * 64)
    write_seeds(tmp_path, config_of(), NEAR, dataset=_data(), environment=environment)
    assert _study(tmp_path)["groups"][0]["comparable"] is True


def test_the_report_claims_no_more_than_was_checked(quick: None, tmp_path: pathlib.Path) -> None:
    texts = {}
    for name, dataset in (
        ("counts", _data()),
        ("ids", _data(official_ids=True)),
        ("old", {}),
        ("unknown", _data(drawn=None)),
        ("part", _data(complete=False)),
    ):
        write_run(tmp_path / name / "seed0", config_of(), {"256": 92.4}, dataset=dataset)
        study = _study(tmp_path / name)
        write_report(analyse(tmp_path / name)[0], {}, tmp_path / f"report-{name}")
        texts[name] = (tmp_path / f"report-{name}" / "report.md").read_text(encoding="utf-8")
        (group,) = json.loads((tmp_path / f"report-{name}" / "report.json").read_text())["groups"]
        assert group["dataset"].get("digest") == dataset.get("digest")
        told = [text for text in study["summary"] if "not recorded whether the faces" in text]
        assert len(told) == (name in ("old", "unknown"))
    unverified = "whether the pixels are the official ones is not verified"
    assert f"official counts; {unverified}" in texts["counts"]
    assert f"official counts and ids; {unverified}" in texts["ids"]
    for name in ("old", "unknown"):
        assert "official counts; whether the faces are drawn is not recorded" in texts[name]
    assert "no digest recorded" in texts["old"]
    assert "not the complete official set" in texts["part"] and unverified not in texts["part"]
    digest = _data()["digest"]
    for value in (*digest["ids"].values(), *digest["labels"].values()):
        assert value in texts["counts"]
    assert f"label maps {digest['labels']['all'][:16]}" in texts["counts"]


# Which runs and groups rest on the same data.


def _grouped(root: pathlib.Path) -> list[list[str]]:
    return [[run.name for run in group.runs] for group in group_runs(runs.read_runs(root))]


def _write(root: pathlib.Path, seed: int, labels: str | None, **environment: Any) -> pathlib.Path:
    """A run on certain label maps; on None: of an older version, which did not record them."""
    return write_run(
        root / f"seed{seed}",
        config_of(seed=seed),
        {"256": 92.4},
        dataset=_data(labels) if labels else None,
        environment=(_environment(labels) | environment) if labels else None,
    )


def test_runs_on_other_label_maps_are_another_group(tmp_path: pathlib.Path) -> None:
    """Although the raw files are the same: another version may make other label maps of them."""
    for seed, labels in enumerate(("a", "b", "a")):
        _write(tmp_path, seed, labels)
    assert _grouped(tmp_path) == [["seed0", "seed2"], ["seed1"]]


def test_a_run_without_a_digest_joins_the_only_group_that_it_fits(tmp_path: pathlib.Path) -> None:
    for seed, labels in enumerate((None, "a", None)):
        _write(tmp_path, seed, labels)
    (_write(tmp_path, 3, "a") / "results.json").unlink()
    assert _grouped(tmp_path) == [["seed0", "seed1", "seed2", "seed3"]]
    (group,) = _study(tmp_path)["groups"]
    assert group["dataset"]["digest"] == _data("a")["digest"]  # although the first run has none
    # An unfinished run on other label maps is not of the group; and where there are two, who knows.
    (_write(tmp_path, 4, "b") / "results.json").unlink()
    assert _grouped(tmp_path)[1] == ["seed4"]
    _write(tmp_path, 5, "b")
    assert _grouped(tmp_path) == [["seed0", "seed2"], ["seed1", "seed3"], ["seed4", "seed5"]]


def test_runs_trained_on_other_label_maps_are_another_group(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, 0, "a")
    _write(tmp_path, 1, "a", data_digest=_hex("others"))
    assert _grouped(tmp_path) == [["seed0"], ["seed1"]]


def test_frameworks_on_other_label_maps_are_not_compared(tmp_path: pathlib.Path) -> None:
    options = {
        labels: {"dataset": _data(labels), "environment": _environment(labels)} for labels in "ab"
    }
    write_seeds(tmp_path / "same" / "jax", config_of(), NEAR, **options["a"])
    write_seeds(
        tmp_path / "same" / "pytorch", config_of(), NEAR, framework="pytorch", **options["a"]
    )
    assert any("JAX − PyTorch" in text for text in _study(tmp_path / "same")["summary"])
    write_seeds(tmp_path / "old" / "jax", config_of(), NEAR)
    write_seeds(
        tmp_path / "old" / "pytorch", config_of(), NEAR, framework="pytorch", **options["a"]
    )
    summary = _study(tmp_path / "old")["summary"]
    assert summary[0].startswith("6 finished runs of one setting,")
    assert any("JAX − PyTorch" in text for text in summary)
    write_seeds(tmp_path / "other" / "jax", config_of(), NEAR, **options["a"])
    write_seeds(
        tmp_path / "other" / "pytorch", config_of(), NEAR, framework="pytorch", **options["b"]
    )
    summary = _study(tmp_path / "other")["summary"]
    assert any("are not compared: their data are not the same" in text for text in summary)


def test_groups_on_different_data_are_told_apart_with_their_digests(tmp_path: pathlib.Path) -> None:
    for name, labels in (("one", "a"), ("two", "b"), ("three", "a")):
        changes = {"model__ensemble": "area"} if name == "three" else {}
        options = {"dataset": _data(labels), "environment": _environment(labels)}
        write_seeds(tmp_path / name, config_of(**changes), NEAR, **options)
    (told,) = [text for text in _study(tmp_path)["summary"] if "Not all groups rest" in text]
    shown = {
        labels: f"label maps {_hex(f'labels {labels} all')[:16]} "
        f"(test: {_hex(f'labels {labels} test')[:16]})"
        for labels in "ab"
    }
    assert told == (
        f"Not all groups rest on the same data of lapa: {shown['a']} in one and three; "
        f"{shown['b']} in two."
    )
    for folder in (tmp_path / "one", tmp_path / "three"):
        assert not [text for text in _study(folder)["summary"] if "Not all groups" in text]


# Files from anywhere.


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("drawn", "yes"),
        ("official_ids", 1),
        ("drawing", [1]),
        ("digest", "abc"),
        ("digest", {"ids": {}, "labels": {}}),
        ("digest", {"labels": _data()["digest"]["labels"]}),
        ("digest", _data()["digest"] | {"labels": _data()["digest"]["labels"] | {"all": "<b>"}}),
    ],
)
def test_records_of_another_form_are_broken(
    tmp_path: pathlib.Path, field: str, value: object
) -> None:
    write_run(tmp_path / "seed0", config_of(), {"256": 92.4}, dataset=_data(**{field: value}))
    (run,) = runs.read_runs(tmp_path)
    assert run.status == "broken" and field in run.problem


@pytest.mark.parametrize("field", ["data_digest", "data_drawn"])
def test_environments_of_another_form_are_broken(tmp_path: pathlib.Path, field: str) -> None:
    write_run(tmp_path / "seed0", config_of(), {"256": 92.4}, environment={field: "x"})
    (run,) = runs.read_runs(tmp_path)
    assert run.status == "broken" and field in run.problem
