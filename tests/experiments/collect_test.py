"""Tests of experiments.collect: the report of the copy is that of the study."""

import contextlib
import errno
import json
import pathlib
import shutil
import threading
from typing import Any, BinaryIO

import pytest
from made_runs import config_of, write_run

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.experiments import collect, power, reproduce
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.comparison.study import Study, as_json
from fpliif_jax.experiments.plans import frozen_plan, plan_file, plan_version, study_file
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.report import __main__ as report_command
from fpliif_jax.experiments.report import write
from fpliif_jax.experiments.runs import bounded_files
from fpliif_jax.run_folder import run_lock


@pytest.fixture
def study(tmp_path: pathlib.Path) -> pathlib.Path:
    """A planned study of two variants and three seeds, with what is not to be copied."""
    folder = tmp_path / "study"
    table = plan_and_text("table5")[0]
    variants = table.variants[-2:]
    runs = tuple(f"{variant.name}/seed{seed}" for seed in range(3) for variant in variants)
    configs = {variant.name: {"data.manual_dir": "/secret"} for variant in variants}
    command = "python -m experiments.reproduce table5 --config.data.manual_dir=/secret"
    plan = FrozenPlan(plan_version.version_of(table, "paper", None, configs, runs, command))
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
    report = _report(output)
    assert report == _report(study)
    assert json.loads(report)["plans"][0]["finished"] == 6


