"""Tests of docs/reproduction.md and docs/reproduction_stn_icnn.md: what a choice was measured to do is in the runs."""

import pathlib
import re

import pytest
from kept_studies import scores_of, with_interval

from fpliif_jax.systems.protocol import Protocol

_DOCS = pathlib.Path(__file__).parents[1] / "docs"
# By page the rows of its table: field, what it is changed to, and the difference of the runs of a study, as
# STUDY/VARIANT/AGAINST/ROW/METRIC; the score is the study's own where none is named.
_MEASURED = {
    "reproduction.md": [
        ("model.sampling", "`nearest`, both under an average", "photographs/nearest/fp_liif/64"),
        ("model.ensemble", "`area`, both with bilinear samples", "photographs/area/fp_liif/64"),
        ("model.ensemble", "`none`", "photographs/no_ensemble/fp_liif/64"),
        ("model.position", "`relative`", "photographs/relative/fp_liif/64"),
        (
            "loss.edge_weight",
            "`40.0` from `10.0`, on CelebAMask-HQ",
            "photographs/lambda=40/fp_liif/64",
        ),
        ("model.norm", "`batch`, affine", "photographs/batch_norm/fp_liif/64"),
        ("model.norm", "`none`", "photographs/no_norm/fp_liif/64"),
        ("model.decoder", "`conv_unet`, at equal operations", "photographs/unet/fp_liif/64"),
        ("model.decoder", "the same, in mIoU", "photographs/unet/fp_liif/64/miou"),
        (
            "data.label_resize",
            "`nearest`, on label maps as drawn",
            "photographs/nearest_labels/fp_liif/64->512",
        ),
    ],
    "reproduction_stn_icnn.md": [
        (
            "train.frozen_batch_norm",
            "`training`, with rates of 0 and `batch_norm` `trained`, from rates of 1e-6 and `fine`",
            "window_drift/norms_alone/celebamask_hq_fixed_norms/image",
        ),
        (
            "train.end_to_end.batch_norm",
            "`fine`, CelebAMask-HQ's rates",
            "window_drift/celebamask_hq_fixed_norms/joint/image",
        ),
        (
            "train.end_to_end.batch_norm",
            "`fine`, Helen's rates",
            "window_drift/helen_fixed_norms/helen/image",
        ),
        (
            "train.end_to_end.labels_from",
            "`true_windows`, CelebAMask-HQ's rates",
            "window_drift/celebamask_hq_true_labels/joint/image",
        ),
        (
            "train.end_to_end.labels_from",
            "`true_windows`, Helen's rates",
            "window_drift/helen_true_labels/helen/image",
        ),
    ],
}
_SECTIONS = {
    "photographs": "photographs.md#fp-liifs-claims-and-open-questions",
    "window_drift": "photographs.md#do-the-windows-of-stn-icnn-drift-and-why",
}


def _difference(named: str) -> str:
    study, variant, against, row, *metric = named.split("/")
    key = Protocol.of_key(row).key if study == "photographs" else row
    own, other = (scores_of(study, name, key, *metric) for name in (variant, against))
    return with_interval(own - other)


@pytest.mark.parametrize("page", _MEASURED)
def test_effects_of_choices_are_those_of_the_kept_runs(page: str) -> None:
    """And each is of a field that one of the tables of choices has."""
    text = (_DOCS / page).read_text("utf-8")
    choices, title, rest = text.partition("### Measured effect, small\n")
    assert title
    intro, table, *_ = rest.strip().split("\n\n")
    (study,) = {named.partition("/")[0] for *_, named in _MEASURED[page]}
    assert f"([verdicts]({_SECTIONS[study]})" in " ".join(intro.split())
    expected = [
        (f"`{field}`", other, _difference(named)) for field, other, named in _MEASURED[page]
    ]
    _, _, *rows = (tuple(map(str.strip, line.split("|")[1:-1])) for line in table.splitlines())
    assert rows == expected
    assert all(re.search(rf"^\|.*{re.escape(field)}", choices, re.M) for field, _, _ in rows)
