"""Tests of experiments/benchmark: who is timed when, what is made of the timings, and the command as a whole."""

import dataclasses
import importlib
import json
import pathlib
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from made_benchmark import HEAD, measurement, not_measured
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.experiments.benchmark import (
    children,
    comparison,
    figure,
    jax_programs,
    machine,
    measure,
    onnx_programs,
    tables,
    tasks,
    timing,
)
from fpliif_jax.experiments.benchmark.children import ChildTask
from fpliif_jax.experiments.benchmark.choices import PARTS
from fpliif_jax.experiments.benchmark.parts import (
    arithmetic,
    forward,
    loop,
    memory,
    one_face,
    training,
)
from fpliif_jax.experiments.benchmark.plan import FILE_NAME, UNFINISHED_NAME, Plan, Record
from fpliif_jax.experiments.benchmark.timing import Candidate, NotMeasuredError, Program
from fpliif_jax.experiments.runs import benchmark_results, typed_json
from fpliif_jax.experiments.runs.benchmark_results import (
    About,
    Agreement,
    Failure,
    Measurement,
    OneFace,
    Operations,
    PeakArithmetic,
    PlannedMemory,
    Ratio,
    Results,
)
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.training.progress import Progress, Totals

REPOSITORY = pathlib.Path(__file__).parents[3]


@pytest.fixture
def pytorch() -> None:
    """Skips a test where PyTorch is not installed."""
    importlib.import_module("needs_torch")


