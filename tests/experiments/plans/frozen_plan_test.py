"""Tests of experiments.plans.frozen_plan and of what experiments.reproduce does with it."""

import argparse
import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fpliif_jax.experiments import reproduce
from fpliif_jax.experiments.launching import launch
from fpliif_jax.experiments.launching.jobs import Job
from fpliif_jax.experiments.plans import (
    committed_file,
    frozen_plan,
    plan_file,
    plan_version,
    study_file,
)
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan, FrozenPlanError
from fpliif_jax.experiments.plans.plan_version import PlannedContent, Version
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.seed_sources import FOLLOWS
from fpliif_jax.run_folder import run_record

_CONTENT: dict[str, Any] = {
    "config": "synthetic",
    "baseline": "with",
    "seeds": "0-2",
    "variants": {
        "with": {"overrides": {"loss": {"edge_weight": 10.0}}},
        "without": {"overrides": {"loss": {"edge_weight": 0.0}}},
    },
    "questions": {"edge": {"text": "Lower?", "variant": "without", "expects": "lower"}},
}


def _version(content: dict[str, Any] = _CONTENT, **fields: Any) -> Version:
    table = plan_file.plan_of(content, "edges", "edges.toml")
    configs = {one.name: {**dict(one.overrides), **fields} for one in table.variants}
    runs = [f"{name}/seed{seed}" for seed in table.seeds for name in configs]
    return plan_version.version_of(table, "paper", "text", configs, runs, "typed")


def _with(place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """_CONTENT with another value somewhere; None takes it away."""
    content = json.loads(json.dumps(_CONTENT))
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    if value is None:
        del node[place[-1]]
    return content


def test_a_plan_comes_back_as_it_was_frozen(tmp_path: pathlib.Path) -> None:
    assert frozen_plan.read_frozen(tmp_path, tmp_path) is None
    plan = FrozenPlan(_version(), (_version(_with(("seeds",), "0-4")),))
    frozen_plan.write(tmp_path, plan)
    assert frozen_plan.read_frozen(tmp_path, tmp_path) == plan
    assert plan.first.moment.versions["jax"]
    assert plan.added()[0][1].runs == ("with/seed3", "without/seed3", "with/seed4", "without/seed4")


def test_freezing_notes_the_file_that_the_commit_has(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _version().moment.file is None
    looked_for = []
    monkeypatch.setattr(run_record, "git_commit", lambda: "c0946e8")
    monkeypatch.setattr(
        committed_file,
        "file_of",
        lambda name, *rest: looked_for.append((name, *rest)) or committed_file.path_of(name),
    )
    frozen_plan.write(tmp_path, FrozenPlan(_version()))
    assert looked_for == [("edges", "text", "c0946e8")]
    read = frozen_plan.read_frozen(tmp_path, tmp_path)
    assert read.first.moment.file == "experiments/plans/edges.toml"


def test_the_digest_is_of_what_is_planned_wherever_it_is_run() -> None:
    here = _version(**{"data.manual_dir": "here", "eval.num_pictures": 1})
    there = _version(**{"data.manual_dir": "there", "eval.num_pictures": 8})
    assert here.digest == there.digest
    assert here.digest != _version(**{"train.epochs": 3}).digest


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            ("variants", "without", "overrides", "loss", "edge_weight"),
            1.0,
            "variants.without: config.loss.edge_weight was 0.0 and is now 1.0",
        ),
        (("variants", "without", "needs"), "with", "variants.without: what it needs"),
        (("questions", "edge", "expects"), "higher", "questions.edge is another"),
        (("questions", "edge", "row"), "64", "questions.edge is another"),
        (("questions", "edge"), None, "questions.edge is gone"),
        (("seeds",), "0-1", "runs with/seed2, without/seed2 are gone"),
        (("baseline",), "without", "baseline was 'with' and is now 'without'"),
    ],
)
@pytest.mark.parametrize("extend", [False, True])
def test_a_changed_plan_is_refused_with_what_differs(
    tmp_path: pathlib.Path, place: tuple[str, ...], value: Any, message: str, extend: bool
) -> None:
    content = _with(place, value)
    if place == ("baseline",):
        content["questions"]["edge"]["against"] = "with"
    with pytest.raises(FrozenPlanError) as caught:
        frozen_plan.continued(tmp_path, FrozenPlan(_version()), _version(content), extend)
    assert message in str(caught.value)
    assert "plan.json" in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "added"),
    [
        (("seeds",), "0-3", "runs with/seed3, without/seed3"),
        (("variants", "half"), {}, "variants half; runs half/seed0, half/seed1, half/seed2"),
        (
            ("questions", "again"),
            {"text": "?", "variant": "without", "expects": "different"},
            "questions again",
        ),
    ],
)
def test_what_is_new_needs_to_be_asked_for(
    tmp_path: pathlib.Path, place: tuple[str, ...], value: Any, added: str
) -> None:
    frozen, version = FrozenPlan(_version()), _version(_with(place, value))
    with pytest.raises(FrozenPlanError, match="--extend") as caught:
        frozen_plan.continued(tmp_path, frozen, version, False)
    assert f"has no {added};" in str(caught.value)
    extended = frozen_plan.continued(tmp_path, frozen, version, True)
    assert extended.first == frozen.first
    assert [str(what) for _, what in extended.added()] == [added]
    # It is part of the plan from then on.
    assert frozen_plan.continued(tmp_path, extended, version, False) == extended


