"""Part 'graphs': FP-LIIF's ONNX files beside those that PyTorch's exporter makes of the same network."""

import argparse
import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from fpliif_jax import systems, weights
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import comparison, markdown, plan, timing
from fpliif_jax.experiments.benchmark.timing import Candidate, Program
from fpliif_jax.experiments.runs.benchmark_results import About, Measurement, Ratio
from fpliif_jax.export import network_files
from fpliif_jax.nn import grid_sampling

OURS, THEIRS = "fpliif_jax.export", "torch.onnx"
SIZES = (64, 128, 256)
_SECONDS = 0.2  # of a round, of processors


@dataclasses.dataclass(frozen=True)
class Row:
    """A part of the network at an output size: the file of each, in the order of `OURS, THEIRS`."""

    what: str
    output_size: int | None  # of the encoder none
    bytes: dict[str, int]
    largest_difference_from_jax: dict[str, float]
    measurements: tuple[Measurement, ...]
    ratio: Ratio


def measure(flags: argparse.Namespace) -> list[Row]:
    """A row for the encoder, and one for the decoder and for both at each output size.

    Args:
      flags: with `weights` and `rounds`.

    Raises:
      ExportError: a file of PyTorch's is not the function that JAX has.
      UserError: one cannot be made or called.
    """
    from fpliif_jax.experiments.benchmark.deployment import torch_graph  # needs the extra 'torch'

    trained = weights.load(flags.weights)
    networks = systems.of(trained.config).inference.make_network_functions(trained)
    rows = []
    for part in ("encoder", "decoder", "model"):
        contents = {
            OURS: network_files.onnx_bytes(networks[part], "{}"),
            THEIRS: torch_graph.onnx_bytes(trained, part),
        }
        calls = {name: network_files.onnx_call(content) for name, content in contents.items()}
        far = {
            name: network_files.differences(networks[part], call, name).largest
            for name, call in calls.items()
        }
        example = networks[part].examples[0]
        for size in (None,) if part == "encoder" else SIZES:
            inputs = example if size is None else (*example[:-2], *_axes(size))
            about = About(part="graphs", what=part, output_size=size, dtype="float32")
            timings = timing.measure_in_turn(
                [_candidate(name, call, inputs) for name, call in calls.items()],
                rounds=flags.rounds,
                seconds=_SECONDS,
                pipelined=False,
                clock=time.process_time,
            )
            ours, theirs = timings
            for timed in timings:
                if timed.problem:
                    raise UserError(f"{timed.name}: {timed.problem}")
            # How many times as many photos a second PyTorch's file takes: above 1 ours is the slower one.
            ratio = comparison.paired_ratio(about, theirs, ours)
            num_bytes = {name: len(content) for name, content in contents.items()}
            measured = tuple(plan.measurement(about, timed) for timed in timings)
            rows.append(Row(part, size, num_bytes, far, measured, ratio))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown: the lowest round of each, and the ratios' median and quartiles."""
    head = ["part", "output", "bytes", "from PyTorch, bytes", "ms", "from PyTorch, ms", "ratio"]
    lines = []
    for row in rows:
        size, ratio = row.output_size, row.ratio
        numbers = (f"{row.bytes[name]:,}" for name in (OURS, THEIRS))
        times = (f"{1000 * min(one.seconds):.1f}" for one in row.measurements)
        spread = f"{ratio.median:.2f} ({ratio.lower_quartile:.2f}–{ratio.upper_quartile:.2f})"
        lines.append([row.what, size and f"{size}²", *numbers, *times, spread])
    return markdown.table(head, lines)


def _axes(size: int) -> tuple[np.ndarray, np.ndarray]:
    centres = grid_sampling.cell_centres(size).astype(np.float32)
    return centres, centres


def _candidate(name: str, call: network_files.Call, inputs: Sequence[np.ndarray]) -> Candidate:
    return Candidate(name, lambda: Program(lambda: call(*inputs), lambda _: None, images=1))