class FakeMachine:
    """A clock that only moves while a program runs, and a log of what ran."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def clock(self) -> float:
        return self.now

    def candidate(
        self, name: str, seconds: Callable[[int], float], images: int = 1, **fields: Any
    ) -> Candidate:
        """Its n-th call, from 0, takes seconds(n)."""
        calls = 0

        def start() -> None:
            nonlocal calls
            self.log.append(name)
            self.now += seconds(calls)
            calls += 1

        def build() -> Program:
            self.log.append(f"build {name}")
            return Program(start, lambda handle: None, images, **fields)

        return Candidate(name, build)


def small_plan(tmp_path: pathlib.Path | None = None, **fields: Any) -> Plan:
    config = tiny_config()
    given = {
        "config": config,
        "parts": ("latency",),
        "sizes": (16, 24),
        "dtypes": ("float32",),
        "torch_variants": (),
        "rounds": 2,
        "seconds": 0.001,
        "max_batch": 2,
        "record": Record(HEAD, tmp_path),
    }
    return Plan(**{**given, **fields})


# ------------------------------------------------------------------------------------------ timing


def test_candidates_are_timed_in_turn_and_every_round_begins_with_a_call_that_does_not_count() -> (
    None
):
    fake = FakeMachine()
    # Compiling takes 9 s; 0.3 s are asked for, which is 3 calls of A and 2 of B.
    found = timing.measure_in_turn(
        [
            fake.candidate("A", lambda n: 9.0 if n == 0 else 0.125),
            fake.candidate("B", lambda n: 0.25, images=4, compile_seconds=7.0),
        ],
        rounds=2,
        seconds=0.3,
        pipelined=False,
        clock=fake.clock,
    )
    preparing = ["build A", "A", "A", "build B", "B", "B"]
    assert fake.log == preparing + (["A"] * (1 + 3) + ["B"] * (1 + 2)) * 2
    ours, theirs = found
    assert ours.seconds == pytest.approx([0.125, 0.125])
    assert (ours.calls, theirs.calls) == (3, 2)
    assert ours.compile_seconds == pytest.approx(9.0 - 0.125)  # the first call less the second
    assert theirs.compile_seconds == 7.0  # it said so itself
    assert theirs.images == 4


def test_a_pipelined_round_begins_a_call_before_it_waits_for_the_one_before() -> None:
    events: list[str] = []
    number = 0

    def start() -> int:
        nonlocal number
        number += 1
        events.append(f"start {number}")
        return number

    program = Program(start, lambda handle: events.append(f"wait {handle}"), images=1)
    clock = iter(np.arange(1000) * 0.5)
    timing.measure_in_turn(
        [Candidate("A", lambda: program)],
        rounds=1,
        seconds=1.2,  # with half a second a call: three calls
        pipelined=True,
        clock=lambda: float(next(clock)),
    )
    assert events[-8:] == [
        "start 3", "wait 3",  # does not count
        "start 4", "start 5", "wait 4", "start 6", "wait 5", "wait 6",
    ]  # fmt: skip


def test_one_that_fails_is_recorded_and_stops_no_other() -> None:
    fake = FakeMachine()

    def fails_at_its_fifth_call(number: int) -> float:
        if number == 4:
            raise RuntimeError("out of memory\nwith a long story")
        return 1.0

    def cannot_be_built() -> Program:
        raise NotMeasuredError("there is no compiler")

    found = timing.measure_in_turn(
        [
            Candidate("unbuilt", cannot_be_built),
            fake.candidate("late", fails_at_its_fifth_call),
            fake.candidate("well", lambda n: 1.0),
        ],
        rounds=3,
        seconds=1.0,
        pipelined=False,
        clock=fake.clock,
    )
    assert [timed.problem for timed in found] == [
        "there is no compiler",
        "RuntimeError: out of memory",
        "",
    ]
    assert [len(timed.seconds) for timed in found] == [0, 1, 3]
    assert fake.log.count("late") == 5  # it was not asked again


def test_of_calls_in_a_row_the_first_which_compiles_is_left_out() -> None:
    fake = FakeMachine()
    program = fake.candidate("A", lambda n: 9.0 if n == 0 else 0.25).build()
    assert timing.seconds_a_call(program, 1.0, fake.clock) == pytest.approx(0.25)
    assert fake.log.count("A") == 1 + 1 + 1 + 4  # compiles, tells how many, warms up, counts


# -------------------------------------------------------------------------------------- statistics


def test_the_ratio_is_taken_round_by_round() -> None:
    # A disturbance that meets both in the third round alike leaves the ratio as it is.
    ours = timing.Timed("JAX", images=1, seconds=[1.0, 2.0, 8.0])
    theirs = timing.Timed("PyTorch", images=1, seconds=[2.0, 3.0, 16.0])
    found = comparison.paired_ratio(About(part="latency"), ours, theirs)
    assert found.rounds == (2.0, 1.5, 2.0)
    assert found.median == 2.0
    assert (found.lower_quartile, found.upper_quartile) == (1.75, 2.0)
    low, high = found.interval
    assert 1.5 <= low <= high <= 2.0


def test_recorded_ratios_count_the_images_of_each() -> None:
    plan = small_plan()
    # 8 images in 2 s against 1 image in 1 s.
    ours = timing.Timed("JAX", images=8, seconds=[2.0])
    theirs = timing.Timed("PyTorch", images=1, seconds=[1.0])
    failed = timing.Timed("compiled", problem="no compiler")
    forward.record_ratios(plan, [ours, theirs, failed], About(part="throughput"))
    (ratio,) = plan.record.all_of(Ratio)
    assert (ratio.part, ratio.candidate, ratio.against) == ("throughput", "JAX", "PyTorch")
    assert ratio.median == pytest.approx(4.0)


def test_a_straight_line_is_found_again() -> None:
    places = [64.0**2, 128.0**2, 256.0**2, 512.0**2]
    points = [(place, 0.5 + 3e-6 * place) for place in places]
    found = comparison.straight_line("output pixels", points, "float32")
    assert found.slope == pytest.approx(3e-6)
    assert found.intercept == pytest.approx(0.5)
    assert found.r_squared == pytest.approx(1.0)
    # y = x² at 0, 1, 2: slope 2, intercept -1/3, residuals 1/3, -2/3, 1/3: R² = 1 - (6/9) / (26/3).
    bent = comparison.straight_line("batch", [(0, 0), (1, 1), (2, 4)], "float32")
    assert bent.slope == pytest.approx(2.0)
    assert bent.intercept == pytest.approx(-1 / 3)
    assert bent.r_squared == pytest.approx(1 - (6 / 9) / (26 / 3))
    two_places = [(1, 1), (1, 1), (2, 2)]
    assert comparison.straight_line("batch", two_places, "float32") is None


@pytest.mark.parametrize(
    ("rates", "batches", "ended_by"),
    [
        ({1: 10, 2: 19, 4: 30, 8: 30.5, 16: 60}, [1, 2, 4, 8], "stopped growing"),
        ({1: 10, 2: 5, 4: 5}, [1, 2, 4], "stopped growing"),  # three places for the line
        ({1: 0.15, 2: 1}, [1], "would take over"),
        ({1: 10, 2: MemoryError("full")}, [1], "MemoryError: full"),
        ({n: 10 * n for n in (1, 2, 4, 8, 16)}, [1, 2, 4, 8, 16], "--max_batch is 16"),
    ],
)
def test_the_batch_grows_as_long_as_it_is_worth_it(
    rates: dict[int, Any], batches: list[int], ended_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeMachine()

    def build(batch: int) -> Program:
        rate = rates[batch]
        if isinstance(rate, Exception):
            raise rate
        return fake.candidate(str(batch), lambda n: batch / rate, batch).build()

    measure = timing.seconds_a_call
    monkeypatch.setattr(
        timing, "seconds_a_call", lambda program, seconds: measure(program, seconds, fake.clock)
    )
    trials, ended, best = forward._search(small_plan(max_batch=16), "A", build)
    assert best.images == max(batches, key=rates.get)
    assert [trial.batch for trial in trials] == batches
    for trial in trials:
        assert trial.images_per_second == pytest.approx(rates[trial.batch])
    assert ended_by in ended


# ----------------------------------------------------------------------------------------- results


def made_up_results() -> dict[str, Any]:
    others = {"arguments": 200 * 2**20, "outputs": 40 * 2**20, "shared": 4 * 2**20}
    about = About(part="latency", output_size=64, dtype="float32")
    ours = timing.Timed("JAX", images=1, seconds=[0.010] * 3)
    theirs = timing.Timed("PyTorch eager", images=1, seconds=[0.020, 0.022, 0.024])
    ratio = comparison.paired_ratio(about, ours, theirs)
    return {
        **HEAD,
        "agreement": [
            {"output_size": 64, "largest_difference": 2e-6, "largest_logit": 1.5},  # of an earlier version
            {"with": "ONNX Runtime", "output_size": 64, "largest_difference": 3e-6, "largest_logit": 1.5},
        ],
        "measurements": [
            measurement("latency", "JAX", 64, 0.010),
            measurement("latency", "PyTorch eager", 64, 0.022),
            not_measured("latency", "torch.compile", 64, "RuntimeError: no | compiler"),
            measurement("latency", "JAX", 256, 0.040),
            measurement("latency", "PyTorch eager", 256, 0.080),
            not_measured("latency", "torch.compile", 256, "RuntimeError: no | compiler"),
            measurement("throughput", "JAX", 64, 0.040, batch=16),
            measurement("step", "JAX", 64, 0.5, stage="parsing", batch=8),
            measurement("pipeline", "loader", 64, 0.1, batch=8),
        ],
        "ratios": [typed_json.to_json(ratio)],
        "peak_arithmetic": [
            {
                "framework": "JAX", "dtype": "float32", "side": 8192, "seconds": [0.1],
                "flops_per_second": 1e13, "data_sheet": None, "not_measured": None,
            },
        ],
        "operations": [{"output_size": 64, "multiply_accumulates": 27_440_000_000}],
        "fits": [
            {
                "of": "output pixels", "dtype": "float32", "slope": 5e-9, "intercept": 0.008,
                "r_squared": 0.9991, "points": [[4096, 0.01], [65536, 0.04], [9216, 0.02]],
            },
        ],
        "planned_memory": [
            {
                "output_size": 2048, "dtype": "float32", "batch": 1,
                "chunked": {**others, "temporaries": 64 * 2**20, "total": 300 * 2**20},
                "in_one": {**others, "temporaries": 4096 * 2**20, "total": 4332 * 2**20},
            },
        ],
        "peak_memory": [
            {
                "part": "memory", "what": "forward", "output_size": 64, "dtype": "float32",
                "batch": 1, "candidate": "JAX", "resident_bytes": 512 * 2**20,
                "device_bytes": None, "not_measured": None,
            },
        ],
        "starts": [
            {
                "what": "forward", "dtype": "float32",
                "empty": [{"seconds_from_start": 30.0, "seconds_of_importing": 2.0}],
                "warm": [{"seconds_from_start": 5.0, "seconds_of_importing": 2.0}],
            },
        ],
        "loop": [
            {
                "epochs": 1, "steps": 10, "images": 80, "seconds_of_steps": 0.8, "images_per_second": 95.0,
                "seconds_of_each_checkpoint": [0.2, 0.4],
                "images_per_second_without_checkpoints": 97.0,
                "bare_images_per_second": {"with_augmentation": 100.0},
                "share": {"with_augmentation": 0.95},
            },
        ],
        "not_measured": [{"part": "loop", "dtype": "bfloat16", "reason": "no data"}],
    }  # fmt: skip


def results_of(content: dict[str, Any]) -> Results:
    return typed_json.parse(Results, content, FILE_NAME)


def rows_of(markdown: str, title: str) -> list[list[str]]:
    """The cells of the table under a heading, its own header first."""
    section = markdown.split(f"## {title}\n", 1)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in lines
        if not line.startswith("|---")
    ]


def test_the_tables_say_what_was_found_and_what_was_not() -> None:
    text = tables.to_markdown(results_of(made_up_results()))
    assert "# Speed of tiny on NVIDIA A100-SXM4-40GB" in text
    header, small, large = rows_of(text, "Forward pass, one image at a time")
    assert header[2:] == [
        "JAX, images/s",
        "PyTorch eager, images/s",
        "torch.compile, images/s",
        "the paper, A100",
    ]
    assert small == [
        "float32", "64", "100 (10 ms)", "45.5 (22 ms); JAX 2.20 × (2.10–2.30)", "not measured", "445",
    ]  # fmt: skip
    assert large[-1] == "110"
    assert "between JAX and PyTorch, at 64² in float32: 2.0e-06 (largest logit 1.5)" in text
    assert "between JAX and ONNX Runtime, at 64² in float32: 3.0e-06 (largest logit 1.5)" in text
    assert rows_of(text, "Forward pass, the best batch of each")[1][2] == "400, batch 16"
    # 2 · 27.44 G operations at 400 images/s are 21.952 TFLOP/s; one image at 10 TFLOP/s 5.488 ms.
    fastest = rows_of(text, "Arithmetic")[-1]
    assert fastest[-4:] == ["22", "219.5%", "–", "5.49"]
    planned = rows_of(text, "Memory that XLA plans for one image")[1]
    assert planned == ["float32", "2048", "64", "300", "4,096", "4,332"]
    assert "the loop has 95.0% of it" in text
    assert rows_of(text, "From the start of a process to its first result")[1][2:4] == [
        "30.0",
        "5.0",
    ]
    line = rows_of(text, "Straight lines through JAX's forward pass")[1]
    assert line == ["output pixels", "float32", "all", "5 ns", "8", "0.9991", "4096, 65536, 9216"]
    missing = rows_of(text, "Not measured")[1:]
    assert ["latency, 64, float32, torch.compile", r"RuntimeError: no \| compiler"] in missing
    assert ["loop, bfloat16", "no data"] in missing
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")


@pytest.mark.parametrize(
    ("field", "other"),
    [("part", "throughput"), ("dtype", "bfloat16"), ("output_size", 256), ("against", "eager")],
)
def test_a_ratio_stands_beside_what_it_is_about_alone(field: str, other: str | int) -> None:
    content = made_up_results()
    content["ratios"][0][field] = other
    _, small, _ = rows_of(
        tables.to_markdown(results_of(content)), "Forward pass, one image at a time"
    )
    assert small[3] == "45.5 (22 ms)"


def test_tables_of_what_was_interrupted_at_once() -> None:
    content = made_up_results()
    for section in list(content):
        if isinstance(content[section], list):
            del content[section]
    content["finished"] = False
    assert "**Not finished**" in tables.to_markdown(results_of(content))


def test_the_plot_is_drawn_with_the_papers_line(tmp_path: pathlib.Path) -> None:
    content = made_up_results()
    paths = figure.write_figure(results_of(content), tmp_path)
    assert [path.name for path in paths] == ["fps.png", "fps.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    drawn = paths[1].read_text(encoding="utf-8")
    for text in ("tiny on NVIDIA A100-SXM4-40GB", "the paper, on an A100", "JAX, float32"):
        assert text in drawn
    assert "torch.compile" not in drawn  # it was not measured
    content["measurements"] = []
    assert figure.write_figure(results_of(content), tmp_path / "none") == []


def test_results_are_there_from_the_first_measurement_on(tmp_path: pathlib.Path) -> None:
    record = Record(HEAD, tmp_path)
    record.add(Operations(64, 1000))
    found = json.loads((tmp_path / UNFINISHED_NAME).read_text())
    operations = [{"output_size": 64, "multiply_accumulates": 1000}]
    assert found == {**HEAD, "finished": False, "operations": operations}
    assert not (tmp_path / FILE_NAME).exists()  # its being there means that it is whole
    assert record.finish().operations == (Operations(64, 1000),)
    assert json.loads((tmp_path / FILE_NAME).read_text())["finished"] is True
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    ("kind", "teraflops"),
    [
        ("NVIDIA A100-SXM4-40GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("cpu", None),
    ],
)
def test_data_sheets(kind: str, teraflops: int | None) -> None:
    sheet = arithmetic.data_sheet(kind)
    assert (sheet and sheet.flops_per_second / 1e12) == teraflops


def test_a_product_of_matrices_has_two_operations_for_each_of_its_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed = timing.Timed("JAX", images=1, seconds=[0.5, 0.25])
    monkeypatch.setattr(timing, "measure_in_turn", lambda *_, **__: [timed])
    plan = small_plan()
    arithmetic.peak(plan, "float32")
    (found,) = plan.record.all_of(PeakArithmetic)
    # Multiplied and added, in the faster of the two rounds.
    assert found.flops_per_second == 2 * found.side**3 / 0.25
    assert found.data_sheet is None


def test_one_face_takes_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = [
        timing.Timed("whole", images=1, seconds=[0.25, 0.5, 0.75]),
        timing.Timed("join", problem="no"),
    ]
    split = types.SimpleNamespace(
        image_sizes=np.array([[40, 30]]), images=np.zeros((1, 48, 48, 3), np.uint8)
    )
    plan = small_plan(config=tiny_icnn_config())
    plan.train_split, plan.dataset = split, types.SimpleNamespace(class_names=())
    monkeypatch.setattr(one_face, "_programs", lambda *_: [])
    monkeypatch.setattr(one_face, "measure_in_turn", lambda *_, **__: timed)
    one_face.one_face(plan)
    found = plan.record.all_of(OneFace)
    assert [face.system for face in found] == ["STN-iCNN", "baseline"]
    for face in found:
        assert (face.photo, face.canvas) == ((40, 30), 48)
        assert [step.milliseconds for step in face.steps] == [500, None]


def test_names_of_folders() -> None:
    assert machine.slug("NVIDIA A100-SXM4-40GB") == "nvidia-a100-sxm4-40gb"
    assert machine.slug("2 CPU cores, AMD EPYC-lapa") == "2-cpu-cores-amd-epyc-lapa"


# ---------------------------------------------------------------------------------------- programs


def test_without_chunks_the_plan_needs_more_memory_and_grows_with_the_output() -> None:
    config = jax_programs.with_fields(
        tiny_config(), model__query_chunk=1024, model__mlp_features=(64, 64)
    )
    plan = small_plan(config=config)
    for size in (64, 128):
        memory.planned(plan, size, "float32")
    small, large = plan.record.all_of(PlannedMemory)
    # Hidden activations of 64 floats for each of 128² queries, or of 1024.
    assert large.in_one.temporaries > 128**2 * 64 * 4
    assert large.chunked.temporaries < large.in_one.temporaries / 2
    # What chunking cannot help is the logits' own copy: 11 floats a pixel.
    logits = (128**2 - 64**2) * 11 * 4
    grown = large.chunked.temporaries - small.chunked.temporaries
    assert grown < 1.5 * logits
    assert large.chunked.outputs == 128**2 * 11 * 4


def test_the_peak_of_a_forward_pass_is_measured_at_the_sizes_of_its_time() -> None:
    plan = small_plan(parts=("memory",))
    todo = [task.about for task in tasks.make_tasks(plan, 1.0)]
    measured = [(one.what, one.output_size) for one in todo if one.part == "peak memory"]
    own = plan.config.data.image_size
    assert measured == [("forward", 16), ("forward", 24), ("forward", own), ("gradient", own)]


def test_the_peak_is_the_median_over_rounds_with_and_without_compiled_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caches = []

    def measured(task: ChildTask, environment: dict[str, str]) -> benchmark_results.Start:
        caches.append(environment["JAX_COMPILATION_CACHE_DIR"])
        return benchmark_results.Start(
            1.0, None, resident_bytes=(7, 4, 9, 2, 8, 3)[len(caches) - 1]
        )

    monkeypatch.setattr(children, "run", measured)
    plan = small_plan(parts=("memory",), rounds=5)
    memory.measured(plan, "forward", 16, "float32")
    compiling, compiled = plan.record.all_of(benchmark_results.PeakMemory)
    assert (compiling.candidate, compiling.rounds, compiling.resident_bytes) == (
        "JAX",
        (7, 9, 8),
        8,
    )
    assert (compiled.candidate, compiled.rounds) == ("JAX, compiled before", (4, 2, 3))
    assert (compiled.resident_bytes, compiled.device_bytes) == (3, None)
    assert caches[::2] == caches[1::2] and len(set(caches)) == 3  # a round shares a cache

    def fails(task: ChildTask, environment: dict[str, str]) -> benchmark_results.Start:
        raise NotMeasuredError("no more memory")

    monkeypatch.setattr(children, "run", fails)
    memory.measured(plan, "forward", 24, "float32")
    failed = plan.record.all_of(benchmark_results.PeakMemory)[2:]
    assert [(one.not_measured, one.resident_bytes, one.rounds) for one in failed] == [
        ("no more memory", None, ())
    ] * 2


def test_a_forward_program_gives_label_maps_of_the_output_size() -> None:
    plan = small_plan()
    program = jax_programs.forward(plan.config, plan.variables, 24, 2)
    labels = program.start()
    program.wait(labels)
    assert labels.shape == (2, 24, 24)
    assert int(labels.max()) < plan.config.model.num_classes
    assert program.planned_bytes.total > 0


def test_a_training_program_goes_on_from_step_to_step() -> None:
    plan = small_plan()
    config = training.without_augmentation(plan.config)
    (stage,) = jax_programs.stages_of(config)
    program = jax_programs.training_step(config, plan.variables, stage)
    losses = [program.wait(program.start())["loss"] for _ in range(3)]
    assert losses[2] < losses[0]  # the same batch again and again
    assert program.images * jax.device_count() == plan.config.train.batch_size


def test_types_are_those_of_activations() -> None:
    config = jax_programs.with_dtype(tiny_config(), "bfloat16")
    assert (config.dtype, config.model.dtype) == ("bfloat16", "bfloat16")
    assert tiny_config().dtype == "float32"


@pytest.mark.usefixtures("pytorch")
def test_both_frameworks_compute_the_same() -> None:
    plan = small_plan()
    forward.agreement(plan, "PyTorch")
    (found,) = plan.record.all_of(Agreement)
    assert found.largest_logit > 0.01
    # A few hundred float32 operations deep: some 1e-7 of the size of the numbers.
    assert found.largest_difference < 1e-4 * found.largest_logit


def test_onnx_runtime_computes_the_same_in_the_same_rounds() -> None:
    importlib.import_module("needs_onnx")
    plan = small_plan(has_onnx=True)
    todo = tasks.make_tasks(plan, 1.0)
    for task in todo[:2]:
        tasks.run_task(plan, task)
    (found,) = plan.record.all_of(Agreement)
    assert found.with_ == "ONNX Runtime" and found.largest_logit > 0.01
    assert found.largest_difference < 1e-4 * found.largest_logit
    measured = plan.record.all_of(Measurement)
    assert [one.candidate for one in measured] == ["JAX", "ONNX Runtime"]
    assert not any(one.not_measured for one in measured)
    assert [ratio.against for ratio in plan.record.all_of(Ratio)] == ["ONNX Runtime"]
    program = onnx_programs.forward(plan.config, plan.variables, 24, 2)
    ours = jax_programs.forward(plan.config, plan.variables, 24, 2)
    (labels,) = program.start()
    assert labels.shape == (2, 24, 24)
    np.testing.assert_array_equal(labels, np.asarray(ours.start()))
    half = jax_programs.with_dtype(plan.config, "bfloat16")
    with pytest.raises(NotMeasuredError, match="float32, not bfloat16"):
        onnx_programs.forward(half, plan.variables, 24, 2)


@pytest.mark.slow
@pytest.mark.usefixtures("pytorch")
def test_pytorchs_gradient_step_has_the_loss_of_ours() -> None:
    from fpliif_jax.experiments.benchmark import torch_programs

    plan = small_plan()
    config = training.without_augmentation(plan.config)
    (stage,) = jax_programs.stages_of(config)
    batch = jax_programs.random_batch(config, stage, config.train.batch_size)
    ours = jax_programs.training_step(config, plan.variables, stage)
    variant = torch_programs.VARIANTS["eager_channels_last"]
    theirs = torch_programs.gradient_step(config, plan.variables, batch, variant, "float32")
    for _ in range(3):
        expected = float(ours.wait(ours.start())["loss"])
        handle = theirs.start()
        theirs.wait(handle)
        # As tests of parity: two orders of summation, and Adam's first steps enlarge tiny gradients.
        assert float(handle[0]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_a_fresh_process_answers_with_time_and_memory() -> None:
    task = ChildTask("forward", "jax", "float32", 16, 1, json_config(tiny_config()))
    found = children.run(task)
    assert found.seconds_from_start > found.seconds_of_importing > 0
    assert found.resident_bytes is None or found.resident_bytes > 0
    with pytest.raises(NotMeasuredError, match="ensemble"):
        config = jax_programs.with_fields(tiny_config(), model__ensemble="max")
        children.run(dataclasses.replace(task, config=json_config(config)))


def test_the_last_line_of_a_process_that_ended_well_is_its_answer(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "ABOVE_PACKAGE", tmp_path)
    program = "import sys\nprint('a banner')\nprint('{\"seconds\": 2}')\nsys.exit(CODE)\n"
    (tmp_path / "answers.py").write_text(program.replace("CODE", ""))
    content, taken = children.answer(["answers"])
    assert content == {"seconds": 2} and taken > 0
    (tmp_path / "answers.py").write_text(program.replace("CODE", "'no more memory'"))
    with pytest.raises(NotMeasuredError, match="ended with 1: no more memory"):
        children.answer(["answers"])


def test_the_loop_is_as_long_as_asked_for() -> None:
    config = tiny_config()  # batches of 4
    whole = loop._bounded(config, images=40, step_seconds=0.1, seconds=5.0)
    assert (whole.train.epochs, whole.data.train_subset) == (5, 0)
    part = loop._bounded(config, images=4000, step_seconds=0.1, seconds=2.0)
    assert (part.train.epochs, part.data.train_subset) == (1, 80)
    # 20 steps are just the epoch, whose last batch has two images: 80 would be more than there are.
    just = loop._bounded(config, images=78, step_seconds=0.1, seconds=2.0)
    assert (just.train.epochs, just.data.train_subset) == (1, 0)


def test_the_loop_pays_for_its_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*given: Any) -> None:
        given[-1].extend([1.5, 1.5])

    totals = Totals(epochs=2, steps=8, seconds=5.0)
    progress = Progress({}, "fingerprint", train=totals, timed_images=40).to_json()
    monkeypatch.setattr(loop, "load_dataset", lambda _: None)
    monkeypatch.setattr(loop.checkpoint, "read_progress", lambda *_: progress)
    monkeypatch.setattr(loop.training_loop, "train", train)
    found = loop._run(tiny_config())
    assert found.seconds_of_each_checkpoint == (1.5, 1.5)
    assert found.images_per_second == 40 / 8
    assert found.images_per_second_without_checkpoints == 40 / 5


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="not Linux")
def test_the_peak_of_what_was_done_before_hides_nothing() -> None:
    """In a process of its own: what making the weights took must not be free for what is measured after it."""
    program = """
