"""What may differ between two runs, by who asks: every field of every config, written out here by hand."""

import ast
import importlib
import pathlib
import re
from collections.abc import Callable

import pytest

import fpliif_jax
from fpliif_jax import configs
from fpliif_jax.experiments.comparison import frameworks, readings
from fpliif_jax.run_folder import config_fields
from fpliif_jax.run_folder.config_fields import Role
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.run_folder.same_run import is_free

NAMES = sorted(
    path.stem
    for path in pathlib.Path(configs.__file__).parent.glob("*.py")
    if path.stem not in ("__init__", "shared")
)
PLACES = {"data.manual_dir", "data.data_dir", "data.cache_dir", "eval.manual_dir", "eval.data_dir"}
COSTS = {"data.num_workers", "eval.batch_size"}
RECORDS = {"train.log_every_steps", "train.checkpoint_every_epochs"}
PROTOCOLS = {"eval.rows", "eval.checkpoints", "eval.splits", "eval.dataset", "eval.labels"}
ROUNDING = {"model.query_chunk", "model.remat", "train.microbatch", "deterministic"}
SEEDS = {"seed", "seeds.initialisation", "seeds.data_order", "seeds.augmentation"}
DRAWING = {
    f"data.synthetic.{name}"
    for name in ("num_train", "num_val", "num_test", "image_size", "seed", "style", "without")
}


def _roles(roles: tuple[Role, ...]) -> Callable[[str], bool]:
    return lambda field: config_fields.has_role(field, *roles)


@pytest.mark.parametrize(
    ("may_differ", "fields"),
    [
        (is_free, PLACES | COSTS | PROTOCOLS | {"eval.num_pictures", "eval.upsampling"}),
        (config_fields.changes_no_result, PLACES | COSTS | {"eval.num_pictures"}),
        (_roles(frameworks._FREE), COSTS | PROTOCOLS | RECORDS | ROUNDING),
        (
            readings.is_immaterial,
            PLACES | COSTS | PROTOCOLS | RECORDS | ROUNDING | SEEDS | DRAWING
            | {"eval.num_pictures", "study.equivalence_margin"},
        ),
        (_roles((Role.PLACE,)), PLACES),
        (config_fields.may_be_auto, {"model.query_chunk", "train.microbatch"}),
    ],
    ids=["resuming", "results", "frameworks", "papers", "exporting", "auto"],
)  # fmt: skip
def test_these_fields_may_differ_and_no_others(
    may_differ: Callable[[str], bool], fields: set[str]
) -> None:
    assert {field for field in config_fields.FIELDS if may_differ(field)} == fields
    assert not may_differ("model.of_somebodys_own")


def test_what_somebodys_own_experiment_evaluates_may_change() -> None:
    assert is_free("eval.of_somebodys_own")
    assert not is_free("evaluation")


def test_weights_are_another_function_by_these_fields() -> None:
    of_model = {field for field in config_fields.FIELDS if field.startswith("model.")}
    same = {"model.query_chunk", "model.remat", "model.dtype", "model.initializer"}
    decisive = {field for field in config_fields.FIELDS if config_fields.decides_function(field)}
    assert decisive == of_model - same | {"data.input_scaling"}


def test_a_source_with_a_seed_of_its_own_does_not_follow() -> None:
    config = importlib.import_module("fpliif_jax.configs.synthetic").get_config().lock()
    config.seed = 3
    everything = {"initialisation", "data_order", "augmentation"}
    assert set(config_fields.follows_seed(config)) == everything
    config.seeds.augmentation = 3  # the same value, and yet fixed
    assert set(config_fields.follows_seed(config)) == everything - {"augmentation"}
    assert (config.seed, config.seeds.data_order) == (3, 3)


def test_no_field_is_of_no_config() -> None:
    used = {
        field
        for name in NAMES
        for field in flatten_config(
            json_config(importlib.import_module(f"fpliif_jax.configs.{name}").get_config())
        )
    }
    assert config_fields.FIELDS.keys() == used


def test_what_was_done_before_a_field_is_a_value_that_it_may_have() -> None:
    before = {
        field: one.before for field, one in config_fields.FIELDS.items() if one.before is not None
    }
    assert before and list(config_fields.problems(before)) == []
    assert config_fields.with_earlier({}, before) == before
    assert config_fields.without_earlier(before) == {}


def test_fields_that_a_run_has_stay_as_they_are() -> None:
    own = {"model.remat": True, "model.of_somebodys_own": None, "seed": 3}
    assert config_fields.with_earlier(own, [*own, "model.features"]) == own
    assert config_fields.without_earlier(own) == {"model.remat": True, "seed": 3}


def test_errors_name_fields_with_config_before_them() -> None:
    sections = "|".join(
        sorted({field.partition(".")[0] for field in config_fields.FIELDS if "." in field})
    )
    bare = re.compile(rf"(?<![\w.])({sections})\.(\{{|[a-z_]+ is |[a-z_]+ ?=)")
    messages = [
        ast.unparse(text)
        for path in pathlib.Path(fpliif_jax.__file__).parent.rglob("*.py")
        for error in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(error, ast.Raise)
        for text in ast.walk(error)
        if isinstance(text, ast.JoinedStr)
    ]
    assert len(messages) > 100
    assert [message for message in messages if bare.search(message)] == []
