"""Which drawing a set of drawn faces is of, and why one is not of today."""

import contextlib
import json
from collections.abc import Collection
from pathlib import Path

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.data_builders.raw.drawn import SETTINGS_FILE
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS

DRAWING_VERSIONS = {name: layout.drawing_version for name, layout in LAYOUTS.items()}
# Those of the styles beyond the plain one, part of their sets' settings too: raised with what they alone draw.
STYLE_VERSIONS = {"photographic": 2}
# Version 3 is 2 with what is also drawn: a face that shows none of it, and a set without it, have the bytes of 2.
_WITH_ADDITIONS = {"photographic": 3}


def style_version(style: str, also: Collection[str]) -> int:
    """The version of a style beyond the plain one, with what is also drawn."""
    return (_WITH_ADDITIONS if also else STYLE_VERSIONS)[style]


def why_outdated(layout: str, manual_dir: Path) -> str | None:
    """Why the drawn set in a folder is not one of today; None where it is, or where none is drawn.

    Args:
        layout: 'lapa', 'celebamask_hq', 'helen' or 'own_data'.
        manual_dir: folder of a raw download, drawn or not; it need not exist.
    """
    version = _drawing_version(layout, manual_dir)
    if version is None or version >= DRAWING_VERSIONS[layout]:
        return None
    reason = f"it is of drawing version {version} of {layout}, not {DRAWING_VERSIONS[layout]}"
    if version < LAYOUTS[layout].first_with_right_sides:
        reason += ": left and right of brows and eyes were the person's, not the picture's"
    return reason


def refuse_earlier_sides(layout: str, manual_dir: Path) -> None:
    """Refuses a drawn set whose labels have other sides than those of its layout have today.

    Args:
        layout, manual_dir: see `why_outdated`.
    Raises:
        DataError: says to draw it anew.
    """
    version = _drawing_version(layout, manual_dir)
    if version is not None and version < LAYOUTS[layout].first_with_right_sides:
        raise DataError(
            f"{manual_dir}: {why_outdated(layout, manual_dir)}. Draw it anew with the same command, "
            "then prepare it with --rebuild."
        )


def _drawing_version(layout: str, manual_dir: Path) -> int | None:
    if layout not in LAYOUTS:
        return None
    for root in (manual_dir / LAYOUTS[layout].folder, manual_dir):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            return int(json.loads(read_regular(root / SETTINGS_FILE, MEBIBYTE))["drawing_version"])
    return None
