"""Where a run keeps what its evaluations counted in every image."""

import pathlib

FOLDER = "evaluations"  # of a run
SUFFIX = ".npz"


def evaluation_file(split: str, checkpoint: str, protocol: str) -> pathlib.PurePosixPath:
    """The file of an evaluation, relative to the run's folder; the protocol by its key, '192to256'."""
    return pathlib.PurePosixPath(FOLDER, f"{split}-{checkpoint}-{protocol}{SUFFIX}")
