"""Memory that compiling leaves free goes back to the system, before a program's arrays come on top of it.

Compiling a program, or only reading a compiled one from the disk, takes tens of MiB in small pieces. glibc keeps them
when they are free again, and they are no place for arrays: the process has both at its peak (docs/speed.md has what
that is worth).
"""

import ctypes
import functools
import sys
from typing import Any

import jax

_COMPILED = "/jax/core/compile/backend_compile_duration"  # JAX's event, also where the disk had it


@functools.cache  # of several calls in a process, one listens
def give_back() -> None:
    """Makes glibc give back what is free whenever a program of this process is ready to run, from now on.

    That takes a fraction of a millisecond, and no result depends on it. Nothing is done where there is no glibc.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is None:
        return

    def on_duration(event: str, duration_secs: float, **_: Any) -> None:
        del duration_secs
        if event == _COMPILED:
            trim(0)

    jax.monitoring.register_event_duration_secs_listener(on_duration)
