"""What a benchmark is to measure, and the one place that its results are written to."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from ml_collections import ConfigDict

from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.timing import Timed, measure_in_turn, reason
from fpliif_jax.experiments.benchmark.torch_programs import TorchVariant
from fpliif_jax.experiments.runs import benchmark_results, typed_json
from fpliif_jax.experiments.runs.benchmark_results import About, Failure, Measurement
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.systems import create_model
from fpliif_jax.training.step import init_variables

FILE_NAME = "benchmark.json"
UNFINISHED_NAME = "benchmark-unfinished.json"

Row = TypeVar("Row")


@dataclasses.dataclass
class Record:
    """Results, written to a file after every addition: an interrupted benchmark leaves what it has.

    Attributes:
      head: what the file begins with: the fields of `benchmark_results.Results` that are no rows, and more.
      folder: of the files; None: none are written.
      rows: of `benchmark_results`, in the order in which they were made.
    """

    head: dict[str, Any]
    folder: pathlib.Path | None = None
    rows: list[Any] = dataclasses.field(default_factory=list)

    def add(self, row: Any) -> None:
        """Adds a row of `benchmark_results`."""
        self.rows.append(row)
        self._write(UNFINISHED_NAME, finished=False)

    def all_of(self, kind: type[Row]) -> list[Row]:
        """The rows of a class."""
        return [row for row in self.rows if isinstance(row, kind)]

    def finish(self) -> benchmark_results.Results:
        """Gives the file its own name: it stands for a whole benchmark. Returns what can be read of it."""
        content = self._write(FILE_NAME, finished=True)
        if self.folder:
            (self.folder / UNFINISHED_NAME).unlink(missing_ok=True)
        return typed_json.parse(benchmark_results.Results, content, FILE_NAME)

    def _write(self, name: str, finished: bool) -> dict[str, Any]:
        content = self.head | {"finished": finished}
        for row in self.rows:
            section = content.setdefault(benchmark_results.SECTIONS[type(row)], [])
            section.append(typed_json.to_json(row))
        if self.folder:
            write_json(self.folder / name, content)
        return content


@dataclasses.dataclass
class Plan:
    """What is measured, and how long.

    Attributes:
      config: a whole experiment.
      parts: of PARTS.
      sizes: sides of the label maps.
      dtypes: of activations: 'float32', 'bfloat16'.
      torch_variants: PyTorch's; none: JAX alone.
      rounds: how often each candidate is timed.
      seconds: that a round lasts, at least.
      max_batch: largest batch that is tried for the best throughput.
      record: where results go.
      has_onnx: whether ONNX Runtime takes part in forward passes.
      tell: gets a line about each thing that begins.
    """

    config: ConfigDict
    parts: tuple[str, ...]
    sizes: tuple[int, ...]
    dtypes: tuple[str, ...]
    torch_variants: tuple[TorchVariant, ...]
    rounds: int
    seconds: float
    max_batch: int
    record: Record
    has_onnx: bool = False
    tell: Callable[[str], object] = lambda text: None

    @functools.cached_property
    def variables(self) -> Variables:
        """Fresh weights, on the host: they do not change the work."""
        return init_variables(create_model(self.config.model), self.config)

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The config's, prepared.

        Raises:
          DataError: it cannot be.
        """
        return load_dataset(self.config.data)

    @functools.cached_property
    def train_split(self) -> Split:
        """Its training examples, resized.

        Raises:
          DataError: there are none.
        """
        return load_split(self.dataset, "train", (self.config.data.image_size,))

    def with_dtype(self, dtype: str) -> ConfigDict:
        """The config with activations of that type."""
        return jax_programs.with_dtype(self.config, dtype)

    def measure(self, candidates: Any, *, pipelined: bool, about: About) -> list[Timed]:
        """Times candidates in turn and records each as a `Measurement`.

        Args:
          candidates: of `timing`.
          pipelined: see `measure_in_turn`.
          about: what is measured.
        """
        timings = measure_in_turn(
            candidates,
            rounds=self.rounds,
            seconds=self.seconds,
            pipelined=pipelined,
            tell=self.tell,
        )
        for timed in timings:
            self.record.add(measurement(about, timed))
        return timings

    def failed(self, about: About, error: BaseException) -> None:
        """Records that something could not be measured."""
        self.record.add(Failure(**vars(about), reason=reason(error)))


def measurement(about: About, timed: Timed) -> Measurement:
    """Every round, and the median of all; of what failed the reason alone."""
    numbers: dict[str, Any] = {"planned_bytes": None}
    if not timed.problem:
        seconds = float(np.median(timed.seconds))
        numbers = {
            "seconds": tuple(timed.seconds),
            "calls_a_round": timed.calls,
            "median_seconds": seconds,
            "images_per_second": timed.images / seconds,
            "compile_seconds": timed.compile_seconds,
            "planned_bytes": timed.planned_bytes,
        }
    return Measurement(
        **vars(about),
        candidate=timed.name,
        batch=timed.images,
        not_measured=timed.problem or None,
        **numbers,
    )
