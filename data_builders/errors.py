"""The one error that raw data raise, and what the system's own errors say."""


class DataError(Exception):
    """Something about the data that the person at the keyboard can put right.

    The message says what is wrong, in which file or folder, and what to do. Programs catch it,
    print `error: <message>` to stderr and exit with code 1, without a traceback.
    """


def said(error: OSError) -> str:
    """An error of the system in one line: the file, and what is wrong with it.

    A full disk, a folder that may not be written: nothing that a traceback would explain.
    """
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
