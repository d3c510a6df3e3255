"""Tables of what the papers' open choices were measured to do, by the kept studies on photographs."""

from kept_studies import scores_of, with_interval
from markdown_tables import table

from fpliif_jax.systems.protocol import Protocol

# By page the rows of its table: field, what it is changed to, and the difference of the runs of a study, as
# STUDY/VARIANT/AGAINST/ROW/METRIC; the score is the study's own where none is named.
EFFECTS = {
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


def effects(page: str) -> str:
    """Table of the points by which another choice moves the score."""
    rows = [(f"`{field}`", other, _difference(runs)) for field, other, runs in EFFECTS[page]]
    return table(("field", "changed to", "difference"), rows)


def _difference(runs: str) -> str:
    study, variant, against, row, *metric = runs.split("/")
    key = Protocol.of_key(row).key if study == "photographs" else row
    own, other = (scores_of(study, name, key, *metric) for name in (variant, against))
    return with_interval(own - other)
