"""Tests of fpliif_jax.training.preflight: every impossible setting is told by name."""

import functools
import importlib
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import ml_collections
import numpy as np
import pytest
import tiny_run
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax.commands import command_line, config_files
from fpliif_jax.configs import fp_liif, stn_icnn_helen
from fpliif_jax.data_builders.errors import SettingsError, UserError
from fpliif_jax.fields import config_fields, field_checks, setting_ranges
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.training import preflight, train_and_evaluate


def _flat(config: ml_collections.ConfigDict) -> dict[str, Any]:
    return flatten_config(json_config(config))


def test_possible_settings_pass() -> None:
    preflight.check_settings(tiny_config())


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
        ("eval.rows", ("256-512",), "'256-512': a protocol is a size"),
        ("eval.upsampling", "cubic", "config.eval.upsampling is 'cubic'"),
        ("eval.checkpoints", ("first",), "config.eval.checkpoints is 'first'"),
        ("data.framing", "canvas", "config.data.framing is 'canvas'"),
        ("study.equivalence_margin", 0.0, "equivalence_margin is 0.0; it must be above 0"),
        ("eval.splits", ("val",), "config.eval.splits is \\('val',\\); it must be one of train"),
        ("data.synthetic.style", "plain", "is 'plain'; it must be one of photographic, or None$"),
        ("eval.splits", (), "config.eval.splits is \\(\\); it must be one or more names"),
        ("data.image_size", 2**31, "config.data.image_size is 2147483648; it must be at most"),
        ("train.decay_every_epochs", 0, "config.train.decay_every_epochs is 0; .* at least 1"),
        ("train.learning_rate", -0.001, "config.train.learning_rate is -0.001; .* above 0"),
        ("train.learning_rate", math.inf, "config.train.learning_rate is inf; .* finite"),
        ("train.learning_rate", math.nan, "config.train.learning_rate is nan; .* finite"),
        ("train.microbatch", -1, "config.train.microbatch is -1; it must be at least 0"),
        ("loss.edge_weight", -1.0, "config.loss.edge_weight is -1.0; it must be at least 0"),
        ("seed", -1, "config.seed is -1; it must be at least 0"),
        ("augment.scale", (3.0, 0.5), "config.augment.scale is .*; it must be .* with low ≤ high"),
    ],
)
def test_an_impossible_setting_is_named(field: str, value: object, message: str) -> None:
    config = tiny_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(SystemExit) as ended:
        command_line.run("fpliif_jax.main", preflight.check_settings, config)
    line = ended.value.code
    assert re.match(r"error: config\.", line) and re.search(message, line)
    assert "\n" not in line


@pytest.mark.parametrize("error", [ValueError, TypeError])
@pytest.mark.parametrize(
    "broken", ["make_optimizer", "_try_training", "_try_preprocessing", "create_model"]
)
def test_a_bug_in_what_is_tried_is_no_setting(
    broken: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("operands could not be broadcast together")

    monkeypatch.setattr(preflight, broken, fail)
    with pytest.raises(error, match="broadcast") as raised:
        command_line.run("fpliif_jax.main", preflight.check_settings, tiny_config())
    assert not isinstance(raised.value, UserError)


_BAD_NUMBERS = (-1, -0.5, math.nan, math.inf, -math.inf, 2**31)
_BAD_NAMES = ("nonsense", "", " ", "../../etc", "Pillow", "\x00")
_BAD_LISTS = ((), (math.nan,), (-1,), ("",), (1, "a"), (2**40,) * 100)


@pytest.mark.parametrize("name", config_files.config_names())
def test_every_field_of_every_config_knows_what_it_may_be(name: str) -> None:
    config = importlib.import_module(f"fpliif_jax.configs.{name}").get_config()
    fields = _flat(config)
    assert list(field_checks.problems(fields)) == []
    assert fields.keys() <= config_fields.FIELDS.keys(), (
        "fpliif_jax/fields/config_fields.py lacks a field"
    )
    for field, value in fields.items():
        rule = config_fields.FIELDS[field].rule
        if isinstance(rule, setting_ranges.Anything):
            assert rule.why
            continue
        if isinstance(rule, setting_ranges.Path):
            assert all(rule.problem(one) for one in (*_BAD_NUMBERS, *_BAD_LISTS))
            continue
        bad = {str: _BAD_NAMES, list: _BAD_LISTS}.get(type(value), _BAD_NUMBERS)
        # Each field has bounds of its own; what is inside of them is harmless.
        harmless = [one for one in bad if rule.problem(one) is None]
        assert all(
            isinstance(rule, setting_ranges.Number) and rule.low <= one <= rule.high
            for one in harmless
        ) or isinstance(rule, setting_ranges.Names), (field, harmless)
        assert len(harmless) < len(bad), field


def test_the_first_bad_value_of_a_config_is_told_with_its_field() -> None:
    config = tiny_config()
    for field, value in _flat(config).items():
        rule = config_fields.FIELDS[field].rule
        bad = {str: "nonsense", list: [], bool: None}.get(type(value), -1)
        if isinstance(rule, setting_ranges.Anything) or rule.problem(bad) is None:
            continue
        if field == "model.dtype":  # a reference to config.dtype
            continue
        changed = tiny_config()
        with changed.ignore_type():
            changed.update_from_flattened_dict({field: tuple(bad) if bad == [] else bad})
        with pytest.raises(SettingsError, match=f"config\\.{field} is "):
            preflight.check_settings(changed)


@pytest.mark.parametrize("kind", ["first", None, 3])
def test_a_checkpoint_to_start_from_that_is_none_is_named(kind: object) -> None:
    config = tiny_config()
    with config.unlocked():
        config.train.init_checkpoint = kind
    with pytest.raises(SettingsError, match=r"config\.train\.init_checkpoint is "):
        preflight.check_settings(config)


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("augment.enabled", "false", "true or false"),
        ("model.remat", 1, "true or false"),
        ("data.manual_dir", 3, "a path"),
    ],
)
def test_a_switch_and_a_path_are_no_other_kinds_of_value(
    field: str, value: object, wanted: str
) -> None:
    config = tiny_config()
    with config.ignore_type():
        config.update_from_flattened_dict({field: value})
    with pytest.raises(SettingsError, match=rf"config\.{field} is {value!r}; it must be {wanted}"):
        preflight.check_settings(config)


