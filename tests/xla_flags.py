"""XLA's flags in tests: those that the person set, e.g. another instruction set, and virtual devices."""

import os

_DEVICES = "--xla_force_host_platform_device_count="


def xla_flags(devices: int | None = None) -> str:
    """Value of XLA_FLAGS for a process with that many virtual devices, None for the one there is."""
    flags = [
        flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_DEVICES)
    ]
    return " ".join(flags if devices is None else [*flags, f"{_DEVICES}{devices}"])
