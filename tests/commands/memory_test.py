"""Tests of fpliif_jax.commands.memory; how a command ends then is in tests/commands/command_line_test.py."""

import jax
import pytest

from fpliif_jax.commands.memory import is_out_of_memory

# What JAX says on a CPU of a batch of 100,000 photos.
_OF_THE_HOST = jax.errors.JaxRuntimeError(
    "INTERNAL: Error dispatching computation: Out of memory allocating 87859749504 bytes."
)


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (MemoryError(), True),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), True),
        (_OF_THE_HOST, True),
        (jax.errors.JaxRuntimeError("INTERNAL: a bug"), False),
        (ValueError("no file RESOURCE_EXHAUSTED.png"), False),
    ],
)
def test_what_is_too_little_memory(error: Exception, is_so: bool) -> None:
    assert is_out_of_memory(error) == is_so
