"""Tests of experiments.plans.plan_file: what a plan of one's own means, and what is refused."""

import pathlib
import re

import pytest

from fpliif_jax.commands import command_line
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.launching import plan_jobs
from fpliif_jax.experiments.plans import plan_content, plan_file, plan_version, scales, tables
from fpliif_jax.experiments.plans.plan_values import PlanError
from fpliif_jax.experiments.plans.run_name import RunName
from fpliif_jax.experiments.plans.variant import Expectation, Question, Table, Variant
from fpliif_jax.run_folder.run_config import json_config

_PLAN = """
title = "Does the edge loss help?"
config = "synthetic"
baseline = "with"
seeds = "0-2,7"
margin = 1
rows = ["64", "48->64"]
overrides.train.epochs = 2

[variants.with]
label = "λ = 10"
seeds = "0,1"
overrides."loss.edge_weight" = 10.0

[variants.without]
config = "own.py"
overrides.loss.edge_weight = 0.0
overrides.train.epochs = 3
overrides.model.group_blocks = [1, 1]

[questions.edge]
text = "Is it lower without?"
variant = "without"
expects = "lower"
class = "hair"
metric = "f1"
row = "48->64"
"""


def _write(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / "edges.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_a_plan_of_the_form_of_the_papers_tables(tmp_path: pathlib.Path) -> None:
    (tmp_path / "own.py").touch()
    table, text = plan_file.read_plan(_write(tmp_path, _PLAN))
    assert text == _PLAN
    assert table == Table(
        name="edges",
        title="Does the edge loss help?",
        variants=(
            Variant(
                "with",
                "λ = 10",
                "configs/synthetic.py",
                (
                    ("train.epochs", 2),
                    ("study.equivalence_margin", 1.0),
                    ("loss.edge_weight", 10.0),
                ),
                rows=("64", "48->64"),
                seeds=(0, 1),
            ),
            Variant(
                "without",
                "without",
                str(tmp_path / "own.py"),
                (
                    ("train.epochs", 3),
                    ("study.equivalence_margin", 1.0),
                    ("loss.edge_weight", 0.0),
                    ("model.group_blocks", (1, 1)),
                ),
                rows=("64", "48->64"),
            ),
        ),
        baseline="with",
        seeds=(0, 1, 2, 7),
        questions=(
            Question(
                "edge",
                "Is it lower without?",
                "without",
                "with",
                Expectation.LOWER,
                "f1",
                "hair",
                "48->64",
            ),
        ),
        is_published=False,
    )


def test_the_content_of_a_plan_is_the_plan(tmp_path: pathlib.Path) -> None:
    table, _ = plan_file.read_plan(_write(tmp_path, _PLAN))
    assert plan_file.plan_of(plan_content.content_of(table), "edges", "plan.json") == table


def test_without_questions_each_variant_is_compared_with_the_baseline() -> None:
    asked = tables.plan_and_text("table5")[0].asked
    assert [(one.variant, one.against, one.expects) for one in asked] == [
        (f"lambda={weight}", "lambda=40", Expectation.DIFFERENT) for weight in (0, 10, 20, 30)
    ]
    assert tables.plan_and_text("table1")[0].asked == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("margin = 1", "margn = 1", "edges.toml: margn is no key of a plan"),
        ("margin = 1", "margin = true", "edges.toml: margin must be a number"),
        ('baseline = "with"', 'baseline = "wth"', "baseline is 'wth', which is no variant"),
        ('baseline = "with"', "", "questions.edge.against is missing"),
        ('seeds = "0-2,7"', 'seeds = "a"', "edges.toml: seeds is 'a'"),
        ('seeds = "0,1"', "seeds = 3", "variants.with.seeds must be a text"),
        ('config = "synthetic"', "", "variants.with has no config"),
        ("[variants.with]", '[variants."../with"]', "variants.../with must be a name of letters"),
        ("overrides.train.epochs = 2", "overrides.seed = 2", "is what the plan's key 'seeds'"),
        ("overrides.train.epochs = 2", "overrides = 2", "overrides must be a table"),
        ("train.epochs = 2", "train.epochs = 1979-05-27", "overrides.train.epochs must be a num"),
        ('expects = "lower"', "", "expects must be one of higher, lower, different, equivalent"),
        ('expects = "lower"', 'expects = "better"', "expects must be one of higher, lower"),
        ('variant = "without"', 'variant = "with"', "compares a variant with itself"),
        ('variant = "without"', "", "questions.edge.variant is missing"),
        (
            'text = "Is it lower without?"',
            'text = "a\\u0007"',
            "text must be one line of printable",
        ),
        ("[questions.edge]", "[questions.edge", "edges.toml is no TOML"),
        ('rows = ["64", "48->64"]', "rows = 64", "rows must be a list of names"),
    ],
)
def test_mistakes_name_the_file_the_key_and_what_to_do(
    tmp_path: pathlib.Path, old: str, new: str, message: str
) -> None:
    assert _PLAN.count(old) == 1 or old.startswith(("margin", "overrides"))
    with pytest.raises(Exception, match="edges.toml") as caught:
        plan_file.read_plan(_write(tmp_path, _PLAN.replace(old, new, 1)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hostile_files_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "edges.toml"
    for content in (b"\xff", b"a = " + b"[" * 100_000, b"#" * 2**21):
        path.write_bytes(content)
        with pytest.raises(PlanError, match="edges.toml"):
            plan_file.read_plan(path)
    with pytest.raises(PlanError, match="cannot be read"):
        plan_file.read_plan(tmp_path / "none.toml")
    with pytest.raises(PlanError, match="cannot be read"):
        plan_file.read_plan(tmp_path)


def test_the_packages_own_plans_state_what_they_expect() -> None:
    plans = {plan.name: plan for plan in tables.own_plans()}
    assert set(plans) == {
        "photographs",
        "photographs_stn_icnn",
        "window_drift",
        "fine_tuning",
        "drawings",
        "camera",
        "more_things",
        "rounding",
    }
    for plan in plans.values():
        assert tables.plan_and_text(plan.name)[0] == plan
        asked_about = {name for one in plan.questions for name in (one.variant, one.against)}
        if plan.name != "rounding":  # which measures, and asks nothing
            assert asked_about == {variant.name for variant in plan.variants}
        assert all(one.config.startswith("configs/") for one in plan.variants)


def test_variants_of_the_plan_rounding_differ_in_the_order_of_sums_alone() -> None:
    plan = tables.plan_and_text("rounding")[0]
    orders, others = [], []
    for variant in plan.variants:
        fields = dict(variant.overrides)
        orders.append((fields.pop("train.microbatch"), fields.pop("model.query_chunk")))
        others.append(fields)
    assert others == [others[0]] * 10
    assert len(set(orders)) == 10
    # More queries at once than there are would be the same sums again.
    assert all(queries <= images * 64**2 for images, queries in orders)


def test_a_few_steps_of_a_plan_are_those_of_its_own_experiments() -> None:
    plan = tables.plan_and_text("photographs_stn_icnn")[0]
    file, fields = scales.scaled(plan.variants[0], "smoke", plan.is_published)
    assert file == "configs/drawn_faces_stn_icnn.py"
    assert fields["train.stages"] == ("coarse", "localisation", "fine")
    assert {value for field, value in fields.items() if field.endswith(".epochs")} == {1}
    assert fields["data.train_subset"] == 3 * 16
    with pytest.raises(Exception, match="has no small version"):
        scales.scaled(plan.variants[0], "small", plan.is_published)


def test_places_of_a_machine_are_no_part_of_a_plan(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('config = "lapa"\noverrides.data.manual_dir = "/raw"\n[variants.a]\n', "utf-8")
    with pytest.raises(PlanError, match=r"data\.manual_dir .*--config\.data\.manual_dir="):
        plan_file.read_plan(path)


def test_a_file_of_ones_own_is_not_taken_for_the_packages(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    own = tmp_path / "configs" / "lapa.py"
    own.write_text(
        "from fpliif_jax.configs import lapa\n\n\ndef get_config():\n"
        "    config = lapa.get_config()\n    config.train.epochs = 7\n    return config\n",
        "utf-8",
    )
    path = tmp_path / "mine.toml"
    path.write_text('[variants.a]\nconfig = "configs/lapa.py"\n[variants.b]\nconfig = "lapa"\n')
    monkeypatch.chdir(tmp_path)
    table, _ = plan_file.read_plan(pathlib.Path("mine.toml"))
    epochs = [
        command_line.config_of(scales.as_arguments(*scales.scaled(one, "paper"))).train.epochs
        for one in table.variants
    ]
    assert epochs == [7, 400]
    for one in table.variants:
        with pytest.raises(UserError, match="no small version"):
            scales.scaled(one, "small", table.is_published)


def test_a_paper_s_experiment_without_a_small_version_says_where_that_is_named() -> None:
    variant = Variant("mine", "mine", "configs/own_data_small.py")
    with pytest.raises(UserError, match=r"stands for configs/own_data_small.py.* _SMALL of exp"):
        scales.scaled(variant, "small")


@pytest.mark.parametrize(
    ("needs", "wrong"),
    [
        ({"a": "a"}, "a"),
        ({"a": "b", "b": "a"}, "a"),
        ({"a": "b", "b": "c", "c": "b"}, "b"),
        ({"a": "b", "b": "c"}, None),
    ],
)
def test_a_run_that_waits_for_itself_is_refused(needs: dict[str, str], wrong: str | None) -> None:
    variants = {
        name: {"config": "lapa", **({"needs": needs[name]} if name in needs else {})}
        for name in "abc"
    }
    if wrong is None:
        assert len(plan_file.plan_of({"variants": variants}, "mine", "mine.toml").variants) == 3
        return
    message = f"mine.toml: variants.{wrong}.needs names itself, or what starts from it"
    with pytest.raises(PlanError, match=re.escape(message)):
        plan_file.plan_of({"variants": variants}, "mine", "mine.toml")


def test_what_starts_from_a_variant_that_is_left_out_starts_from_the_one_that_is_run() -> None:
    """`short` and `long` are one run of an epoch at this scale, and so are those that start from them."""
    variants = {
        "from_short": {"needs": "short", "overrides": {"loss": {"edge_weight": 3.0}}},
        "long": {"overrides": {"train": {"epochs": 40}}},
        "short": {"overrides": {"train": {"epochs": 4}}},
        "from_long": {"needs": "long", "overrides": {"loss": {"edge_weight": 3.0}}},
        "other_seeds": {"seeds": "0-1"},
    }
    content = {"config": "synthetic", "seeds": "0", "variants": variants}
    plan = plan_file.plan_of(content, "mine", "mine.toml")
    plan, configs = plan_jobs.at_scale(plan, "smoke")
    jobs = plan_jobs.jobs_of(plan, configs, "smoke", plan.seeds, pathlib.Path("D"))
    assert {job.name: job.needs for job in jobs} == {
        "from_short/seed0": "long/seed0",
        "long/seed0": None,
        "other_seeds/seed0": None,
        "other_seeds/seed1": None,
    }
    assert jobs[0].steps[0].config["train"]["init_from"] == "D/long/seed0"
    version = plan_version.version_of(plan, "smoke", None, {"from_short": {}}, [], "")
    config = {"seed": 0, "train.init_from": "elsewhere/long/seed0"}
    assert version.differences(RunName("from_short", 0), config) == []


def test_a_few_steps_take_no_more_images_than_are_planned_or_there(tmp_path: pathlib.Path) -> None:
    """A subset of more is refused, under the name of a field that nobody gave."""
    synthetic_faces.write_dataset("lapa", tmp_path / "raw", 5, 1, 1, image_size=32)
    variants = {
        "whole": {},
        "few": {"overrides": {"data.train_subset": 4}},
        "small_batches": {"overrides": {"train.batch_size": 1}},
        "drawn": {"overrides": {"data": {"split": "random", "synthetic": {"num_train": 7}}}},
    }
    content = {"config": "lapa", "variants": variants}
    plan = plan_file.plan_of(content, "mine", "mine.toml")
    folders = [f"--config.data.{name}_dir={tmp_path / 'raw'}" for name in ("manual", "data")]
    _, configs = plan_jobs.at_scale(plan, "smoke", folders)
    # Of drawn faces that are divided 6:2:2, without any for validation and testing, 0.6 · 7 are for training.
    assert {name: config.data.train_subset for name, config in configs.items()} == {
        "whole": 5,
        "few": 4,
        "small_batches": 3,
        "drawn": 4,
    }
    assert load_dataset(configs["whole"].data).counts["train"] == 5
    _, configs = plan_jobs.at_scale(plan, "smoke", folders)  # the set is prepared now
    assert configs["whole"].data.train_subset == 5


@pytest.mark.parametrize("config", ["lapa", "celebamask_hq", "helen", "stn_icnn_helen"])
def test_a_few_steps_of_a_published_experiment_are_on_its_own_data(config: str) -> None:
    content = {"variants": {"a": {"config": config, "overrides": {"train": {"epochs": 400}}}}}
    plan = plan_file.plan_of(content, "mine", "mine.toml")
    (job,) = plan_jobs.jobs_of(plan, ["a"], "smoke", [0], pathlib.Path("D"))
    made = job.steps[0].config
    published = json_config(command_line.config_of((f"--config={config}",)))
    assert made["train"]["epochs"] == 1
    assert made["data"].pop("train_subset") == 3 * published["train"]["batch_size"]
    published["data"].pop("train_subset")
    assert made["data"] == published["data"]
    assert made["model"] == published["model"]
