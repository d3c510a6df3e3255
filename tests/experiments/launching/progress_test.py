"""Tests of experiments/launching/progress.py."""

import pathlib
import sys
import time

import pytest

from fpliif_jax.experiments.launching.jobs import Job, Outcome
from fpliif_jax.experiments.launching.progress import Progress


def _job(name: str) -> Job:
    return Job(name, pathlib.Path(name), ())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time.monotonic says."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_at_the_start_and_the_end_of_each_job(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [_job(f"seed{seed}") for seed in range(4)]
    with Progress(4, 1) as progress:
        progress.begin(jobs[0])
        clock[0] += 100
        progress.end(Outcome(jobs[0], "finished", None, 100.0))
        progress.begin(jobs[1])
        clock[0] += 300
        progress.end(Outcome(jobs[1], "finished", None, 300.0))
        progress.begin(jobs[2])
        clock[0] += 5
        progress.show("not in a log")
        progress.end(Outcome(jobs[2], "failed", "error: why", 5.0))
        progress.end(Outcome(jobs[3], "blocked", "it needs seed2, which is failed"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "seed0: started, 1 of 4",
        "seed0: finished in 01:40, 1 of 4, about 05:00 left",
        "seed1: started, 2 of 4",
        "seed1: finished in 05:00, 2 of 4, about 06:40 left",
        "seed2: started, 3 of 4",
        "seed2: failed after 00:05, 3 of 4, about 03:20 left: error: why",
        "seed3: blocked, 4 of 4: it needs seed2, which is failed",
    ]


def test_what_was_finished_before_counts_among_all_and_not_in_the_time_that_is_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress(5, 1, before=2) as progress:
        progress.begin(_job("seed2"))
        clock[0] += 100
        progress.end(Outcome(_job("seed2"), "finished", None, 100.0))
    with Progress(5, 1, before=5):
        pass  # its end says so
    assert capsys.readouterr().err.splitlines() == [
        "2 of 5 finished before",
        "seed2: started, 3 of 5",
        "seed2: finished in 01:40, 3 of 5, about 03:20 left",
    ]


def test_jobs_at_the_same_time_share_what_is_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two at once: one is a quarter done, two wait."""
    with Progress(4, 2) as progress:
        progress.begin(_job("a"))
        clock[0] += 75
        progress.begin(_job("b"))
        clock[0] += 25
        progress.end(Outcome(_job("a"), "finished", None, 100.0))
    assert "a: finished in 01:40, 1 of 4, about 02:17 left" in capsys.readouterr().err


def test_where_others_start_the_jobs_no_time_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2, None) as progress:
        progress.end(Outcome(_job("a"), "finished", None, 100.0))
    assert capsys.readouterr().err == "a: finished in 01:40, 1 of 2\n"


def test_a_terminal_has_the_bar_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(2, 1) as progress:
        assert progress.is_bar
        progress.begin(_job("a"))
        progress.end(Outcome(_job("a"), "finished", None, 100.0))
        progress.end(Outcome(_job("b"), "failed", "why"))
    printed = capsys.readouterr()
    assert "started" not in printed.err and "study" in printed.err
    assert printed.out.splitlines() == ["b: failed: why"]
