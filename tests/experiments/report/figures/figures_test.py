"""Figures of the report: what they show, and that they are the same every time."""

import dataclasses
import re
import warnings
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
import report_study

from fpliif_jax.experiments.comparison.study_groups import Curve, StageCurves
from fpliif_jax.experiments.report.figures import class_bars, confusion, curves, figure_svg, forest
from fpliif_jax.experiments.report.figures.figures import draw_figures
from fpliif_jax.experiments.report.file_names import FileNames


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return report_study.make_study()


def texts(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def path_points(svg: str, colour: str, width: int | None = None) -> list[np.ndarray]:
    """Points of the paths that are stroked in a colour, in pixels."""
    found = []
    for tag in re.findall(r"<path[^>]*>", svg):
        if f"stroke: {colour}" not in tag or (width and f"stroke-width: {width}" not in tag):
            continue
        numbers = re.search(r' d="([^"]*)"', tag)[1]
        found.append(np.array(re.findall(r"-?[\d.]+", numbers), float).reshape(-1, 2))
    return found


def uses(svg: str) -> list[tuple[float, float]]:
    """Places of markers."""
    return [
        (float(x), float(y)) for x, y in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', svg)
    ]


def test_two_calls_give_equal_bytes(study: dict[str, Any]) -> None:
    rows = [row for row in study["tables"][0]["rows"] if row["group"] in ("g3", None)]
    table = study["tables"][0] | {"rows": rows}
    small = study | {"groups": study["groups"][3:4], "tables": [table]}
    first, second = (draw_figures(report_study.as_study(small), FileNames(())) for _ in range(2))
    assert [figure.svg for figure in first] == [figure.svg for figure in second]
    assert len({figure.name for figure in first}) == len(first) == 1 + 4 + 1 + 1
    for figure in first:
        assert not re.search(r"\d{4}-\d\d-\d\d|matplotlib", figure.svg)


@pytest.mark.parametrize("width", [figure_svg.NARROW, figure_svg.WIDE])
def test_forest_shows_seeds_and_intervals_at_their_places(
    study: dict[str, Any], width: int
) -> None:
    row = study["tables"][1]["rows"][0]
    row = row | {
        "values": {"0": 91.0, "1": 91.1, "2": 91.5, "3": 91.7},
        "summary": report_study.summary_of([91.0, 91.1, 91.5, 91.7]),
        "t_interval": [91.1, 91.6],
        "image_interval": [90.8, 91.9],
    }
    table = study["tables"][1] | {"rows": [row]}
    svg = forest.forest(report_study.as_table(table), width)
    # The published value, 91.3, is the line at 0; all else is measured from it.
    line = path_points(svg, figure_svg.Colour.PUBLISHED, 1.6)[0]
    zero = line[0, 0]
    assert (line[:, 0] == zero).all()
    ours = path_points(svg, figure_svg.Colour.OURS)
    thin = next(points for points in ours if abs(np.ptp(points[:, 0])) > 0)
    scale = np.ptp(thin[:, 0]) / 1.1
    assert thin[:, 0] == pytest.approx([zero - 0.5 * scale, zero + 0.6 * scale], abs=0.1)
    bars = path_points(svg, figure_svg.Colour.OURS, 6)
    assert bars[0][:, 0] == pytest.approx([zero - 0.2 * scale, zero + 0.3 * scale], abs=0.1)
    dots = sorted(x for x, _ in uses(svg))
    for value in (91.0, 91.1, 91.5, 91.7):
        assert any(abs(x - (zero + (value - 91.3) * scale)) < 0.1 for x in dots)
    assert "published 91.30" in texts(svg)
    assert "91.33 ± 0.33" in texts(svg)


def test_every_row_has_the_band_of_its_own_margin(study: dict[str, Any]) -> None:
    """Of two studies in one report, one judges at ±0.5 and one at ±1."""
    row = study["tables"][1]["rows"][0]
    table = study["tables"][1] | {"rows": [row, row | {"margin": 1.0}]}
    svg = forest.forest(report_study.as_table(table), figure_svg.WIDE)
    names = re.findall(rf'href="#(\w+)"[^>]*fill: {figure_svg.Colour.BAND}', svg)
    bands = [
        re.search(rf'id="{name}" d="M (\S+) \S+ L (\S+) ', svg.replace("\n", "")) for name in names
    ]
    widths = [float(band[1]) - float(band[2]) for band in bands]
    assert widths[1] == pytest.approx(2 * widths[0], rel=1e-3)
    assert "± 0.5, ± 1: margin" in texts(svg)
    assert "± 0.5: margin" in texts(forest.forest(report_study.as_table(study["tables"][0]), 860))


def test_forest_keeps_apart_what_cannot_be_compared(study: dict[str, Any]) -> None:
    table = study["tables"][0]
    found = texts(forest.forest(report_study.as_table(table), figure_svg.WIDE))
    titles = [text for text in found if text.startswith(("Difference", "No pub", "Not comp"))]
    assert titles == [
        "Difference from the published value",
        "No published value",
        "Not comparable: shown, not judged",
    ]
    assert found.index("STN-iCNN on drawn faces") > found.index(titles[2])


def test_a_forest_explains_no_interval_that_it_does_not_draw(study: dict[str, Any]) -> None:
    table = study["tables"][0]
    drawn = texts(forest.forest(report_study.as_table(table), figure_svg.WIDE))
    assert "mean, 95 % interval over seeds" in drawn and "the same over test images" in drawn
    for row in table["rows"]:
        row["t_interval"] = None
    drawn = texts(forest.forest(report_study.as_table(table), figure_svg.WIDE))
    assert "mean" in drawn and "95 % interval over test images" in drawn
    assert "mean, 95 % interval over seeds" not in drawn


def test_forest_without_values_is_none(study: dict[str, Any]) -> None:
    assert forest.forest(report_study.as_table(study["tables"][2]), 350) is None
    unrun = study["tables"][0] | {"rows": [study["tables"][0]["rows"][5]]}
    assert forest.forest(report_study.as_table(unrun), 350) is None


def test_a_far_published_value_does_not_squeeze_the_seeds(study: dict[str, Any]) -> None:
    row = study["tables"][0]["rows"][4]
    far = row | {"published": row["published"] | {"value": 20.0, "printed": "20.0"}}
    svg = forest.forest(report_study.as_table(study["tables"][0] | {"rows": [far]}), 860)
    ticks = [float(text) for text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
    assert min(ticks) > 90 and max(ticks) < 91.5
    assert "published 20.0" in texts(svg)


def test_one_value_has_room_on_its_axis(study: dict[str, Any]) -> None:
    row = study["tables"][0]["rows"][3] | {"image_interval": None}
    table = study["tables"][0] | {"rows": [row]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "76.8" in " ".join(texts(forest.forest(report_study.as_table(table), 350)))


def test_curves_draw_seeds_their_mean_and_their_band() -> None:
    series = [
        {"seed": 0, "steps": [1, 2, 3], "values": [4.0, 2.0, 1.0]},
        {"seed": 1, "steps": [1, 2, 3], "values": [6.0, 4.0, 1.0]},
    ]
    stage = {"name": "parsing", "loss": series, "validation": [], "validation_metric": "mean F1"}
    svg = curves.curves(report_study.as_stage(stage))
    lines = path_points(svg, figure_svg.Colour.OURS)
    assert len(lines) == 3
    seeds, mean = lines[:2], lines[2]
    assert mean == pytest.approx((seeds[0] + seeds[1]) / 2, abs=0.02)
    assert seeds[0][2, 1] == seeds[1][2, 1]
    assert "training loss" in texts(svg)
    assert not any("validation" in text for text in texts(svg))


def test_the_mean_curve_is_over_steps_that_all_seeds_have() -> None:
    series = [
        {"seed": 0, "steps": [1, 2, 3, 4], "values": [4.0, 2.0, 1.0, 1.0]},
        {"seed": 1, "steps": [1, 3], "values": [6.0, None]},
        {"seed": 2, "steps": [], "values": []},
    ]
    stage = {"name": "s", "loss": series, "validation": [], "validation_metric": None}
    svg = curves.curves(report_study.as_stage(stage))
    lines = [points for points in path_points(svg, figure_svg.Colour.OURS) if len(points) < 10]
    assert [len(points) for points in lines] == [4, 1]  # and a dot, which is round


def test_the_mean_is_of_the_values_at_the_same_step() -> None:
    series = [
        {"seed": 0, "steps": [1, 2, 3, 4], "values": [4.0, 9.0, 2.0, 1.0]},
        {"seed": 1, "steps": [1, 3, 4], "values": [6.0, 4.0, 3.0]},
    ]
    stage = {"name": "s", "loss": series, "validation": [], "validation_metric": None}
    first, second, mean = path_points(
        curves.curves(report_study.as_stage(stage)), figure_svg.Colour.OURS
    )
    assert mean == pytest.approx((first[[0, 2, 3]] + second) / 2, abs=0.02)


def test_a_seed_that_is_not_finished_is_shown_and_named_and_in_no_mean() -> None:
    """The mean goes to the end of the finished ones, not to where the other one is."""
    finished = [
        {"seed": 0, "steps": [1, 2, 3, 4], "values": [4.0, 3.0, 2.0, 1.0]},
        {"seed": 1, "steps": [1, 2, 3, 4], "values": [6.0, 4.0, 3.0, 2.0]},
    ]
    begun = {"seed": 2, "steps": [1, 2], "values": [9.0, 8.0], "is_finished": False}
    content = {"name": "s", "validation": [], "validation_metric": None}
    stage = report_study.as_stage(content | {"loss": [*finished, begun]})
    *seeds, mean = path_points(curves.curves(stage), figure_svg.Colour.OURS)
    assert [len(points) for points in seeds] == [4, 4, 2]
    assert mean == pytest.approx((seeds[0] + seeds[1]) / 2, abs=0.02)
    assert curves.unfinished_text(stage) == "seed 2 is not finished: dashed, not in the mean"
    group = report_study.as_group(report_study.make_study()["groups"][0])
    assert "training loss from 5.00 to 1.50 (mean of 2 seeds); seed 2 is not finished" in (
        curves.curves_alt(group, stage)
    )
    others = [one | {"is_finished": False} for one in finished]
    stage = report_study.as_stage(content | {"loss": [begun, *others]})
    assert curves.unfinished_text(stage).startswith("seeds 0-2 are not finished")
    assert len(path_points(curves.curves(stage), figure_svg.Colour.OURS)) == 3
    assert curves.unfinished_text(report_study.as_stage(content | {"loss": finished})) == ""


def test_a_score_has_a_plain_axis_however_low_it_begins() -> None:
    series = [{"seed": 0, "steps": [1, 2], "values": [1.0, 90.0]}]
    stage = {"name": "s", "loss": [], "validation": series, "validation_metric": "mean F1, percent"}
    ticks = [
        float(text)
        for text in texts(curves.curves(report_study.as_stage(stage)))
        if re.fullmatch(r"[\d.]+", text)
    ]
    assert 0 in ticks


def test_nothing_logged_is_no_figure(study: dict[str, Any]) -> None:
    empty = {"name": "s", "loss": [], "validation": [], "validation_metric": "mean F1"}
    assert curves.curves(report_study.as_stage(empty)) is None
    assert class_bars.class_bars(report_study.as_group(study["groups"][5])) is None
    assert confusion.confusion(report_study.as_group(study["groups"][5])) is None


def test_bars_are_of_the_main_row_in_the_order_of_the_classes(study: dict[str, Any]) -> None:
    group = study["groups"][0]
    other = group["scores"][4] | {"row": "128", "class": "skin"}
    group = report_study.as_group(group | {"scores": [*reversed(group["scores"]), other]})
    keys = [score.key for score in class_bars.class_scores(group)]
    assert [key.class_name for key in keys] == [*group.class_names[1:], "earring"]
    assert {key.protocol for key in keys} == {"64"}
    svg = class_bars.class_bars(group)
    assert len(uses(svg)) == 5 * 10 + 3  # seeds, and the marks of the axis
    assert "inner mouth" in texts(svg)


def test_confusion_shows_percent_and_names_the_largest(study: dict[str, Any]) -> None:
    group = report_study.as_group(study["groups"][0])
    group = dataclasses.replace(
        group,
        class_names=["background", "l_lip", "ear_r"],
        confusion=dataclasses.replace(
            group.confusion,
            matrix=[[0.9, 0.1, 0.0], [0.004, 0.996, 0.0], [None, None, None]],
        ),
    )
    shown = texts(confusion.confusion(group))
    assert sorted(text for text in shown if text.isdigit()) == ["10", "100", "90"]
    assert "<1" not in shown  # 0.4 percent
    told = confusion.confusion_alt(group)
    assert told.endswith("Largest: 10 % of background labelled lower lip.")


def test_figures_fit_a_phone(study: dict[str, Any]) -> None:
    group = report_study.as_group(study["groups"][0])
    for svg in (
        curves.curves(group.curves.stages[0]),
        class_bars.class_bars(group),
        confusion.confusion(group),
        forest.forest(report_study.as_table(study["tables"][0]), figure_svg.NARROW),
    ):
        root = ElementTree.fromstring(svg)
        assert float(root.get("width")) <= 358
        sizes = [
            float(size) for size in re.findall(r"font(?:-size)?: (?:700 |bold )?([\d.]+)px", svg)
        ]
        assert sizes and min(sizes) >= 10


def test_inline_figures_take_the_colours_of_the_page(study: dict[str, Any]) -> None:
    svg = forest.forest(report_study.as_table(study["tables"][1]), 860)
    inlined = figure_svg.inline(svg, "p")
    assert not any(colour in inlined for colour in figure_svg.Colour)
    assert "var(--published)" in inlined
    assert all(name.startswith("p-") for name in re.findall(r' id="([^"]*)"', inlined))
    assert all(name.startswith("p-") for name in re.findall(r'href="#([^"]*)"', inlined))
    assert "xmlns" not in inlined


def test_texts_from_outside_are_left_as_they_are(study: dict[str, Any]) -> None:
    name = '$a_b$ id="x1" 1.23456 #17598f <&>'
    row = study["tables"][1]["rows"][0] | {"label": name}
    svg = forest.forest(report_study.as_table(study["tables"][1] | {"rows": [row]}), 2000)
    assert any(name.startswith(text.rstrip("…")) and len(text) > 30 for text in texts(svg))
    assert "&lt;&amp;&gt;" in figure_svg.inline(svg, "p")


def test_file_names_are_plain_and_all_different() -> None:
    names = FileNames(("report.md",))
    assert names.take("report", ".md") == "report-2"
    assert names.take("../a/b c", ".svg") == "a-b-c"
    assert names.take("A/B/C", ".svg") == "A-B-C-2"
    assert names.take("人", ".svg") == "unnamed"


def test_a_loss_over_several_powers_of_ten_has_plain_numbers_at_its_axis() -> None:
    values = [1.0, 0.1, 0.01, 0.001]
    curve = {"seed": 0, "steps": [1, 2, 3, 4], "values": values}
    svg = curves.curves(StageCurves("localisation", [Curve(**curve)], [], "window error"))
    assert {"0.1", "0.01", "0.001"} <= set(texts(svg))
    assert not any("$" in text for text in texts(svg))
