"""The page of `fpliif_jax.demo` in a browser, and what people do there; shared by its tests."""

import io
from collections.abc import Iterator
from typing import Any

from needs_browser import sync_api
from PIL import Image

from fpliif_jax.experiments.benchmark.deployment import chromium

Page = sync_api.Page
expect = sync_api.expect
ENOUGH = 0.999  # of labels that have to be equal
SECONDS = 60  # that a page may take to load on a busy machine


def browser() -> Iterator[sync_api.Browser]:
    """A browser without a window, for a fixture."""
    with chromium.opened() as browser:
        yield browser


def sound_page(browser: sync_api.Browser, address: str, **context: Any) -> Iterator[Page]:
    """The page, loaded, in a context of these options, for a fixture: whatever goes wrong in it fails the test."""
    opened = browser.new_context(accept_downloads=True, **context)
    page = opened.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    open_page(page, address)
    yield page
    opened.close()
    assert wrong == []


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#work")).to_have_attribute("data-state", "ready", timeout=SECONDS * 1000)


def choose(page: Page, photo: bytes, name: str = "photo.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": photo})


def wait_for_labels(page: Page, columns: int, rows: int) -> None:
    size = f"{rows}²" if rows == columns else f"{columns} × {rows}"
    expect(page.locator("#status")).to_have_text(f"Labelled in {size}.", timeout=SECONDS * 1000)


def saved(page: Page, deed: str) -> tuple[str, Image.Image]:
    """The file that a button saves: its name, and the picture."""
    with page.expect_download() as download:
        page.click(f"[data-do={deed}]")
    with Image.open(download.value.path()) as picture:
        picture.load()
        return download.value.suggested_filename, picture


def encoded(picture: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, format=image_format, **options)
        return file.getvalue()
