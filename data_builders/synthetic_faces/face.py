"""What a drawing gives: picture, label maps and landmarks of one face."""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import LabelLayer
from fpliif_jax.data_builders.synthetic_faces.person import Person


@dataclass(frozen=True)
class Face:
    """A drawn face of S x S pixels.

    image: uint8 [S, S, 3], RGB.
    label_map: uint8 [S, S], 19 classes with CelebAMask-HQ's ids.
    lapa_label_map: uint8 [S, S], 11 classes with LaPa's ids.
    landmarks: float32 [106, 2], (x, y) in pixels, LaPa's grouping; may lie outside the picture.
    person: the traits that were drawn.
    """

    image: np.ndarray
    label_map: np.ndarray
    lapa_label_map: np.ndarray
    landmarks: np.ndarray
    person: Person
    layers: tuple[LabelLayer, ...]

    def soft_masks(self) -> np.ndarray:
        """How much of each pixel each of the 11 classes covers: uint8 [11, S, S], 0 … 255.

        The argmax over classes is `lapa_label_map` exactly.
        """
        size = self.label_map.shape[0]
        cover = np.zeros((classes.NUM_LAPA_CLASSES, size, size), np.float32)
        cover[classes.LAPA_BACKGROUND] = 1
        seen = {classes.LAPA_BACKGROUND}  # all other classes are 0 so far
        for (rows, columns, alpha), label in self.layers:
            beneath = 1 - alpha
            for one in seen:
                cover[one, rows, columns] *= beneath
            cover[label, rows, columns] += alpha
            seen.add(label)
        masks = np.rint(cover * 255).astype(np.uint8)
        # Where several edges cross a pixel, the topmost shape that covers half of it may still be
        # covered less than another class: the two then change places, the sum stays.
        hard = self.lapa_label_map[None].astype(np.intp)
        own = np.take_along_axis(masks, hard, 0)
        rows, columns = np.nonzero(own[0] <= 128)  # elsewhere it covers more than half
        mixed, hard, own = masks[:, rows, columns], hard[:, rows, columns], own[:, rows, columns]
        np.put_along_axis(mixed, hard, np.uint8(0), 0)
        rival = mixed.argmax(0)[None]
        most = np.take_along_axis(mixed, rival, 0)
        lost = own <= most
        np.put_along_axis(mixed, rival, np.where(lost, np.maximum(own, 1) - 1, most), 0)
        np.put_along_axis(mixed, hard, np.where(lost, np.minimum(most, 254) + 1, own), 0)
        masks[:, rows, columns] = mixed
        return masks
