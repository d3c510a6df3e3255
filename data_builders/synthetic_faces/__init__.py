"""Draws faces with exact label maps and writes them in the raw layouts of the real data sets.

`python -m data_builders.synthetic_faces --help`, or `write_dataset` and `draw_face`.
"""

from fpliif_jax.data_builders.synthetic_faces.dataset import each_once, write_dataset
from fpliif_jax.data_builders.synthetic_faces.drawing import STYLES, draw_face
from fpliif_jax.data_builders.synthetic_faces.drawing_versions import (
    DRAWING_VERSIONS,
    STYLE_VERSIONS,
    style_version,
    why_outdated,
)
from fpliif_jax.data_builders.synthetic_faces.face import Face

__all__ = [
    "DRAWING_VERSIONS",
    "STYLES",
    "STYLE_VERSIONS",
    "Face",
    "draw_face",
    "each_once",
    "style_version",
    "why_outdated",
    "write_dataset",
]
