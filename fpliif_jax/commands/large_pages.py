"""Large pages of memory for a command that computes on CPUs.

XLA takes the memory of each step's arrays from the C library and gives it back at the step's end, so that the kernel
fills the same gigabyte with zeros again and again, 4 KiB at a time. In pages of 2 MiB that costs next to nothing
(docs/speed.md has what it is worth). glibc asks for them where its tunable says so, and reads that when a process
begins.
"""

import os
import pathlib
import sys

from fpliif_jax.commands import command_names

_SETTING = "glibc.malloc.hugetlb"
_KERNEL = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")


def restart_with(command: str) -> None:
    """Starts this process again, as it was started, with large pages; returns where that would change nothing.

    Call it first of all in a command. The process keeps its number, its streams and its arguments. It is not started
    again where the command was called from Python, where the person has set the tunable, where the kernel gives such
    pages to nobody or to everybody, and under a debugger.

    Args:
      command: module of the command, as of `command_names.is_started`.
    """
    if not command_names.is_started(command):
        return
    given = os.environ.get("GLIBC_TUNABLES", "")
    if _SETTING in given or sys.gettrace() is not None or not _are_for_who_asks():
        return
    os.environ["GLIBC_TUNABLES"] = f"{given}:{_SETTING}=1".removeprefix(":")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _are_for_who_asks() -> bool:
    """Whether the kernel gives large pages to programs that ask for them, and glibc can ask (since 2.35)."""
    try:
        # pyrefly: ignore[missing-attribute] - None is caught below
        name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
        known = tuple(map(int, version.split(".")[:2])) >= (2, 35)
        return name == "glibc" and known and "[madvise]" in _KERNEL.read_text("ascii")
    except (AttributeError, OSError, ValueError):  # another system, or another C library
        return False
