"""A builder of TFDS that is there where its prepared set is damaged, and that needs no TensorFlow."""

import abc
import contextlib
import inspect
import os
import pathlib
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepared import prepared_set


class TolerantBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """What the builders here do otherwise than TFDS's own, which fails in its constructor where a file is damaged.

    `_damage` is what TFDS raised for the prepared set, None where that can be read.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if any(getattr(one, "__isabstractmethod__", False) for one in vars(cls).values()):
            return  # it is no set's, and has no such files
        # TFDS would look for README.md and its like by the module's name, as if every package lay in its parent's
        # folder; in a checkout this one does not. A class that is typed in has no file.
        with contextlib.suppress(OSError, TypeError):
            cls.pkg_dir_path = epath.Path(inspect.getfile(cls)).parent

    def __init__(self, *, file_format: str | None = None, **kwargs: Any) -> None:
        # TFDS's own default is TFRecord, which needs TensorFlow.
        kwargs["file_format"] = file_format or "array_record"
        self._damage: Exception | None = None
        try:
            super().__init__(**kwargs)
        except Exception as error:  # TFDS and protobuf raise nearly anything for damaged files
            self._damage = error
            # Without a look at the prepared set, so that it can be made anew.
            super().__init__(**kwargs)
            self._data_dir = os.path.dirname(self._data_dir)

    def _build_data_dir(self, given_data_dir: str | None) -> tuple[str, str]:
        """TFDS reads what is prepared in the second folder, if that exists, next."""
        root, folder = super()._build_data_dir(given_data_dir)
        if self._damage is not None:
            return root, os.path.join(folder, "not_there")
        prepared_set.check_metadata(pathlib.Path(folder))
        return root, folder

    def prepared_folder(self) -> pathlib.Path:
        """Folder of this set, config and version, whether prepared or not."""
        return pathlib.Path(self.data_dir)

    @abc.abstractmethod
    def damaged(self, reason: object) -> DataError:
        """The error that says that the prepared set is damaged, and how to make it anew."""

    def as_data_source(self, *args: Any, **kwargs: Any) -> Any:
        """Opens the set as TFDS does. Raises DataError where `dataset_info.json` is damaged."""
        if self._damage is not None:
            raise self.damaged(self._damage)
        return super().as_data_source(*args, **kwargs)

    def _log_download_bytes(self) -> None:
        """Keeps TFDS from announcing a download on stdout."""

    def _log_download_done(self) -> None:
        """Keeps TFDS from announcing a download on stdout."""
