"""Tests of experiments.comparison.plan_age: what the code that runs ran tells of the age of their plan."""

import dataclasses
import pathlib
from typing import Any

import pytest

from fpliif_jax.experiments.comparison.plan_age import age_note
from fpliif_jax.experiments.plans.frozen_plan import read_frozen
from fpliif_jax.experiments.plans.plan_version import Version
from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.experiments.runs.runs import read_runs

_STUDY = pathlib.Path(__file__).parents[3] / "experiments" / "results" / "camera"
_COMMIT = "2d9dfdb017a0d5db4db12e04e2079d4b7ddd14be"
_IS_OLDER = (
    "its text is word for word that of experiments/plans/camera.toml in commit 2d9dfdb017a0, the code that was run, "
    "without changes."
)
_NO_CLOCK = " Whether clocks say so (frozen 2026-11-28, 03:14:25 UTC) is not known: when they began is not recorded."


@pytest.fixture(scope="module")
def plan() -> Version:
    """A kept one, whose text is that of its commit."""
    return read_frozen(_STUDY, _STUDY).first


@pytest.fixture(scope="module")
def kept() -> dict[str, Run]:
    """Its runs."""
    return {run.name: run for run in read_runs(_STUDY, without_matrices=True)}


def _with(run: Run, **fields: Any) -> Run:
    return dataclasses.replace(run, environment=dataclasses.replace(run.environment, **fields))


def test_runs_of_the_commit_that_has_the_plan_are_younger(
    plan: Version, kept: dict[str, Run]
) -> None:
    undated = {name: _with(run, started=None) for name, run in kept.items()}
    assert (
        age_note(plan, undated)
        == f"The plan is older than all 6 finished runs: {_IS_OLDER}{_NO_CLOCK}"
    )
    one = dict([*undated.items()][:1])
    assert age_note(plan, one) == f"The plan is older than its finished run: {_IS_OLDER}{_NO_CLOCK}"
    assert age_note(plan, kept) == (
        f"The plan is older than all 6 finished runs: {_IS_OLDER} By the clock, too, it is older than its first run "
        "(frozen 2026-11-28, 03:14:25 UTC, first run began 2026-11-28, 03:15:18 UTC)."
    )


@pytest.mark.parametrize("other", [f"{_COMMIT}+changes", "0" * 40, None])
def test_a_run_of_other_code_is_not_known_to_be_younger(
    plan: Version, kept: dict[str, Run], other: str | None
) -> None:
    undated = {name: _with(run, started=None) for name, run in kept.items()}
    undated["drawn_camera/seed1"] = _with(undated["drawn_camera/seed1"], git_commit=other)
    assert age_note(plan, undated) == (
        f"The plan is older than 5 of 6 finished runs: {_IS_OLDER} Not of these, which ran other code: "
        f"drawn_camera/seed1.{_NO_CLOCK}"
    )
    begun = dict(kept["drawn_camera/seed1"].environment.content, first_commit=other)
    undated["drawn_camera/seed1"] = _with(kept["drawn_camera/seed1"], started=None, content=begun)
    assert "5 of 6 finished runs" in age_note(plan, undated)  # it went on by the plan's
    no_run = {name: _with(run, git_commit=other) for name, run in undated.items()}
    assert age_note(plan, no_run).startswith("Whether the plan is older than its runs (frozen 2026")


@pytest.mark.parametrize(
    "fields", [{"file": None}, {"commit": f"{_COMMIT}+changes"}, {"commit": None}]
)
def test_a_plan_that_no_commit_has_is_not_known_to_be_older(
    plan: Version, kept: dict[str, Run], fields: dict[str, str | None]
) -> None:
    moment = dataclasses.replace(plan.moment, **fields)
    runs = {name: _with(run, started=None, git_commit=moment.commit) for name, run in kept.items()}
    note = age_note(dataclasses.replace(plan, moment=moment), runs)
    assert note.startswith("Whether the plan is older than its runs (frozen 2026")
    assert note.endswith("is not known: when they began is not recorded.")


def test_a_run_that_began_before_the_freezing_is_named(plan: Version, kept: dict[str, Run]) -> None:
    early = {"device_camera/seed0": "2026-11-28T03:00:00+00:00"}
    runs = {
        name: _with(run, started=early.get(name, run.environment.started))
        for name, run in kept.items()
    }
    assert age_note(plan, runs).endswith(
        f"{_IS_OLDER} It was frozen later than its first run (frozen 2026-11-28, 03:14:25 UTC, first run began "
        "2026-11-28, 03:00:00 UTC): before it was frozen began device_camera/seed0."
    )
