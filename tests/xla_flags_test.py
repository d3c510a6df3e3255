"""Tests run with the flags that a person gives XLA."""

import importlib.metadata
import os

import pytest
from xla_flags import xla_flags

DEVICES = "--xla_force_host_platform_device_count="
QUICK = (
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_backend_optimization_level=0",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)
if not importlib.metadata.version("jaxlib").startswith("0.10."):  # others may not know these flags
    QUICK = QUICK[:-2]


def test_only_the_number_of_devices_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "--xla_cpu_max_isa=SSE4_2 --xla_llvm_disable_expensive_passes=false"
    monkeypatch.setenv("XLA_FLAGS", f"{DEVICES}4 {own}")
    assert xla_flags() == " ".join([own, *QUICK[1:]])
    assert xla_flags(devices=2) == " ".join([own, *QUICK[1:], f"{DEVICES}2"])
    own += " --xla_backend_optimization_level=3 --xla_cpu_use_fusion_emitters=true"
    own += " --xla_cpu_parallel_codegen_split_count=32"
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
