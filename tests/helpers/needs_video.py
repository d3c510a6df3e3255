"""PyAV for the tests of videos: `from needs_video import av`.

A file that does so is skipped, with the reason, where it is not installed. `.ci/run` sets
FPLIIF_JAX_REQUIRE_VIDEO, and there it is an error.
"""

import os

import pytest

if os.environ.get("FPLIIF_JAX_REQUIRE_VIDEO"):
    import av
else:
    reason = "not installed: pip install -r requirements-test.txt"
    av = pytest.importorskip("av", reason=reason)

__all__ = ["av"]
