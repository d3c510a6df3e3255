"""Map over many items on all cores, in order, holding only a few results."""

import collections
import os
from collections.abc import Callable, Generator, Iterable
from concurrent import futures
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Number of cores this process may use (at least 1)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    num_workers: int | None = None,
    ahead: int | None = None,
) -> Generator[Result, None, None]:
    """Yields `function(item)` for every item, in the order of the items.

    Threads, not processes: Pillow and hashlib release the interpreter lock while they decode,
    encode and hash. Few results are waiting at any moment, so that memory does not grow with the
    number of items.

    Args:
        function: called in worker threads; its first exception is raised here, in the place of its
            result.
        items: read lazily; an exception of theirs is raised after the results of those before it.
        num_workers: number of threads, by default one a core.
        ahead: items that are begun before the first of their results is taken, by default two a
            worker and one.
    """
    num_workers = num_workers or available_cores()
    ahead = ahead or 2 * num_workers + 1
    pending: collections.deque[futures.Future[Result]] = collections.deque()
    with futures.ThreadPoolExecutor(num_workers) as pool:
        source, failure = iter(items), None
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:  # whose turn is after the results that are waiting
                    failure = error
                    break
                pending.append(pool.submit(function, item))
                if len(pending) >= ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
            if failure is not None:
                raise failure
        finally:
            for future in pending:
                future.cancel()
