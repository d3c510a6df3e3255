"""Tests of experiments.benchmark.score_speed: what is timed, what is kept, and that docs/score.md has what was kept."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from fpliif_jax.experiments.benchmark import score_speed

_ROOT = pathlib.Path(__file__).parents[3]


def test_pairs_are_label_maps_with_half_the_detail_as_predictions(tmp_path: pathlib.Path) -> None:
    pairs = score_speed.write_pairs(tmp_path / "new", 64, 10)
    assert len({pair.truth for pair in pairs}) == 10
    first, again = (np.asarray(Image.open(pairs[index].truth)) for index in (0, 8))
    np.testing.assert_array_equal(first, again)  # 8 faces are drawn
    assert (first != np.asarray(Image.open(pairs[1].truth))).any()
    prediction = np.asarray(Image.open(pairs[0].prediction))
    np.testing.assert_array_equal(prediction, prediction[::2, ::2].repeat(2, 0).repeat(2, 1))
    assert 0.8 < (prediction == first).mean() < 1 and first.max() < 19


def test_every_way_takes_all_pairs_in_every_round(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kept" / "speed.json"
    workspace = tmp_path / "disk"
    score_speed.main(
        ["--sides=32,48", "--pairs=3", "--rounds=2", f"--workspace={workspace}", f"--output={path}"]
    )
    kept = json.loads(path.read_text("utf-8"))
    assert kept["pairs"] == 3 and len(kept["load"]) == 2 and kept["environment"]["command"]
    assert list(kept["seconds"]) == list(kept["megabytes"]) == ["32", "48"]
    for of_side in kept["seconds"].values():
        assert list(of_side) == ["bytes", "decoded", "nearest", "class_bicubic"]
        assert all(len(one) == 2 and min(one) > 0 for one in of_side.values())
    assert capsys.readouterr().out.strip() == score_speed.table(kept["seconds"], 3)
    assert not list(workspace.iterdir())


def test_the_table_has_medians_and_how_much_longer_than_decoding() -> None:
    ways = {
        "bytes": [1.0, 9.0, 2.0],
        "decoded": [4.0, 4.0, 40.0],
        "nearest": [8.0, 10.0, 80.0],
        "class_bicubic": [50.0] * 3,
    }
    assert score_speed.table({256: ways}, 2000).splitlines()[-1] == (
        "| 256² | 1,000 | 500 | 200 (2.5 times as long) | 40 (12.5 times as long) |"
    )


@pytest.mark.parametrize("option", ["--pairs=0", "--rounds=0", "--sides=16"])
def test_impossible_numbers_are_refused(option: str) -> None:
    with pytest.raises(SystemExit):
        score_speed.main([option])


def test_the_page_has_what_was_measured() -> None:
    page = (_ROOT / "docs" / "score.md").read_text("utf-8")
    path = _ROOT / "experiments" / "results" / "amd-epyc-2-cores-score" / "score_speed.json"
    kept = json.loads(path.read_text("utf-8"))
    assert score_speed.table(kept["seconds"], kept["pairs"]) in page
    assert f"medians of {len(kept['seconds']['256']['bytes'])} rounds" in page
    assert f"{kept['pairs']} pairs" in page and kept["from_disk"]
    assert f"load {kept['load'][0]:.0f} to {kept['load'][1]:.0f}" in page
