"""Tests of experiments.comparison.deviations: what may be held against the papers."""

import ast
import dataclasses
import importlib
import pathlib
import re
from typing import Any

import pytest

from fpliif_jax import configs, systems
from fpliif_jax.commands import command_line
from fpliif_jax.experiments.comparison import deviations, readings
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.experiments.runs.results import RecordedDataset
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.setting_ranges import Choice
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.systems import reading

DOCS = pathlib.Path(__file__).parents[3] / "docs"
LAPA = plan_and_text("table1")[0].variants[0]
OFFICIAL = {"name": "lapa", "complete": True, "counts": {"train": 1, "validation": 1, "test": 1}}


def _config(variant: Variant, **changes: Any) -> dict[str, Any]:
    arguments = scales.as_arguments(*scales.scaled(variant, "paper"))
    arguments += tuple(
        f"--config.{field.replace('__', '.')}={value}" for field, value in changes.items()
    )
    return json_config(command_line.config_of(arguments))


def _experiments(system: str) -> dict[str, dict[str, Any]]:
    """The flat configs of all experiment files of a system, by name."""
    found = {}
    for path in sorted(pathlib.Path(configs.__file__).parent.glob("[!_]*.py")):
        config = importlib.import_module(f"fpliif_jax.configs.{path.stem}").get_config()
        flat = flatten_config(json_config(config))
        if flat.get("model.name") == system:
            found[path.stem] = flat
    return found


def _readings(system: str) -> tuple[reading.Reading, ...]:
    of_system = systems.of_name(system)
    return of_system.paper.readings(flatten_config(json_config(of_system.default_config())))


def obstacles(
    dataset: dict[str, Any], found: list[deviations.Deviation], variant: Variant
) -> list[str]:
    return deviations.obstacles(RecordedDataset.of(dataset), found, variant)


