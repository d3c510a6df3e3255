"""Tests of experiments.collect: the report of the copy is that of the study."""

import json
import pathlib

import pytest
from made_runs import config_of, write_run

from fpliif_jax.experiments import collect
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.comparison.study import as_json
from fpliif_jax.experiments.plans import frozen_plan, plan_file, study_file
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.tables import table_named


@pytest.fixture
def study(tmp_path: pathlib.Path) -> pathlib.Path:
    """A planned study of two variants and three seeds, with what is not to be copied."""
    folder = tmp_path / "study"
    table = table_named("table5")
    variants = table.variants[-2:]
    runs = tuple(f"{variant.name}/seed{seed}" for seed in range(3) for variant in variants)
    configs = {variant.name: {"data.manual_dir": "/secret"} for variant in variants}
    command = "python -m experiments.reproduce table5 --config.data.manual_dir=/secret"
    plan = FrozenPlan(frozen_plan.version_of(table, "paper", None, configs, runs, command))
    study_file.write_study(
        folder, study_file.Study(str(folder), table, "paper", command, runs, plan)
    )
    for seed in range(3):
        for variant in variants:
            run = folder / variant.name / f"seed{seed}"
            config = config_of(variant, seed=seed, data__manual_dir="/secret/raw")
            write_run(run, config, {"256": 90 + seed}, environment={"command": f"/bin/{command}"})
            for name in ("run.log", "predictions.png", "checkpoints/best"):
                (run / name).parent.mkdir(exist_ok=True)
                (run / name).write_text("/secret", "utf-8")
    return folder


def test_the_copy_has_the_same_report_and_no_places(
    study: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "results"
    for _ in range(2):
        collect.main([str(study), f"--output={output}"])
        assert "6 runs, " in capsys.readouterr().out
    copied = [path for path in output.rglob("*") if path.is_file()]
    assert {path.suffix for path in copied} == {".json", ".jsonl", ".npz"}
    assert not any(b"secret" in path.read_bytes() for path in copied)
    before, after = (as_json(analyse(folder)[0]) for folder in (study, output))
    for content in (before, after):
        del content["root"], content["commands"]
        for group in content["groups"]:
            for run in group["runs"]:
                del run["command"]
    assert json.dumps(before) == json.dumps(after)
    assert after["plans"][0]["finished"] == 6


def test_mistakes_are_one_line(study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for output in (study, study / "copy", tmp_path):
        with pytest.raises(SystemExit, match="lies in the study or around it"):
            collect.main([str(study), f"--output={output}"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="has no finished run"):
        collect.main([str(tmp_path / "empty"), f"--output={tmp_path / 'out'}"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("plan.json", "{", "plan.json is not valid JSON"),
        ("plan.json", '{"form": 1}', "plan.json"),
        ("study.json", "[]", "study.json is no JSON object"),
    ],
)
def test_a_damaged_record_of_the_study_is_one_line(
    name: str, text: str, message: str, study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (study / name).write_text(text, "utf-8")
    with pytest.raises(SystemExit, match=message):
        collect.main([str(study), f"--output={tmp_path / 'results'}"])


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("fpliif-train --workdir=/home/alice/run", "fpliif-train …"),
        ("/home/alice/bin/fpliif-reproduce /home/alice/p.toml --seeds=1", "fpliif-reproduce …"),
        ("/usr/bin/python -m fpliif_jax.main --config=lapa", "python -m fpliif_jax.main …"),
        ("python -m experiments.reproduce", "python -m experiments.reproduce"),
        ("python /home/alice/mine.py", "python …"),
        ("fpliif-train '/home/alice", "…"),
        ("", ""),
    ],
)
def test_commands_are_cut_to_what_was_started(command: str, shown: str) -> None:
    assert collect._module_of(command) == shown


def test_places_in_a_plan_are_named(
    study: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {
        "config": "/home/alice/mine.py",
        "variants": {"a": {"overrides": {"data": {"manual_dir": "/home/alice/raw"}}}, "b": {}},
    }
    table = plan_file.plan_of(content, "mine", "mine.toml")
    plan = FrozenPlan(frozen_plan.version_of(table, "paper", "", {"a": {}}, ["a/seed0"], "typed"))
    frozen_plan.write(study, plan)
    collect.main([str(study), f"--output={tmp_path / 'results'}"])
    printed = capsys.readouterr().out
    assert "plan.json" in printed and "data.manual_dir" in printed and "mine.py" in printed
    assert frozen_plan.read_frozen(tmp_path / "results", tmp_path).first.digest == plan.first.digest
