"""Folders of finished runs that have scores, and no confusion matrices that these follow from."""

import pathlib

from fpliif_jax.experiments.runs.run import RunError
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.run_folder.evaluation_files import FOLDER, SUFFIX


def refuse_scores_alone(root: pathlib.Path) -> None:
    """Refuses a folder of finished runs of which not one has its confusion matrices: nothing can be judged there.

    Raises:
      RunError: it is one, or root is not a folder.
    """
    runs = read_runs(root)
    finished = sum(run.results is not None for run in runs)
    has_matrices = any(any((run.path / FOLDER).glob(f"*{SUFFIX}")) for run in runs)
    if finished and not has_matrices:
        raise RunError(
            f"{root} has the scores of {finished} finished runs and no confusion matrices ({FOLDER}/*{SUFFIX}), as a "
            "copy made by experiments.collect --without_matrices: take the study itself, or collect it without that "
            "option"
        )
