"""The one error that raw data raise."""


class DataError(Exception):
    """Something about the data that the person at the keyboard can put right.

    The message says what is wrong, in which file or folder, and what to do. Programs catch it,
    print `error: <message>` to stderr and exit with code 1, without a traceback.
    """
