"""A browser for the tests that open the page: `from needs_browser import sync_api`.

A file that does so is skipped, with the reason, where Playwright or a Chromium is not installed. `.ci/demo` sets
FPLIIF_JAX_REQUIRE_BROWSER, and there it is an error.
"""

import os

import pytest

from fpliif_jax.experiments.benchmark.deployment import chromium

if os.environ.get("FPLIIF_JAX_REQUIRE_BROWSER"):
    chromium.check()
    from playwright import sync_api
else:
    reason = "not installed: see .ci/demo"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    if not chromium.path():
        pytest.skip(f"Chromium is {reason}", allow_module_level=True)

__all__ = ["sync_api"]
