"""A raw tree on its way into a prepared set: its examples as shards, and what is noted of them meanwhile."""

import collections
import contextlib
import functools
import itertools
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import tqdm
from PIL import Image

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.data_builders.prepared.prepared_split import Example
from fpliif_jax.data_builders.raw import drawn, fingerprint
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree

# TFDS holds a shard's examples in memory while it writes them, so this bounds the memory needed.
_RAW_BYTES_PER_SHARD = 64 * 2**20
# What is unusual about examples and goes into the note of origin, by kind.
_REMARKS = {
    "turned": (
        "photo",
        "stored upright, as the EXIF orientation says; labels are taken as they are",
    ),
    "scaled": ("label map", "resized, as the size is not that of the photo"),
}


class EncodedExample(NamedTuple):
    """An example on its way into the set.

    Attributes:
        example: its features.
        digest: of its files, see `fingerprint.upright_digest`.
        label_digest: see `label_digests.label_map_digest`.
        unusual: files that are unusual, by kind of remark: 'turned', 'scaled'.
    """

    example: Example
    digest: bytes
    label_digest: str
    unusual: dict[str, str]


class TreeEncoding:
    """The examples of a raw tree, each encoded once, in the tree's order; a context while they are read."""

    def __init__(
        self,
        tree: RawTree,
        encode: Callable[[RawExample], EncodedExample],
        num_workers: int | None,
        description: str,
    ) -> None:
        """Reads nothing but the directory entries.

        Args:
            tree: with at least one example.
            encode: reads, checks and encodes an example.
            num_workers: threads that do so; None: one a core.
            description: of the progress bar.
        """
        self._tree = tree
        # Taken before anything is read: a file that changes meanwhile makes it stale, not the set.
        self._stat_digest = fingerprint.stat_digest(tree)
        self._digests: list[bytes] = []
        self._label_digests: list[str] = []
        self._unusual: dict[str, list[str]] = collections.defaultdict(list)
        self._stack = contextlib.ExitStack()
        self._bar = self._stack.enter_context(_progress_bar(tree, description))
        encoded = ordered_map(encode, tree.examples(), num_workers)
        self._examples = self._recorded(self._stack.enter_context(contextlib.closing(encoded)))

    def __enter__(self) -> "TreeEncoding":
        self._stack.enter_context(warnings.catch_warnings())
        # raw_images makes an error of it.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def shards(self) -> dict[str, list[Callable[[], Iterator[tuple[str, Example]]]]]:
        """Shards of each split, as slices of one stream: to be taken one after the other, in this order."""
        return {
            split: [
                functools.partial(itertools.islice, self._examples, length)
                for length in _shard_lengths(self._tree, examples)
            ]
            for split, examples in self._tree.splits.items()
        }

    def write_notes(self, folder: pathlib.Path, identity: str) -> None:
        """Writes the notes of origin and contents of a set whose shards are written.

        Args:
            folder: of the set.
            identity: its name, config and version.
        """
        tree = self._tree
        remarks = [_remark(kind, files) for kind, files in self._unusual.items()]
        prepared_set.write_origin(
            folder,
            prepared_set.Origin(
                fingerprint=fingerprint.tree_fingerprint(identity, tree, self._digests),
                stat_digest=self._stat_digest,
                manual_dir=str(tree.manual_dir),
                prepared_at=prepared_set.now(),
                counts=tree.counts(),
                remarks=[*tree.remarks, *remarks],
                class_names=list(tree.classes.names) if tree.classes else None,
            ),
        )
        digests = iter(self._label_digests)
        by_split = {
            split: {example.id: next(digests) for example in examples}
            for split, examples in tree.splits.items()
        }
        drawing = drawn.find_drawing(tree)
        prepared_set.write_contents(
            folder,
            prepared_set.Contents(
                by_split, drawing is not None, drawing.settings if drawing else None
            ),
        )

    def _recorded(self, encoded: Iterator[EncodedExample]) -> Iterator[tuple[str, Example]]:
        for one in encoded:
            self._digests.append(one.digest)
            self._label_digests.append(one.label_digest)
            for kind, file in one.unusual.items():
                self._unusual[kind].append(file)
            self._bar.update()
            yield one.example["id"], one.example


def fingerprint_of(identity: str, tree: RawTree, num_workers: int | None, description: str) -> str:
    """`fingerprint.tree_fingerprint` of a raw tree, whose files are read meanwhile; None: a thread a core."""
    read = functools.partial(fingerprint.example_digest, tree)
    digests = ordered_map(read, tree.examples(), num_workers)
    bar = _progress_bar(tree, description, digests)
    with contextlib.closing(digests), bar:
        return fingerprint.tree_fingerprint(identity, tree, bar)


def _progress_bar(
    tree: RawTree, description: str, iterable: Iterable[Any] | None = None
) -> tqdm.tqdm:
    """A bar with images/s and time left; in a log file one line in ten seconds."""
    return tqdm.tqdm(
        iterable,
        total=sum(tree.counts().values()),
        desc=description,
        unit=" images",
        file=sys.stderr,
        mininterval=0.2 if sys.stderr.isatty() else 10.0,
    )


def _shard_lengths(tree: RawTree, examples: Sequence[RawExample]) -> list[int]:
    """Numbers of consecutive examples whose raw files together fill a shard."""
    lengths, filled = [0], 0
    for example in examples:
        size = sum((tree.root / file).stat().st_size for file in (example.image, *example.labels))
        if lengths[-1] and filled + size > _RAW_BYTES_PER_SHARD:
            lengths.append(0)
            filled = 0
        lengths[-1] += 1
        filled += size
    return lengths


def _remark(kind: str, files: Sequence[str]) -> str:
    """'2 photos, the first a.jpg, are stored upright, …'."""
    noun, what = _REMARKS[kind]
    first, verb = ("the first ", "are") if len(files) > 1 else ("", "is")
    return f"{counted(len(files), noun)}, {first}{files[0]}, {verb} {what}"
