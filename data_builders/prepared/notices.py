"""What a person is told, once, of a prepared set that is not, or may not be, the official one."""

import functools
import pathlib
import sys
from collections.abc import Mapping

from absl import logging

from fpliif_jax.data_builders.errors import one_line
from fpliif_jax.data_builders.prepared import prepared_set


def tell(
    name: str, folder: pathlib.Path, official_counts: Mapping[str, int] | None, command: str
) -> None:
    """Says so where faces are drawn, images are missing, photos are unusual or digests not known.

    Args:
        name: of the set.
        folder: of the prepared set.
        official_counts: images in each split of the official set; None where there is none.
        command: what prepares the set.
    """
    origin, contents = prepared_set.read_origin(folder), prepared_set.read_contents(folder)
    if contents is None:
        _warn_once(
            f"{folder} was prepared by an earlier version, has no digest of its labels and cannot "
            f"be written: results do not say which labels they rest on. Let its owner run: {command}"
        )
    elif contents.drawn:
        _tell_once(
            f"{name} in {folder}: the faces are drawn; scores on them compare with nothing "
            "published."
        )
    if origin is None:
        return
    for remark in origin.remarks or ():
        _warn_once(f"{name} in {folder}: {remark}.")
    is_drawn = contents is not None and contents.drawn
    if is_drawn or official_counts is None or origin.counts == dict(official_counts):
        return
    counts = ", ".join(
        f"{split} {origin.counts[split]:,} of {count:,}"
        + ("" if origin.counts[split] else " (missing or empty, skipped)")
        for split, count in official_counts.items()
    )
    _warn_once(
        f"{name} in {folder} is not the official set: {counts}. It is "
        "used as it is; scores on it compare with nothing published, and results mark it as "
        "incomplete."
    )


@functools.cache
def _warn_once(message: str) -> None:
    logging.warning("%s", one_line(message))


@functools.cache
def _tell_once(message: str) -> None:
    print(one_line(message), file=sys.stderr)
