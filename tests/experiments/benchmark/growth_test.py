"""Tests of experiments.benchmark.growth: its steps in small, what it makes of measurements, and a step that fails."""

import json
import pathlib

import pytest

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import growth, growth_steps
from fpliif_jax.experiments.benchmark.growth import DRAWN_SHARE


def test_exponents_and_bytes_of_a_known_growth() -> None:
    """Time n² / 1000 after 100, linear before; memory 1 MiB and 2 KiB for each."""
    counts = [10, 100, 1000]
    measured = [
        growth.Measured(9.0, seconds, 2**20 + 2**11 * count)
        for count, seconds in zip(counts, (1.0, 10.0, 1000.0), strict=True)
    ]
    found = growth.growth("draw", "images", counts, measured)
    assert found.last_exponent == pytest.approx(2)
    assert found.exponent == pytest.approx(1.5)
    assert found.bytes_each == pytest.approx(2**11)
    expected = "| draw | 10, 100, 1,000 images | 1.00, 10.00, 1000.00 | 9.00, 9.00, 9.00 | 1.50; 2.00 | 1, 1, 3 | 2.0 |"
    assert growth.table([found]).splitlines()[2] == expected


def test_of_each_count_the_least_disturbed_round_counts() -> None:
    """The second round is disturbed at 10, the first at 100; clock and peak are those of the round that counts."""
    rounds = [
        growth.growth("draw", "images", [10, 100], [growth.Measured(*one) for one in measured])
        for measured in ([(5.0, 1.0, 1), (3.0, 90.0, 2)], [(4.0, 2.0, 3), (20.0, 10.0, 4)])
    ]
    least = growth.least_disturbed(rounds)
    assert (least.step, least.over, least.counts) == ("draw", "images", [10, 100])
    assert least.processor_seconds == [1.0, 10.0]
    assert (least.seconds, least.peak_bytes) == ([5.0, 20.0], [1, 4])
    assert least.exponent == pytest.approx(1)


def test_what_was_measured_is_kept_and_gives_the_table_again(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = []

    def measured(order: growth.Order) -> growth.Measured:
        orders.append((order.step, order.count))
        return growth.Measured(order.count / 10, order.count / 20, 2**20 * order.count)

    monkeypatch.setattr(growth, "measure", measured)
    path = tmp_path / "new" / "growth.json"
    growth.main(["--images=20,40", "--runs=1,3", "--rounds=2", f"--output={path}"])
    assert len(orders) == 2 * 15 and orders[:15] == orders[15:]
    assert orders[:2] == [("draw", 1), ("draw", 2)]
    assert orders[-3:] == [("make_runs", 3), ("report", 1), ("report", 3)]
    kept = json.loads(path.read_text())
    assert [len(lines) for lines in kept["rounds"]] == [7, 7]
    assert len(kept["load"]) == 2 and kept["seconds"] >= 0
    assert kept["environment"]["command"]
    again = growth.table([growth.Growth(**step) for step in kept["steps"]])
    assert again == capsys.readouterr().out.strip()
    assert (
        "| prepare | 20, 40 images | 1.00, 2.00 | 2.00, 4.00 | 1.00; 1.00 | 20, 40 | 1,024.0 |"
        in again
    )


def test_every_step_leaves_what_the_next_one_needs(tmp_path: pathlib.Path) -> None:
    def do(step: str, count: int) -> growth_steps.Clock:
        clock = growth_steps.Clock()
        growth_steps.STEPS[step](clock, growth.Order(step, tmp_path, 32, count, DRAWN_SHARE))
        return clock

    assert growth_steps.STEPS.keys() == {*growth.STEPS, "make_runs", "report"}
    for step in growth.STEPS:
        clock = do(step, 1 if step == "draw" else DRAWN_SHARE)
        assert clock.seconds > 0 and clock.processor_seconds > 0, step
    results = json.loads((tmp_path / f"evaluated/{DRAWN_SHARE}/results.json").read_text())
    (evaluation,) = results["evaluations"]
    assert evaluation["images"] == DRAWN_SHARE
    assert 0.2 < evaluation["mean_f1"] < 0.999  # of labels that were moved by a pixel
    do("make_runs", 2)
    do("report", 2)
    study = json.loads((tmp_path / "runs-2" / "report" / "report.json").read_text())
    assert study["groups"][0]["seeds"] == [0, 1]


def test_a_step_is_a_process_of_its_own_and_its_failure_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = growth.measure(growth.Order("draw", tmp_path, 32, 1, DRAWN_SHARE))
    assert measured.seconds > 0
    assert 2**26 < measured.peak_bytes < 2**33
    program = tmp_path / "python"
    # What comes first is no UTF-8.
    program.write_text(
        "#!/bin/sh\nprintf '\\377 \\n' >&2\necho 'OSError: the disk is full' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(growth.sys, "executable", str(program))
    with pytest.raises(UserError, match="bootstrap at 7 ended with 1: OSError: the disk"):
        growth.measure(growth.Order("bootstrap", tmp_path, 32, 7, DRAWN_SHARE))
    for arguments, message in (
        (["--images=20"], "'20': give two numbers"),
        (["--runs=0,5"], "'0,5': give two numbers"),
        (["--images=3,900"], "the smallest set must have at least 20"),
        (["--images=20,39"], "sizes must be 20 or more apart"),
    ):
        with pytest.raises(SystemExit) as ended:
            growth.main(arguments)
        assert message in f"{ended.value}{capsys.readouterr().err}"


def test_every_image_is_drawn_where_that_alone_is_asked(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = []

    def measure(order: growth.Order) -> growth.Measured:
        orders.append((order.step, order.count))
        return growth.Measured(order.count, order.count, 2**28)

    monkeypatch.setattr(growth, "measure", measure)
    path = tmp_path / "growth.json"
    growth.main(["--images=20,25", "--draw_all", "--rounds=1", f"--output={path}"])
    assert orders == [("draw", 20), ("draw", 25)]
    (step,) = json.loads(path.read_text("utf-8"))["steps"]
    assert step["counts"] == [20, 25] and step["exponent"] == pytest.approx(1)
