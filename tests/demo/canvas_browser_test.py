"""The page of a network that answers on its canvas, in a browser: labels are Python's, and its windows are shown."""

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
    expect(shown.first.locator(".name")).to_have_text(parser.class_names[first].replace("_", " "))
    told = float(shown.first.locator(".value").inner_text().removesuffix(" %"))
    assert abs(told - 100 * probabilities[first]) <= 0.6


def test_a_photo_of_the_camera_is_labelled_when_it_is_frozen(page: sync_api.Page) -> None:
    page.click("[data-do=camera] >> visible=true")
    picture = page.locator(".pane canvas").first
    expect(picture).to_have_accessible_name("Picture of the camera", timeout=SECONDS * 1000)
    for save in page.locator("[data-do^=save]").all():
        expect(save).to_be_hidden()
    page.click("[data-do=freeze]")
    expect(page.locator("#status")).to_contain_text("Labelled in 48 × 36", timeout=SECONDS * 1000)
    _, labels = saved(page, "save-labels")
    assert labels.size == (48, 36)
