"""The errors that the person at the keyboard can put right, and how a command says them."""

import contextlib
import os
from collections.abc import Iterator


def one_line(text: object) -> str:
    """Text that can be printed as one line: line breaks, other control characters and what is no
    Unicode (the names of some files) are written with a backslash."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in str(text)
    )


def last_line(output: str) -> str:
    """The error of a process that failed: the last line that it printed, or 'no message'."""
    return (output.strip().splitlines() or ["no message"])[-1]


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """'1 run', '2,000 runs'; plural: where it is not the singular with an s."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of the system inside name the file: those of writing to a full disk name none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            # A library's own, without the system's number, would lose its words when it gets a name.
            error.strerror = error.strerror or str(error)
            error.filename = os.fspath(path)
        raise


@contextlib.contextmanager
def naming_instead(path: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of the system inside name this file or folder: nobody knows the name that it was begun under."""
    try:
        yield
    except OSError as error:
        # A new one, as Python shows a second file's name once there was one.
        raise OSError(error.errno, error.strerror or str(error), os.fspath(path)) from error


class UserError(Exception):
    """Something that the person at the keyboard can put right: an option, a setting, a file.

    The message says what is wrong, in which file or folder, and what to do. Commands print it as one line and end
    with exit code 1 (`USER_ERRORS`, `error_line`). Every other error but the system's own is a bug, and shows its
    traceback.
    """


class SettingsError(UserError, ValueError):
    """A setting or an argument is impossible; the message names it, its value and what it may be.

    It is raised where the setting is checked, in Python as the ValueError that it is there.
    """


class DataError(UserError):
    """Something about the data. The message is one line, whatever the files are called."""

    def __str__(self) -> str:
        return one_line(super().__str__())


# What a command ends with in one line. An OSError is a full disk, or a folder that may not be written.
USER_ERRORS = (UserError, OSError)


def error_line(error: Exception) -> str:
    """What a command says, as its last line, of one of USER_ERRORS."""
    return f"error: {said(error) if isinstance(error, OSError) else error}"


def said(error: OSError) -> str:
    """An error of the system in one line: the file, and what is wrong with it.

    A full disk, a folder that may not be written: nothing that a traceback would explain.
    """
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
