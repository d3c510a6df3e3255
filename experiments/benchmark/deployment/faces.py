"""The drawn faces that are labelled."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed


def drawn_face(index: int, side: int) -> np.ndarray:
    """A photographic test face: uint8 [side, side, 3]."""
    return draw_face(face_seed(0, "test", index), side, "photographic").image
