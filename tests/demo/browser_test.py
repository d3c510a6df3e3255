"""The page in a browser: its labels are Python's, the encoder sees a photo once, and nothing leaves the page."""

import functools
import http.server
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import opened_page
import pytest
from needs_browser import sync_api
from opened_page import (
    ENOUGH,
    SECONDS,
    Page,
    choose,
    encoded,
    expect,
    open_page,
    saved,
    wait_for_labels,
)
from PIL import Image
from running_server import running

from fpliif_jax import FaceParser
from fpliif_jax.data.resize import resize_image
from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.demo import __main__ as command
from fpliif_jax.demo import serve
from fpliif_jax.predict.photos import read

STEPS = {32: 0, 128: 16, 304: 26}  # of the slider, by the longer side


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The page of the weights that come with the package, by the command and with npm."""
    output = tmp_path_factory.mktemp("demo") / "page"
    command.main(["--weights=drawn", f"--output={output}"])
    return output


@pytest.fixture(scope="module")
def parser() -> FaceParser:
    return FaceParser.from_pretrained("drawn")


@pytest.fixture
def server(folder: pathlib.Path) -> Iterator[serve.Server]:
    made = serve.listen(0)
    made.folder = folder
    yield from running(made)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    yield from opened_page.browser()


@pytest.fixture
def page(browser: sync_api.Browser, server: serve.Server) -> Iterator[Page]:
    viewport = {"width": 1280, "height": 900}
    yield from opened_page.sound_page(browser, serve.address(server), viewport=viewport)


def set_size(page: Page, longest: int, pane: int = 0) -> None:
    """As a person does who drags the slider."""
    slider = page.locator(".pane input[type=range]").nth(pane)
    slider.evaluate(
        "(slider, step) => { slider.value = step; slider.dispatchEvent(new Event('input')); }",
        STEPS[longest],
    )


def encoder_runs(page: Page) -> int:
    return int(page.get_attribute("#ms-encoder", "data-runs"))


@functools.cache
def face(seed: int) -> Image.Image:
    return Image.fromarray(draw_face(seed, 420, "photographic").image)


def turned_jpeg() -> bytes:
    """420 × 280 as it is shown, stored on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    on_its_side = face(5).crop((0, 60, 420, 340)).transpose(Image.Transpose.ROTATE_90)
    return encoded(on_its_side, "JPEG", quality=95, exif=exif)


def transparent_png() -> bytes:
    picture = face(7).copy()
    fade = np.linspace(0, 255, 420 * 420).reshape(420, 420).astype(np.uint8)
    picture.putalpha(Image.fromarray(fade))
    return encoded(picture)


# With the sizes to look at; JAX compiles for every pair of rows and columns.
PHOTOS = {
    "square": (lambda: encoded(face(3)), tuple(STEPS)),
    # Pillow resizes it along y first.
    "tall": (lambda: encoded(face(4).crop((130, 0, 290, 420))), tuple(STEPS)),
    "wide, turned by EXIF, JPEG": (turned_jpeg, (128,)),
    "transparent": (transparent_png, (128,)),
}


def test_labels_are_python_s_and_the_encoder_sees_a_photo_once(
    page: Page, parser: FaceParser
) -> None:
    for number, (kind, (make, sizes)) in enumerate(PHOTOS.items()):
        photo = make()
        before = encoder_runs(page) if number else 1  # the check at the start
        choose(page, photo, f"{kind}.png")
        height, width = read(photo).shape[:2]
        for longest in sizes:
            set_size(page, longest)
            rows, columns = (
                max(1, int(side * longest / max(height, width) + 0.5)) for side in (height, width)
            )
            wait_for_labels(page, columns, rows)
            name, picture = saved(page, "save-labels")
            labels = np.asarray(picture)
            expected = parser(photo, size=(rows, columns)).labels
            assert name == f"{kind}_labels.png" and labels.shape == expected.shape
            equal = (labels == expected).mean()
            print(f"{kind}, {columns} x {rows}: {equal:.4%} of labels equal")
            assert equal >= ENOUGH, (kind, longest, equal)
        assert encoder_runs(page) == before + 1


