"""Reports of runs that were scored on another set than they were trained on name both, wherever they name data."""

import copy
import csv
import hashlib
import json
import pathlib
import re
from typing import Any

import pytest
from made_runs import config_of, write_run, write_seeds
from report_study import as_written

from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report import write_report
from fpliif_jax.experiments.runs import runs
from fpliif_jax.weights import shipped

NEAR = [92.4, 92.5, 92.3]
_PLACES = ("train", "validation", "test", "all")
_SETS = "Trained on drawn faces in the layout of lapa; scored on celebamask_hq."


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _dataset(name: str = "celebamask_hq", labels: str = "photos", **changes: Any) -> dict[str, Any]:
    digest = {
        what: {place: _hex(f"{what} {labels} {place}") for place in _PLACES}
        for what in ("ids", "labels")
    }
    counts = {"train": 4001, "validation": 248, "test": 12}
    own = {"name": name, "drawn": False, "drawing": None, "digest": digest, "counts": counts}
    return {**own, "fingerprint": _hex(labels), "whose_left": "picture"} | changes


def _environment(labels: str = "drawn", **changes: Any) -> dict[str, Any]:
    """Of a run on drawn faces, as versions before this one recorded it."""
    own = {"data_fingerprint": _hex(labels), "data_digest": _hex(f"labels {labels} all")}
    return own | {"data_drawn": True, "whose_left": "picture"} | changes


