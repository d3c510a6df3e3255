"""Tests of fpliif_jax/data/set_names.py: what is recorded comes first, then what the config draws."""

import pytest

from fpliif_jax.data import set_names

DRAWS = {"data": {"name": "lapa", "synthetic": {"num_train": 600}}, "eval": {"dataset": None}}
READS = {"data": {"name": "lapa", "synthetic": {"num_train": 0}}, "eval": {"dataset": None}}
EARLY = {"data": {"name": "lapa"}}  # from before there were drawn faces and other sets
SCORES_OTHER = DRAWS | {"eval": {"dataset": "helen"}}


@pytest.mark.parametrize(
    ("config", "recorded", "found"),
    [
        (DRAWS, None, True),
        (DRAWS, False, False),
        (READS, None, None),
        (READS, True, True),
        (EARLY, None, None),
    ],
)
def test_faces_are_drawn_where_it_is_recorded_or_the_run_drew_them(
    config: dict, recorded: bool | None, found: bool | None
) -> None:
    assert set_names.is_drawn(config, recorded) is found
    name = "drawn faces in the layout of lapa" if found else "lapa"
    assert set_names.trained_on(config, {"data_drawn": recorded}) == name


@pytest.mark.parametrize(
    ("config", "recorded", "found"),
    [
        (DRAWS, None, True),
        (READS, None, False),
        (EARLY, None, False),
        (SCORES_OTHER, None, False),
        (SCORES_OTHER, True, True),
    ],
)
def test_a_set_that_is_scored_alone_is_not_drawn_because_the_run_draws(
    config: dict, recorded: bool | None, found: bool
) -> None:
    assert set_names.is_scored_drawn(config, recorded) is found
