"""Tests run with the flags that a person gives XLA, and with JAX's strict promotion."""

import os
import subprocess
import sys

import jax.numpy as jnp
import pytest
from xla_flags import xla_flags

DEVICES = "--xla_force_host_platform_device_count="
QUICK = ("--xla_llvm_disable_expensive_passes=true", "--xla_backend_optimization_level=0")


def test_only_the_number_of_devices_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "--xla_cpu_max_isa=SSE4_2 --xla_llvm_disable_expensive_passes=false"
    monkeypatch.setenv("XLA_FLAGS", f"{DEVICES}4 {own}")
    assert xla_flags() == f"{own} {QUICK[1]}"
    assert xla_flags(devices=2) == f"{own} {QUICK[1]} {DEVICES}2"
    own += " --xla_backend_optimization_level=3"
    monkeypatch.setenv("XLA_FLAGS", own)
    assert xla_flags() == own


def test_compiling_is_quick_unless_the_person_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XLA_FLAGS")
    assert xla_flags().split() == [*QUICK]
    assert xla_flags(devices=4).split() == [*QUICK, f"{DEVICES}4"]


def test_the_tests_themselves_have_four_devices_whatever_flags_there_are() -> None:
    assert os.environ["XLA_FLAGS"] == xla_flags(devices=4)


_ADDED = {
    "types": "jnp.ones(2, jnp.int32) + jnp.ones(2, jnp.float32)",
    "ranks": "jnp.ones((2, 2)) + jnp.ones(2)",
}


@pytest.mark.parametrize("added", _ADDED.values(), ids=_ADDED)
def test_nothing_is_promoted_silently(added: str) -> None:
    with pytest.raises((TypeError, ValueError), match="promotion"):
        eval(added, {"jnp": jnp})


def test_nothing_is_promoted_silently_by_a_command_that_a_test_starts() -> None:
    for added in _ADDED.values():
        child = subprocess.run(
            [sys.executable, "-c", f"import jax.numpy as jnp; {added}"],
            capture_output=True,
            text=True,
        )
        assert child.returncode == 1 and "promotion" in child.stderr
