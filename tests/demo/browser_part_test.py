"""The part 'browser' of experiments.benchmark.deployment in a browser: what it reads from the page."""

import argparse

import needs_browser  # noqa: F401 - skips where none is installed
import pytest
import untrained_models

from fpliif_jax.experiments.benchmark.deployment import browser
from fpliif_jax.weights import shipped_model


@pytest.mark.parametrize("has_sizes", [True, False])
def test_photos_and_live_video_are_timed(monkeypatch: pytest.MonkeyPatch, has_sizes: bool) -> None:
    make = "fp_liif_checkpoint" if has_sizes else "stn_icnn_checkpoint"
    tiny = getattr(untrained_models, make)()
    monkeypatch.setattr(shipped_model, "load", lambda name: tiny)
    monkeypatch.setattr(browser, "_SIZES", {64: 1, 32: 2})
    monkeypatch.setattr(browser, "_THREADS", (1,))
    monkeypatch.setattr(browser, "_LIVE_SECONDS", (0, 1))
    flags = argparse.Namespace(weights="drawn", workdir=None, checkpoint=None, rounds=2, size=40)
    (row,) = browser.measure(flags)
    assert (row.threads, row.size) == (1, 40)
    assert len(row.photo) == len(row.encoder) == 2
    counts = {size: len(times) for size, times in row.decoder.items()}
    assert counts == ({"64": 1, "32": 2} if has_sizes else {})
    series = [row.photo, row.encoder, *row.decoder.values()]
    assert all(0 <= ms < 60_000 for one in series for ms in one)
    live = row.live
    assert live.frames > 0 and live.processor_seconds > 0 and live.seconds >= 1
    assert len(live.squares) == len(live.labels) == 1
    assert browser.table([row]).splitlines()[-1].startswith("| 1 | ")
    assert browser.facts()["version"]
