"""The end of run.log: the last line that a run printed, the error that ended it, and whether it saved."""

import pathlib
import re

from fpliif_jax.commands.interruption import SAID_SAVED
from fpliif_jax.data_builders.host.regular_files import open_regular

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(r"error: .*")
_TAIL_BYTES = 16384
_LONGEST_ERROR = 300  # characters
_LARGEST = 2**63 - 1  # only its end is read


def last_words(log: pathlib.Path) -> str:
    """The last line of a log that is neither empty nor a command; bars write several on one line."""
    lines = [line.strip() for line in _tail(log).splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("$ ")), "")


def last_error(log: pathlib.Path) -> str:
    """The last 'error: …' after the last command of a log, in one line of bounded length; '' if there is none.

    Another process may be writing its bars into the same log, before and after it on the same line.
    """
    errors = _ERROR.findall(_since_command(log))
    return errors[-1].strip()[:_LONGEST_ERROR] if errors else ""


def was_saved(log: pathlib.Path) -> bool:
    """Whether the last command of a log says that it was interrupted and has saved."""
    return SAID_SAVED in _since_command(log)


def _since_command(log: pathlib.Path) -> str:
    """The end of a log after its last command."""
    return _tail(log).rpartition("$ python -m ")[2]


def _tail(log: pathlib.Path) -> str:
    try:
        if not log.resolve().is_relative_to(log.parent.resolve()):
            return ""  # a link out of the run's folder
        with open_regular(log, _LARGEST) as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", errors="replace")
    except (OSError, RuntimeError):  # RuntimeError: links that lead to each other
        return ""  # a log is a help, never a must
    return _TERMINAL_CODES.sub("", text).replace("\r", "\n")