def test_no_run_of_a_copy_that_was_cut_off_looks_finished(
    study: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, replacing = tmp_path / "results", atomic_file.replacing

    def on_a_full_disk(path: pathlib.Path) -> contextlib.AbstractContextManager[BinaryIO]:
        if path.suffix == ".npz" and "seed1" in path.parts:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return replacing(path)

    monkeypatch.setattr(atomic_file, "replacing", on_a_full_disk)
    with pytest.raises(SystemExit, match=r"seed1/.*\.npz: No space left on device"):
        collect.main([str(study), f"--output={output}"])
    copied = {path.parent for path in output.rglob("results.json")}
    assert copied and all(
        len(list((run / "evaluations").iterdir())) == 3 and run.name != "seed1" for run in copied
    )


def _report(folder: pathlib.Path, without_matrices: bool = False) -> str:
    """All that a report says of a folder, but for places and commands."""
    content = as_json(analyse(folder, without_matrices=without_matrices)[0])
    del content["root"], content["commands"]
    for group in content["groups"]:
        group["settings"].pop("train.init_from", None)
        for run in group["runs"]:
            del run["command"]
    return json.dumps(content)


def test_measurements_without_runs_are_copied(tmp_path: pathlib.Path) -> None:
    folder, output = tmp_path / "study", tmp_path / "results"
    table = plan_and_text("table6")[0]
    study_file.write_study(folder, study_file.Study(str(folder), table, "paper", "typed", ()))
    for variant in table.variants:
        for _, name in variant.then:
            (folder / variant.name).mkdir(exist_ok=True)
            content = {
                "config": {
                    "data": {"manual_dir": "/secret"},
                    "train": {"init_from": "/secret/a/b"},
                },
                "environment": {"device": "A100", "command": "python -m x --output=/secret"},
                "parameters": 2283019,
                "rows": [{"output_size": 256, "gmacs": 1.5321}],
            }
            (folder / variant.name / name).write_text(json.dumps(content), "utf-8")
    collect.main([str(folder), f"--output={output}"])
    assert not any(b"secret" in path.read_bytes() for path in output.rglob("*.json"))
    assert _report(output) == _report(folder)
    assert "1.5321" in _report(output)


def test_what_opens_and_cannot_be_read_leaves_an_earlier_copy_as_it_was(
    study: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, read = tmp_path / "results", bounded_files.read_regular
    collect.main([str(study), f"--output={output}"])
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}

    def on_a_bad_disk(path: pathlib.Path, limit: int) -> bytes:
        content = read(path, limit)
        if path.suffix == ".npz" and was_analysed.is_set():
            raise OSError(errno.EIO, "Input/output error", str(path))
        return content

    was_analysed = threading.Event()
    measured = collect._measured
    monkeypatch.setattr(bounded_files, "read_regular", on_a_bad_disk)

    def analysed(*given: Any) -> list[pathlib.Path]:
        was_analysed.set()
        return measured(*given)

    monkeypatch.setattr(collect, "_measured", analysed)
    with pytest.raises(SystemExit, match="npz cannot be read: Input/output error"):
        collect.main([str(study), f"--output={output}"])
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_a_folder_that_is_being_written_is_left_alone(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    output.mkdir()
    refused = f"error: another process is at work in {output}; .* use another --output"
    with run_lock.writing(output), pytest.raises(SystemExit, match=refused):
        collect.main([str(study), f"--output={output}"])
    assert not any(output.iterdir())
    collect.main([str(study), f"--output={output}"])
    assert not (output / ".writing").exists()


_NEEDS = {
    "config": "stn_icnn_helen",
    "seeds": "0-1",
    "variants": {"first": {}, "second": {"needs": "first", "then": ["robustness"]}, "drawn": {}},
}


def test_runs_that_start_from_others_keep_which(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "secret", tmp_path / "results"
    table = plan_file.plan_of(_NEEDS, "mine", "mine.toml")
    runs = [f"{one.name}/seed{seed}" for one in table.variants for seed in range(2)]
    configs = {one.name: {"train.init_from": ""} for one in table.variants}
    configs["drawn"] = {"train.init_from": "weights:drawn"}
    plan = FrozenPlan(plan_version.version_of(table, "paper", "", configs, runs, "typed"))
    study_file.write_study(
        folder, study_file.Study(str(folder), table, "paper", "typed", tuple(runs), plan)
    )
    starts = {"first": "", "second": str(folder / "first/seed{}"), "drawn": "weights:drawn"}
    for variant in table.variants:
        for seed in range(2):
            start = starts[variant.name].format(seed)
            config = config_of(variant, seed=seed, train__init_from=start)
            write_run(folder / variant.name / f"seed{seed}", config, {"canvas": 90 + seed})
    for seed in range(2):
        path = folder / f"second/seed{seed}/robustness/robustness.json"
        path.parent.mkdir()
        means = {"distance_before": {"mean": 2.0}, "distance_after": {"mean": 3.0 + seed}}
        content = {"config": config, "overall": {"stn": means, "centroid": means}}
        path.write_text(json.dumps(content), "utf-8")
    collect.main([str(folder), f"--output={output}"])
    assert "still names" not in capsys.readouterr().out
    assert not any(b"secret" in path.read_bytes() for path in output.rglob("*.json"))
    for name, start in (("second/seed1", "first/seed1"), ("drawn/seed0", "weights:drawn")):
        for file in ("config.json", "results.json"):
            content = json.loads((output / name / file).read_text("utf-8"))
            assert content.get("config", content)["train"]["init_from"] == start
    assert _report(output) == _report(folder)
    assert "distance_after" in _report(output)


def test_a_start_that_is_planned_is_named_and_kept(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "study", tmp_path / "results"
    start = "/home/alice/runs/older/seed0"
    content = {
        "config": "stn_icnn_helen",
        "variants": {"a": {"overrides": {"train": {"init_from": start}}}},
    }
    table = plan_file.plan_of(content, "mine", "mine.toml")
    configs = {"a": {"train.init_from": start}}
    plan = FrozenPlan(plan_version.version_of(table, "paper", "", configs, ["a/seed0"], "typed"))
    study_file.write_study(
        folder, study_file.Study(str(folder), table, "paper", "typed", ("a/seed0",), plan)
    )
    config = config_of(table.variants[0], train__init_from=start)
    write_run(folder / "a/seed0", config, {"canvas": 90.0})
    collect.main([str(folder), f"--output={output}"])
    assert "still names train.init_from:" in capsys.readouterr().out
    assert _report(output) == _report(folder)


@pytest.mark.parametrize(
    ("start", "kept"),
    [
        ("/home/alice/runs/older/seed0/", "older/seed0"),
        ("~/older/seed0", "older/seed0"),
        ("/older", "older"),
        ("seed0", "seed0"),
        ("weights:drawn", "weights:drawn"),
        ("", ""),
        (None, None),
    ],
)
def test_of_the_run_that_another_starts_from_two_names_are_left(
    start: str | None, kept: str | None
) -> None:
    config = {"train": {"init_from": start}}
    collect._empty_places(config, ())
    assert config == {"train": {"init_from": kept}}


def test_links_out_of_the_study_and_large_files_are_one_line(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    arguments = [str(study), f"--output={tmp_path / 'results'}"]
    record = study / "study.json"
    with record.open("ab") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(SystemExit, match=r"study\.json .*large|study\.json .*MiB"):
        collect.main(arguments)
    record.unlink()
    record.symlink_to(tmp_path / "elsewhere.json")
    (tmp_path / "elsewhere.json").write_text("{}", "utf-8")
    with pytest.raises(SystemExit, match=r"study\.json is a link out of"):
        collect.main(arguments)


def test_a_file_that_cannot_be_read_leaves_an_earlier_copy_as_it_was(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    arguments = [str(study), f"--output={output}"]
    collect.main(arguments)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    record = study / "study.json"
    record.rename(tmp_path / "elsewhere")
    record.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match=r"study\.json is a link out of"):
        collect.main(arguments)
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*")}


def test_a_copy_with_a_run_that_is_gone_is_refused(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    collect.main([str(study), f"--output={output}"])
    gone = next(study.glob("*/seed2"))
    name = gone.relative_to(study).as_posix()
    shutil.rmtree(gone)
    with pytest.raises(SystemExit, match=f"no longer, in the study: {name}; delete"):
        collect.main([str(study), f"--output={output}"])
    shutil.rmtree(output / name)
    collect.main([str(study), f"--output={output}"])
    assert _report(output) == _report(study)


def test_evaluations_that_results_do_not_name_stay_behind(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    run = next(study.glob("*/seed1"))
    stray = run / "evaluations" / "test-best-512.npz"  # of an evaluation before the last one
    shutil.copy(run / "evaluations" / "test-best-256.npz", stray)
    (run / "evaluations" / "notes.npz").write_bytes(b"/secret")
    collect.main([str(study), f"--output={output}"])
    names = {
        "{split}-{checkpoint}-{row}.npz".format(**one)
        for one in json.loads((run / "results.json").read_text("utf-8"))["evaluations"]
    }
    copied = output / run.relative_to(study) / "evaluations"
    assert {path.name for path in copied.iterdir()} == names
    assert _report(output) == _report(study)


@pytest.mark.parametrize(
    "name",
    [
        "evaluations/test-best-512.npz",  # copied when results.json still named it
        "examples.npz",
        "environment.json",
        "metrics.jsonl",
    ],
)
def test_a_copy_with_a_file_that_is_gone_is_refused_and_left_as_it_was(
    name: str, study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    collect.main([str(study), f"--output={output}"])
    run = next(study.glob("*/seed1"))
    inside = run.relative_to(study)
    (run / name).unlink(missing_ok=True)
    (output / inside / name).write_bytes(b"kept")
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit, match=f"no longer, in the study: {inside}/{name}; delete"):
        collect.main([str(study), f"--output={output}"])
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    (output / inside / name).unlink()
    (output / "README.md").write_text("what it is", "utf-8")  # which no report reads
    collect.main([str(study), f"--output={output}"])
    assert _report(output) == _report(study)


def test_without_matrices_the_scores_are_all_there_and_no_old_matrices_stay(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    arguments = [str(study), f"--output={output}"]
    collect.main(arguments)
    with pytest.raises(SystemExit):  # they would look as if they belonged to the scores
        collect.main([*arguments, "--without_matrices"])
    shutil.rmtree(output)
    collect.main([*arguments, "--without_matrices"])
    assert not list(output.rglob("*.npz"))
    runs = [path.relative_to(study) for path in study.rglob("results.json")]
    assert len(runs) == 6
    for run in runs:
        copy, own = (json.loads((root / run).read_text("utf-8")) for root in (output, study))
        assert copy["evaluations"] == own["evaluations"]


def test_the_report_of_scores_alone_has_all_but_what_images_say(
    study: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, report = tmp_path / "results", tmp_path / "report"
    collect.main([str(study), f"--output={output}", "--without_matrices"])
    report_command.main([f"--runs={output}", f"--output={report}", "--without_matrices"])
    assert "\nAll runs came without confusion matrices: " in capsys.readouterr().out
    shown, whole = (json.loads(_report(folder, folder == output)) for folder in (output, study))
    own = ("All runs came without confusion matrices", "With other test images")
    summaries = [
        [text for text in content["summary"] if not text.startswith(own)]
        for content in (shown, whole)
    ]
    assert summaries[0] == summaries[1]
    assert [len(content["summary"]) - len(summaries[0]) for content in (shown, whole)] == [1, 1]
    of_images = [
        content["groups"][0]["scores"][0].pop("image_interval") for content in (shown, whole)
    ]
    assert of_images[0] is None and len(of_images[1]) == 2
    assert _without_images(shown) == _without_images(whole)
    with pytest.raises(
        SystemExit, match="no SD to go by: left out, as their scores or differences"
    ):
        power.main([str(output), "--without_matrices"])


def _without_images(content: object) -> object:
    if isinstance(content, list):
        return [_without_images(one) for one in content]
    if isinstance(content, dict):
        left_out = (
            "image_interval",
            "image_sd",
            "seed_and_image_interval",
            "confusion",
            "summary",
            "note",
        )
        return {
            key: _without_images(value) for key, value in content.items() if key not in left_out
        }
    return content


def test_a_copy_without_matrices_has_no_report_and_says_why(
    study: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, report = tmp_path / "results", tmp_path / "report"
    collect.main([str(study), f"--output={output}", "--without_matrices"])
    for command, arguments in (
        (report_command, [f"--runs={output}", f"--output={report}"]),
        (power, [str(output)]),
    ):
        with pytest.raises(SystemExit, match="give --without_matrices here too") as ended:
            command.main(arguments)
        assert str(output) in ended.value.code and "\n" not in ended.value.code
    assert not report.exists()
    # A run without its own, among others, is one of those that the report lists.
    run = next(study.glob("*/seed1")).relative_to(study)
    shutil.copytree(study / run / "evaluations", output / run / "evaluations")
    monkeypatch.setattr(write, "write_report", lambda study, *_, **__: written.append(study))
    written: list[Study] = []
    report_command.main([f"--runs={output}", f"--output={report}"])
    assert len(written[0].incomplete_runs) == 5
    for path in output.rglob("*.npz"):
        path.unlink()
    (output / run / "results.json").unlink()
    unfinished = tmp_path / "unfinished"
    shutil.copytree(output / run, unfinished / run)
    report_command.main([f"--runs={unfinished}", f"--output={report}"])
    assert [one.status for one in written[1].incomplete_runs] == ["unfinished"]


def test_runs_that_are_left_out_are_named(
    study: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished, broken = sorted(study.glob("*/seed1"))
    (unfinished / "results.json").unlink()
    next(broken.glob("evaluations/test-*.npz")).write_bytes(b"damaged")
    collect.main([str(study), f"--output={tmp_path / 'results'}"])
    names = ", ".join(run.relative_to(study).as_posix() for run in (unfinished, broken))
    printed = capsys.readouterr().out
    assert f"left out, as they are not finished or broken: {names}\n" in printed
    assert "4 runs, " in printed


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


def test_the_copy_still_marks_runs_of_another_system(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "results"
    for folder in study.glob("*/seed*"):
        kernel = "6.19.0" if folder.name == "seed2" else "6.18.44"
        path = folder / "environment.json"
        content = json.loads(path.read_text("utf-8"))
        content["platform"] = f"Linux-{kernel}-of-alice-x86_64-with-glibc2.39"
        path.write_text(json.dumps(content), "utf-8")
    collect.main([str(study), f"--output={output}"])
    assert not any(b"alice" in path.read_bytes() for path in output.rglob("*.json"))
    own, copied = (json.loads(_report(folder))["plans"][0]["marks"] for folder in (study, output))
    (mark,) = (one for one in copied if one["field"] == "platform")
    assert mark["value"] == "Linux-6.19.0-x86_64-with-glibc2.39"
    assert [one["runs"] for one in copied] == [one["runs"] for one in own]


def test_places_in_a_plan_are_named(
    study: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {
        "config": "/home/alice/mine.py",
        "variants": {"a": {"overrides": {"data": {"manual_dir": "/home/alice/raw"}}}, "b": {}},
    }
    table = plan_file.plan_of(content, "mine", "mine.toml")
    plan = FrozenPlan(plan_version.version_of(table, "paper", "", {"a": {}}, ["a/seed0"], "typed"))
    frozen_plan.write(study, plan)
    collect.main([str(study), f"--output={tmp_path / 'results'}"])
    printed = capsys.readouterr().out
    assert "plan.json" in printed and "data.manual_dir" in printed and "mine.py" in printed
    assert frozen_plan.read_frozen(tmp_path / "results", tmp_path).first.digest == plan.first.digest


def test_a_plan_that_was_changed_is_named_with_its_folder(
    study: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = study / "plan.json"
    path.write_text(
        path.read_text("utf-8").replace('"scale": "paper"', '"scale": "small"'), "utf-8"
    )
    problem = f"^error: {study}: plan.json was changed after it was frozen"
    with pytest.raises(SystemExit, match=problem):
        collect.main([str(study), f"--output={tmp_path / 'results'}"])
    with pytest.raises(SystemExit, match=problem):
        reproduce.main(["table5", f"--workdir={study}", "--dry_run"])
    assert not (tmp_path / "results").exists()
