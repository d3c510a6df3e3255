"""The page of a network that answers on its canvas, in a browser: labels are Python's, and its windows are shown."""

import re
from collections.abc import Iterator

import numpy as np
import opened_page
import pytest
import untrained_models
from blotchy_photos import make_photo
from needs_browser import sync_api
from opened_page import ENOUGH, SECONDS, choose, encoded, expect, saved, wait_for_labels
from PIL import Image
from running_server import running

from fpliif_jax import FaceParser
from fpliif_jax.data.canvas import canvas_size
from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.demo import __main__ as command
from fpliif_jax.demo import serve
from fpliif_jax.run_folder import inference_checkpoint

CANVAS = untrained_models.CANVAS


@pytest.fixture(scope="module")
def parser() -> FaceParser:
    return FaceParser(untrained_models.stn_icnn_checkpoint())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serve.Server]:
    folder = tmp_path_factory.mktemp("demo") / "page"
    trained = untrained_models.stn_icnn_checkpoint()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference_checkpoint, "load_for_inference", lambda *arguments: trained)
        command.main(["--workdir=run", f"--output={folder}"])
    made = serve.listen(0)
    made.folder = folder
    yield from running(made)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    yield from opened_page.browser()


@pytest.fixture
def page(browser: sync_api.Browser, server: serve.Server) -> Iterator[sync_api.Page]:
    address = serve.address(server)
    yield from opened_page.sound_page(browser, address, permissions=["camera"])


@pytest.mark.parametrize("shape", [(48, 48), (40, 31), (97, 80), (61, 130)])
def test_labels_are_python_s(
    page: sync_api.Page, parser: FaceParser, shape: tuple[int, int]
) -> None:
    photo = encoded(Image.fromarray(make_photo(*shape)))
    choose(page, photo)
    rows, columns = canvas_size(shape, CANVAS)
    wait_for_labels(page, columns, rows)
    _, picture = saved(page, "save-labels")
    labels, expected = np.asarray(picture), parser(photo, size=(rows, columns)).labels
    assert labels.shape == expected.shape and len(np.unique(labels)) > 2
    assert (labels == expected).mean() >= ENOUGH


def test_what_it_cannot_do_is_not_offered(page: sync_api.Page) -> None:
    choose(page, encoded(Image.fromarray(make_photo(40, 31))))
    wait_for_labels(page, 31, 40)
    expect(page.locator("h1")).to_have_text("A face, labelled part by part", use_inner_text=True)
    expect(page.locator(".pane input[type=range]")).to_have_count(0)
    expect(page.locator(".pane figcaption").first).to_contain_text("it answers at no other")
    expect(page.locator("[data-do=compare]")).to_be_hidden()
    expect(page.get_by_text("Decoder")).to_be_hidden()


def test_windows_are_drawn_over_the_photo_and_can_be_switched_off(
    page: sync_api.Page, parser: FaceParser
) -> None:
    photo = make_photo(48, 48)
    choose(page, encoded(Image.fromarray(photo)))
    wait_for_labels(page, 48, 48)
    page.get_by_role("button", name="none", exact=True).click()  # no labels in the picture
    switch = page.get_by_label("Windows of the parts")
    expect(switch).to_be_checked()
    _, drawn = saved(page, "save-overlay")
    switch.uncheck()
    _, plain = saved(page, "save-overlay")
    np.testing.assert_array_equal(np.asarray(plain.convert("RGB")), photo)
    changed = (np.asarray(drawn.convert("RGB")) != photo).any(-1)
    labels = parser(photo).labels  # of a part lie inside its window
    for part in range(1, 6):
        rows, columns = np.nonzero(labels == part)
        above = changed[: rows.min() + 2, columns.min() : columns.max() + 1].any(0)
        assert above.mean() > 0.9, part
    assert 0.05 < changed.mean() < 0.6


