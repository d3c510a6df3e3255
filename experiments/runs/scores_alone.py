"""Finished runs that have scores, and no confusion matrices that these follow from."""

import os
import pathlib
from collections.abc import Sequence

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.runs.arrays import same_score
from fpliif_jax.experiments.runs.run import Run, RunError
from fpliif_jax.experiments.runs.scores_option import OPTION
from fpliif_jax.run_folder.evaluation_files import FOLDER, SUFFIX


def has_no_matrices(folder: pathlib.Path) -> bool:
    """Whether the folder of a run has none of any evaluation; False where that cannot be seen."""
    evaluations = folder / FOLDER
    if not os.path.lexists(evaluations):
        return True
    try:
        with os.scandir(evaluations) as entries:
            return not any(entry.name.endswith(SUFFIX) for entry in entries)
    except OSError:
        return False


def check(run: Run) -> None:
    """Checks what scores alone allow: means over classes are those of the classes.

    Raises:
      RunError: says which is not.
    """
    for one in run.evaluations:
        f1 = [value for value in one.class_f1.values() if value is not None]
        # Of one class, with counts summed over images, IoU = F1 / (2 − F1).
        for name, of_classes in (("mean_f1", f1), ("miou", [value / (2 - value) for value in f1])):
            stated = one.means[name]
            computed = sum(of_classes) / len(of_classes) if f1 else None
            if not same_score(stated, computed):
                raise RunError(
                    f"{run.name}: results.json has {name} {stated} of {' '.join(one.place)}, its classes {computed}"
                )


def refuse(runs: Sequence[Run], root: pathlib.Path) -> None:
    """Refuses a folder of finished runs of which not one has its confusion matrices, and says how to go on.

    Raises:
      RunError: it is one.
    """
    finished = [run for run in runs if run.results is not None and run.status != "unfinished"]
    if finished and all(has_no_matrices(run.path) for run in finished):
        raise RunError(
            f"{root} has the scores of {counted(len(finished), 'finished run')} and no confusion matrices "
            f"({FOLDER}/*{SUFFIX}), as a copy made by experiments.collect {OPTION}: give {OPTION} here too, to go by "
            "scores that are not computed again and have no intervals over images, or take the study itself"
        )
