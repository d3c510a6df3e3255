"""Part 'browser': what the page of `fpliif_jax.demo` takes in a Chromium without a window, photos and live video."""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import statistics
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from fpliif_jax.demo import build_page, runtime, serve
from fpliif_jax.experiments.benchmark import markdown
from fpliif_jax.experiments.benchmark.deployment import chromium
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.weights import trained_model

if TYPE_CHECKING:
    from playwright import sync_api

# Longer sides of label maps that are steps of the page's slider, and how often at most each is asked for. The smallest
# comes last, so that the next photo is labelled in it.
_SIZES = {1024: 1, 512: 2, 256: 5, 128: 5, 64: 5, 32: 5}
_SMALLEST, _STEPS_OF_AN_OCTAVE = 32, 8  # sizes.js
_THREADS = (1, 2)
_LIVE_SECONDS = (5, 10)  # of live video: until it is timed, and in which it is
_PATIENCE = 120_000  # ms for a label map


@dataclasses.dataclass(frozen=True)
class Live:
    """Frames of live video in some seconds, what all processes of the browser took, and sizes as the page has them."""

    seconds: float
    frames: int
    processor_seconds: float
    squares: list[str]  # of each second's last frame, as are labels
    labels: list[str]


@dataclasses.dataclass(frozen=True)
class Row:
    """Milliseconds that the page shows with so many threads, photo by photo."""

    threads: int
    size: int  # of the photo
    photo: list[float]  # read and resized
    encoder: list[float]
    decoder: dict[str, list[float]]  # by size; none where the network is one
    live: Live


def measure(flags: argparse.Namespace) -> list[Row]:
    """A row for each number of threads.

    Args:
      flags: with `weights`, `rounds` and `size`, the side of the photo.

    Raises:
      UserError: Playwright or a browser is missing, onnxruntime-web cannot be had, or the page takes too long.
      ExportError: the page's networks are too far from JAX.
    """
    chromium.check()  # before what takes long
    chosen = trained_model.load(flags)
    with io.BytesIO() as file:
        Image.fromarray(drawn_face(0, flags.size)).save(file, format="PNG")
        photo = file.getvalue()
    rows = []
    with tempfile.TemporaryDirectory(prefix="browser-") as folder:
        made = pathlib.Path(folder) / "page"
        for _ in build_page.build(chosen, made, None):
            pass
        with _served(made) as address, chromium.opened() as browser, chromium.in_one_line():
            for threads in _THREADS:
                if threads > (os.cpu_count() or 1):
                    continue
                facts = made / "model" / "model.json"
                model = json.loads(facts.read_text("utf-8")) | {"threads": threads}
                facts.write_text(json.dumps(model), "utf-8")
                with _page(browser, address) as page:
                    photos = _photos(page, photo, flags.rounds, "sizes" in model["can"])
                with _page(browser, address) as page:
                    live = _live_video(browser, page)
                rows.append(Row(threads, flags.size, live=live, **photos))
    return rows


def facts() -> JsonObject:
    """What a reader of the results needs to know of the browser and the page's runtime."""
    return {"version": chromium.version(), "onnxruntime_web": runtime.VERSION}


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, photos and then live video: medians of the page's milliseconds, means of live frames."""
    sizes = sorted(rows[0].decoder, key=int)
    names = ["encoder", *(f"decoder at {size}²" for size in sizes)] if sizes else ["network"]
    photos, live = [], []
    for row in rows:
        series = [row.photo, row.encoder, *(row.decoder[size] for size in sizes)]
        photos.append([row.threads, *(_milliseconds(statistics.median(one)) for one in series)])
        own = row.live
        ranges = _range(own.squares), _range(own.labels)
        taken = f"{1000 * own.processor_seconds / own.frames:.0f}"
        live.append([row.threads, f"{own.frames / own.seconds:.1f}", *ranges, taken])
    of_photos = markdown.table(["threads", "photo", *names], photos)
    head = ["threads", "frames/s", "square", "labels", "CPU ms a frame"]
    return f"{of_photos}\n\n{markdown.table(head, live)}"