def test_probabilities_at_the_pointer_are_python_s(page: sync_api.Page, parser: FaceParser) -> None:
    photo = encoded(Image.fromarray(make_photo(40, 31)))
    choose(page, photo)
    wait_for_labels(page, 31, 40)
    page.locator(".pane canvas").first.focus()
    page.keyboard.press("ArrowDown")  # from the middle: row 21, column 15
    shown = page.locator("#readout li")
    expect(shown).to_have_count(4)
    probabilities = parser(photo, size=(40, 31)).probabilities[:, 21, 15]
    first = int(probabilities.argmax())
    expect(shown.first.locator(".name")).to_have_text(class_title(parser.class_names[first]))
    told = float(shown.first.locator(".value").inner_text().removesuffix(" %"))
    assert abs(told - 100 * probabilities[first]) <= 0.6


def film(page: sync_api.Page) -> None:
    """Turns the camera on, and keeps its stream as `stream`."""
    page.evaluate("""() => {
      const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => (window.stream = await ask(wanted));
    }""")
    page.click("[data-do=camera] >> visible=true")
    live = page.locator(".pane canvas").first
    expect(live).to_have_accessible_name("Live picture with its labels", timeout=SECONDS * 1000)


def test_the_camera_s_picture_is_labelled_live_and_can_be_kept(
    page: sync_api.Page, parser: FaceParser
) -> None:
    film(page)
    rate = re.compile(r"^\d+\.\d frames/s$")
    expect(page.locator("#fps")).to_have_text(rate, timeout=SECONDS * 1000)
    expect(page.locator(".pane .ms").first).to_have_text(rate)
    expect(page.locator("#check")).to_contain_text("1 thread.")
    expect(page.locator("#encoder-size")).to_have_text("at 48 × 36")
    expect(page.locator(".size").first).to_have_text("48 × 36")
    runs = page.locator("#ms-encoder")
    before = runs.get_attribute("data-runs")
    expect(runs).not_to_have_attribute("data-runs", before, timeout=SECONDS * 1000)
    expect(page.locator("#legend small").first).to_contain_text("%")  # of labels that are there
    for save in page.locator("[data-do^=save]").all():
        expect(save).to_be_hidden()
    page.click("[data-do=freeze]")
    wait_for_labels(page, 48, 36)
    expect(page.locator("#encoder-size")).to_have_text("once a photo")
    expect(page.locator("#fps")).to_be_hidden()
    expect(page.locator(".pane .ms").first).to_have_text("")
    _, labels = saved(page, "save-labels")
    page.get_by_role("button", name="none", exact=True).click()
    page.get_by_label("Windows of the parts").uncheck()
    _, frame = saved(page, "save-overlay")
    expected = parser(frame.convert("RGB"), size=(36, 48)).labels
    assert (np.asarray(labels) == expected).mean() >= ENOUGH


def test_live_video_gives_way_to_a_photo_and_goes_on_after_it(page: sync_api.Page) -> None:
    is_off = "stream.getTracks()[0].readyState === 'ended'"
    film(page)
    assert not page.evaluate(is_off)
    choose(page, encoded(Image.fromarray(make_photo(40, 31))))
    wait_for_labels(page, 31, 40)
    assert page.evaluate(is_off)
    expect(page.locator("[data-do=freeze]")).to_be_hidden()
    film(page)
    choose(page, b"no photo", "notes.txt")
    expect(page.get_by_role("alert")).to_contain_text("is no photo")
    wait_for_labels(page, 48, 36)  # of the last frame: the camera is off for a photo that is none
    _, labels = saved(page, "save-labels")
    assert labels.size == (48, 36)


def test_the_last_frame_of_a_camera_that_is_lost_is_labelled_as_a_photo(
    page: sync_api.Page,
) -> None:
    film(page)
    page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert")).to_contain_text("The camera is gone")
    wait_for_labels(page, 48, 36)
    _, labels = saved(page, "save-labels")
    assert labels.size == (48, 36)
