"""What scores are called is what the glossary explains."""

import pathlib

import pytest

from fpliif_jax.evaluation.score_titles import score_title

GLOSSARY = pathlib.Path(__file__).parents[2] / "docs" / "glossary.md"


@pytest.mark.parametrize(
    ("metric", "class_name", "title"),
    [
        ("mean_f1", "mean", "mean F1"),
        ("group_f1", None, "group F1"),
        ("group_f1", "overall", "overall F1"),
        ("group_f1", "overall_merged", "overall merged F1"),
        ("per_image_mean_f1", "mean", "per-image F1"),
        ("miou", "mean", "mIoU"),
    ],
)
def test_a_score_has_the_name_under_which_the_glossary_explains_it(
    metric: str, class_name: str | None, title: str
) -> None:
    assert score_title(metric, class_name) == title
    assert f"\n| {title} | " in GLOSSARY.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("metric", "class_name", "title"),
    [
        ("f1", "eye_g", "F1 of eyeglasses"),
        ("f1", "left_eye", "F1 of left eye"),
        ("group_f1", "eyes", "group F1 of eyes"),
        ("miou_with_background", "mean", "mIoU with background"),
        ("gflops_a_face", "", "gflops a face"),
    ],
)
def test_a_class_or_group_is_named_and_what_is_no_score_keeps_its_name(
    metric: str, class_name: str, title: str
) -> None:
    assert score_title(metric, class_name) == title