def test_no_request_leaves_a_loaded_page_and_it_works_offline(
    browser: sync_api.Browser, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve._Handler, "protocol_version", "HTTP/1.0")  # no connection stays
    server = serve.listen(0)
    server.folder = folder
    serving = running(server)
    next(serving)
    context = browser.new_context()
    page = context.new_page()
    open_page(page, serve.address(server))
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    next(serving, None)  # nobody answers from here on
    choose(page, encoded(face(3)))
    set_size(page, 128)
    wait_for_labels(page, 128, 128)
    page.click("[data-do=compare]")
    wait_for_labels(page, 32, 32)
    saved(page, "save-overlay")
    saved(page, "save-labels")
    assert [url for url in requests if not url.startswith("blob:")] == []
    # What the policy is for: a script that tried to send the photo could not.
    sent = page.evaluate(
        "fetch('/elsewhere', {method: 'POST', body: 'photo'}).then(() => 1, () => 0)"
    )
    other = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 1, (error) => String(error))")
    assert sent == 0 and "Failed to fetch" in other
    page.reload()
    expect(page.locator("#work")).to_have_attribute("data-state", "ready", timeout=SECONDS * 1000)
    choose(page, encoded(face(3)))
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    context.close()


def test_by_keyboard(page: Page, parser: FaceParser) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for _ in range(3):  # the two buttons, the first of the drawn faces
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    set_size(page, 32)
    wait_for_labels(page, 32, 32)
    page.locator(".pane input[type=range]").first.focus()
    page.keyboard.press("ArrowRight")
    wait_for_labels(page, 35, 35)
    page.keyboard.press("Home")
    wait_for_labels(page, 32, 32)
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".pane canvas").first).to_be_focused()
    page.keyboard.press("ArrowDown")  # from the middle: row 17, column 16
    shown = page.locator("#readout li")
    expect(shown).to_have_count(4)
    sample = folder_face(page)
    probabilities = parser(sample, size=32).probabilities[:, 17, 16]
    first = int(probabilities.argmax())
    expect(shown.first.locator(".name")).to_have_text(class_title(parser.class_names[first]))
    told = float(shown.first.locator(".value").inner_text().removesuffix(" %"))
    assert abs(told - 100 * probabilities[first]) <= 0.6
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)


def folder_face(page: Page) -> bytes:
    """The first of the drawn faces that come with the page."""
    return page.request.get(f"{page.url}faces/0.png").body()


def test_classes_can_be_hidden_and_the_picture_is_saved_as_it_is_shown(page: Page) -> None:
    choose(page, encoded(face(3)), "one.two.png")
    set_size(page, 128)
    wait_for_labels(page, 128, 128)
    name, whole = saved(page, "save-overlay")
    assert (name, whole.size) == ("one.two_overlay.png", (420, 420))
    page.get_by_role("button", name=re.compile("^skin")).click()
    _, without_skin = saved(page, "save-overlay")
    page.get_by_role("button", name="none", exact=True).click()
    _, plain = saved(page, "save-overlay")
    np.testing.assert_array_equal(np.asarray(plain.convert("RGB")), np.asarray(face(3)))
    changed = [
        (np.asarray(picture.convert("RGB")) != np.asarray(face(3))).any(-1).mean()
        for picture in (whole, without_skin)
    ]
    assert changed[0] > changed[1] + 0.1 > 0.15


def test_nothing_is_cut_off_on_the_screen_of_a_phone(page: Page) -> None:
    """320 CSS pixels are the narrowest that a page has to fit by WCAG 2.2, 1.4.10."""
    choose(page, encoded(face(3)))
    set_size(page, 32)
    wait_for_labels(page, 32, 32)
    page.get_by_role("button", name=re.compile("^Compare")).click()
    expect(page.locator(".pane")).to_have_count(2)
    for width in (320, 420):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        for element in page.locator("button, input, select, canvas, h1, h2, p, dd").all():
            if element.is_visible():
                box = element.bounding_box()
                assert box and box["x"] >= -0.5 and box["x"] + box["width"] <= width + 0.5, (
                    element.evaluate("element => element.outerHTML")
                )


