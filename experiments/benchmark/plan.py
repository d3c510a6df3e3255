"""What a benchmark is to measure, and the one place that its results are written to."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.timing import Timed, measure_in_turn, reason
from fpliif_jax.experiments.benchmark.torch_programs import TorchVariant
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.systems import create_model
from fpliif_jax.training.step import init_variables

FILE_NAME = "benchmark.json"
UNFINISHED_NAME = "benchmark-unfinished.json"


@dataclasses.dataclass
class Record:
    """Results, written to a file after every addition: an interrupted benchmark leaves what it has.

    Attributes:
      content: ready for JSON; 'measurements', 'ratios', … are lists.
      folder: of the files; None: none are written.
    """

    content: dict[str, Any]
    folder: pathlib.Path | None = None

    def add(self, section: str, entry: dict[str, Any]) -> None:
        """Adds an entry to a list of the content."""
        self.content.setdefault(section, []).append(entry)
        if self.folder:
            write_json(self.folder / UNFINISHED_NAME, self.content)

    def finish(self) -> None:
        """Gives the file its own name: it stands for a whole benchmark."""
        self.content["finished"] = True
        if self.folder:
            write_json(self.folder / FILE_NAME, self.content)
            (self.folder / UNFINISHED_NAME).unlink(missing_ok=True)


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
    def variables(self) -> dict[str, Any]:
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

    def measure(self, candidates: Any, *, pipelined: bool, about: dict[str, Any]) -> list[Timed]:
        """Times candidates in turn and records each under 'measurements'.

        Args:
          candidates: of `timing`.
          pipelined: see `measure_in_turn`.
          about: what tells the entries from others: 'part', 'dtype', 'output_size', …
        """
        timings = measure_in_turn(
            candidates,
            rounds=self.rounds,
            seconds=self.seconds,
            pipelined=pipelined,
            tell=self.tell,
        )
        for timed in timings:
            self.record.add("measurements", {**about, **entry(timed)})
        return timings

    def failed(self, about: dict[str, Any], error: BaseException) -> None:
        """Records that something could not be measured."""
        self.record.add("not_measured", {**about, "reason": reason(error)})


def entry(timed: Timed) -> dict[str, Any]:
    """A measurement ready for JSON: every round, and the medians of all."""
    content: dict[str, Any] = {"candidate": timed.name, "batch": timed.images}
    if timed.problem:
        return {**content, "not_measured": timed.problem}
    seconds = float(np.median(timed.seconds))
    return {
        **content,
        "seconds": timed.seconds,
        "calls_a_round": timed.calls,
        "median_seconds": seconds,
        "images_per_second": timed.images / seconds,
        "compile_seconds": timed.compile_seconds,
        "planned_bytes": timed.planned_bytes,
        "not_measured": None,
    }
