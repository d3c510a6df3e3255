"""Tests of experiments.reproduce and what it is made of: tables and scales: what a table's one command starts."""

import pathlib

import pytest

from fpliif_jax.commands import command_line
from fpliif_jax.experiments import reproduce
from fpliif_jax.experiments.benchmark.plan import FILE_NAME
from fpliif_jax.experiments.comparison.deviations import dataset_of
from fpliif_jax.experiments.launching import local, plan_jobs
from fpliif_jax.experiments.launching.jobs import Job
from fpliif_jax.experiments.plans import scales, tables
from fpliif_jax.experiments.plans.variant import Table
from fpliif_jax.experiments.published import published_values
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.systems.protocol import Protocol
from fpliif_jax.training import preflight

ALL = [pytest.param(table, id=table.name) for table in tables.TABLES]


@pytest.mark.parametrize("table", ALL)
def test_every_claim_has_published_numbers(table: Table) -> None:
    for variant in table.variants:
        for claim in variant.claims:
            found = [
                value
                for value in published_values()
                if (value.source, value.system, value.protocol)
                == (claim.source, claim.system, claim.protocol)
                and (value.dataset == dataset_of(variant) or not variant.trains)
            ]
            assert found, claim


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_rows_of_output_sizes_are_called_by_their_titles(name: str) -> None:
    (variant,) = tables.plan_and_text(name)[0].variants
    titles = [f"FP-LIIF, {Protocol.of_key(claim.row).title}" for claim in variant.claims]
    assert [claim.label for claim in variant.claims] == titles


@pytest.mark.parametrize("table", ALL)
def test_names_are_folders_and_unique(table: Table) -> None:
    names = [variant.name for variant in table.variants]
    assert len(set(names)) == len(names)
    assert all(name == pathlib.PurePath(name).name for name in names)
    assert table.baseline is None or table.baseline in names
    assert all(variant.needs in (None, *names) for variant in table.variants)


@pytest.mark.parametrize("scale", scales.SCALES)
@pytest.mark.parametrize("table", ALL)
def test_what_the_command_line_says_is_what_the_variant_means(table: Table, scale: str) -> None:
    for variant in table.variants:
        file, fields = scales.scaled(variant, scale)
        config = command_line.config_of(scales.as_arguments(file, fields))
        flat = flatten_config(config.to_dict())
        for field, value in fields.items():
            assert flat[field] == value, field


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["table1", "table5", "ablations", "stn_table2", "stn_fig6", "stn_finetune", "stn_efficiency"],
)
def test_the_smallest_scale_has_possible_settings(name: str) -> None:
    table = tables.plan_and_text(name)[0]
    for variant in table.variants:
        config = command_line.config_of(scales.as_arguments(*scales.scaled(variant, "smoke")))
        preflight.check_settings(config)
        assert config.data.synthetic.num_train <= 20
        assert config.train.epochs == 1


@pytest.mark.parametrize(
    ("row", "scale", "found"),
    [
        ("256", "paper", "256"),
        ("192->256", "small", "48->64"),
        ("512", "small", "128"),
        ("64->256", "smoke", "8->32"),
        ("canvas", "smoke", "canvas"),
    ],
)
def test_rows_shrink_with_the_images(row: str, scale: str, found: str) -> None:
    assert scales.scaled_row(row, scale) == found


def _smoke_jobs(table: Table, seeds: list[int]) -> list[Job]:
    table, configs = plan_jobs.at_scale(table, "smoke")
    return plan_jobs.jobs_of(table, configs, "smoke", seeds, pathlib.Path("D"))


def test_table_5_is_five_weights_seed_by_seed() -> None:
    table = tables.plan_and_text("table5")[0]
    jobs = _smoke_jobs(table, [0, 3])
    weights = [0, 10, 20, 30, 40]
    assert [job.name for job in jobs] == [
        f"lambda={weight}/seed{seed}" for seed in (0, 3) for weight in weights
    ]
    for job, weight in zip(jobs[5:], weights, strict=True):
        (step,) = job.steps
        assert step.module == "fpliif_jax.main"
        assert step.config["loss"]["edge_weight"] == weight
        assert step.config["seed"] == 3
        assert step.config["seeds"]["augmentation"] == 3
        assert f"--workdir=D/{job.name}" in step.arguments


