"""Tests of fpliif_jax/commands/unknown_field.py."""

import pytest

from fpliif_jax.commands import command_line, unknown_field


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config=lapa", "--config.epocs=3"], "did you mean train.epochs?"),
        (["--config.ensembel=area"], "did you mean model.ensemble?"),
        (["--config=lapa", "--config.train.epoch=3"], 'Did you mean "epochs" instead of "epoch"?'),
        (["--config=lapa", "--config.nothing_like_it=3"], ""),
    ],
)
def test_the_nearest_fields_and_the_command_that_lists_all_are_told(
    arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.config_of(arguments)
    name = arguments[-1].partition("=")[0].rpartition(".")[2]
    config = "lapa" if len(arguments) > 1 else "synthetic"
    middle = f" {told};" if told else ""
    assert str(ended.value) == (
        f"error: --config: there is no field '{name}';{middle} "
        f"python -m fpliif_jax.main --config={config} --fields lists all"
    )


def test_fields_of_the_config_alone_are_told() -> None:
    command = ["main.py", "--config", "stn_icnn"]
    suggested = unknown_field.sentences("floor_centroid", [], command, "synthetic")
    assert "did you mean model.floor_centroids?" in suggested
    of_fp_liif = unknown_field.sentences("floor_centroid", [], ["main.py"], "synthetic")
    assert "centroids" not in " ".join(of_fp_liif)  # FP-LIIF has none
    several = unknown_field.sentences("epoch", [], command, "synthetic")
    assert several[1].startswith("did you mean train.epochs or train.")
    assert several[1].count(" or ") == 2
