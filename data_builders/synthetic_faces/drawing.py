"""One drawn face: picture, label maps and landmarks from the same geometry."""

from collections.abc import Collection

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.accessories import (
    draw_earrings,
    draw_eyeglasses,
    draw_hat,
    draw_necklace,
)
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.face import Face
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
from fpliif_jax.data_builders.synthetic_faces.person import sample_person
from fpliif_jax.data_builders.synthetic_faces.photographic.drawing import (
    draw_photographic_face,
)
from fpliif_jax.data_builders.synthetic_faces.scenery import draw_background, photograph
from fpliif_jax.data_builders.synthetic_faces.shading import skin_colours

STYLES = ("plain", "photographic")


def draw_face(
    seed: int | np.random.SeedSequence | np.random.Generator,
    image_size: int = 256,
    style: str = "plain",
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> Face:
    """Draw one face of `image_size` pixels a side in one of STYLES, `without` some of the photographic style's PARTS
    and with what is `also` drawn, of its ADDITIONS.

    The same `seed` gives the same face at any size; a Generator is used up from its present state.
    """
    is_rng = isinstance(seed, np.random.Generator)
    rng = seed if is_rng else np.random.Generator(np.random.PCG64(seed))
    if style == "photographic":
        return draw_photographic_face(rng, image_size, without, also)
    return _draw_plain_face(rng, image_size)


def _draw_plain_face(rng: np.random.Generator, image_size: int) -> Face:
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
