"""One drawn face of this style: the layers in order."""

from collections.abc import Collection

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.accessories import (
    draw_earrings,
    draw_eyeglasses,
    draw_hat,
    draw_necklace,
)
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.face import Face
from fpliif_jax.data_builders.synthetic_faces.head import draw_ears, face_outline
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.landmarks import landmarks
from fpliif_jax.data_builders.synthetic_faces.occluders import draw_occluder
from fpliif_jax.data_builders.synthetic_faces.photographic import shapes
from fpliif_jax.data_builders.synthetic_faces.photographic.backdrop import draw_background
from fpliif_jax.data_builders.synthetic_faces.photographic.body import (
    draw_clothes,
    draw_neck,
    texture_cloth,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.camera import as_painted, photograph
from fpliif_jax.data_builders.synthetic_faces.photographic.eyes import draw_brows, draw_eyes
from fpliif_jax.data_builders.synthetic_faces.photographic.hair import Hair
from fpliif_jax.data_builders.synthetic_faces.photographic.nose_and_mouth import (
    draw_mouth,
    draw_nose,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.person import (
    sample_photographic_person,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.skin import (
    draw_face_skin,
    skin_colours,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.without import (
    BACKGROUND,
    CAMERA,
    changed,
)


def draw_photographic_face(
    rng: np.random.Generator, image_size: int, without: Collection[str] = ()
) -> Face:
    """Draws one face of `image_size` pixels a side; `rng` decides what it shows, but for the parts it is `without`."""
    person = changed(sample_photographic_person(rng), without)
    canvas = Canvas(image_size)
    x, y = person.centre
    pose = HeadPose(
        person.yaw,
        person.pitch,
        person.roll,
        (x * image_size, y * image_size),
        person.unit * image_size,
    )
    outline = face_outline(person, pose)
    skin = skin_colours(person, pose, image_size, outline, rng)
    hair = Hair(canvas, pose, person, rng)

    draw_background(canvas, rng)
    if BACKGROUND in without:
        canvas.colour[:] = canvas.colour.mean((0, 1))
    hair.draw_back()
    draw_neck(canvas, pose, person, outline)
    draw_clothes(canvas, pose, person, rng)
    if person.necklace:
        draw_necklace(canvas, pose, person)
    draw_ears(canvas, pose, person)
    draw_face_skin(canvas, pose, person, outline, skin, rng)
    draw_nose(canvas, pose, person)
    draw_mouth(canvas, pose, person, rng)
    draw_eyes(canvas, pose, person)
    draw_brows(canvas, pose, person, rng)
    if person.earrings:
        draw_earrings(canvas, pose, person)
    hair.draw_front()
    if person.glasses:
        draw_eyeglasses(canvas, pose, person)
    if person.hat:
        draw_hat(canvas, pose, person)
        texture_cloth(canvas, pose, person, rng.spawn(1)[0], classes.HAT)
    if person.occluder:
        draw_occluder(canvas, pose, person, rng)
    return Face(
        image=as_painted(canvas) if CAMERA in without else photograph(canvas, rng),
        label_map=canvas.label_map,
        lapa_label_map=canvas.lapa_label_map,
        landmarks=landmarks(person, pose, outline, shapes.brow_line, shapes.nose_outline),
        person=person,
        layers=tuple(canvas.lapa_layers),
    )
