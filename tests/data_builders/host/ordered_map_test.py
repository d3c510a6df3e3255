"""Results in the order of the items, few of them at a time, from several threads."""

import threading
import time
from collections.abc import Iterator

import pytest

from fpliif_jax.data_builders.host.ordered_map import ordered_map


def test_ordered_map_holds_few_results() -> None:
    started, lock = [], threading.Lock()

    def square(n: int) -> int:
        time.sleep(0.001 * (n % 3))
        with lock:
            started.append(n)
        return n * n

    results = ordered_map(square, range(200), num_workers=3)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(started) <= 7
    assert list(results) == [n * n for n in range(1, 200)]


def test_ordered_map_loses_no_result_where_its_items_fail() -> None:
    def items() -> Iterator[int]:
        yield from range(6)
        raise MemoryError

    results, taken = ordered_map(lambda n: n * n, items(), num_workers=1, ahead=8), []
    with pytest.raises(MemoryError):
        taken.extend(results)
    assert taken == [0, 1, 4, 9, 16, 25]
