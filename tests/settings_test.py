"""Tests of fpliif_jax.settings: every impossible setting is told by name."""

import ml_collections
import pytest
from tiny_run import tiny_config

from fpliif_jax import settings


def test_possible_settings_pass() -> None:
    settings.check_settings(tiny_config())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("matmul_precision", "low", "config.matmul_precision is 'low'"),
        ("dtype", "float16", "dtype"),
        ("data.bicubic", "cubic", "bicubic"),
        ("data.label_resize", "area", "label_resize|method"),
        ("data.input_scaling", "zero", "scaling"),
        ("model.name", "resnet", "name"),
        ("model.norm", "layer", "norm"),
        ("model.ensemble", "max", "ensemble"),
        ("model.decoder", "unet", "decoder"),
        ("loss.temperature_mode", "add", "temperature_mode"),
        ("loss.edge_reduction", "mean", "edge_reduction"),
        ("augment.crop", "random", "crop"),
        ("augment.fill", "white", "fill"),
        ("train.stages", ("coarse",), "config.train.stages"),
        ("train.optimizer", "sgd", "config.train.optimizer is 'sgd'"),
        ("train.schedule", "linear", "config.train.schedule is 'linear'"),
        ("train.batch_size", 0, "batch_size is 0; it must be at least 1"),
        ("train.epochs", 0, "epochs is 0"),
        ("eval.rows", ("256-512",), "'256-512'; a row is a size"),
        ("eval.upsampling", "cubic", "config.eval.upsampling is 'cubic'"),
        ("eval.checkpoints", ("first",), "config.eval.checkpoints is 'first'"),
        ("data.framing", "canvas", "config.data.framing is 'canvas'"),
        ("study.equivalence_margin", 0.0, "equivalence_margin is 0.0; it must be above 0"),
        ("eval.splits", ("val",), "config.eval.splits is 'val'"),
    ],
)
def test_an_impossible_setting_is_named(field: str, value: object, message: str) -> None:
    config = tiny_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(settings.SettingsError, match=message):
        settings.check_settings(config)


def test_microbatches_are_refused_with_batch_norm() -> None:
    config = tiny_config()
    config.train.microbatch, config.model.norm = 2, "batch"
    with pytest.raises(settings.SettingsError, match="microbatch cannot be used"):
        settings.check_settings(config)


def test_a_locked_config_has_no_new_fields() -> None:
    config: ml_collections.ConfigDict = tiny_config()
    with pytest.raises(AttributeError, match='Did you mean "epochs"'):
        config.train.epoch = 2
