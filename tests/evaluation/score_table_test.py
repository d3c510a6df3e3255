"""Which scores a person is shown after an evaluation, and in which order."""

import json
import pathlib

import pytest
from made_runs import write_run

from fpliif_jax.commands import command_line
from fpliif_jax.evaluation.score_table import table
from fpliif_jax.experiments import multi_seed
from fpliif_jax.run_folder.run_config import json_config


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("lapa", ["mean F1", "mIoU"]),
        ("celebamask_hq", ["mean F1", "mIoU"]),
        ("helen", ["overall F1", "mean F1", "mIoU"]),
        ("stn_icnn_helen", ["overall F1", "mean F1", "mIoU"]),
        ("stn_icnn_celebamask_hq", ["overall F1", "mean F1", "mIoU"]),
    ],
)
def test_the_score_that_the_paper_compares_comes_first_by_its_name(
    tmp_path: pathlib.Path, name: str, titles: list[str]
) -> None:
    config = json_config(command_line.config_of([f"--config={name}"]))
    run = write_run(tmp_path / "run", config, {"64": 60.0}, dataset={"drawn": True})
    results = json.loads((run / "results.json").read_text())
    entry = results["evaluations"][0]
    entry |= {"mean_f1": 0.61, "miou": 0.52, "per_image_mean_f1": None}
    entry["group_f1"]["overall"] = 0.7519
    percents = ["75.19", "61.00", "52.00"][-len(titles) :]
    results["evaluations"] = [entry]
    head, line, drawn = table(results).splitlines()
    assert head.split("row")[1].split() == " ".join([*titles, "per-image F1", "images"]).split()
    assert line.split()[3:] == [*percents, "–", str(entry["images"])]
    assert [head.index(title) + len(title) for title in titles] == [
        line.index(percent) + len(percent) for percent in percents
    ]
    assert drawn == "data: the faces are drawn"
    (run / "results.json").write_text(json.dumps(results))
    _, *lines, _ = multi_seed.table([run]).splitlines()
    assert [line.split(" 64 ")[1].split("  ")[0] for line in lines] == titles
    assert [line.split()[-1] for line in lines] == percents


def test_a_label_map_without_all_parts_has_no_overall_score(tmp_path: pathlib.Path) -> None:
    config = json_config(command_line.config_of(["--config=helen"]))
    run = write_run(tmp_path / "run", config, {"64": 60.0}, dataset={"drawn": False})
    results = json.loads((run / "results.json").read_text())
    for entry in results["evaluations"]:
        entry["group_f1"] = {}
    assert all(line.split()[3] == "–" for line in table(results).splitlines()[1:])
