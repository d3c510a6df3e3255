"""The command that compiles for chips that are not here; two CPU devices stand for them."""

import importlib.util
import json
import re
from typing import Any

import jax
import pytest
from tiny_run import tiny_config

import fpliif_jax
from fpliif_jax.commands import command_line, command_names
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.devices import parallel
from fpliif_jax.experiments.capacity import before_jax, chips, programs, report
from fpliif_jax.experiments.capacity.programs import Compiled

GIB = 2**30


@pytest.fixture(scope="module")
def made() -> report.Report:
    """Of a tiny FP-LIIF, for two devices."""
    config, chip = tiny_config(), chips.chip_named("h100")
    absent = parallel.AbsentDevices(tuple(jax.devices()[:2]), chip.backend, chip.usable_bytes)
    made = report.Report(config, "tiny", chip, 2)
    told: list[str] = []
    for compiled in programs.compile_all(config, absent, programs.PROGRAMS, told.append):
        made = made.with_program(compiled)
    assert told == ["training: parsing", "evaluation", "prediction"]
    return made


@pytest.fixture
def content(made: report.Report) -> dict[str, Any]:
    return json.loads(json.dumps(made.as_json()))


def test_every_program_is_compiled_and_read(content: dict[str, Any]) -> None:
    training, evaluation, prediction = content["programs"]
    assert (training["images"], evaluation["images"], prediction["images"]) == (2, 2, 1)
    for entry in content["programs"]:
        assert entry["fits"] is True and entry["problem"] is None
        assert entry["planned_bytes"]["total"] > 0
        assert entry["kernels"] > 10 and entry["bytes"] > 1000
        assert entry["flops"]["float32 products"] > 0
        assert sum(entry["ceiling"]["shares"].values()) == pytest.approx(1)
    # Forward and backward, so about three times the products of an image; and sums over the devices.
    an_image = [
        entry["flops"]["float32 products"] / entry["images"] for entry in content["programs"]
    ]
    assert 2 < an_image[0] / an_image[2] < 4
    assert training["collectives"] >= 2 and evaluation["collectives"] >= 1
    assert prediction["collectives"] == 0


def test_auto_is_chosen_as_training_chooses_it(content: dict[str, Any]) -> None:
    """All of a device's share fits, so there is no loop over queries."""
    assert content["programs"][0]["chosen"] == {
        "train.microbatch": 2,
        "model.query_chunk": 2 * 32 * 32,
        "model.remat": False,
    }
    assert content["programs"][1]["chosen"] is None


def test_every_line_with_a_number_says_that_nothing_was_run(
    made: report.Report, content: dict[str, Any]
) -> None:
    assert content["was_run"] is False
    assert all(entry["what"] == "compiled, not run" for entry in content["programs"])
    lines = made.as_text().splitlines()
    numbers = [line for line in lines if re.search(r"\d", line) and not line.startswith("Source")]
    assert len(numbers) > 10
    assert [line for line in numbers if "compiled, not run" not in line] == []
    assert [line for line in lines if line.startswith("fits")][0].split()[1:4] == ["yes"] * 3


def test_what_takes_too_much_is_told_and_stops_nothing() -> None:
    chip = chips.chip_named("v5e")
    too_large = Compiled("training: parsing", 64, problem="RESOURCE_EXHAUSTED: 40 of 16 GiB")
    one = "ENTRY %m (a: f32[9]) -> f32[9] {\n  %a = f32[9]{0} parameter(0)\n  ROOT %n = f32[9]{0} negate(%a)\n}\n"
    large = Compiled("evaluation", 2, (one, one), ({"total": 20 * GIB}, {"total": GIB}))
    made = report.Report(tiny_config(), "tiny", chip, 1)
    for each in (too_large, large):
        made = made.with_program(each)
    text = made.as_text()
    assert "training: parsing: RESOURCE_EXHAUSTED: 40 of 16 GiB (compiled, not run)." in text
    fits = next(line for line in text.splitlines() if line.startswith("fits"))
    assert fits.split()[1:3] == ["no", "no"]
    # Of several programs one call runs, memory is the largest one's, all else adds up.
    unread, read = made.as_json()["programs"]
    assert unread.keys() == read.keys() and unread["kernels"] is None
    assert read["kernels"] == 2
    assert read["planned_bytes"] == {"total": 20 * GIB}


@pytest.mark.parametrize(
    ("told", "peak", "fits"),
    [((None, 2), "2.00", None), ((20, None), "20.00", False), ((None, None), "–", None)],
)
def test_a_module_whose_memory_the_compiler_does_not_tell_is_told(
    monkeypatch: pytest.MonkeyPatch,
    told: tuple[int | None, ...],
    peak: str,
    fits: bool | None,
) -> None:
    plans = iter([gib and {"total": gib * GIB} for gib in told])
    monkeypatch.setattr(programs.fitting, "planned_bytes", lambda _: next(plans))
    lowered = [jax.jit(lambda value: -value).lower(1.0)] * 2
    compiled = programs._compiled("prediction", 1, lowered)
    empty = report.Report(tiny_config(), "tiny", chips.chip_named("v5e"), 1)
    made = empty.with_program(compiled)
    text, (entry,) = made.as_text(), made.as_json()["programs"]
    untold = f"the compiler does not tell the memory of {told.count(None)} of 2 modules"
    assert entry["note"] == untold
    assert f"prediction: {untold} (compiled, not run)." in text.splitlines()
    assert re.search(rf"^peak memory, GiB, at least +{peak} ", text, re.MULTILINE)
    assert entry["fits"] is fits
    shown = "no" if fits is False else "not known"
    assert re.search(rf"^fits +{shown}  ", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "package"), [("h100", "jax_cuda13_plugin"), ("v5e", "libtpu")])
def test_a_missing_compiler_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setattr(fpliif_jax, "IS_CHECKOUT", False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        command_line.run("experiments.capacity", before_jax.check_compiler, chips.chip_named(name))
    command = command_names.command_name("experiments.capacity")
    assert ended.value.code == f'error: {command} needs {package}: pip install "fpliif_jax[chips]"'


def test_a_tpu_s_topology_has_four_chips() -> None:
    before_jax.check_devices(chips.chip_named("v5e"), 4)
    before_jax.check_devices(chips.chip_named("h100"), 8)
    with pytest.raises(UserError, match=r"^--devices=5: give 1 to 4 for v5e$"):
        before_jax.check_devices(chips.chip_named("v5e"), 5)
    with pytest.raises(UserError, match=r"^--devices=0: give at least 1$"):
        before_jax.check_devices(chips.chip_named("h100"), 0)
