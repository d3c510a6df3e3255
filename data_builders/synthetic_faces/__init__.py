"""Draws faces with exact label maps and writes them in the raw layouts of the real data sets.

`python -m data_builders.synthetic_faces --help`, or `write_dataset` and `draw_face`.
"""

from data_builders.synthetic_faces.dataset import write_dataset
from data_builders.synthetic_faces.drawing import Face, draw_face

__all__ = ["Face", "draw_face", "write_dataset"]
