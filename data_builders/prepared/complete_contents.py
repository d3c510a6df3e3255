"""The note of contents of a set that an earlier version prepared, or whose raw tree tells more by now."""

import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib
from collections.abc import Callable, Mapping

import tqdm

from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.prepared import label_digests, prepared_set
from fpliif_jax.data_builders.prepared.prepared_split import PreparedSplit
from fpliif_jax.data_builders.raw import drawn
from fpliif_jax.data_builders.raw.raw_tree import RawTree

Digests = dict[str, dict[str, str]]  # of label maps, by split and id


def complete_contents(
    folder: pathlib.Path, tree: RawTree | None, digest_labels: Callable[[], Digests]
) -> None:
    """Notes what the set holds where an earlier version did not, and what a tree tells of it.

    Args:
        folder: of the prepared set.
        tree: that the set was made from, where it is known.
        digest_labels: reads all label maps; called where their digests are not known.
    """
    contents = known = prepared_set.read_contents(folder)
    if contents is None:
        if not os.access(folder, os.W_OK):  # It would have to be read whole every time.
            return
        digests = digest_labels()
        ids = itertools.chain.from_iterable(digests.values())
        contents = prepared_set.Contents(digests, drawn.has_drawn_id(ids) or None, None)
    if tree is not None:  # The set was made from this tree, or from a copy that may lack a marker.
        drawing = drawn.find_drawing(tree)
        if drawing is None:
            contents = dataclasses.replace(contents, drawn=bool(contents.drawn))
        elif contents.drawing is None:
            contents = dataclasses.replace(contents, drawn=True, drawing=drawing.settings)
    if contents != known:
        with contextlib.suppress(OSError):
            prepared_set.write_contents(folder, contents)


def digest_label_maps(
    name: str, splits: Mapping[str, PreparedSplit], num_workers: int | None
) -> Digests:
    """Digests of the label maps of a prepared set; reads all of them.

    Args:
        name: of the set, for the progress bars.
        splits: all of its splits.
        num_workers: threads; None: one a core.
    """

    def digest(examples: PreparedSplit, position: int) -> tuple[str, str]:
        example = examples[position]
        identifier = example["id"].decode("utf-8")
        label_map = examples.label_map(position, example)
        return identifier, label_digests.label_map_digest(identifier, label_map)

    by_split = {}
    for split, examples in splits.items():
        digests = ordered_map(
            functools.partial(digest, examples), range(len(examples)), num_workers
        )
        description = f"Digesting the labels of {name} {split}, once"
        with contextlib.closing(digests):
            by_split[split] = dict(tqdm.tqdm(digests, description, len(examples), unit=" images"))
    return by_split
