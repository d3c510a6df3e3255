"""Whether the hidden parts in a run's folder are those that its study measures: in reports, and for who runs it."""

import copy
import json
import pathlib
from typing import Any

import pytest
from made_runs import IMAGES, config_of, write_run

from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.launching import plan_jobs
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.tables import plan_and_text

TABLE = plan_and_text("stn_fig5")[0]
VARIANT = TABLE.variants[0]
_CROPPER = {"distance_before": {"mean": 1.5}, "distance_after": {"mean": 3.0}}
# As of the run of `made_runs`; windows have 81 pixels, so 4 are hidden around a part.
OWN = {
    "overall": {"stn": _CROPPER, "centroid": _CROPPER},
    "split": "test",
    "checkpoint": "best",
    "step": 20,
    "images": IMAGES,
    "margin": 4,
    "dataset": {"fingerprint": "f" * 64},
}


@pytest.fixture
def study(tmp_path: pathlib.Path) -> pathlib.Path:
    """A study with one finished run that lacks its hidden parts."""
    told = study_file.Study(str(tmp_path), TABLE, "paper", "python -m experiments.reproduce", ())
    study_file.write_study(tmp_path, told)
    folder = tmp_path / VARIANT.name / "seed0"
    write_run(folder, config_of(VARIANT), {"canvas": 80.0})
    (folder / "robustness").mkdir()
    return tmp_path


def _finished(study: pathlib.Path) -> bool:
    """Of the step that measures the hidden parts."""
    (job,) = plan_jobs.jobs_of(TABLE, [VARIANT.name], "paper", [0], study)
    return job.steps[1].is_finished(job.workdir)


def _write(study: pathlib.Path, content: Any) -> None:
    path = study / VARIANT.name / "seed0" / "robustness" / "robustness.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_what_the_study_has_measured_is_shown_and_not_measured_again(study: pathlib.Path) -> None:
    assert not _finished(study)
    for content in (OWN, {"overall": OWN["overall"]}):  # earlier versions may have said less
        _write(study, content)
        assert _finished(study)
        found, _ = analyse(study)
        assert [table.identifier for table in found.tables][-1] == "stn_fig5-windows"
        assert found.incomplete_runs == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"split": "validation"}, "split validation, not test"),
        ({"checkpoint": "last"}, "checkpoint last, not best"),
        ({"step": 10}, "step 10, not 20"),
        ({"images": 5}, f"images 5, not {IMAGES}"),
        ({"margin": 9}, "margin 9, not 4"),
        ({"dataset": {"fingerprint": "other"}}, "data set other, not ffff"),
    ],
)
def test_what_was_measured_otherwise_is_told_and_measured_again(
    study: pathlib.Path, changes: dict[str, Any], told: str
) -> None:
    _write(study, copy.deepcopy(OWN) | changes)
    assert not _finished(study)
    found, _ = analyse(study)
    assert not any(table.identifier.endswith("-windows") for table in found.tables)
    (one,) = found.incomplete_runs
    assert one.status == "hidden parts" and one.problem.startswith(told)


def test_a_damaged_file_is_measured_again(study: pathlib.Path) -> None:
    _write(study, "{")
    assert not _finished(study)