import numpy as np
from fpliif_jax.experiments.benchmark import child
done_before = np.ones(2**26, np.uint8)
del done_before
before = child._peak_from_now()
measured = np.ones(2**25, np.uint8)
print((child._peak() - before) / 2**25)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert float(done.stdout) == pytest.approx(1, abs=0.1)


def test_a_task_that_fails_stops_no_other() -> None:
    plan = small_plan()

    def fail() -> None:
        raise ValueError("no such device")

    tasks.run_task(plan, tasks.Task(About(part="latency"), fail))
    assert plan.record.rows == [Failure(part="latency", reason="ValueError: no such device")]


# ----------------------------------------------------------------------------------------- command


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "experiments.benchmark", *arguments],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.usefixtures("pytorch")
def test_the_command_measures_fp_liif(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    folder = tmp_path / "out"
    finished = command(
        f"--config={REPOSITORY / 'tests/helpers/tiny_run.py'}",
        f"--config.data.manual_dir={lapa_download}", f"--config.data.data_dir={data_dir}",
        "--parts=latency,throughput,training,pipeline,loop", "--sizes=16", "--dtypes=float32",
        "--torch", "--torch_variants=eager", "--rounds=2", "--seconds=0.01", "--max_batch=1",
        "--loop_seconds=0.5", f"--output={folder}",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-2000:]
    found = json.loads((folder / FILE_NAME).read_text())
    assert found["finished"]
    assert not found.get("not_measured")
    measured = {
        (entry["part"], entry.get("output_size"), entry["candidate"])
        for entry in found["measurements"]
        if not entry.get("not_measured")
    }
    both = ("JAX", "PyTorch eager")
    assert measured == {
        *((part, 16, by) for part in ("latency", "throughput") for by in both),
        ("step", 32, "JAX"),
        *(("gradient", 32, by) for by in both),
        ("pipeline", None, "loader"),
    }  # fmt: skip
    for entry in found["measurements"]:
        assert len(entry["seconds"]) == 2
        assert entry["images_per_second"] == pytest.approx(
            entry["batch"] / np.median(entry["seconds"])
        )
    assert [ratio["part"] for ratio in found["ratios"]] == ["latency", "throughput", "gradient"]
    (looped,) = found["loop"]
    assert looped["steps"] >= 8
    assert looped["images_per_second"] <= looped["images_per_second_without_checkpoints"]
    assert found["agreement"][0]["largest_difference"] < 1e-4
    assert (folder / "benchmark.md").read_text().strip() in finished.stdout
    assert {path.name for path in folder.iterdir()} == {
        FILE_NAME, "benchmark.md", "fps.png", "fps.svg",
    }  # fmt: skip


@pytest.mark.slow
def test_the_command_measures_stn_icnn(
    helen_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    finished = command(
        f"--config={REPOSITORY / 'tests/helpers/tiny_icnn_run.py'}",
        f"--config.data.manual_dir={helen_download}", f"--config.data.data_dir={data_dir}",
        "--parts=latency,throughput,training", "--dtypes=float32", "--rounds=1", "--seconds=0.01",
        # The quickest to compile: every stage is measured by the same lines.
        "--config.train.stages=('coarse','localisation')", "--max_batch=1",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-2000:]
    faces = rows_of(finished.stdout, "One face")[1:]
    steps = ["whole", "coarse mask and windows", "crops and their labels", "map-back"]
    assert [row[:2] for row in faces] == [
        [system, step] for system in ("STN-iCNN", "baseline") for step in steps
    ]
    assert all(float(row[2]) > 0 for row in faces)
    trained = [row[0] for row in rows_of(finished.stdout, "Training step")[1:]]
    assert {name.partition(" (")[2] for name in trained} == {"coarse)", "localisation)"}
    assert "## Not measured" not in finished.stdout
    assert "--output=experiments/results/" in finished.stdout


def test_an_impossible_setting_is_one_line() -> None:
    config = REPOSITORY / "tests/helpers/tiny_run.py"
    finished = command(f"--config={config}", "--config.model.ensemble=max")
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: ")
    assert "ensemble" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


def test_parts_and_sizes_that_are_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="--parts has 'speed'"):
        measure._chosen("parts", ["speed"], PARTS)
    monkeypatch.setattr(measure, "_value", lambda name: ["0"])
    with pytest.raises(SettingsError, match="--sizes is '0'"):
        measure._sizes()
    monkeypatch.setattr(measure, "_value", lambda name: ["rows"])
    given = types.SimpleNamespace(config=tiny_icnn_config())
    monkeypatch.setattr(measure.flags, "FLAGS", given)
    with pytest.raises(SettingsError, match="'image': a protocol is a size"):
        measure._sizes()
