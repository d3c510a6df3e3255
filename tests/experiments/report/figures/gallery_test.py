"""Images of the report: which are chosen, and that their pictures are what the run predicted."""

import base64
import dataclasses
import io
import pathlib
import re
from typing import Any

import numpy as np
import pytest
import report_study
from PIL import Image

from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, LAPA_AND_HELEN, class_title
from fpliif_jax.experiments.report import write, write_report
from fpliif_jax.experiments.report.figures.gallery import Card, Gallery, make_gallery
from fpliif_jax.experiments.runs.arrays import Examples
from fpliif_jax.pictures.colours import NO_CLASS_COLOUR, class_colours

GROUP = report_study.as_group(report_study.make_study()["groups"][0])


@pytest.fixture(scope="module")
def examples() -> Examples:
    return report_study.make_examples()


@pytest.fixture(scope="module")
def gallery(examples: Examples) -> Gallery:
    return make_gallery(GROUP, examples, photos=True)


def decoded(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert head == f"data:{Image.MIME[picture.format]};base64"
    return picture


def frame_of(card: Card, kind: str, row: int) -> Image.Image:
    (found,) = [frame for frame in card.frames if frame.kind == kind and row in frame.rows]
    return decoded(found.uri)


def test_worst_median_and_best_are_shown(gallery: Gallery, examples: Examples) -> None:
    assert [card.place for card in gallery.cards] == ["worst"] * 3 + ["median"] * 3 + ["best"] * 3
    ranks = [card.rank for card in gallery.cards]
    assert ranks[:3] == [1, 6, 12] and ranks[-3:] == [49, 55, 60]
    assert all(abs(rank - 30.5) < 9 for rank in ranks[3:6])
    for card in gallery.cards:
        position = examples.ids.index(card.example_id)
        assert card.rank == examples.rank[position] + 1
        assert card.f1 == pytest.approx(100 * examples.per_image_f1[position])


def test_the_legend_has_every_class_and_what_does_not_count(
    gallery: Gallery, examples: Examples
) -> None:
    *classes, uncounted = gallery.legend
    assert [name for name, _ in classes] == [class_title(name) for name in examples.class_names]
    assert uncounted == ("not counted", "#969696")
    truths = tuple(np.minimum(truth, len(classes) - 1) for truth in examples.truths)
    whole = dataclasses.replace(examples, truths=truths)
    assert make_gallery(gallery.group, whole, photos=True).legend == tuple(classes)


def test_the_page_says_whose_left_it_is_where_it_is_the_person_s(tmp_path: pathlib.Path) -> None:
    study = report_study.make_study()
    for names in (LAPA_AND_HELEN, CELEBAMASK_HQ):
        group = dataclasses.replace(GROUP, class_names=names, confusion=None, main=None, scores=[])
        shown = make_gallery(group, report_study.make_examples(class_names=names), photos=False)
        one = dataclasses.replace(report_study.as_study(study), groups=[group], tables=[])
        write.write_rendered(one, [shown], tmp_path)
        (legend,) = re.findall(
            r'<ul class="legend">.*</ul>', (tmp_path / "report.html").read_text()
        )
        assert ("left and right are the person" in legend) == (names == CELEBAMASK_HQ)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_few_images_are_shown_once_each(count: int) -> None:
    examples = report_study.make_examples(count=count)
    cards = make_gallery(GROUP, examples, photos=True).cards
    assert [card.example_id for card in cards] == list(examples.ids)


def test_rows_are_ordered_by_decode_size(gallery: Gallery, examples: Examples) -> None:
    assert examples.rows == ("16", "32", "12to16", "8to16")
    assert [title for title, _ in gallery.rows] == ["8 → 16", "12 → 16", "16", "32"]
    assert gallery.rows[0][1] == "decoded at 8², scored at 16²"
    assert gallery.first == 2


def test_pictures_are_the_label_maps(gallery: Gallery, examples: Examples) -> None:
    order = [3, 2, 0, 1]
    colours = np.vstack([class_colours(LAPA_AND_HELEN), NO_CLASS_COLOUR])
    for card in gallery.cards:
        index = examples.ids.index(card.example_id)
        for position, row in enumerate(order):
            truth, prediction = examples.truths[row][index], examples.predictions[row][index]
            for kind, labels in (("truth", truth), ("prediction", prediction)):
                shown = np.asarray(frame_of(card, kind, position).convert("RGB"))
                np.testing.assert_array_equal(shown, colours[np.minimum(labels, 11)])
            wrong = (truth != prediction) & (truth != 255)
            marks = np.asarray(frame_of(card, "differences", position).convert("RGBA"))
            np.testing.assert_array_equal(marks[..., 3] > 0, wrong)
            counted = (truth != 255).sum()
            assert card.wrong[position] == pytest.approx(100 * wrong.sum() / counted)


def test_equal_pictures_are_stored_once(gallery: Gallery) -> None:
    for card in gallery.cards:
        truths = [frame for frame in card.frames if frame.kind == "truth"]
        assert sorted(frame.rows for frame in truths) == [(0, 1, 2), (3,)]


def test_photos_are_near_what_the_network_saw(gallery: Gallery, examples: Examples) -> None:
    smooth = np.tile(np.linspace(0, 255, 16).astype(np.uint8)[None, :, None], (16, 1, 3))
    alike = dataclasses.replace(examples, images=np.repeat(smooth[None], 12, axis=0))
    card = make_gallery(GROUP, alike, photos=True).cards[0]
    shown = np.asarray(decoded(card.photo), int)
    assert np.abs(shown - smooth).mean() < 4
    assert decoded(gallery.cards[0].photo).size == (16, 16)


def test_large_pictures_are_reduced() -> None:
    examples = report_study.make_examples(size=600, count=1, rows=("600",))
    card = make_gallery(GROUP, examples, photos=True).cards[0]
    assert decoded(card.photo).size == frame_of(card, "truth", 0).size == (512, 512)


@pytest.mark.parametrize(("count", "has_gallery"), [(30, True), (255, True), (256, False)])
def test_as_many_classes_as_a_label_map_can_have_have_a_gallery(
    count: int, has_gallery: bool, examples: Examples
) -> None:
    many = dataclasses.replace(examples, class_names=tuple(f"class {i}" for i in range(count)))
    gallery = make_gallery(GROUP, many, photos=True)
    assert (gallery is not None) == has_gallery


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(write, "draw_figures", lambda study, names: [])
    study = report_study.make_study()
    return study | {"groups": study["groups"][:1], "tables": []}


def test_without_photos_no_photo_is_in_the_report(
    study: dict[str, Any], tmp_path: pathlib.Path, examples: Examples
) -> None:
    write_report(report_study.as_study(study), {"g0": examples}, tmp_path, photos=False)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "image/jpeg" not in text and 'class="picture photo"' not in text
    assert "--photo:url" not in text
    assert text.count('class="picture differences"') == 9
    write_report(report_study.as_study(study), {"g0": examples}, tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("image/jpeg") == 9


def test_the_slider_begins_at_the_row_of_the_ranking(
    study: dict[str, Any], tmp_path: pathlib.Path, examples: Examples
) -> None:
    write_report(report_study.as_study(study), {"g0": examples}, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count('type="range" min="0" max="3" value="2"') == 9 + 1
    first = text[text.index('<div class="card worst"') :]
    first = first[: first.index("<input")]
    shown = [tag for tag in first.split("<img")[1:] if "hidden>" not in tag]
    assert len(shown) == 3 and all("data-rows" in tag for tag in shown)


def test_one_row_has_no_slider(study: dict[str, Any], tmp_path: pathlib.Path) -> None:
    write_report(
        report_study.as_study(study), {"g0": report_study.make_examples(rows=("16",))}, tmp_path
    )
    assert 'type="range"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_examples_of_unknown_groups_are_left_out(
    study: dict[str, Any], tmp_path: pathlib.Path, examples: Examples
) -> None:
    write_report(report_study.as_study(study), {"elsewhere": examples}, tmp_path)
    assert 'class="gallery"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_ids_from_outside_stay_text(study: dict[str, Any], tmp_path: pathlib.Path) -> None:
    ids = ('"><script>alert(1)</script>', "b")
    write_report(
        report_study.as_study(study), {"g0": report_study.make_examples(count=2, ids=ids)}, tmp_path
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text


def test_the_page_is_small(study: dict[str, Any], tmp_path: pathlib.Path) -> None:
    random = np.random.default_rng(0)
    examples = report_study.make_examples(size=64, rows=("64", "128", "48to64", "32to64"))
    coarse = random.integers(0, 256, (12, 8, 8, 3), np.uint8)
    images = np.stack([np.asarray(Image.fromarray(c).resize((64, 64))) for c in coarse])
    write_report(
        report_study.as_study(study), {"g0": dataclasses.replace(examples, images=images)}, tmp_path
    )
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
