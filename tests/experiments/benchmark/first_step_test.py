"""Tests of experiments.benchmark.first_step: when the clock stops, a command that fails, what is kept."""

import json
import os
import pathlib
import sys
import time

import pytest

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import first_step

_BAR = "training parsing:   {share}%|   | {step}/750 [00:00<?, ?step/s]"
_COMMAND = """
import os, sys, time
print(os.getpid(), file=open({pid!r}, "w"), flush=True)
print("training on 600 faces, 1/2 [of them]", file=sys.stderr)
sys.stderr.write({zero!r} + "\\r")
sys.stderr.flush()
time.sleep(0.3)
sys.stderr.write({one!r})
sys.stderr.flush()
time.sleep(60)
"""


def _command(pid_file: pathlib.Path) -> list[str]:
    zero, one = _BAR.format(share=0, step=0), _BAR.format(share=0, step=1)
    return [sys.executable, "-c", _COMMAND.format(zero=zero, one=one, pid=str(pid_file))]


def test_the_clock_stops_at_the_first_step_and_the_process_ends(tmp_path: pathlib.Path) -> None:
    started = time.monotonic()
    seconds = first_step.to_first_step(_command(tmp_path / "pid"), {})
    assert 0.3 < seconds <= time.monotonic() - started < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_command_that_ends_before_is_told_with_its_last_line() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('error: no such config')"]
    with pytest.raises(UserError, match="ended with 1 before its first step: error: no such"):
        first_step.to_first_step(command, {})


def test_all_starts_share_what_the_first_has_left_and_are_kept(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def measured(command: list[str], environment: dict[str, str]) -> float:
        assert f"--config={tmp_path}/mine.py" in command  # which is started in another folder
        calls.append((command[-3:], environment))
        return (20.0, 3.0, 5.0, 4.0)[len(calls) - 1]

    monkeypatch.setattr(first_step, "to_first_step", measured)
    path = tmp_path / "new" / "first_step.json"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    first_step.main(["--config=mine.py", "--starts=3", f"--output={path}"])
    shared = [(command[:2], environment) for command, environment in calls]
    assert shared == shared[:1] * 4 and len({command[2] for command, _ in calls}) == 4
    kept = json.loads(path.read_text())
    assert (kept["first_start"], kept["later_starts"]) == (20.0, [3.0, 5.0, 4.0])
    assert len(kept["load"]) == 2 and kept["environment"]["command"]
    printed = capsys.readouterr().out.strip()
    assert printed == first_step.table([20.0, 3.0, 5.0, 4.0])
    assert printed.splitlines()[2:] == ["| first | 20.0 |", "| later, 3 | 4.0 (3.0 to 5.0) |"]
