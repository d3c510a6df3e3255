"""Tests of docs/reproduction.md and docs/reproduction_stn_icnn.md: what a choice was measured to do is in the runs."""

import pathlib
import re

import pytest
from kept_studies import scores_of, with_interval

from fpliif_jax.systems.protocol import Protocol

_DOCS = pathlib.Path(__file__).parents[1] / "docs"
_SILENT, _AGAINST = "The paper is silent or contradicts itself", "Against the text"
# By page and title the cells that are not empty, by field; {STUDY/VARIANT/AGAINST/ROW/METRIC} is the difference of the
# runs of a study, the score the study's own where none is named.
_MEASURED = {
    ("reproduction.md", _SILENT): {
        "model.sampling": "{photographs/nearest/fp_liif/64}, under an average",
        "model.ensemble": "{photographs/area/fp_liif/64}, with bilinear samples",
        "model.position": "{photographs/relative/fp_liif/64}",
        "loss.edge_weight": "40 instead of 10, on CelebAMask-HQ: {photographs/lambda=40/fp_liif/64}",
    },
    ("reproduction.md", _AGAINST): {
        "model.ensemble": "{photographs/no_ensemble/fp_liif/64}",
        "model.norm": "`batch`, affine, {photographs/batch_norm/fp_liif/64}; "
        "`none` {photographs/no_norm/fp_liif/64}",
        "model.decoder": "{photographs/unet/fp_liif/64}, at equal operations; "
        "{photographs/unet/fp_liif/64/miou} mIoU",
        "data.label_resize": "{photographs/nearest_labels/fp_liif/64->512}, on label maps as drawn",
    },
    ("reproduction_stn_icnn.md", _SILENT): {
        "model.floor_centroids": "the baseline, 88.79 → 87.83, "
        "[no file kept](photographs.md#stn-icnn-beside-its-baseline)",
        "train.frozen_batch_norm": "{window_drift/norms_alone/celebamask_hq_fixed_norms/image}, "
        "in the joint training, with rates of 0 and `batch_norm` `trained`, against 1e-6 and `fine`",
        "train.end_to_end.batch_norm": "{window_drift/celebamask_hq_fixed_norms/joint/image}; "
        "Helen's rates {window_drift/helen_fixed_norms/helen/image}",
    },
    ("reproduction_stn_icnn.md", _AGAINST): {
        "train.end_to_end.labels_from": "{window_drift/celebamask_hq_true_labels/joint/image}; "
        "Helen's rates {window_drift/helen_true_labels/helen/image}",
    },
}
_SECTIONS = {
    "photographs": "photographs.md#fp-liifs-claims-and-open-questions",
    "window_drift": "photographs.md#do-the-windows-of-stn-icnn-drift-and-why",
}


def _difference(named: re.Match[str]) -> str:
    study, variant, against, row, *metric = named[1].split("/")
    key = Protocol.of_key(row).key if study == "photographs" else row
    own, other = (scores_of(study, name, key, *metric) for name in (variant, against))
    mean, interval = with_interval(own - other).split(" ", 1)
    return f"[{mean}]({_SECTIONS[study]}) {interval}"


@pytest.mark.parametrize(("page", "title"), _MEASURED)
def test_effects_of_choices_are_those_of_the_kept_runs(page: str, title: str) -> None:
    text = (_DOCS / page).read_text("utf-8")
    assert "An empty cell: not measured." in " ".join(text.split())
    lines = text.partition(f"### {title}\n")[2].lstrip().partition("\n\n")[0].splitlines()
    heads, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    assert heads[-1] == "measured, small" and len(rows) > 10
    expected = {
        field: re.sub(r"\{(.*?)\}", _difference, cell)
        for field, cell in _MEASURED[page, title].items()
    }
    fields = [re.match("`([^`]+)`", row[heads.index("field")])[1] for row in rows]
    shown = {field: row[-1] for field, row in zip(fields, rows, strict=True) if row[-1]}
    assert shown == expected