@pytest.mark.parametrize("system", systems.names())
def test_what_a_paper_leaves_open_matters(system: str) -> None:
    fields = {field for flat in _experiments(system).values() for field in flat}
    open_fields = {one.field for one in _readings(system)}
    assert open_fields <= fields
    assert [field for field in open_fields if readings.is_immaterial(field)] == []


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the tables of docs/reproduction*.md: a field, its default, and the texts of the other values."""

    system: str
    field: str
    dataset: str | None
    default: list[Any]
    others: list[Any]
    text: str


_DATASETS = {"LaPa": "lapa", "CelebAMask-HQ": "celebamask_hq", "Helen": "helen"}
# One without a paper leaves open what every system does, and needs no page for that.
_DOCUMENTS = {
    system: "reproduction.md" if system == "fp_liif" else f"reproduction_{system}.md"
    for system in systems.names()
    if _readings(system) != reading.ROUNDING
}


def _quoted(cell: str) -> list[Any]:
    values = []
    for text in re.findall(r"`([^`]+)`", cell):
        try:
            values.append(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            values.append(text)
    return values


def _rows(title: str) -> list[Row]:
    """The rows of the table below this title in both documents."""
    rows = []
    for system, name in _DOCUMENTS.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        assert text.count(f"### {title}\n") == 1, f"docs/{name} has no section {title!r}"
        lines = text.partition(f"### {title}\n")[2].lstrip().splitlines()
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        table = table[: next(i for i, line in enumerate(lines) if not line.startswith("|"))]
        place = table[0].index("field")
        for cells in table[2:]:
            named, default, others = cells[place : place + 3]
            field = re.match(r"`([^`]+)`", named)[1]
            where = re.search(r"\((.+)\)", named)
            dataset = _DATASETS[where[1]] if where else None
            rows.append(Row(system, field, dataset, _quoted(default), _quoted(others), others))
    assert len(rows) > 15
    return rows


def test_the_readings_are_the_rows_of_the_documentation() -> None:
    documented = {}
    for row in _rows("The paper is silent or contradicts itself"):
        key = (row.system, row.field, row.dataset)
        assert key not in documented, f"{key} is documented twice"
        kinds = (reading.ANY_INTEGER, reading.ANY_COUNT, reading.ANY_NUMBER)
        kind = [kind for kind in kinds if row.text.startswith(kind)]
        documented[key] = kind[0] if kind else tuple(row.default + row.others)
    assert documented == {
        (system, one.field, one.dataset): one.values
        for system in _DOCUMENTS
        for one in _readings(system)
    }


def _variant_on(system: str, dataset: str | None, field: str = "") -> Variant:
    tables = systems.of_name(system).paper.main_tables
    variants = plan_and_text(tables.get(dataset) or next(iter(tables.values())))[0].variants
    if system != "stn_icnn":
        return variants[0]
    # STN-iCNN* alone has the stage `fine`, and not the joint training.
    return variants[2 if field.startswith("train.end_to_end.") else 1]


def test_each_documented_reading_is_the_default_or_named_and_no_obstacle() -> None:
    for row in _rows("The paper is silent or contradicts itself"):
        variant = _variant_on(row.system, row.dataset, row.field)
        published = readings.effective(flatten_config(_config(variant)))
        assert [published[row.field]] == row.default[:1], row
        for value in row.others or [row.default[0] + 1]:
            found = deviations.deviations(_config(variant, **{row.field: value}), variant)
            # One follows the other.
            followed = {"dtype", "model.dtype"} if row.field.endswith("dtype") else {row.field}
            assert {(one.field, one.kind) for one in found} == {(f, "reading") for f in followed}


def test_each_value_against_the_text_is_another_experiment() -> None:
    for row in _rows("Against the text"):
        dataset = "celebamask_hq" if row.field == "data.builder_config" else row.dataset
        variant = _variant_on(row.system, dataset, row.field)
        published = readings.effective(flatten_config(_config(variant)))
        assert [published[row.field]] == (row.default or [""])[:1], row
        assert row.others, row
        for value in row.others:
            if isinstance(value, str) and "=" in value:
                continue  # another spelling of the same, tested below
            found = deviations.deviations(_config(variant, **{row.field: value}), variant)
            assert {one.kind for one in found} == {"scale"}, (row, value, found)


def test_every_choice_of_a_field_is_judged_in_the_documentation() -> None:
    documented = {}
    for title in ("The paper is silent or contradicts itself", "Against the text"):
        for row in _rows(title):
            if row.system == "stn_icnn":
                documented.setdefault(row.field, set()).update(row.default + row.others)
    judged = 0
    for field, of_field in config_fields.FIELDS.items():
        is_of_model = field.startswith("model.") and field in documented
        # Of the sizes of kernels there are more than anybody has chosen.
        if is_of_model and isinstance(of_field.rule, Choice) and "kernel" not in field:
            assert documented[field] == set(of_field.rule.values), field
            judged += 1
    assert judged > 8


TEMPERATURES = [
    # mode, τ, kind; the factor of the logits is 1 / τ, τ or 1, and the paper's 2, or .5 read the other way.
    ("divide", 0.5, None),
    ("multiply", 2.0, None),
    ("multiply", 0.5, "reading"),
    ("divide", 2.0, "reading"),
    ("none", 0.5, "scale"),
    ("none", 2.0, "scale"),
    ("divide", 1.0, "scale"),
    ("multiply", 1.0, "scale"),
    ("divide", 0.25, "scale"),
    ("multiply", 0.25, "scale"),
]


@pytest.mark.parametrize(("mode", "temperature", "kind"), TEMPERATURES)
def test_the_same_function_is_judged_alike(mode: str, temperature: float, kind: str | None) -> None:
    config = _config(LAPA, loss__temperature_mode=mode, loss__temperature=temperature)
    found = deviations.deviations(config, LAPA)
    kinds = {one.kind for one in found}
    assert ("scale" if "scale" in kinds else "reading" if kinds else None) == kind
    assert bool(obstacles(OFFICIAL, found, LAPA)) == (kind == "scale")
    if mode == "none":
        assert found == [deviations.Deviation("loss.temperature", 1.0, 0.5, "scale")]


@pytest.mark.parametrize(
    "changes",
    [
        {"model__kernel_size": 3, "model__localisation": "vgg9", "model__head_norms": 2},
        {"train__coarse__epochs": 25, "train__end_to_end__batch_size": 32},
        {
            "train__fine__learning_rate": 1.0,
            "data__split_seed": 7,
            "train__init_checkpoint": "last",
        },
    ],
)
def test_another_spelling_is_no_deviation(changes: dict[str, Any]) -> None:
    variant = plan_and_text("stn_table2")[0].variants[2]
    assert deviations.deviations(_config(variant, **changes), variant) == []


def test_a_warm_start_is_another_experiment_but_for_the_table_about_it() -> None:
    variant = plan_and_text("stn_table2")[0].variants[2]
    config = _config(variant, train__init_from="runs/other/seed0")
    (found,) = deviations.deviations(config, variant)
    assert (found.field, found.kind) == ("train.init_from", "scale")
    (reason,) = obstacles({**OFFICIAL, "name": "helen"}, [found], variant)
    assert "train.init_from is runs/other/seed0" in reason
    tuned = next(v for v in plan_and_text("stn_finetune")[0].variants if v.name == "finetuned")
    assert deviations.deviations(_config(tuned, train__init_from="x/helen/seed3"), tuned) == []
    (found,) = deviations.deviations(_config(tuned, train__init_from=""), tuned)
    assert (found.field, found.kind) == ("train.init_from", "scale")


def test_the_authors_code_is_silent_about_rounding_alone() -> None:
    official = next(v for v in plan_and_text("stn_table2")[0].variants if v.name == "official")
    for changes, kind in (
        ({"matmul_precision": "high"}, "reading"),
        ({"model__pool_size": 2}, "scale"),
        ({"model__theta_form": "eq21"}, "scale"),
        ({"train__next_stage_from": "last"}, "scale"),
        ({"model__kernel_size": 3}, "scale"),
    ):
        (found,) = deviations.deviations(_config(official, **changes), official)
        assert found.kind == kind


def test_a_run_from_before_a_field_is_held_against_the_paper_by_what_was_done_then() -> None:
    joint = next(v for v in plan_and_text("stn_table2")[0].variants if v.name == "stn_icnn")
    config = _config(joint)
    del config["train"]["end_to_end"]["labels_from"]
    assert deviations.deviations(config, joint) == []


def test_values_of_an_ablation_are_held_against_its_own_table() -> None:
    for changes, name in (
        ({"loss__edge_weight": 10.0}, "lambda=10"),
        ({"model__decoder": "conv_unet"}, "unet"),
        ({"model__norm": "none"}, "edsr"),
        ({"model__norm": "batch", "model__norm_affine": True}, "batch_norm"),
        # A reading of the main experiment is nearer than an ablation.
        ({"model__ensemble": "area", "model__norm_affine": True}, "lapa"),
    ):
        assert deviations.variant_of(_config(LAPA, **changes)).name == name


def test_the_batch_decides_unless_it_is_a_reading_of_its_data_set() -> None:
    celeb = plan_and_text("table2")[0].variants[0]
    helen = plan_and_text("table3")[0].variants[0]
    for variant, batch, kind in (
        (LAPA, 32, "scale"),
        (LAPA, 33, "scale"),
        (LAPA, 256, "reading"),
        (celeb, 64, "scale"),
        (celeb, 132, "reading"),
        (helen, 33, "reading"),
        (helen, 8, "scale"),
        (plan_and_text("stn_table2")[0].variants[2], 64, "scale"),
    ):
        found = deviations.deviations(_config(variant, train__batch_size=batch), variant)
        assert [one.kind for one in found if one.field == "train.batch_size"] == [kind]


@pytest.mark.parametrize(
    "name", ["table1", "table2", "table3", "table5", "ablations", "stn_table2", "stn_table3"]
)
def test_the_published_settings_deviate_in_nothing(name: str) -> None:
    for variant in plan_and_text(name)[0].variants:
        config = _config(variant, seed=3, data__manual_dir="/x", train__microbatch=4)
        assert deviations.deviations(config, variant) == []
        dataset = {**OFFICIAL, "name": deviations.dataset_of(variant)}
        assert obstacles(dataset, [], variant) == []


def test_a_reading_is_named_and_is_no_obstacle() -> None:
    config = _config(LAPA, model__ensemble="area")
    found = deviations.deviations(config, LAPA)
    assert found == [deviations.Deviation("model.ensemble", "area", "average", "reading")]
    assert obstacles(OFFICIAL, found, LAPA) == []


def test_another_experiment_is_an_obstacle() -> None:
    config = _config(LAPA, model__features=32, train__epochs=10, loss__edge_weight=10.0)
    found = deviations.deviations(config, LAPA)
    assert {one.field for one in found} == {"model.features", "train.epochs", "loss.edge_weight"}
    (reason,) = obstacles(OFFICIAL, found, LAPA)
    assert "model.features is 32, not 64" in reason


def test_lambda_is_open_on_helen_alone() -> None:
    helen = plan_and_text("table3")[0].variants[0]
    (found,) = deviations.deviations(_config(helen, loss__edge_weight=10.0), helen)
    assert found.kind == "reading"


def test_other_data_are_an_obstacle() -> None:
    part = {**OFFICIAL, "complete": False, "counts": {"train": 600, "validation": 50, "test": 9}}
    counts = "600 train, 50 validation and 9 test images"
    assert obstacles(part, [], LAPA) == [f"the data are not the official set: {counts}"]
    helen = {**OFFICIAL, "name": "helen"}
    assert obstacles(helen, [], LAPA) == ["the data are helen, not lapa"]
    assert obstacles({**part, "drawn": True}, [], LAPA) == [f"the faces are drawn ({counts})"]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("table1", "lapa"),
        ("table2", "celebamask_hq"),
        ("table5", "lambda=0"),
        ("ablations", "unet"),
        ("stn_table2", "icnn"),
        ("stn_table2", "stn_icnn_apart"),
        ("stn_table2", "official"),
        ("stn_table3", "stn_icnn"),
    ],
)
def test_runs_by_themselves_find_their_experiment(table: str, name: str) -> None:
    variant = next(v for v in plan_and_text(table)[0].variants if v.name == name)
    assert deviations.variant_of(_config(variant, seed=4)) == variant


def test_what_is_published_does_not_depend_on_where_the_report_is_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(LAPA)
    deviations._published_config.cache_clear()
    monkeypatch.chdir(tmp_path)
    assert deviations.deviations(config, LAPA) == []
