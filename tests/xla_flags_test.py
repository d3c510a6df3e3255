"""Tests run with the flags that a person gives XLA."""

import os

import pytest
from xla_flags import xla_flags


def test_only_the_number_of_devices_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "--xla_cpu_max_isa=SSE4_2 --xla_cpu_enable_fast_math=false"
    devices = "--xla_force_host_platform_device_count="
    monkeypatch.setenv("XLA_FLAGS", f"{devices}4 {own}")
    assert xla_flags() == own
    assert xla_flags(devices=2) == f"{own} {devices}2"
    monkeypatch.delenv("XLA_FLAGS")
    assert (xla_flags(), xla_flags(devices=4)) == ("", f"{devices}4")


def test_the_tests_themselves_have_four_devices_whatever_flags_there_are() -> None:
    assert os.environ["XLA_FLAGS"] == xla_flags(devices=4)
