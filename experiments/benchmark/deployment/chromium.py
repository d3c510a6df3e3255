"""A Chromium without a window, for the page of `fpliif_jax.demo`."""

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fpliif_jax.data_builders.errors import UserError, one_line

if TYPE_CHECKING:
    from playwright import sync_api

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def path() -> str:
    """Where the browser is; '' where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


def check() -> None:
    """Sees whether a page can be opened.

    Raises:
      UserError: Playwright or a browser is missing; it says what to install.
    """
    missing = []
    if importlib.util.find_spec("playwright") is None:
        missing.append("Playwright (pip install playwright)")
    if not path():
        missing.append(f"a browser called {' or '.join(NAMES)} (apt-get install chromium)")
    if missing:
        raise UserError(f"not installed: {' and '.join(missing)}")


def version() -> str:
    """Name and version that the browser prints: 'Chromium 156.0.8078.108 …'."""
    done = subprocess.run([path(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@contextlib.contextmanager
def opened() -> Iterator["sync_api.Browser"]:
    """The browser, by Playwright.

    Raises:
      UserError: it cannot be started.
    """
    from playwright import sync_api

    # A camera that shows a moving picture, for whoever is allowed to use it. Playwright starts Chromium without its
    # sandbox, which root has to.
    flags = ["--use-fake-device-for-media-stream"]
    with sync_api.sync_playwright() as playwright:
        with in_one_line():
            browser = playwright.chromium.launch(executable_path=path(), args=flags)
        yield browser
        browser.close()


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Playwright's errors inside, which go on with a log of its calls, become a UserError of their first line."""
    from playwright import sync_api

    try:
        yield
    except sync_api.Error as error:
        raise UserError(f"the browser: {one_line(str(error).splitlines()[0])}") from error
