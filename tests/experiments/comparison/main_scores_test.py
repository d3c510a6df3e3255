"""What the summary says of the main scores, and of their differences."""

import pathlib
import re
import shutil
import types

import numpy as np
import pytest
from made_runs import config_of, write_run

from fpliif_jax.experiments.comparison import summary
from fpliif_jax.experiments.comparison.analysis import analyse


def _write(folder: pathlib.Path, scores: dict[str, list[float]]) -> None:
    """A setting a name, which is its weight of the edge loss, with a run a score."""
    for name, percents in scores.items():
        for seed, percent in enumerate(percents):
            config = config_of(seed=seed, loss__edge_weight=float(name))
            write_run(folder / name / f"seed{seed}", config, {"256": percent})


def _said(folder: pathlib.Path) -> list[str]:
    study, _ = analyse(folder)
    return [text for text in study.summary if re.search("ean F1|SD of|varies|interval", text)]


def test_each_setting_is_named_with_its_seeds(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, {"3": [80.0, 81.0], "4": [70.0], "5": [60.0, 62.0, 64.0]})
    each, alone, images, fewest = _said(tmp_path)
    found = re.fullmatch(r"Mean F1 of each setting, mean ± SD over the seeds: (.*)\.", each)
    texts = dict(text.split(": ") for text in found[1].split("; "))
    assert texts.keys() == {"3", "4/seed0", "5"}
    assert re.fullmatch(r"80\.\d\d ± 0\.7\d \(2 seeds\)", texts["3"])
    assert re.fullmatch(r"\d\d\.\d\d \(1 seed\)", texts["4/seed0"])
    assert alone == "How much a score of one seed varies is not known."
    assert re.fullmatch(
        r"With other test images of the same kind each of these means would vary by an SD of [\d.]+( to [\d.]+)?\.",
        images,
    )
    assert fewest == "An interval over seeds needs 3 of them."


def test_of_many_settings_the_lowest_and_the_highest_are_named(tmp_path: pathlib.Path) -> None:
    means = np.linspace(60.0, 80.0, 7)
    _write(tmp_path, {str(3 + place): [mean, mean + 1] for place, mean in enumerate(means)})
    for matrices in tmp_path.glob("*/*/evaluations"):
        shutil.rmtree(matrices)
    study, _ = analyse(tmp_path, without_matrices=True)
    (text,) = (text for text in study.summary if "F1" in text)
    assert re.fullmatch(
        r"Mean F1 of 7 settings, mean ± SD over 2 seeds: lowest 3, 60\.\d\d ± 0\.7\d; highest 9, 80\.\d\d ± 0\.7\d\.",
        text,
    )


def test_scores_of_other_rows_are_not_set_side_by_side(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, {"3": [80.0, 81.0]})
    for seed in range(2):
        config = config_of(seed=seed, eval__rows=["192->256"])
        write_run(tmp_path / "other" / f"seed{seed}", config, {"192to256": 75.0 + seed})
    told = [text for text in _said(tmp_path) if "mean ± SD" in text]
    assert len(told) == 2
    assert told[0].startswith("3: mean F1 of 10 classes (test split of lapa, row 256) 80.")
    assert "other: mean F1 of 10 classes (test split of lapa, row 192 → 256) 75." in told[1]


@pytest.mark.parametrize("percents", [[80.0], [80.0, 81.0], [80.0, 81.0, 83.0]])
def test_of_one_setting_its_mean_is_told(percents: list[float], tmp_path: pathlib.Path) -> None:
    _write(tmp_path, {"3": percents})
    told = _said(tmp_path)
    count = len(percents)
    assert told[0].endswith(" (1 seed)." if count == 1 else f"(mean ± SD over {count} seeds).")
    assert ("one seed varies" in " ".join(told)) == (count == 1)
    assert ("An interval over seeds needs 3 of them." in told) == (count < 3)


def test_differences_are_told_with_how_many_may_be_noise() -> None:
    def compared(name: str, p: float) -> types.SimpleNamespace:
        return types.SimpleNamespace(kind="lines", a=name, b="base", difference=-1.5, p_holm=p)

    def said(*made: types.SimpleNamespace) -> list[str]:
        return summary._differences(types.SimpleNamespace(title="T", comparisons=made))

    assert said(compared("a", 0.01), compared("b", 0.2)) == [
        "T, beyond the noise of the seeds (Holm's p below 0.05): a differs from base by −1.50; 1 other difference "
        "between its settings may be noise."
    ]
    assert said(compared("a", 0.01))[0].endswith("a differs from base by −1.50.")
    assert said(compared("a", 0.2)) == [
        "T: no difference between its settings stands out from the noise of the seeds."
    ]
    assert said() == []
