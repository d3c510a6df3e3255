"""The bar of a stage: what is left, in days where it is days."""

import sys

import pytest

from fpliif_jax.training.step_bar import StepBar, time_left


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (200, "03:20"),
        (86_399, "23:59:59"),
        (86_400, "1.0 days"),
        (3.44 * 86_400, "3.4 days"),
        (349.7 * 86_400, "350 days"),
        (1e9, "11,574 days"),
    ],
)
def test_what_is_left_is_in_days_from_a_day_on(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


def _counted(last: int, backend: str, *seconds: float | None, disable: bool = False) -> StepBar:
    with StepBar("parsing", last, 0, backend, disable) as bar:
        for taken in seconds:
            bar.count(taken)
    return bar


def test_a_stage_of_days_is_told_once_by_its_first_timed_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _counted(113_600, "cpu", None, 266.4, 300.0)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = [line for line in printed.err.splitlines() if line.startswith("stage")]
    assert line.startswith(
        "stage parsing: 113,598 steps of 266 s are left, about 350 days on this CPU, without validation; "
    )


def test_on_a_gpu_nothing_is_said_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    _counted(200_000, "gpu", None, 0.45)
    lines = capsys.readouterr().err.splitlines()
    said = "stage parsing: 199,998 steps of 0.45 s are left, about 1.0 days on this GPU"
    assert f"{said}, without validation" in lines


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_a_stage_of_hours_is_told_by_the_bar_alone(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _counted(1_000, backend, None, 30.0)
    _counted(113_600, backend, None, 300.0, disable=True)
    assert "days" not in capsys.readouterr().err


def test_the_bar_has_days(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = StepBar("parsing", 3_001, 1, "cpu", disable=False)
    assert str(bar).endswith("| 1/3001 [00:00<?, ?step/s]")
    monkeypatch.setattr(bar, "_time", lambda: bar.start_t + 60)
    bar.n = 2
    assert str(bar).endswith("| 2/3001 [01:00<2.1 days, 60.00s/step]")
    bar.n = 1_501
    assert str(bar).endswith("| 1501/3001 [01:00<01:00, 25.00step/s]")
    bar.close()
    print(file=sys.stderr)
