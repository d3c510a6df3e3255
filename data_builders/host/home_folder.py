"""Paths as people write them: ~ is the home folder, also in --output=~/FOLDER, where shells leave it as it is."""

import os
import pathlib

from fpliif_jax.data_builders.errors import SettingsError


def expanded(path: str | os.PathLike[str]) -> pathlib.Path:
    """A path whose ~ or ~USER at the beginning is a home folder's path.

    Raises:
      SettingsError: it begins with ~ and that home folder is not known.
    """
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError as error:
        raise SettingsError(
            f"{path}: no home folder is known for {pathlib.Path(path).parts[0]}; write the whole path"
        ) from error
