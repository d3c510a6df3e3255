"""What may differ between two runs, by who asks: every field of every config, written out here by hand."""

import ast
import importlib
import pathlib
import re
from collections.abc import Callable, Collection, Iterator

import pytest

import fpliif_jax
from fpliif_jax import configs
from fpliif_jax.data import renamed_labels
from fpliif_jax.data_builders.synthetic_faces.photographic.also import ADDITIONS
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS
from fpliif_jax.experiments.comparison import frameworks, readings
from fpliif_jax.fields import config_fields, field_checks
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.fields.setting_ranges import Anything, Names
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.run_folder.same_run import is_free
from fpliif_jax.systems.fp_liif import inputs
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings

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
    for name in (
        "num_train",
        "num_val",
        "num_test",
        "image_size",
        "seed",
        "style",
        "without",
        "also",
    )
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
    assert before and list(field_checks.problems(before)) == []
    assert config_fields.with_earlier({}, before) == before
    assert config_fields.without_earlier(before) == {}


def test_fields_that_a_run_has_stay_as_they_are() -> None:
    own = {"model.remat": True, "model.of_somebodys_own": None, "seed": 3}
    assert config_fields.with_earlier(own, [*own, "model.features"]) == own
    assert config_fields.without_earlier(own) == {"model.remat": True, "seed": 3}


@pytest.mark.parametrize(
    ("field", "there_is_one_for"),
    [
        ("data.input_scaling", inputs.INPUT_SCALINGS),
        ("data.labels", (renamed_labels.AS_THEY_ARE, *renamed_labels._CLASSES)),
        ("data.synthetic.without", PARTS),
        ("data.synthetic.also", ADDITIONS),
        ("model.variant", stn_icnn_settings.VARIANTS),
    ],
)
def test_what_is_done_for_each_choice_is_done_for_those_of_the_table(
    field: str, there_is_one_for: Collection[str]
) -> None:
    assert set(config_fields.FIELDS[field].rule.values) == set(there_is_one_for)


def test_what_the_variants_of_stn_icnn_stand_for_is_in_the_table() -> None:
    for variant in stn_icnn_settings.VARIANTS.values():
        field_checks.check_section("model", variant)
        assert all(config_fields.FIELDS[f"model.{name}"].rule.is_optional for name in variant)


def test_no_module_has_choices_or_bounds_of_its_own() -> None:
    """Those of one field alone are the table's; a module that had its own would drift away from it."""
    files = list(pathlib.Path(fpliif_jax.__file__).parent.rglob("*.py"))
    assert len(files) > 100
    found = []
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path}: {field}" for field in _checked_elsewhere(tree) if _has_rule(field)]
    assert found == []


def test_a_list_of_its_own_would_be_found() -> None:
    own = """
choices.check("config.loss.edge_reduction", value, ("sum", "mean"))
for field in fields:
    choices.check(f"config.augment.{field}", config[field], allowed)
if not 0 < config.temperature < 9:
    raise SettingsError(f"config.loss.temperature is {value}; it must be from 0 to 9")
if config.width < 1:
    raise SettingsError(f"config.{section}.edge_width is {config.width}; it must be 1")
"""
    found = list(_checked_elsewhere(ast.parse(own)))
    assert all(map(_has_rule, found)) and len(found) == 4


def _checked_elsewhere(tree: ast.AST) -> Iterator[str]:
    """Patterns of the fields that `choices.check` is called with, and that an error says what they must be of.

    An error that names a second field is about both.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "choices.check":
            yield _pattern(node.args[0]).removeprefix("config\\.")
        elif isinstance(node, ast.Raise):
            for text in ast.walk(node):
                if isinstance(text, ast.JoinedStr):
                    alone = r"(?!.*config.*config)config\\\.(\S*\w\S*)\\ is\\ .*;\\ it\\ must\\ be"
                    yield from re.findall(alone, _pattern(text))


def _pattern(text: ast.expr) -> str:
    """What matches a text of the program: anything in the place of what is put in."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts
    )


def _has_rule(pattern: str) -> bool:
    return any(
        re.fullmatch(pattern, name) and not isinstance(field.rule, Anything | Names)
        for name, field in config_fields.FIELDS.items()
    )


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