def test_names_and_places_may_change(tmp_path: pathlib.Path) -> None:
    frozen = FrozenPlan(_version(**{"data.manual_dir": "here"}))
    content = _with(("variants", "with", "label"), "λ = 10")
    content["questions"]["edge"]["text"] = "Is it lower?"
    moved = _version(content, **{"data.manual_dir": "there"})
    assert frozen_plan.continued(tmp_path, frozen, moved, False) == frozen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["runs"].append("with/seed9"), "was changed after it was frozen"),
        (lambda content: content.update(digest="0" * 64), "was changed after it was frozen"),
        (lambda content: content.update(form=3), "no frozen plan of this version"),
        (lambda content: content.update(form=True), "no frozen plan of this version"),
        (lambda content: content.update(form=2.0), "no frozen plan of this version"),
        (lambda content: content.update(form=1), "form 1 and follows_seed"),
        (lambda content: content.pop("scale"), "was changed after it was frozen"),
        (lambda content: content.update(additions=3), "its additions"),
        (lambda content: content.pop("frozen"), "does not say when"),
        (lambda content: content["frozen"].update(date=3), "does not say when"),
        (lambda content: content["frozen"].update(file="elsewhere.toml"), "does not say when"),
    ],
)
def test_a_file_that_is_not_what_was_frozen_is_refused(
    tmp_path: pathlib.Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    frozen_plan.write(tmp_path, FrozenPlan(_version()))
    path = tmp_path / "plan.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UnreadableError, match=message):
        frozen_plan.read_frozen(tmp_path, tmp_path)


def test_hostile_plans_of_the_right_digest_are_refused(tmp_path: pathlib.Path) -> None:
    for field, value in (
        ("runs", 3),
        *(("runs", [name]) for name in ("with", "with/seed", "with/seed01", "wi\x1bth/seed0")),
        ("configs", []),
        ("plan", {"variants": 3}),
        ("name", 5),
        ("follows_seed", {"with": [{}]}),
        ("follows_seed", ["data_order"]),
        ("follows_seed", {"with": ["nonsense"], "without": []}),
        ("follows_seed", {"with": []}),
        *(
            ("configs", {"with": {"seeds.data_order": seed}, "without": {}})
            for seed in ([1], {"a": 1}, 1.5, True)
        ),
    ):
        record = FrozenPlan(_version()).as_json() | {field: value}
        planned = {key: record[key] for key in PlannedContent.__struct_fields__}
        record["digest"] = plan_version.digest_of(planned)
        (tmp_path / "plan.json").write_text(json.dumps(record), "utf-8")
        with pytest.raises(UnreadableError, match="plan.json"):
            frozen_plan.read_frozen(tmp_path, tmp_path)


def _earlier(version: Version) -> Version:
    """As an earlier version of the program froze it: all seeds are numbers, fixed or not."""
    configs = {name: fields | {"seeds.data_order": 0} for name, fields in version.configs.items()}
    content = msgspec.structs.replace(version.content, configs=configs, follows_seed=msgspec.UNSET)
    return dataclasses.replace(version, content=content)


def test_which_seeds_follow_is_said_from_form_2_on(tmp_path: pathlib.Path) -> None:
    older, newer = _earlier(_version()), _version(_with(("seeds",), "0-4"))
    path = tmp_path / "plan.json"
    for versions, form in (((older,), 1), ((older, newer), 2), ((newer,), 2)):
        plan = FrozenPlan(versions[0], versions[1:])
        frozen_plan.write(tmp_path, plan)
        content = json.loads(path.read_text("utf-8"))
        assert content["form"] == form
        assert frozen_plan.read_frozen(tmp_path, tmp_path) == plan
        path.write_text(json.dumps(content | {"form": 3 - form}), "utf-8")
        with pytest.raises(UnreadableError, match="form .* and follows_seed"):
            frozen_plan.read_frozen(tmp_path, tmp_path)
    frozen_plan.write(tmp_path, FrozenPlan(newer, (older,)))
    with pytest.raises(UnreadableError, match="form 1 and follows_seed"):
        frozen_plan.read_frozen(tmp_path, tmp_path)


def test_what_another_command_has_frozen_meanwhile_stays(tmp_path: pathlib.Path) -> None:
    def write(plan: FrozenPlan | None) -> None:
        study_file.write_study(tmp_path, study_file.Study("", None, "", "typed", (), plan))

    first, more, other = (_version(_with(("seeds",), seeds)) for seeds in ("0-1", "0-4", "0-2"))
    write(FrozenPlan(first))
    moment = dataclasses.replace(first.moment, date="2030-01-01T00:00:00+00:00")
    write(FrozenPlan(dataclasses.replace(first, moment=moment)))  # the same command, at once
    assert frozen_plan.read_frozen(tmp_path, tmp_path) == FrozenPlan(first)
    write(FrozenPlan(first, (more,)))
    for plan in (FrozenPlan(first, (other,)), FrozenPlan(first), FrozenPlan(other)):
        with pytest.raises(FrozenPlanError, match="give this one again"):
            write(plan)
    with pytest.raises(FrozenPlanError, match="has a frozen plan"):
        write(None)
    assert frozen_plan.read_frozen(tmp_path, tmp_path) == FrozenPlan(first, (more,))


_FIXED = _with(("variants", "without", "overrides"), {"seeds": {"data_order": 0}})


@pytest.mark.parametrize("extend", [False, True])
def test_a_seed_that_is_fixed_is_not_one_that_follows(tmp_path: pathlib.Path, extend: bool) -> None:
    follows, fixed = (_version(**{"seeds.data_order": one}) for one in (FOLLOWS, 0))
    assert follows.digest != fixed.digest
    for before, after, message in (
        (follows, fixed, "config.seeds.data_order was config.seed's and is now 0"),
        (fixed, follows, "config.seeds.data_order was 0 and is now config.seed's"),
    ):
        frozen_plan.write(tmp_path, FrozenPlan(before))
        frozen = frozen_plan.read_frozen(tmp_path, tmp_path)
        with pytest.raises(FrozenPlanError, match=message):
            frozen_plan.continued(tmp_path, frozen, after, extend)
        assert frozen_plan.continued(tmp_path, frozen, before, extend) == frozen


def test_a_plan_of_an_earlier_version_goes_on_with_what_it_may_have_meant(
    tmp_path: pathlib.Path,
) -> None:
    frozen_plan.write(tmp_path, FrozenPlan(_earlier(_version())))
    earlier = frozen_plan.read_frozen(tmp_path, tmp_path)
    assert earlier.first.digest == _earlier(_version()).digest
    for one in (FOLLOWS, 0):
        again = _version(**{"seeds.data_order": one})
        assert frozen_plan.continued(tmp_path, earlier, again, False) == earlier
    with pytest.raises(FrozenPlanError, match=r"config\.seeds\.data_order was 0 and is now 1"):
        frozen_plan.continued(tmp_path, earlier, _version(**{"seeds.data_order": 1}), False)
    # Its own overrides say that it is fixed.
    frozen = FrozenPlan(_earlier(_version(_FIXED)))
    with pytest.raises(FrozenPlanError, match="without: .* was 0 and is now config.seed's"):
        follows = _version(_FIXED, **{"seeds.data_order": FOLLOWS})
        frozen_plan.continued(tmp_path, frozen, follows, False)


class TestReproduce:
    """The command, with runs that are noted and not made."""

    @pytest.fixture(autouse=True)
    def _starts(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        self.started: list[list[str]] = []
        self.folder = tmp_path / "study"
        self.file = tmp_path / "edges.toml"
        self.write('seeds = "0-1"')

        def start(
            jobs: list[Job], flags: argparse.Namespace, study: study_file.Study, configs: Any
        ) -> list[Any]:
            study_file.write_study(self.folder, study)
            self.started.append([job.name for job in jobs])
            return []

        monkeypatch.setattr(launch, "start", start)
        monkeypatch.setattr(launch, "finish", lambda outcomes, folder: None)

    def write(self, *lines: str, more: str = "") -> None:
        """The plan's file."""
        variants = '[variants.a]\n[variants.b]\noverrides.loss.edge_weight = 0.0\nseeds = "0"\n'
        text = "\n".join(('config = "synthetic"', 'baseline = "a"', *lines, variants, more))
        self.file.write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> None:
        """The command."""
        reproduce.main([str(self.file), f"--workdir={self.folder}", *arguments])

    def error(self, *arguments: str) -> str:
        """The line that the command ends with."""
        with pytest.raises(SystemExit) as caught:
            self.run(*arguments)
        return str(caught.value.code)

    def plan(self) -> FrozenPlan:
        """As it is frozen."""
        return frozen_plan.read_frozen(self.folder, self.folder)

    def test_freezes_before_the_first_run_and_goes_on_with_it(self) -> None:
        self.run("--seeds=0", "--config.data.manual_dir=here")
        assert self.started == [["a/seed0", "b/seed0"]]
        first = self.plan()
        # Of the file, not of --seeds.
        assert list(first.last.runs) == ["a/seed0", "b/seed0", "a/seed1"]
        assert first.first.content.text == self.file.read_text(encoding="utf-8")
        self.run("--config.data.manual_dir=there")
        assert self.started[1:] == [["a/seed0", "b/seed0", "a/seed1"]]
        assert self.plan() == first
        assert "config.train.epochs was 10 and is now 3" in self.error("--config.train.epochs=3")
        assert "--seeds has 2, and the plan has 0,1" in self.error("--seeds=2", "--extend")
        assert len(self.started) == 2

    def test_what_is_added_is_marked(self) -> None:
        self.run()
        more = "[variants.c]\noverrides.loss.edge_weight = 20.0\n"
        self.write('seeds = "0-1"', more=more)
        assert "has no variants c" in self.error()
        self.run("--extend")
        assert self.started[1:] == [["a/seed0", "b/seed0", "c/seed0", "a/seed1", "c/seed1"]]
        assert [str(added) for _, added in self.plan().added()] == [
            "variants c; questions c; runs c/seed0, c/seed1"
        ]

    def test_seeds_of_a_plan_that_names_none_are_those_of_the_first_start(self) -> None:
        self.write()
        self.run("--seeds=0-1")
        self.run()
        assert self.started[1] == ["a/seed0", "b/seed0", "a/seed1"]
        assert "--extend" in self.error("--seeds=0-2")
        self.run("--seeds=2", "--extend")
        assert self.started[2] == ["a/seed2"]
        assert str(self.plan().added()[0][1]) == "runs a/seed2"

    def test_the_first_start_alone_says_how_many_seeds_are_planned(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.write()
        self.run("--seeds=0")
        assert "planned: 1 seed (0); variants with their own: 1\n" in capsys.readouterr().out
        self.run("--seeds=0")
        assert "planned:" not in capsys.readouterr().out

    def test_a_seed_that_is_fixed_no_more_is_another_plan(self) -> None:
        fixed = "[variants.c]\noverrides.seeds.data_order = 0\n"
        self.write('seeds = "0"', more=fixed)
        self.run()
        assert self.started == [["a/seed0", "b/seed0", "c/seed0"]]  # c is not the same as a
        assert self.plan().first.content.follows_seed["c"] == ["augmentation", "initialisation"]
        self.write('seeds = "0"', more=fixed.replace("data_order", "augmentation"))
        message = self.error("--extend")
        assert "variants.c: config.seeds.data_order was 0 and is now config.seed's" in message
        self.write('seeds = "0"', more=fixed)
        message = self.error("--config.seeds.augmentation=0")
        assert "variants.a: config.seeds.augmentation was config.seed's and is now 0" in message

    def test_a_dry_run_changes_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.run("--dry_run")
        assert not self.folder.exists() and not self.started
        printed = capsys.readouterr().out
        assert "3 runs planned, 3 of them now, 0 of these finished" in printed
        assert "\n1 question:\n" in printed
        assert "b: Does b differ from a? (b against a: expected different)" in printed

    def test_studies_of_before_go_on_without_a_plan(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder.mkdir()
        (self.folder / "study.json").write_text("{}", encoding="utf-8")
        self.run()
        assert self.plan() is None
        assert (
            "has study.json but no plan.json: it goes on without a plan" in capsys.readouterr().out
        )

    def test_nothing_is_frozen_where_runs_lie_already(self) -> None:
        (self.folder / "a" / "seed0").mkdir(parents=True)
        self.run("--dry_run")  # an empty folder is no run
        (self.folder / "a" / "seed0" / "config.json").write_text("{}", encoding="utf-8")
        message = self.error()
        assert "a/seed0" in message and "before the first run" in message
        assert "--workdir" in message
        assert self.plan() is None and not self.started
