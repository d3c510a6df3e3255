"""XLA's flags in tests: those that the person set, e.g. another instruction set, and virtual devices."""

import os

_DEVICES = "--xla_force_host_platform_device_count="
_QUICK = "--xla_llvm_disable_expensive_passes="


def xla_flags(devices: int | None = None) -> str:
    """Value of XLA_FLAGS for a process with that many virtual devices, None for the one there is.

    Tests compile large programs and call them a few times. So LLVM leaves out its expensive passes, which takes two
    fifths less, unless the person says something else of them.
    """
    flags = [
        flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_DEVICES)
    ]
    if not any(flag.startswith(_QUICK) for flag in flags):
        flags.append(f"{_QUICK}true")
    return " ".join(flags if devices is None else [*flags, f"{_DEVICES}{devices}"])
