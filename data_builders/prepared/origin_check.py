"""Whether a prepared set is made from the raw tree that is given, and by a version that turned its photos upright."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable

from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.data_builders.prepared.prepared_set import Origin
from fpliif_jax.data_builders.prepared.prepared_split import PreparedSplit
from fpliif_jax.data_builders.prepared.remedies import Remedies
from fpliif_jax.data_builders.raw import fingerprint
from fpliif_jax.data_builders.raw.orientation import UPRIGHT, orientation_of_file
from fpliif_jax.data_builders.raw.raw_tree import RawTree


def check_made_from(
    tree: RawTree, origin: Origin, digest: Callable[[str], str], remedies: Remedies
) -> None:
    """Makes sure that a set was made from this tree: by its directory entries, or else by its content.

    Args:
        tree: that is given.
        origin: of the set.
        digest: reads the tree for its fingerprint; is told what for.
        remedies: of the set.

    Raises:
        DataError: it was made from another one.
    """
    stat_digest = fingerprint.stat_digest(tree)
    if stat_digest == origin.stat_digest:
        return
    own_digest = digest(f"Checking that {remedies.name} is unchanged")
    if own_digest != origin.fingerprint:
        raise remedies.of_other_data(origin, tree, own_digest)
    _note(remedies, dataclasses.replace(origin, stat_digest=stat_digest))


def without_turned_photos(
    origin: Origin, splits: Iterable[PreparedSplit], tree: RawTree | None, remedies: Remedies
) -> Origin:
    """Accepts a set that was prepared before photos were turned if there was nothing to turn.

    Raises:
        DataError: there was.
    """
    for examples in splits:
        for position in range(len(examples)):
            example = examples[position]
            if orientation_of_file(example["image"]) != UPRIGHT:
                raise remedies.turned(example["file_name"].decode(), tree)
    origin = dataclasses.replace(origin, remarks=[])
    _note(remedies, origin)
    return origin


def _note(remedies: Remedies, origin: Origin) -> None:
    """A prepared set that may only be read is looked through each time."""
    with contextlib.suppress(OSError):
        prepared_set.write_origin(remedies.folder, origin)
