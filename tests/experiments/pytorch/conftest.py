"""What tests of PyTorch beside JAX found, for docs/parity.md."""

import os
import pathlib
from collections.abc import Iterator

import pytest
from differences import Differences

from fpliif_jax.experiments.benchmark import machine
from fpliif_jax.run_folder import run_record


@pytest.fixture(scope="session")
def found() -> Iterator[Differences]:
    """The session's differences, written to the JSON file that FPLIIF_JAX_DIFFERENCES names, with the machine."""
    differences = Differences()
    yield differences
    if path := os.environ.get("FPLIIF_JAX_DIFFERENCES"):
        environment = machine.environment(with_torch=True)
        content = {"environment": environment, "largest": differences}
        run_record.write_json(pathlib.Path(path), content)
