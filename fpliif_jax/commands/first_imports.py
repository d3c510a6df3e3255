"""Ctrl-C while a command is still being imported: one line, not the traceback of the module that was at work."""

import contextlib
import os
import signal
import sys
import types

_PACKAGES = {"fpliif_jax", "data_builders", "experiments"}


def end_at_ctrl_c() -> None:
    """Has Ctrl-C end a command, with exit code 130, until it handles that itself.

    Nothing is begun yet that an exception would have to undo, and one that is raised while an extension is being
    imported can abort the process. Call it before anything else is imported.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def is_command() -> bool:
    """Whether this process was started with a module or a script of this package; known before that is run."""
    # What stands where sys.argv has '-m', or else the file.
    started = "".join(sys.orig_argv[-len(sys.argv) :][:1]).removeprefix("-m")
    is_module = started.partition(".")[0] in _PACKAGES
    return is_module or os.path.basename(started).startswith("fpliif-")


def _end(number: int, frame: types.FrameType | None) -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(128 + number)
