"""One drawn face: picture, label maps and landmarks from the same geometry."""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.accessories import (
    draw_earrings,
    draw_eyeglasses,
    draw_hat,
    draw_necklace,
)
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, LabelLayer
from fpliif_jax.data_builders.synthetic_faces.features import (
    draw_brows,
    draw_eyes,
    draw_mouth,
    draw_nose,
)
from fpliif_jax.data_builders.synthetic_faces.hair import (
    draw_back_hair,
    draw_front_hair,
    hair_colours,
)
from fpliif_jax.data_builders.synthetic_faces.head import (
    draw_clothes,
    draw_ears,
    draw_face_skin,
    draw_neck,
    face_outline,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.landmarks import landmarks
from fpliif_jax.data_builders.synthetic_faces.occluders import draw_occluder
from fpliif_jax.data_builders.synthetic_faces.person import Person, sample_person
from fpliif_jax.data_builders.synthetic_faces.scenery import draw_background, photograph
from fpliif_jax.data_builders.synthetic_faces.shading import skin_colours


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
        for (rows, columns, alpha), label in self.layers:
            box = cover[:, rows, columns]
            box *= 1 - alpha
            box[label] += alpha
        masks = np.rint(cover * 255).astype(np.uint8)
        # Where several edges cross a pixel, the topmost shape that covers half of it may still be
        # covered less than another class: the two then change places, the sum stays.
        hard = self.lapa_label_map[None].astype(np.intp)
        own = np.take_along_axis(masks, hard, 0)
        np.put_along_axis(masks, hard, np.uint8(0), 0)
        rival = masks.argmax(0)[None]
        most = np.take_along_axis(masks, rival, 0)
        lost = own <= most
        np.put_along_axis(masks, rival, np.where(lost, np.maximum(own, 1) - 1, most), 0)
        np.put_along_axis(masks, hard, np.where(lost, np.minimum(most, 254) + 1, own), 0)
        return masks


def draw_face(
    seed: int | np.random.SeedSequence | np.random.Generator, image_size: int = 256
) -> Face:
    """Draw one face of `image_size` pixels a side.

    The same `seed` gives the same face at any size; a Generator is used up from its present state.
    """
    rng = seed
    if not isinstance(rng, np.random.Generator):
        rng = np.random.Generator(np.random.PCG64(seed))
    person = sample_person(rng)
    canvas = Canvas(image_size)
    pose = HeadPose(
        person.yaw,
        person.pitch,
        person.roll,
        (person.centre[0] * image_size, person.centre[1] * image_size),
        person.unit * image_size,
    )
    outline = face_outline(person, pose)
    skin = skin_colours(person, pose, image_size)
    strands = hair_colours(person, pose, image_size, rng)

    draw_background(canvas, rng)
    draw_back_hair(canvas, pose, person, strands)
    draw_neck(canvas, pose, person, outline)
    draw_clothes(canvas, pose, person)
    if person.necklace:
        draw_necklace(canvas, pose, person)
    draw_ears(canvas, pose, person)
    draw_face_skin(canvas, pose, person, outline, skin)
    draw_nose(canvas, pose, person)
    draw_eyes(canvas, pose, person)
    draw_brows(canvas, pose, person, rng)
    draw_mouth(canvas, pose, person)
    draw_front_hair(canvas, pose, person, strands)
    if person.glasses:
        draw_eyeglasses(canvas, pose, person)
    if person.earrings:
        draw_earrings(canvas, pose, person)
    if person.hat:
        draw_hat(canvas, pose, person)
    if person.occluder:
        draw_occluder(canvas, pose, person, rng)
    return Face(
        image=photograph(canvas, rng),
        label_map=canvas.label_map,
        lapa_label_map=canvas.lapa_label_map,
        landmarks=landmarks(person, pose, outline),
        person=person,
        layers=tuple(canvas.lapa_layers),
    )
