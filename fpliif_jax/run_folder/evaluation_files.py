"""Where a run keeps what its evaluations counted in every image, and its pictures."""

import pathlib

FOLDER = "evaluations"  # of a run
SUFFIX = ".npz"
EXAMPLES, SHEET = "examples.npz", "predictions.png"  # of the first evaluation


def evaluation_file(split: str, checkpoint: str, protocol: str) -> pathlib.PurePosixPath:
    """The file of an evaluation, relative to the run's folder; the protocol by its key, '192to256'."""
    return pathlib.PurePosixPath(FOLDER, f"{split}-{checkpoint}-{protocol}{SUFFIX}")
