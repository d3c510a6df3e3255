"""A run that is scored before its training has come to its end: it says so, counts nowhere, and trains on."""

import json
import pathlib
import shutil
from collections.abc import Callable

import ml_collections
import pytest
from made_runs import config_of, write_run
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.evaluation.score_table import table
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.launching.jobs import Step
from fpliif_jax.experiments.runs import scores_alone
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.run_folder import how_far
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.training import train_and_evaluate


@pytest.mark.parametrize("make", [tiny_config, tiny_icnn_config])
def test_the_epochs_of_all_stages_are_those_that_are_trained(
    make: Callable[..., ml_collections.ConfigDict],
) -> None:
    config = make()
    with config.unlocked():
        if make is tiny_icnn_config:
            config.train.stages = ("coarse", "localisation", "fine", "end_to_end")
            config.train.fine.epochs = 7
    model = systems.create_model(config.model)
    names = [str(index) for index in range(config.model.num_classes)]
    stages = systems.of(config).training.make_stages(config, model, tuple(names))
    wanted = {stage.name: stage.settings.epochs for stage in stages}
    assert how_far.epochs_of_stages(flatten_config(json_config(config))) == wanted


def test_the_stage_is_that_of_the_next_epoch() -> None:
    config = {"train.stages": ["a", "b"], "train.epochs": 3, "train.b.epochs": 2}
    told = [how_far.unfinished(config, {"epochs": done, "steps": 4}) for done in (2, 3, 5)]
    first = "training is not finished: 2 of 5 epochs, step 4, stage a"
    assert told == [first, "training is not finished: 3 of 5 epochs, step 4, stage b", None]


@pytest.mark.parametrize("train", [None, {}, {"epochs": None}, {"epochs": "1", "steps": 4}, []])
def test_what_is_not_known_is_taken_for_finished(train: object) -> None:
    config = {"train.stages": ["a"], "train.epochs": 3}
    assert how_far.unfinished(config, train) is None
    assert how_far.unfinished({"train.epochs": 3}, {"epochs": 1, "steps": 4}) is None
    assert how_far.unfinished({}, {"epochs": -1, "steps": 0}) is None


def test_a_stage_from_anywhere_is_told_in_one_short_line(tmp_path: pathlib.Path) -> None:
    config = config_of(seed=0)
    config["train"] |= {"stages": ["\x1b[2Jfoo\nbar" + 5000 * "x"], "epochs": 9}
    path = write_run(tmp_path / "seed0", config, {"256": 90.0}) / "results.json"
    train = {"train": {"epochs": 1, "steps": 4}}
    path.write_text(json.dumps(json.loads(path.read_text()) | train))
    (run,) = read_runs(tmp_path)
    assert run.status == "unfinished" and run.problem.isprintable() and len(run.problem) < 300
    shutil.rmtree(tmp_path / "seed0" / "evaluations")
    scores_alone.refuse([run], tmp_path)  # which is of finished runs without confusion matrices


@pytest.mark.slow
def test_a_run_that_was_looked_at_trains_on_and_is_scored_at_its_end(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.train.epochs = 2
    step = Step("fpliif_jax.main", (), "results.json", json_config(config))
    stop = Interruption()
    stop.requested = True

    def run(mode: str, interruption: Interruption) -> bool:
        return train_and_evaluate.run(config, tmp_path, mode, None, interruption)

    assert not run("train", stop)
    assert run("eval", Interruption())
    looked_at = json.loads((tmp_path / "results.json").read_text())
    told = "training is not finished: 0 of 2 epochs, step 2, stage parsing"
    assert told in looked_at["notes"] and f"note: {told}" in table(looked_at)
    assert not step.is_finished(tmp_path)
    (unfinished,) = read_runs(tmp_path)
    assert (unfinished.status, unfinished.problem) == ("unfinished", f"results.json: {told}")
    assert run("train_and_eval", Interruption())
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["train"]["epochs"] == 2 and told not in results["notes"]
    assert step.is_finished(tmp_path)
    assert [one.status for one in read_runs(tmp_path)] == ["finished"]
    kept = tmp_path / "earlier_results" / "1" / "results.json"
    assert json.loads(kept.read_text()) == looked_at


def test_a_report_pools_no_run_whose_training_is_not_finished(tmp_path: pathlib.Path) -> None:
    """Also of earlier versions, whose results.json has no note of it."""
    for seed, percent in enumerate((90.0, 91.0, 60.0)):
        write_run(tmp_path / f"seed{seed}", config_of(seed=seed), {"256": percent})
    path = tmp_path / "seed2" / "results.json"
    results = json.loads(path.read_text())
    results["train"]["epochs"] -= 1
    path.write_text(json.dumps(results))
    study, _ = analyse(tmp_path)
    assert [run.name for group in study.groups for run in group.runs] == ["seed0", "seed1"]
    (left_out,) = study.incomplete_runs
    assert (left_out.name, left_out.status) == ("seed2", "unfinished")
    assert "training is not finished: 399 of 400 epochs" in left_out.problem
