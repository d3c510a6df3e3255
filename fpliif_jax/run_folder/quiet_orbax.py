"""Orbax without the pages that it prints of a disk that is full or a file that is cut short."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any

_IN_TURN = threading.RLock()


class _EndedWithoutWords(asyncio.SelectorEventLoop):
    """An event loop that may have ended when a thread calls back: the first array that a full disk cannot take ends
    Orbax's, and tensorstore would print a stack for each of the others (still with Orbax 0.12.8, which asks
    asyncio for a new loop, so that a policy is the one way to give it another)."""

    # pyrefly: ignore[bad-override] - whatever asyncio gives is passed on
    def call_soon_threadsafe(self, *arguments: Any, **options: Any) -> asyncio.Handle | None:
        try:
            return super().call_soon_threadsafe(*arguments, **options)
        except RuntimeError:
            if not self.is_closed():
                raise
            return None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Is called for what nobody waited for, often long after `quiet`: the first such error is Orbax's own."""


class _EventLoops(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return _EndedWithoutWords()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Orbax from printing the stacks of its threads: what went wrong is raised as well.

    Policy and loggers are the process's: where two threads changed them in turn, the second would put back for good
    what the first had made of them. So one waits for the other.
    """
    with _IN_TURN:
        loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
        before = [logger.disabled for logger in loggers]
        policy = asyncio.get_event_loop_policy()
        try:
            asyncio.set_event_loop_policy(_EventLoops())
            for logger in loggers:
                logger.disabled = True
            yield
        finally:
            asyncio.set_event_loop_policy(policy)
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled
