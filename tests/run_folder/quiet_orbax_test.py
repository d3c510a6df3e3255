"""Tests of fpliif_jax.run_folder.quiet_orbax."""

import asyncio
import gc
import logging
import threading

import pytest

from fpliif_jax.run_folder import quiet_orbax


def test_what_comes_back_to_an_event_loop_that_has_ended_is_passed_over() -> None:
    """So do the writers of a full disk after the first one, and would each print a stack."""
    with quiet_orbax.quiet():
        loop = asyncio.new_event_loop()
    assert loop.run_until_complete(asyncio.sleep(0, 7)) == 7
    loop.close()
    loop.call_soon_threadsafe(pytest.fail)
    assert not isinstance(asyncio.get_event_loop_policy(), quiet_orbax._EventLoops)


def test_two_threads_leave_event_loops_and_loggers_as_they_were() -> None:
    policy, logger = asyncio.get_event_loop_policy(), logging.getLogger("asyncio")
    entered, may_leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet_orbax.quiet():
            entered.set()
            may_leave.wait()

    thread = threading.Thread(target=other)
    with quiet_orbax.quiet():
        thread.start()
        assert not entered.wait(0.2)
    may_leave.set()
    thread.join()
    assert entered.is_set()
    assert asyncio.get_event_loop_policy() is policy and not logger.disabled


def test_what_several_writers_of_a_full_disk_say_is_printed_neither_then_nor_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def write() -> None:
        raise ValueError("RESOURCE_EXHAUSTED")

    async def write_several(kept: list[asyncio.Task]) -> None:
        kept += [asyncio.ensure_future(write()) for _ in range(3)]
        await kept[0]

    kept: list[asyncio.Task] = []
    with quiet_orbax.quiet(), pytest.raises(ValueError, match="RESOURCE_EXHAUSTED"):
        asyncio.run(write_several(kept))
    kept.clear()
    gc.collect()
    assert caplog.messages == []
