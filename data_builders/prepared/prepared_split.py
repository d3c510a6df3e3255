"""The examples of a prepared split, each compared with what belongs in its place before it is believed.

The note of contents has the id and the digest of the label map of every example, in the order of preparing. So
files that took each other's place, or came from another set, are told.
"""

import bisect
import contextlib
import io
import itertools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepared import label_digests, prepared_set

Damaged = Callable[[str], DataError]
Example = dict[str, Any]  # by feature, images as the bytes of their files


@contextlib.contextmanager
def reporting_damage(damaged: Damaged, file: str = "") -> Iterator[None]:
    """Makes a DataError of whatever is raised while a prepared set, or a file of it, is read or decoded."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # so do ArrayRecord, protobuf and decoders for damaged files
        reason = str(error) or type(error).__name__
        raise damaged(f"{file}: {reason}" if file else reason) from error


class PreparedSplit(Sequence[Example]):
    """Encoded examples; reading one raises DataError where it is damaged or does not belong there."""

    def __init__(
        self,
        info: tfds.core.SplitInfo,
        source: Sequence[Example],
        expected: Mapping[str, str | None] | None,
        damaged: Damaged,
    ) -> None:
        """Compares no example yet.

        Args:
            info: of the split.
            source: its examples, images as the bytes of their files.
            expected: digests of the label maps by id, in the examples' order, None where a digest is not known; None
                where nothing is known.
            damaged: makes the error that names the set and what to do, of what is wrong.

        Raises:
            DataError: there are more or fewer examples.
        """
        self._source = source
        self._damaged = damaged
        self._files = [pathlib.Path(path).name for path in info.filepaths]
        self._starts = list(itertools.accumulate(info.shard_lengths, initial=0))
        self._expected = None if expected is None else list(expected.items())
        if expected is not None and len(expected) != len(source):
            raise damaged(
                f"{prepared_set.CONTENTS_FILE} has {len(expected)} examples of {info.name}, the files {len(source)}"
            )

    def __len__(self) -> int:
        return len(self._source)

    # Who reads a data source asks for one position at a time.
    def __getitem__(self, position: int) -> Example:  # pyrefly: ignore[bad-override]
        if position >= len(self):
            raise IndexError(position)
        with reporting_damage(self._damaged, self._file(position)):
            example = self._source[position]
        if self._expected is not None:
            identifier = example["id"].decode("utf-8", "replace")
            expected, _ = self._expected[position]
            if identifier != expected:
                raise self._damaged(
                    f"{self._file(position)} has {identifier!r} in the place of {expected!r}"
                )
        return example

    def label_map(self, position: int, example: Example) -> np.ndarray:
        """The label map of an example that was read at this position: uint8 [h, w].

        Raises:
            DataError: it cannot be decoded, or is not the one that was prepared.
        """
        file = self._file(position)
        with (
            reporting_damage(self._damaged, file),
            Image.open(io.BytesIO(example["label_map"]), formats=("PNG",)) as image,
        ):
            labels = np.asarray(image)
            if labels.ndim != 2 or labels.dtype != np.uint8:
                raise ValueError(f"a label map of shape {labels.shape} and type {labels.dtype}")
        identifier, digest = self._expected[position] if self._expected else ("", None)
        if digest is not None and label_digests.label_map_digest(identifier, labels) != digest:
            raise self._damaged(f"{file} has another label map of {identifier!r} than was prepared")
        return labels

    def check_ends(self) -> None:
        """Compares the first and the last example of every file. Raises DataError where one does not belong there."""
        for start, end in itertools.pairwise(self._starts):
            for position in {start, end - 1} if start < end else ():
                self.label_map(position, self[position])

    def _file(self, position: int) -> str:
        """Name of the file that an example is in."""
        return self._files[bisect.bisect_right(self._starts, position) - 1]
