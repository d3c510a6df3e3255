"""Tests of what docs/reproduction.md says: numbers as training has them, and by name what is left out."""

import pathlib

import pytest

from fpliif_jax.configs import lapa
from fpliif_jax.experiments.audit.recipe import rates_by_epoch
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.published import published_values

NOTES = (pathlib.Path(__file__).parents[3] / "docs" / "reproduction.md").read_text(encoding="utf-8")


def test_the_rate_is_5e_9_from_epoch_100_and_below_from_120() -> None:
    train = lapa.get_config().train
    rates = rates_by_epoch(train, train.learning_rate, 121)
    assert rates[[99, 100, 119, 120]] == pytest.approx([5e-8, 5e-9, 5e-9, 5e-10])
    assert "the literal one is 5e-9 from epoch 100 on and below from epoch 120 on" in NOTES


@pytest.mark.parametrize("name", ["SFNet", "Cityscapes", "EAGR", "FaRL", "AGRNet", "DML-CSR"])
def test_what_is_not_reproduced_is_said_by_name(name: str) -> None:
    section = NOTES.split("## Not reproduced here")[1].split("\n## ")[0]
    assert name in section


def test_every_source_of_scores_has_a_table_or_is_said_to_be_left_out() -> None:
    """Sources whose scores are of FP-LIIF or STN-iCNN themselves."""
    claimed = {
        claim.source for table in TABLES for variant in table.variants for claim in variant.claims
    }
    measured = {"mean_f1", "f1", "group_f1", "miou", "fps", "gmacs", "hours", "milliseconds"}
    published = {
        value.source
        for value in published_values()
        if value.system in ("FP-LIIF", "STN-iCNN", "STN-iCNN*", "iCNN") and value.metric in measured
    }
    # Fig. 9 and §5, §6.1 and §1 repeat Tables 1 to 6; §5.3 is Cityscapes.
    repeated = {"FP-LIIF §1", "FP-LIIF §5", "FP-LIIF §6.1", "FP-LIIF Fig. 9", "FP-LIIF §5.3"}
    assert published - claimed <= repeated


@pytest.mark.parametrize(
    "choice", ["rotation_degrees", "shear_degrees", "augment.scale", "order of jitter and warp"]
)
def test_what_the_augmentation_leaves_open_is_an_open_question(choice: str) -> None:
    section = NOTES.split("## Open questions")[1].split("\n## ")[0]
    assert choice in section


def test_the_misprinted_nose_is_fp_liifs() -> None:
    slips = " ".join(NOTES.split("## Slips in the paper")[1].split())
    assert "FP-LIIF's nose F1 beside SFNet's reads \"972.\"" in slips
    noses = {
        value.system: value.printed
        for value in published_values()
        if value.source == "FP-LIIF Fig. 9" and value.class_name == "nose"
    }
    assert noses == {"SFNet": "98.71", "FP-LIIF": "97.2"}