def test_what_is_no_photo_is_said_and_the_photo_before_stays(page: Page) -> None:
    choose(page, encoded(face(3)))
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    size = page.locator(".size").first.inner_text()
    alert = page.get_by_role("alert")
    for content in (b"no photo", b"", encoded(face(3))[:300]):
        choose(page, content, "<b>notes</b>.txt")
        expect(alert).to_contain_text("“<b>notes</b>.txt” is no photo that this browser can read.")
        page.get_by_label("Close this message").click()
        expect(alert).to_be_hidden()
    assert page.locator(".size").first.inner_text() == size
    set_size(page, 32)
    wait_for_labels(page, 32, 32)


def test_a_page_without_its_network_says_so(
    browser: sync_api.Browser, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    broken = shutil.copytree(folder, tmp_path / "page")
    (broken / "model" / "decoder_128.onnx").unlink()
    made = serve.listen(0)
    made.folder = broken
    serving = running(made)
    context = browser.new_context()
    page = context.new_page()
    page.goto(serve.address(next(serving)))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("could not be loaded", timeout=SECONDS * 1000)
    page.get_by_label("Close this message").click()
    choose(page, encoded(face(3)))
    expect(alert).to_contain_text("could not be loaded")
    context.close()
    next(serving, None)


PANE = """
  const { Pane } = await import(new URL('pane.js', location.href));
  const look = { opacity: 1, outlines: false, hidden: new Set(), smoothing: 'high' };
  const pane = new Pane(0, 0, look, { can: ['sizes'], colours: ['#ff0000', '#0000ff'] });
  const context = new OffscreenCanvas(4, 4).getContext('2d');
  const column = () => {
    pane.paintOn(context, 4, 4);
    const { data } = context.getImageData(0, 0, 1, 4);
    return [0, 4, 8, 12].map((i) => [...data.subarray(i, i + 3)].join());
  };
  const seen = [];
"""


def in_a_pane(browser: sync_api.Browser, server: serve.Server, steps: str) -> Any:
    """What JavaScript puts into `seen` that has a pane of red and blue, and the colours of its first `column`."""
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.goto(serve.address(server))
    seen = page.evaluate(f"async () => {{ {PANE} {steps} return seen; }}")
    context.close()
    return seen


def test_the_first_label_map_of_a_photo_appears_in_bands(
    browser: sync_api.Browser, server: serve.Server
) -> None:
    columns = in_a_pane(
        browser,
        server,
        """
      const see = () => seen.push(column());
      for (const label of [0, 1]) {
        pane.setPhoto(await createImageBitmap(new ImageData(4, 4))); // transparent
        see();
        for (const top of [0, 2]) {
          pane.setBand({ band: new Uint8Array(8).fill(label), top, rows: 4, columns: 4 });
          see();
        }
      }
    """,
    )
    white, red, blue = "255,255,255", "255,0,0", "0,0,255"
    assert columns[:3] == [4 * [white], 2 * [red] + 2 * [white], 4 * [red]]
    assert columns[3:] == [4 * [white], 2 * [blue] + 2 * [white], 4 * [blue]]


def test_classes_can_be_hidden_while_bands_arrive(
    browser: sync_api.Browser, server: serve.Server
) -> None:
    columns = in_a_pane(
        browser,
        server,
        """
      look.outlines = true;
      const see = () => seen.push([column(), pane.isWhole]);
      const band = (label, top, side) =>
        pane.setBand({ band: new Uint8Array(2 * side).fill(label), top, rows: side, columns: side });
      pane.setPhoto(await createImageBitmap(new ImageData(4, 4))); // transparent
      band(0, 0, 4);
      look.hidden.add(0), pane.repaint(), see();
      look.hidden.clear(), pane.repaint(), see();
      pane.setLabels(new Uint8Array(16), { rows: 4, columns: 4 }, 1), see();
      band(1, 0, 8), pane.repaint(), band(1, 2, 8), see(); // a larger map, over the one before
      look.hidden.add(0), pane.repaint(), see();
      band(1, 6, 8), see(); // two rows are left out
    """,
    )
    white, red, blue = "255,255,255", "255,0,0", "0,0,255"
    assert columns == [
        [4 * [white], False],
        [2 * [red] + 2 * [white], False],
        [4 * [red], True],
        [2 * [blue] + 2 * [red], False],
        [2 * [blue] + 2 * [white], False],
        [2 * [blue] + 2 * [white], False],
    ]


def test_nothing_is_saved_before_the_labels_are_whole(page: Page) -> None:
    choose(page, encoded(face(3)))
    set_size(page, 32)
    wait_for_labels(page, 32, 32)
    at_first_band = """(step) => new Promise((resolve) => {
      const ms = document.querySelector('.pane .ms');
      const buttons = [...document.querySelectorAll('[data-do^=save]')];
      const look = () => ms.textContent.endsWith('%') && resolve(buttons.map((button) => button.disabled));
      new MutationObserver(look).observe(ms, { childList: true });
      const slider = document.querySelector('.pane input[type=range]');
      slider.value = step;
      slider.dispatchEvent(new Event('input'));
    })"""
    assert page.evaluate(at_first_band, STEPS[304]) == [True, True]
    _, labels = saved(page, "save-labels")  # waits for the button
    assert labels.size == (304, 304)


# Photos that the network is asked to look at do not get there while `isHeld`; nor do copies of a photo end.
HOLD = """
const post = Worker.prototype.postMessage;
const copy = window.createImageBitmap;
Object.assign(window, { isHeld: false, held: 0, sent: [], open: () => {} });
Worker.prototype.postMessage = function (question, transfer) {
  const isPhoto = question.action === 'photo';
  if (isPhoto) window.sent.push(question.bitmap ? 'copy' : question.file.name);
  if (!isPhoto || !window.isHeld) post.call(this, question, transfer);
};
window.createImageBitmap = async (...source) => {
  const bitmap = await copy(...source);
  if (window.gate) (window.held++, await window.gate);
  return bitmap;
};
"""


def test_a_photo_that_is_chosen_around_a_change_of_the_device_is_the_one_that_is_shown(
    browser: sync_api.Browser, server: serve.Server
) -> None:
    options = {"service_workers": "block", "accept_downloads": True}
    context = browser.new_context(bypass_csp=True, **options)  # for `wait_for_function`
    context.add_init_script(HOLD)
    page = context.new_page()
    open_page(page, serve.address(server))
    status, work = page.locator("#status"), page.locator("#work")
    change = "document.getElementById('device').dispatchEvent(new Event('change'))"

    def wait(sent: list[str]) -> None:
        page.wait_for_function(f"sent.length >= {len(sent)}", timeout=SECONDS * 1000)
        expect(status).to_contain_text("Labelled in", timeout=SECONDS * 1000)
        assert page.evaluate("sent.splice(0)") == sent

    choose(page, encoded(face(3)), "first.png")
    wait(["first.png"])
    page.evaluate("isHeld = true")
    choose(page, encoded(face(4)), "second.png")
    expect(status).to_have_text("Looking at the photo…")
    page.evaluate("isHeld = false")
    page.evaluate(change)  # before the network has looked at it
    wait(["second.png", "second.png"])
    name, second = saved(page, "save-labels")
    assert name == "second_labels.png"

    # While the photo that is shown is copied for the network on the other device.
    for name, photo, after in (("notes.txt", b"no photo", ["copy"]), ("third.png", None, [])):
        page.evaluate("gate = new Promise((resolve) => (open = resolve)), held = 0")
        page.evaluate(change)
        page.wait_for_function("held", timeout=SECONDS * 1000)
        choose(page, photo or encoded(face(5)), name)
        if not photo:
            wait([name])
        else:
            expect(page.get_by_role("alert")).to_contain_text("is no photo")
            page.evaluate("sent.splice(0)")
        page.evaluate("gate = open()")
        if photo:
            page.wait_for_function("sent.length", timeout=SECONDS * 1000)
        expect(status).to_contain_text("Labelled in", timeout=SECONDS * 1000)
        assert page.evaluate("sent.splice(0)")[:1] == after
        _, labels = saved(page, "save-labels")
        is_second = labels.size == second.size and (np.asarray(labels) == second).mean() >= ENOUGH
        assert is_second == bool(photo)
    expect(work).to_have_attribute("data-state", "ready")
    context.close()


def test_a_device_that_cannot_be_loaded_leaves_the_one_before(
    browser: sync_api.Browser, server: serve.Server
) -> None:
    context = browser.new_context(service_workers="block", accept_downloads=True)
    page = context.new_page()
    open_page(page, serve.address(server))
    choose(page, encoded(face(3)), "first.png")
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    work, binary = page.locator("#work"), "**/*.wasm"
    change = "document.getElementById('device').dispatchEvent(new Event('change'))"
    page.route(binary, lambda route: route.abort(), times=1)
    page.evaluate(change)
    expect(work).to_have_attribute("data-state", "loading")
    choose(page, encoded(face(4)), "second.png")
    expect(page.locator("#check")).to_contain_text(
        "The processor could not be used", timeout=SECONDS * 1000
    )
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    expect(work).to_have_attribute("data-state", "ready")
    name, before = saved(page, "save-labels")
    assert name == "second_labels.png"  # chosen while it was loading
    page.evaluate(change)
    choose(page, b"no photo", "notes.txt")
    expect(page.get_by_role("alert")).to_contain_text("is no photo", timeout=SECONDS * 1000)
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    _, after = saved(page, "save-labels")
    assert (np.asarray(after) == np.asarray(before)).mean() >= ENOUGH  # of the photo that is shown
    page.route(binary, lambda route: route.abort())
    page.evaluate(change)
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(work).to_have_attribute("data-state", "failed")
    context.close()


def test_the_camera_s_picture_is_labelled_live_and_can_be_kept(
    browser: sync_api.Browser, server: serve.Server
) -> None:
    context = browser.new_context(permissions=[])
    page = context.new_page()
    open_page(page, serve.address(server))
    page.click("[data-do=camera] >> visible=true")
    expect(page.get_by_role("alert")).to_contain_text("was not allowed to use the camera")
    context.grant_permissions(["camera"])
    page.evaluate("""() => {
      const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => (window.allow = resolve));
        return (window.stream = await ask(wanted));
      };
    }""")
    status = page.locator("#status")
    page.click("[data-do=camera] >> visible=true")
    expect(status).to_have_text("Asking for the camera…")
    choose(page, encoded(face(3)))  # it is asked for no more
    expect(status).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    page.evaluate("allow()")
    assert page.evaluate("""async () => {
      const isOff = () => window.stream?.getTracks()[0].readyState === 'ended';
      for (let tries = 0; !isOff() && tries < 600; tries++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      return isOff();
    }""")
    expect(status).to_contain_text("Labelled in")
    set_size(page, 304)  # nobody waits for it when the camera is on
    page.click("[data-do=camera] >> visible=true")
    expect(status).to_have_text("Asking for the camera…")
    expect(page.locator("[data-do=freeze]")).to_be_hidden()
    page.evaluate("allow()")
    expect(status).to_contain_text("Live: ")
    picture = page.locator(".pane canvas").first
    expect(picture).to_have_accessible_name("Live picture with its labels", timeout=SECONDS * 1000)
    expect(page.locator(".pane").first).to_have_attribute("aria-busy", "false")
    expect(page.locator("#fps")).to_contain_text("frames/s", timeout=SECONDS * 1000)
    runs = page.locator("#ms-encoder")  # every frame is a photo of its own
    expect(runs).not_to_have_attribute("data-runs", f"{encoder_runs(page)}", timeout=SECONDS * 1000)
    page.click("[data-do=freeze]")
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    expect(picture).to_have_accessible_name(re.compile("^Photo with its labels"))
    set_size(page, 32)
    wait_for_labels(page, 32, 24)
    context.close()


# The network is asked to look at a photo by the function that `held` brings.
HOLD_PHOTO = """() => {
  const post = Worker.prototype.postMessage;
  window.held = new Promise((resolve) => {
    Worker.prototype.postMessage = function (question, transfer) {
      const send = () => post.call(this, question, transfer);
      question.action === 'photo' ? resolve(send) : send();
    };
  });
}"""


def test_live_video_follows_the_machine_and_a_frame_that_is_kept_is_labelled_as_a_photo(
    browser: sync_api.Browser, server: serve.Server, folder: pathlib.Path, parser: FaceParser
) -> None:
    """With a time for a frame that no machine keeps, and then one that all keep."""
    context = browser.new_context(permissions=["camera"], service_workers="block")
    page = context.new_page()
    pace = (folder / "pace.js").read_text(encoding="utf-8")
    assert "FRAME * MARGIN" in pace and "LARGEST_LIVE = 512" in pace
    pace = pace.replace("FRAME * MARGIN", "globalThis.enough").replace("LIVE = 512", "LIVE = 64")
    page.route("**/pace.js", lambda route: route.fulfill(body=pace, content_type="text/javascript"))
    page.add_init_script("globalThis.enough = Infinity")
    open_page(page, serve.address(server))
    sees, size = page.locator("#encoder-size"), page.locator(".size").first
    expect(sees).to_have_text("once a photo")
    slider = page.locator(".pane input[type=range]").first
    of_a_photo = slider.input_value()
    page.click("[data-do=camera] >> visible=true")
    for enough, side in (("Infinity", 128), ("0", 64)):
        page.evaluate(f"enough = {enough}")
        expect(sees).to_have_text(f"at {side}²", timeout=SECONDS * 1000)
        # The labels may take a quarter of the rest where that alone is too slow.
        shown = re.compile("^64 × 48$" if side == 128 else r"^\d\d × \d\d$")
        expect(size).to_have_text(shown, timeout=SECONDS * 1000)
    page.evaluate(HOLD_PHOTO)
    page.click("[data-do=freeze]")
    for save in page.locator("[data-do^=save]").all():  # labels of 64² are no photo's
        expect(save).to_be_visible()
        expect(save).to_be_disabled()
    page.evaluate("held.then((goOn) => goOn())")
    expect(page.locator("#status")).to_contain_text("Labelled in", timeout=SECONDS * 1000)
    expect(sees).to_have_text("once a photo")
    expect(slider).to_have_value(of_a_photo)
    set_size(page, 128)
    wait_for_labels(page, 128, 96)
    _, labels = saved(page, "save-labels")
    page.get_by_role("button", name="none", exact=True).click()
    _, frame = saved(page, "save-overlay")  # without labels
    expected = parser(frame.convert("RGB"), size=(96, 128)).labels
    assert (np.asarray(labels) == expected).mean() >= ENOUGH
    context.close()


def test_frames_are_resized_nearly_as_photos(
    browser: sync_api.Browser, server: serve.Server, folder: pathlib.Path
) -> None:
    """Two levels of 255 in the mean; to leave pixels out, as a bilinear filter does, is three."""
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.goto(serve.address(server))
    square = page.evaluate("""async () => {
      const { frameInput } = await import(new URL('photo.js', location.href));
      const face = await fetch('faces/0.png').then((response) => response.blob());
      return [...frameInput(await createImageBitmap(face), { rows: 48, columns: 64 })];
    }""")
    context.close()
    expected = resize_image(read(folder / "faces" / "0.png"), (48, 64), "pillow")
    difference = np.abs(np.reshape(square, expected.shape) - expected.astype(float))
    assert difference.mean() <= 2


def test_any_static_server_will_do_below_a_path_too(
    browser: sync_api.Browser, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """One that sends no headers, beside other pages: the page's own service worker adds what threads need."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    (tmp_path / "fpliif_jax").mkdir()
    (tmp_path / "fpliif_jax" / "index.html").write_text("<title>documentation</title>")
    (tmp_path / "fpliif_jax" / "demo").symlink_to(folder)
    handler = functools.partial(Silent, directory=str(tmp_path))
    serving = running(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
    site = f"http://127.0.0.1:{next(serving).server_address[1]}/fpliif_jax/"
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    open_page(page, f"{site}demo/")
    assert page.evaluate("crossOriginIsolated")
    expect(page.locator("#check")).to_contain_text("labels of a drawn face are Python's")
    elsewhere = [url for url in requests if not url.startswith((f"{site}demo/", "blob:"))]
    assert len(requests) > 20 and elsewhere == []
    page.goto(site)  # is not the service worker's
    assert page.title() == "documentation"
    assert not page.evaluate("Boolean(navigator.serviceWorker.controller)")
    context.close()
    next(serving, None)
