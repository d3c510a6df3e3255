"""Tests of fpliif_jax.run_folder.same_run and run_config."""

import types

import ml_collections
import pytest
from flax import traverse_util
from saved_progress import saved_progress

from fpliif_jax.configs import fp_liif, stn_icnn
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.run_config import config_fingerprint, flatten_config, json_config
from fpliif_jax.run_folder.same_run import check_same_run

# What may change between two sessions of a run, besides all of `eval`: written out, not read from the module.
FREE = {"data.manual_dir", "data.data_dir", "data.cache_dir", "data.num_workers"}


def test_another_config_or_other_data_are_refused() -> None:
    progress = saved_progress(3)
    config = ml_collections.ConfigDict(progress["config"])
    check_same_run(progress, config, "f" * 64, "runs/x")
    config.eval.rows = ("512",)  # what is evaluated may change
    check_same_run(progress, config, "f" * 64, "runs/x")
    with pytest.raises(checkpoint.CheckpointError, match="other data"):
        check_same_run(progress, config, "0" * 64, "runs/x")
    config.model.num_classes = 19
    with pytest.raises(
        checkpoint.CheckpointError, match="config.model.num_classes was 11 and is now 19"
    ):
        check_same_run(progress, config, "f" * 64, "runs/x")


@pytest.mark.parametrize("experiment", [fp_liif, stn_icnn])
def test_every_field_is_either_free_or_refused_by_name(experiment: types.ModuleType) -> None:
    config = experiment.get_config()
    fields = flatten_config(json_config(config))
    assert fields.keys() > FREE
    for field in fields:
        # As of the run before, whose value was another: no field of a config has this one.
        saved = traverse_util.unflatten_dict({**fields, field: "another value"}, sep=".")
        progress = {"config": saved, "fingerprint": "f" * 64}
        # The last two are 'auto' in these configs, which is whatever a run began with.
        is_left_to_the_program = field in ("model.query_chunk", "train.microbatch")
        if field in FREE or field.startswith("eval.") or is_left_to_the_program:
            check_same_run(progress, config, "f" * 64, "runs/x")
            continue
        with pytest.raises(checkpoint.CheckpointError) as raised:
            check_same_run(progress, config, "f" * 64, "runs/x")
        assert f"config.{field} was 'another value'" in str(raised.value)


def test_a_run_from_before_a_field_goes_on_as_what_was_done_then() -> None:
    config = stn_icnn.get_config()
    saved = json_config(config)
    del saved["train"]["end_to_end"]["labels_from"]
    progress = {"config": saved, "fingerprint": "f" * 64}
    check_same_run(progress, config, "f" * 64, "runs/x")
    config.train.end_to_end.labels_from = "true_windows"
    was = "labels_from was 'predicted_windows' and is now 'true_windows'"
    with pytest.raises(checkpoint.CheckpointError, match=was):
        check_same_run(progress, config, "f" * 64, "runs/x")


def test_the_fingerprint_of_a_config_is_of_its_values_alone() -> None:
    config = {"a": {"b": 1, "c": [0.1, "x"]}, "d": None}
    same = {"d": None, "a": {"c": [0.1, "x"], "b": 1}}
    other = {"d": None, "a": {"c": [0.1, "x"], "b": 2}}
    assert config_fingerprint(config) == config_fingerprint(same)
    assert config_fingerprint(config) != config_fingerprint(other)
