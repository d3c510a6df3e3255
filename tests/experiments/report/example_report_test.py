"""docs/example_report is what today's code writes, and its commands are those of today."""

import json
import pathlib
import shlex

import example_report

from fpliif_jax.commands import command_line
from fpliif_jax.experiments import reproduce
from fpliif_jax.experiments.plans import scales, tables


def test_the_example_is_what_the_code_writes(tmp_path: pathlib.Path) -> None:
    example_report.render(example_report.FOLDER, tmp_path)
    names = sorted(path.name for path in example_report.FOLDER.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    differ = [
        name
        for name in names
        if (tmp_path / name).read_bytes() != (example_report.FOLDER / name).read_bytes()
    ]
    assert not differ, "python -m tests.helpers.example_report renders it again"


def test_the_commands_of_the_example_make_its_runs_today() -> None:
    study = json.loads((example_report.FOLDER / "report.json").read_text(encoding="utf-8"))
    typed, *runs = (shlex.split(command) for command in study["commands"])
    assert typed[:3] == ["python", "-m", "experiments.reproduce"]
    flags, passed_on = reproduce._parse(typed[3:])
    assert passed_on == []
    planned = {
        f"{flags.workdir}/{variant.name}": scales.as_arguments(*scales.scaled(variant, flags.scale))
        for variant in tables.plan_and_text(flags.table)[0].variants
    }
    assert len(runs) == 17
    for *command, workdir, experiment, setting, seed in runs:
        assert command == ["python", "-m", "fpliif_jax.main"]
        folder, _, number = workdir.removeprefix("--workdir=").rpartition("/seed")
        today = command_line.config_of((*planned[folder], f"--config.seed={number}"))
        assert command_line.config_of((experiment, setting, seed)) == today
