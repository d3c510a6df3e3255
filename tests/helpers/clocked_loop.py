"""What the tests of both training loops share: a loop with a clock of its own, and without a network."""

import json
import pathlib
import types
from typing import Any

import pytest

from fpliif_jax.training import progress


class ClockedLoop:
    """A step takes 1 s, validation 100 s, a checkpoint 1,000 s.

    Attributes:
      records: of the training split, as metrics.jsonl has them; see `read_records`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 0.0
        self.records: list[dict[str, Any]] = []
        clock = types.SimpleNamespace(monotonic=lambda: self._now)
        monkeypatch.setattr(progress, "time", clock)

    def read_records(self, workdir: pathlib.Path) -> None:
        """Call it when the run has ended."""
        lines = (workdir / "metrics.jsonl").read_text().splitlines()
        self.records = [record for record in map(json.loads, lines) if record["split"] == "train"]
