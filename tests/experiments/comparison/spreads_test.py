"""Tests of fpliif_jax.experiments.comparison.spreads."""

import pathlib

from made_runs import config_of, write_seeds

from fpliif_jax.experiments.comparison.spreads import spreads_of


def test_runs_that_are_scored_on_other_data_give_no_spread(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path / "a_base", config_of(), [80.0, 81.0, 82.5])
    write_seeds(tmp_path / "b_batch", config_of(model__norm="batch"), [80.0, 81.5, 82.0])
    write_seeds(tmp_path / "c_other", config_of(data__name="celebamask_hq"), [70.0, 71.5, 70.5])
    (found,) = spreads_of(tmp_path)
    assert [one.name for one in found.spreads] == ["b_batch − a_base"]
    assert found.left_out == {
        "as the two are scored on other label maps or in other classes": ["c_other − a_base"]
    }