def _milliseconds(ms: float) -> str:
    return f"{ms:.1f}" if ms < 10 else f"{ms:,.0f}"


def _range(sizes: Sequence[str]) -> str:
    """The smallest and the largest of sizes as the page writes them: '64²', '59 × 44 to 76 × 57'."""

    def area(size: str) -> int:
        columns, _, rows = size.removesuffix("²").partition(" × ")
        return int(columns) * int(rows or columns)

    ends = dict.fromkeys((min(sizes, key=area), max(sizes, key=area)))
    return " to ".join(ends)


@contextlib.contextmanager
def _served(folder: pathlib.Path) -> Iterator[str]:
    with serve.listen(0) as server:
        server.folder = folder
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield serve.address(server)
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _page(browser: "sync_api.Browser", address: str) -> Iterator["sync_api.Page"]:
    """The page when its network is loaded, on the processor and without what an earlier visit left."""
    viewport = {"width": 1280, "height": 900}
    context = browser.new_context(
        permissions=["camera"], service_workers="block", viewport=viewport
    )
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    page.goto(f"{address}?device=cpu")
    page.wait_for_selector("#work[data-state=ready]")
    yield page
    context.close()


def _photos(page: "sync_api.Page", photo: bytes, rounds: int, has_sizes: bool) -> JsonObject:
    """What `Row` has of photos."""
    read: dict[str, list[float]] = {"photo": [], "encoder": []}
    decoder: dict[str, list[float]] = {str(size): [] for size in _SIZES} if has_sizes else {}
    for number in range(rounds):
        runs = int(page.get_attribute("#ms-encoder", "data-runs") or 0)
        page.set_input_files(
            "#file", {"name": "photo.png", "mimeType": "image/png", "buffer": photo}
        )
        if number:  # else nothing is labelled yet
            page.wait_for_selector(f'#ms-encoder[data-runs="{runs + 1}"]')
        _wait_for_text(page, "Labelled in ")
        for name, series in read.items():
            series.append(_shown_milliseconds(page, name))
        for size in decoder:
            if number < _SIZES[int(size)]:
                _set_size(page, int(size))
                _wait_for_text(page, f"Labelled in {size}²")
                decoder[size].append(_shown_milliseconds(page, "decoder"))
    return {**read, "decoder": decoder}


def _wait_for_text(page: "sync_api.Page", text: str) -> None:
    page.locator("#status", has_text=text).wait_for()


def _shown_milliseconds(page: "sync_api.Page", name: str) -> float:
    return float(page.inner_text(f"#ms-{name}").removesuffix(" ms").replace(",", ""))


def _set_size(page: "sync_api.Page", size: int) -> None:
    """Sets the output size with the slider, as a person does."""
    step = _STEPS_OF_AN_OCTAVE * ((size // _SMALLEST).bit_length() - 1)
    page.locator(".pane input[type=range]").first.evaluate(
        "(slider, step) => { slider.value = step; slider.dispatchEvent(new Event('input')); }",
        step,
    )


def _live_video(browser: "sync_api.Browser", page: "sync_api.Page") -> Live:
    page.click("[data-do=camera] >> visible=true")
    page.locator("#fps", has_text=re.compile(r"\d")).wait_for()
    settling, seconds = _LIVE_SECONDS
    page.wait_for_timeout(1000 * settling)
    session = browser.new_browser_cdp_session()
    squares, labels = [], []

    def mark() -> tuple[float, int, float]:
        clock, frames = page.evaluate(
            "[performance.now(), Number(document.querySelector('#ms-encoder').dataset.runs)]"
        )
        processes: Any = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return clock / 1000, frames, sum(process["cpuTime"] for process in processes)

    before = mark()
    for _ in range(seconds):
        page.wait_for_timeout(1000)
        squares.append(page.inner_text("#encoder-size").removeprefix("at "))
        labels.append(page.locator(".size").first.inner_text())
    after = mark()
    taken, frames, processor = (b - a for a, b in zip(before, after, strict=True))
    return Live(taken, int(frames), processor, squares, labels)
