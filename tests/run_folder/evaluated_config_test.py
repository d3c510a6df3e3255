"""Which of its settings a run is scored with are its own."""

import pathlib

import pytest
from ml_collections import ConfigDict
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder import evaluated_config
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.run_folder.run_record import RunRecordError, write_json


def _config(**changes: object) -> ConfigDict:
    """Double underscores stand for dots."""
    config = tiny_config()
    config.update_from_flattened_dict(
        {field.replace("__", "."): value for field, value in changes.items()}
    )
    return config


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    """Trained with the seed 2, one of its sources fixed, and drawn faces."""
    config = _config(
        seed=2,
        seeds__augmentation=0,
        dtype="bfloat16",
        train__learning_rate=0.003,
        augment__scale=(0.5, 2.0),
        data__synthetic__num_train=64,
        data__manual_dir="there",
        train__log_every_steps=7,
        eval__rows=("32",),
    )
    write_json(tmp_path / "config.json", json_config(config))
    return tmp_path


def test_of_a_config_that_was_not_chosen_what_was_given_alone_counts(run: pathlib.Path) -> None:
    """The main command has a config also where --config is not given: its rows are another run's."""
    file = _config(data__manual_dir="here", eval__rows=("64",), eval__upsampling="labels")
    scored = evaluated_config.of_run(file, ("eval.upsampling",), run, is_chosen=False)
    assert (scored.data.manual_dir, scored.eval.rows) == ("there", ("32",))
    assert scored.eval.upsampling == "labels"


def test_what_was_not_given_is_the_runs_own(run: pathlib.Path) -> None:
    file = _config(data__manual_dir="here", eval__upsampling="labels", eval__dataset="helen")
    before = json_config(file)
    scored = flatten_config(json_config(evaluated_config.of_run(file, (), run)))
    own = {
        "seed": 2,
        "seeds.initialisation": 2,
        "seeds.data_order": 2,
        "seeds.augmentation": 0,
        "dtype": "bfloat16",
        "model.dtype": "bfloat16",
        "train.learning_rate": 0.003,
        "augment.scale": [0.5, 2.0],
        "data.synthetic.num_train": 64,
        "train.log_every_steps": 7,
    }
    others = {
        "data.manual_dir": "here",
        "eval.upsampling": "labels",
        "eval.dataset": "helen",
        "eval.rows": ["32", "16->32"],
    }
    assert {field: scored[field] for field in own | others} == own | others
    assert flatten_config(before) | own | others == scored
    assert json_config(file) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data.synthetic.num_train", 0),
        ("train.log_every_steps", 9),
        ("model.query_chunk", 16),
        ("eval.batch_size", 2),
    ],
)
def test_what_may_be_another_is_taken_where_it_is_given(
    run: pathlib.Path, field: str, value: int
) -> None:
    file = _config(**{field.replace(".", "__"): value})
    assert flatten_config(json_config(evaluated_config.of_run(file, (field,), run)))[field] == value


@pytest.mark.parametrize(
    ("field", "value", "own"),
    [
        ("seed", 5, "2"),
        ("train.learning_rate", 0.1, "0.003"),
        ("loss.edge_weight", 0.0, "40.0"),
        ("augment.scale", (1.0, 1.0), r"\[0.5, 2.0\]"),
        ("model.dtype", "float32", "'bfloat16'"),
        ("model.ensemble", "area", "'average'"),
        ("data.label_resize", "nearest", "'.*'"),
    ],
)
def test_a_given_setting_that_is_not_the_runs_is_refused(
    run: pathlib.Path, field: str, value: object, own: str
) -> None:
    file = _config(**{field.replace(".", "__"): value})
    wanted = rf"config\.{field} is .*, and the run in {run} was trained with {own}: .* leave --config\.{field} out"
    with pytest.raises(SettingsError, match=wanted):
        evaluated_config.of_run(file, ("eval.rows", field), run)
    assert flatten_config(json_config(evaluated_config.of_run(file, (), run)))[field] != value


def test_a_setting_may_be_given_again_as_it_was(run: pathlib.Path) -> None:
    """The command that trained the run, with --mode=eval."""
    given = {"seed": 2, "seeds.augmentation": 0, "augment.scale": (0.5, 2.0)}
    file = _config(**{field.replace(".", "__"): value for field, value in given.items()})
    scored = evaluated_config.of_run(file, tuple(given), run)
    assert {field: flatten_config(scored.to_dict())[field] for field in given} == given


def test_a_config_of_another_system_is_refused(run: pathlib.Path) -> None:
    with pytest.raises(
        SettingsError, match="model.name is 'stn_icnn', .* with 'fp_liif': .* its own --config"
    ):
        evaluated_config.of_run(tiny_icnn_config(), (), run)


def test_seeds_follow_the_runs_seed_as_they_did(run: pathlib.Path) -> None:
    follow = ["initialisation", "data_order"]
    scored = evaluated_config.of_run(_config(), (), run)
    assert sorted(config_fields.follows_seed(scored)) == sorted(follow)
    # One that was fixed at the run's own seed looks like one that follows it: what was recorded in training tells, and
    # earlier results.
    write_json(run / "environment.json", {"follows_seed": follow[1:]})
    scored = evaluated_config.of_run(_config(), (), run)
    assert config_fields.follows_seed(scored) == follow[1:]
    write_json(run / "results.json", {"follows_seed": follow[:1]})
    scored = evaluated_config.of_run(_config(), (), run)
    assert config_fields.follows_seed(scored) == follow[:1]
    for name in ("results.json", "environment.json"):
        (run / name).write_text("{")
    scored = evaluated_config.of_run(_config(), (), run)
    assert sorted(config_fields.follows_seed(scored)) == sorted(follow)


@pytest.mark.parametrize("follow", [[], ["initialisation"]])
def test_a_run_that_was_trained_alone_says_what_follows_its_seed(
    follow: list[str], run: pathlib.Path
) -> None:
    """What was fixed at the run's own seed would be scored, and reported, as following it."""
    write_json(run / "environment.json", {"follows_seed": follow})
    assert config_fields.follows_seed(evaluated_config.of_run(_config(), (), run)) == follow
    write_json(run / "results.json", {"follows_seed": ["data_order"]})  # as it was scored since
    scored = evaluated_config.of_run(_config(), (), run)
    assert config_fields.follows_seed(scored) == ["data_order"]


def test_an_earlier_run_has_what_was_done_before_there_was_the_field(run: pathlib.Path) -> None:
    saved = json_config(_config())
    del saved["augment"]["blur"], saved["eval"]["dataset"]
    write_json(run / "config.json", saved)
    file = _config(augment__blur=(0.0, 0.1))
    assert evaluated_config.of_run(file, (), run).augment.blur == (0.0, 0.0)
    with pytest.raises(SettingsError, match="config.augment.blur is"):
        evaluated_config.of_run(file, ("augment.blur",), run)


def test_a_run_without_its_config(run: pathlib.Path) -> None:
    (run / "config.json").write_text("{")
    with pytest.raises(RunRecordError, match="config.json cannot be read"):
        evaluated_config.of_run(_config(), (), run)
    (run / "config.json").unlink()
    file = _config(seed=5)
    assert evaluated_config.of_run(file, ("seed",), run) is file
