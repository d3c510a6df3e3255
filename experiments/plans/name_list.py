"""Lists of names in one line."""

from collections.abc import Sequence

_MOST = 6


def shortened(names: Sequence[str]) -> str:
    """'a, b, c' of up to six names; 'a, b, c, d, e, f and 2 more' of eight."""
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