def _config(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Of a run that draws its faces in the layout of LaPa, and is scored on CelebAMask-HQ."""
    drawn = {"num_train": 2000, "num_val": 64, "num_test": 1, "style": "photographic"}
    config = config_of(seed=seed, eval__dataset="celebamask_hq", eval__labels="lapa", **changes)
    config["data"]["synthetic"] |= drawn
    return config


def _write(root: pathlib.Path, config: dict[str, Any], labels: str = "drawn") -> None:
    write_seeds(root, config, NEAR, dataset=_dataset(), environment=_environment(labels))


def _study(root: pathlib.Path) -> dict[str, Any]:
    return as_written(analyse(root)[0])


def _report(root: pathlib.Path, output: pathlib.Path) -> dict[str, str]:
    write_report(analyse(root)[0], {}, output)
    texts = {path.name: path.read_text(encoding="utf-8") for path in output.iterdir()}
    return texts | {"report.md": texts["report.md"].replace("\\", "")}


def _without(**synthetic: Any) -> dict[str, Any]:
    config = _config()
    config["data"]["synthetic"] |= synthetic
    return config


def test_both_sets_are_named_wherever_data_are(quick: None, tmp_path: pathlib.Path) -> None:
    _write(tmp_path / "runs", _without(without=["pose", "camera"], also=["scarves"]))
    texts = _report(tmp_path / "runs", tmp_path / "report")
    trained = (
        "trained on drawn faces in the layout of lapa, photographic style, without camera and pose, with scarves, "
        f"2,000 train / 64 validation, label maps {_hex('labels drawn all')[:16]}"
    )
    scored = (
        "scored on celebamask_hq, 248 validation / 12 test, in the classes of lapa, official counts; whether the "
        f"pixels are the official ones is not verified, validation label maps {_hex('labels photos validation')[:16]}, "
        f"test label maps {_hex('labels photos test')[:16]}"
    )
    for name in ("report.md", "report.html"):
        assert f"{trained}; {scored}" in texts[name]
        assert _SETS in texts[name], name
        assert "4,001" not in texts[name], "no photograph was trained on"
        assert _hex("labels drawn all") in texts[name] and _hex("labels photos test") in texts[name]
        assert _hex("labels photos train") not in texts[name]
    assert "test split of celebamask_hq, best checkpoint" in texts["report.html"]
    assert "scored on celebamask_hq</h1>" in texts["report.html"]
    assert "FP-LIIF, trained on drawn faces in the layout of lapa" in texts["report.md"]
    (line,) = csv.DictReader(texts["other.csv"].splitlines())
    assert line["trained_on"] == "drawn faces in the layout of lapa"
    assert line["scored_on"] == "celebamask_hq"
    assert _SETS.replace("_", r"\_") in texts["other.tex"]
    content = json.loads(texts["report.json"])
    assert content["tables"][0]["sets"] == _SETS
    assert content["groups"][0]["trained_on"]["counts"] == {"train": 2000, "validation": 64}


def test_figures_name_both_sets(tmp_path: pathlib.Path) -> None:
    _write(tmp_path / "runs", _config())
    texts = _report(tmp_path / "runs", tmp_path / "report")
    forest = " ".join(re.findall(r">([^<>]+)<", texts["forest-other.svg"]))
    assert _SETS in " ".join(forest.split())
    assert "stage parsing, validation on drawn faces in the layout of lapa" in texts["report.md"]
    assert f"![Forest plot of Other runs. {_SETS}" in texts["report.md"]


def test_what_the_training_data_of_groups_differ_in_are_settings(tmp_path: pathlib.Path) -> None:
    own = {
        "all": {},
        "plain": {"style": None},
        "few": {"num_train": 500},
        "part": {"without": ["pose"]},
    }
    for name, synthetic in own.items():
        _write(tmp_path / name, _without(**synthetic), name)
    settings = {group["name"]: group["settings"] for group in _study(tmp_path)["groups"]}
    prefix = "data.synthetic."
    assert settings["all"] == {
        f"{prefix}num_train": 2000, f"{prefix}style": "photographic", f"{prefix}without": None
    }  # fmt: skip
    assert settings["plain"][f"{prefix}style"] is None
    assert settings["few"][f"{prefix}num_train"] == 500
    assert settings["part"][f"{prefix}without"] == ["pose"]


def test_settings_of_drawing_are_none_where_nothing_is_drawn(tmp_path: pathlib.Path) -> None:
    for name, size in (("a", 128), ("b", 256)):
        config = config_of(model__ensemble="area" if name == "a" else "average")
        config["data"]["synthetic"]["image_size"] = size
        write_seeds(tmp_path / name, config, NEAR)
    settings = {group["name"]: group["settings"] for group in _study(tmp_path)["groups"]}
    assert settings == {"a": {"model.ensemble": "area"}, "b": {"model.ensemble": "average"}}


def test_counts_and_drawing_are_those_that_were_recorded(
    quick: None, tmp_path: pathlib.Path
) -> None:
    """Of faces that were drawn before the config knows nothing."""
    config = config_of(eval__dataset="celebamask_hq", eval__labels="lapa")
    told = _environment(
        data_counts={"train": 77, "validation": 5, "test": 3},
        data_drawing={"style": "photographic", "without": "camera,pose", "num_train": 77},
    )
    write_seeds(tmp_path / "runs", config, NEAR, dataset=_dataset(), environment=told)
    text = _report(tmp_path / "runs", tmp_path / "report")["report.md"]
    assert (
        "lapa, photographic style, without camera and pose, 77 train / 5 validation, label" in text
    )
    (tmp_path / "old").mkdir()
    write_seeds(tmp_path / "old", config, NEAR, dataset=_dataset(), environment=_environment())
    text = _report(tmp_path / "old", tmp_path / "report")["report.md"]
    assert "trained on drawn faces in the layout of lapa, numbers of images not recorded" in text


@pytest.mark.parametrize("changes", [{"data_counts": {"train": -1}}, {"data_drawing": "camera"}])
def test_records_of_training_data_of_another_form_are_broken(
    tmp_path: pathlib.Path, changes: dict[str, Any]
) -> None:
    told = _environment(**changes)
    write_run(tmp_path / "seed0", _config(), {"256": 92.4}, dataset=_dataset(), environment=told)
    (run,) = runs.read_runs(tmp_path)
    assert run.status == "broken" and next(iter(changes)) in run.problem


def test_names_of_sets_are_text_and_nothing_else(quick: None, tmp_path: pathlib.Path) -> None:
    config = _config()
    config["eval"]["dataset"] = config["data"]["name"] = "<b>|x"
    told = _environment()
    write_seeds(tmp_path / "runs", config, NEAR, dataset=_dataset("<b>|x"), environment=told)
    write_report(analyse(tmp_path / "runs")[0], {}, tmp_path / "report")
    for name in ("report.md", "report.html"):
        text = (tmp_path / "report" / name).read_text(encoding="utf-8")
        assert "of &lt;b&gt;" in text and "<b>|" not in text and "<b>\\|" not in text
        assert name == "report.html" or "|x" not in text.replace("\\|x", "")


# Beside published numbers.


def test_a_run_scored_on_another_set_stands_beside_no_published_number(
    tmp_path: pathlib.Path,
) -> None:
    """Although LaPa's table has its model and CelebAMask-HQ's its data."""
    config = config_of(eval__dataset="celebamask_hq", eval__labels="lapa")
    told = _environment("lapa", data_drawn=False)
    write_seeds(tmp_path, config, NEAR, dataset=_dataset(), environment=told)
    study = _study(tmp_path)
    assert study["groups"][0]["reasons"] == [
        "the papers have no such experiment", "trained on other data than scored on"
    ]  # fmt: skip
    rows = [row for table in study["tables"] for row in table["rows"]]
    assert [(row["published"], row["verdict"]) for row in rows] == [(None, None)]
    assert "Trained on lapa; scored on celebamask_hq." in study["summary"]


@pytest.mark.parametrize("environment", [{}, {"data_fingerprint": None, "data_drawn": None}])
def test_drawn_faces_are_no_lapa_where_lapa_is_scored(
    tmp_path: pathlib.Path, environment: dict[str, Any]
) -> None:
    """With the paper's settings, LaPa's official counts, and no record of what was trained on but the config."""
    config = _config()
    config["eval"] |= {"dataset": "lapa", "labels": None}
    write_seeds(tmp_path, config, NEAR, dataset=_dataset("lapa"), environment=environment)
    study = _study(tmp_path)
    assert study["groups"][0]["reasons"] == ["trained on drawn faces"]
    verdicts = {
        row["verdict"] for table in study["tables"] for row in table["rows"] if row["values"]
    }
    assert verdicts == {"not comparable"}
    assert study["tables"][0]["sets"].endswith("in the layout of lapa; scored on lapa.")


def test_a_run_on_drawn_faces_that_is_scored_again_on_photographs_stays_one(
    tmp_path: pathlib.Path,
) -> None:
    """Its results say that nothing is drawn, its config.json what it was trained on."""
    config = _config()
    config["eval"] |= {"dataset": None, "labels": None}
    folder = write_run(tmp_path / "seed0", config_of(), {"256": 92.4}, dataset=_dataset("lapa"))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environment.json").unlink()
    (group,) = _study(tmp_path)["groups"]
    assert group["reasons"] == ["trained on drawn faces"]
    assert group["trained_on"]["counts"] == {"train": 2000, "validation": 64}


def test_photographs_are_not_drawn_because_what_was_trained_on_is(
    quick: None, tmp_path: pathlib.Path
) -> None:
    """Where the prepared set of an earlier version does not say whether its faces are drawn."""
    dataset = _dataset(drawn=None)
    write_seeds(tmp_path / "runs", _config(), NEAR, dataset=dataset, environment=_environment())
    study = _study(tmp_path / "runs")
    assert _SETS in study["summary"]
    reasons = study["groups"][0]["reasons"]
    assert reasons == ["the papers have no such experiment", "trained on drawn faces"]


def test_faces_that_an_early_run_drew_are_called_drawn_wherever_data_are_named(
    quick: None, tmp_path: pathlib.Path
) -> None:
    """Its prepared set did not say so: its config does."""
    config = config_of(eval__dataset=None)
    config["data"]["synthetic"]["num_train"] = 600
    dataset = _dataset("lapa")
    del dataset["drawn"], dataset["drawing"]
    environment = _environment("photos", data_drawn=None)
    write_seeds(tmp_path / "runs", config, NEAR, dataset=dataset, environment=environment)
    texts = _report(tmp_path / "runs", tmp_path / "report")
    lines = [one for one in csv.DictReader(texts["table1.csv"].splitlines()) if one["group"]]
    drawn = "drawn faces in the layout of lapa"
    assert {(line["trained_on"], line["scored_on"]) for line in lines} == {(drawn, drawn)}
    assert "whether the faces are drawn is not recorded" not in texts["report.md"]
    reasons = json.loads(texts["report.json"])["groups"][0]["reasons"]
    assert reasons[0] == "the faces are drawn (4,001 train, 248 validation and 12 test images)"


# Weights, and what training started from.


def _write_given(folder: pathlib.Path, note: str, seed: int = 0) -> None:
    """An evaluation of weights that no run trained, with what it says of where they are from."""
    write_run(folder, config_of(seed=seed), {"256": 92.4}, dataset=_dataset("lapa"))
    results = json.loads((folder / "results.json").read_text())
    results["evaluations"] = [
        one | {"checkpoint": "given"}
        for one in results["evaluations"]
        if one["checkpoint"] == "best"
    ]
    for path in (folder / "evaluations").glob("*-best-*"):
        path.rename(path.with_name(path.name.replace("best", "given")))
    (folder / "results.json").write_text(json.dumps(results | {"notes": [note], "train": None}))
    for left in ("config.json", "environment.json", "metrics.jsonl"):
        (folder / left).unlink()


def test_weights_that_no_run_trained_are_not_called_trained_on_the_data_of_their_config(
    quick: None, tmp_path: pathlib.Path
) -> None:
    notes = {"package": shipped.SHIPPED["drawn"].note, "file": "weights of <b>|x (sha256 0123…)"}
    reasons = {}
    for name, note in notes.items():
        _write_given(tmp_path / name / "given", note)
        (group,) = _study(tmp_path / name)["groups"]
        reasons[name] = group["reasons"]
        write_report(analyse(tmp_path / name)[0], {}, tmp_path / f"report_{name}")
    assert reasons == {"package": ["trained on drawn faces"], "file": []}
    text = (tmp_path / "report_package" / "report.md").read_text(encoding="utf-8")
    assert "not trained here: weights 'drawn' of fpliif\\_jax, trained on 8,000 drawn faces" in text
    text = (tmp_path / "report_file" / "report.md").read_text(encoding="utf-8")
    assert "not trained here: weights of &lt;b&gt;\\|x" in text and "<b>" not in text
    assert "|x" not in text.replace("\\|x", "")


def test_evaluations_of_given_weights_are_no_seeds_of_one_another(tmp_path: pathlib.Path) -> None:
    """The seed of their config made none of them, and where it is the same none of them is a copy."""
    notes = [f"weights of {name}.pth (sha256 {name}…)" for name in "abb"]
    for index, (note, seed) in enumerate(zip(notes, (0, 0, 1), strict=True)):
        _write_given(tmp_path / f"given{index}", note, seed)
    write_seeds(tmp_path / "trained", config_of(), NEAR, dataset=_dataset("lapa"))
    study = _study(tmp_path)
    groups = {group["folder"]: group for group in study["groups"]}
    assert [groups[f"given{index}"]["trained_on"]["weights"] for index in range(3)] == notes
    assert groups["trained"]["seeds"] == [0, 1, 2] and len(groups) == 4
    assert not any(group["duplicate_seeds"] for group in groups.values())


def test_a_run_that_starts_from_weights_of_drawn_faces_says_so(
    quick: None, tmp_path: pathlib.Path
) -> None:
    config = config_of(train__init_from="weights:drawn")
    config["data"]["labels"] = "lapa"
    write_seeds(tmp_path / "runs", config, NEAR)
    texts = _report(tmp_path / "runs", tmp_path / "report")
    start = f"started from {shipped.SHIPPED['drawn'].note}"
    assert "test, in the classes of lapa, official counts" in texts["report.md"]
    assert f"; {start}" in texts["report.md"]
    lines = [one for one in csv.DictReader(texts["table1.csv"].splitlines()) if one["group"]]
    assert {line["trained_on"] for line in lines} == {f"lapa, {start}"}


# Which groups are of the same data.


def test_a_set_that_is_scored_alone_counts_by_its_scored_split(tmp_path: pathlib.Path) -> None:
    """One group is trained on a part of the photographs: the train split is another, what is scored is the same."""
    _write(tmp_path / "drawn", _config())
    part = _dataset()
    part["digest"]["labels"] |= {"train": _hex("fifty"), "all": _hex("fifty and the others")}
    photos = config_of()
    photos["data"] |= {"name": "celebamask_hq", "labels": "lapa"}
    own = {"data_fingerprint": part["fingerprint"], "data_digest": part["digest"]["labels"]["all"]}
    write_seeds(tmp_path / "photos", photos, NEAR, dataset=part, environment=own)
    summary = _study(tmp_path)["summary"]
    assert not [text for text in summary if "Not all groups" in text]
    told = "Trained on drawn faces in the layout of lapa; scored on celebamask_hq: drawn."
    assert told in summary
    others = copy.deepcopy(part)
    others["digest"]["labels"]["test"] = _hex("others")
    photos["model"]["ensemble"] = "area"
    write_seeds(tmp_path / "others", photos, NEAR, dataset=others, environment=own)
    (told,) = [t for t in _study(tmp_path)["summary"] if "are scored on the same" in t]
    assert told == (
        f"Not all groups are scored on the same test label maps of celebamask_hq: {_hex('labels photos test')[:16]} "
        f"in drawn and photos; {_hex('others')[:16]} in others."
    )


def test_the_same_label_maps_are_no_other_data(tmp_path: pathlib.Path) -> None:
    """Although the config names the set once more, and its raw files were unpacked anew."""
    config = config_of(eval__dataset="lapa")
    told = _environment("photos", data_fingerprint=_hex("unpacked anew"), data_drawn=False)
    write_seeds(tmp_path, config, NEAR, dataset=_dataset("lapa"), environment=told)
    (group,) = _study(tmp_path)["groups"]
    assert "trained_on" not in group
    assert "trained on other data than scored on" not in group["reasons"]
