"""A browser for the tests that open the page: `from needs_browser import CHROMIUM, sync_api`.

A file that does so is skipped, with the reason, where Playwright or a Chromium is not installed. `.ci/demo` sets
FPLIIF_JAX_REQUIRE_BROWSER, and there it is an error.
"""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")

if os.environ.get("FPLIIF_JAX_REQUIRE_BROWSER"):
    assert CHROMIUM, f"none of {', '.join(NAMES)} is installed"
    from playwright import sync_api
else:
    reason = "not installed: see .ci/demo"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    if not CHROMIUM:
        pytest.skip(f"Chromium is {reason}", allow_module_level=True)

__all__ = ["CHROMIUM", "sync_api"]