def test_variants_that_are_the_same_at_a_scale_are_made_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tables.plan_and_text("open_questions")[0]
    variants = {v.name: v for v in table.variants}
    few = Table("few", "", (variants["default"], variants["cosine"], variants["area"]))
    jobs = _smoke_jobs(few, [0])
    assert [job.name for job in jobs] == ["default/seed0", "area/seed0"]
    assert "cosine is at this scale the same as default" in capsys.readouterr().out


@pytest.mark.slow
def test_fine_tuning_starts_from_the_run_of_its_own_seed() -> None:
    table = tables.plan_and_text("stn_finetune")[0]
    jobs = {job.name: job for job in _smoke_jobs(table, [0, 1])}
    job = jobs["finetuned/seed1"]
    assert job.needs == "helen/seed1"
    assert job.steps[0].config["train"]["init_from"] == "D/helen/seed1"


def test_a_setting_of_the_command_is_that_of_all_runs_whatever_is_planned() -> None:
    """Rows are a tuple, whose flag collects: the plan's own would stay beside those that were asked for."""
    table = tables.plan_and_text("table1")[0]
    passed_on = ["--config.eval.rows=('32',)", "--config.train.epochs=3"]
    table, configs = plan_jobs.at_scale(table, "smoke", passed_on)
    (config,) = configs.values()
    assert config.eval.rows == ("32",) and config.train.epochs == 3
    (job,) = plan_jobs.jobs_of(table, configs, "smoke", [4], pathlib.Path("D"), passed_on)
    assert job.steps[0].config["eval"]["rows"] == ["32"]
    *settings, workdir = job.steps[0].arguments
    assert command_line.config_of(settings).eval.rows == ("32",) and "--workdir" in workdir


def test_the_run_of_the_plan_is_what_a_variant_starts_from_whatever_the_command_says() -> None:
    """Its own start replaces the command's: given twice, it would be refused as a mistake of the person."""
    table = tables.plan_and_text("stn_finetune")[0]
    passed_on = ["--config.train.init_from=elsewhere"]
    table, configs = plan_jobs.at_scale(table, "smoke", passed_on)
    jobs = plan_jobs.jobs_of(table, configs, "smoke", [1], pathlib.Path("D"), passed_on)
    (job,) = (job for job in jobs if job.needs)
    assert job.steps[0].config["train"]["init_from"] == "D/helen/seed1"


def test_one_face_is_measured_without_sizes() -> None:
    table = tables.plan_and_text("stn_efficiency")[0]
    jobs = {job.name: job for job in _smoke_jobs(table, [0])}
    (step,) = jobs["one_face"].steps
    assert step.module == "fpliif_jax.experiments.benchmark"
    assert "--parts=latency" in step.arguments
    assert not any(argument.startswith("--sizes") for argument in step.arguments)
    assert jobs["finetuned/seed0"].needs == "helen/seed0"


def test_the_hidden_parts_are_measured_on_the_finished_run() -> None:
    table = tables.plan_and_text("stn_fig5")[0]
    job = _smoke_jobs(table, [0])[0]
    train, robustness = job.steps
    assert train.output == "results.json"
    assert robustness.module == "fpliif_jax.experiments.robustness"
    assert robustness.arguments == (f"--workdir={job.workdir}",)


def test_cost_is_counted_once_whatever_the_seeds() -> None:
    jobs = _smoke_jobs(tables.plan_and_text("table6")[0], [0, 1])
    assert [step.module for job in jobs for step in job.steps] == [
        "fpliif_jax.experiments.cost",
        "fpliif_jax.experiments.benchmark",
    ]
    cost, benchmark = jobs[0].steps
    assert f"--output={jobs[0].workdir / cost.output}" in cost.arguments
    assert "--parts=latency" in benchmark.arguments  # at paper scale it must not ask for data
    assert f"--output={jobs[0].workdir}" in benchmark.arguments  # it makes all its files there
    assert benchmark.output == FILE_NAME


def test_an_impossible_setting_is_told_before_anything_runs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "run", lambda *_: pytest.fail("it ran"))
    flags = ["table5", "--scale=smoke", f"--workdir={tmp_path}", "--config.model.ensemble=max"]
    with pytest.raises(SystemExit, match="error: .*ensemble"):
        reproduce.main(flags)
    with pytest.raises(
        SystemExit, match="there is no table 'table9'; did you mean .* There are table1, "
    ):
        reproduce.main(["table9", "--scale=smoke"])


def test_without_a_table_the_tables_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    reproduce.main([])
    listed = capsys.readouterr().out
    assert all(table.name in listed and table.title in listed for table in tables.TABLES)
