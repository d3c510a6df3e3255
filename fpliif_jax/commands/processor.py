"""The processor that this process runs on: its name for people, and its features."""

import pathlib
import platform

_FILE = pathlib.Path("/proc/cpuinfo")  # of Linux


def name() -> str:
    """'AMD EPYC 7763 64-Core Processor'; of ARM, whose lines have no name, 'CPU implementer 0x41, CPU part 0xd40'.

    Where the system does not say it, what Python knows: at least the architecture.
    """
    names = _values("model name")
    if not names:
        fields = ("CPU implementer", "CPU part")
        numbers = [f"{field} {number}" for field in fields for number in _values(field)]
        names = [", ".join(numbers)] if numbers else []
    return "; ".join(names) or platform.processor() or platform.machine()


def features() -> str:
    """Model and features, a line each; elsewhere than on Linux what Python knows."""
    lines = _lines()
    if lines is None:
        return platform.processor()
    fields = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(fields)}))


def _values(field: str) -> list[str]:
    """Values of a field over all cores, each once, in order."""
    pairs = (line.partition(":") for line in _lines() or ())
    values = (value.strip() for key, _, value in pairs if key.strip() == field)
    return list(dict.fromkeys(filter(None, values)))


def _lines() -> list[str] | None:
    try:
        return _FILE.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
