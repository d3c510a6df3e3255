"""Tests of commands.processor: what /proc/cpuinfo says, of any maker, or Python where there is none."""

import pathlib
import platform

import pytest

from fpliif_jax.commands import processor

_X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu sse2 avx2

processor\t: 1
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu sse2 avx2
"""
_ARM = """processor\t: 0
Features\t: fp asimd sve
CPU implementer\t: 0x41
CPU part\t: 0xd40
CPU revision\t: 1
"""


@pytest.mark.parametrize(
    ("text", "name", "features"),
    [
        (_X86, "AMD EPYC 7763 64-Core Processor", "fpu sse2 avx2"),
        (_ARM, "CPU implementer 0x41, CPU part 0xd40", "fp asimd sve"),
        ("", "a processor", ""),
        (None, "a processor", "a processor"),
    ],
)
def test_name_and_features(
    text: str | None,
    name: str,
    features: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "_FILE", file)
    monkeypatch.setattr(platform, "processor", lambda: "a processor")
    if text is not None:
        file.write_text(text, "utf-8")
    assert processor.name() == name
    assert features in processor.features()


def test_cores_of_two_kinds_are_both_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(_X86 + _X86.replace("7763", "9654"), "utf-8")
    monkeypatch.setattr(processor, "_FILE", file)
    assert processor.name() == "AMD EPYC 7763 64-Core Processor; AMD EPYC 9654 64-Core Processor"


def test_where_nothing_is_known_the_architecture_is(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_FILE", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert processor.name() == platform.machine()