def test_microbatches_are_refused_with_batch_norm() -> None:
    config = tiny_config()
    config.train.microbatch, config.model.norm = 2, "batch"
    with pytest.raises(SettingsError, match="microbatch cannot be used"):
        preflight.check_settings(config)


@pytest.mark.parametrize("make", [tiny_config, tiny_icnn_config])
def test_a_field_that_a_config_file_of_ones_own_lacks_is_named(
    make: Callable[[], ml_collections.ConfigDict],
) -> None:
    for field in _flat(make()):
        if field == "model.name":  # told as the file is read
            continue
        config = make()
        group, _, name = field.rpartition(".")
        with config.unlocked():
            del (functools.reduce(operator.getitem, group.split("."), config) if group else config)[
                name
            ]
        with pytest.raises(SettingsError, match=rf"lacks config\.{field}; begin with .*get_config"):
            preflight.check_settings(config)


def test_a_locked_config_has_no_new_fields() -> None:
    config: ml_collections.ConfigDict = tiny_config()
    with pytest.raises(AttributeError, match='Did you mean "epochs"'):
        config.train.epoch = 2


def test_bfloat16_on_a_cpu_is_said_to_gain_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config()
    preflight.warn_of_dtype(config)
    config.dtype = "bfloat16"
    with monkeypatch.context() as patch:
        patch.setattr(preflight.jax, "default_backend", lambda: "gpu")
        preflight.warn_of_dtype(config)
    assert not caplog.messages
    preflight.warn_of_dtype(config)
    (message,) = caplog.messages
    assert message.startswith("config.model.dtype is 'bfloat16', which gains nothing on a CPU")


def test_settings_that_differ_in_what_is_not_traced_are_traced_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = []
    eval_shape = preflight.jax.eval_shape

    def note(*arguments: Any) -> Any:
        traced.append(arguments)
        return eval_shape(*arguments)

    monkeypatch.setattr(preflight, "_traced", set())
    config = tiny_config()
    preflight.check_settings(config)
    monkeypatch.setattr(preflight.jax, "eval_shape", note)
    config.seed, config.data.data_dir, config.eval.rows = 3, "elsewhere", ("16",)
    config.train.epochs, config.train.batch_size = 7, 5
    preflight.check_settings(config)
    assert not traced
    config.loss.edge_weight = 3.0
    preflight.check_settings(config)
    assert traced


@pytest.mark.parametrize("field", ["model.query_chunk", "train.microbatch"])
def test_numbers_that_may_be_auto_are_read_from_the_command_line(field: str) -> None:
    default = command_line.config_of([f"--config={tiny_run.__file__}"])
    assert _flat(default)[field] == "auto"
    for text, value in (("16", 16), ("auto", "auto")):
        config = command_line.config_of(
            [f"--config={tiny_run.__file__}", f"--config.{field}={text}"]
        )
        assert _flat(config)[field] == value
        assert list(field_checks.problems(_flat(config))) == []
    for text in ("automatic", "-1", "1.5", "None"):
        config = command_line.config_of(
            [f"--config={tiny_run.__file__}", f"--config.{field}={text}"]
        )
        (problem,) = field_checks.problems(_flat(config))
        assert problem.startswith(f"config.{field} is ")
        assert problem.endswith(", or 'auto'")


@pytest.mark.parametrize("field", ["seed", "deterministic", "matmul_precision"])
def test_a_run_without_a_field_that_is_read_first_is_refused_by_its_name(field: str) -> None:
    config = tiny_config()
    with config.unlocked():
        del config[field]
    with pytest.raises(SettingsError, match=rf"lacks config\.{field}; "):
        train_and_evaluate.main(
            config,
            "tiny",
            workdir=None,
            mode="train",
            processes=("off", None, None, None),
        )


def test_epochs_whose_learning_rate_is_lost_in_rounding_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As docs/audit.md computes for the paper's schedule: from epoch 120 of 400 on."""
    preflight.warn_of_lost_rates(fp_liif.get_config())
    (message,) = caplog.messages
    assert message.startswith(
        "stage parsing: after 120 of 400 epochs the learning rate is below 1e-9"
    )
    weight, step = np.float32(0.024), np.float32(5e-10)
    assert weight - step == weight and weight - 100 * step != weight


def test_the_field_of_a_stage_with_epochs_of_its_own_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = stn_icnn_helen.get_config()
    config.train.stages, config.model.cropper = ("coarse", "fine"), "centroid"
    config.train.fine.epochs = 300
    preflight.warn_of_lost_rates(config)
    (message,) = (one for one in caplog.messages if one.startswith("stage fine: "))
    assert re.search(r"after (\d+) of 300 epochs .* config.train.fine.epochs=\1 leaves", message)


@pytest.mark.parametrize("name", ["synthetic", "stn_icnn_helen", "drawn_faces_small"])
def test_a_schedule_that_keeps_on_training_is_not_warned_of(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    preflight.warn_of_lost_rates(importlib.import_module(f"fpliif_jax.configs.{name}").get_config())
    assert not caplog.messages
