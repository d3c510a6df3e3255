"""One drawn face of this style: the layers in order."""

import dataclasses
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
from fpliif_jax.data_builders.synthetic_faces.photographic import hats, jewels, shapes
from fpliif_jax.data_builders.synthetic_faces.photographic.also import (
    HALF_LENGTH,
    HATS,
    JEWELS,
    REFLECTIONS,
    SCARVES,
    own_generators,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.backdrop import draw_background
from fpliif_jax.data_builders.synthetic_faces.photographic.body import (
    draw_clothes,
    draw_neck,
    texture_cloth,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.camera import as_painted, photograph
from fpliif_jax.data_builders.synthetic_faces.photographic.eyes import draw_brows, draw_eyes
from fpliif_jax.data_builders.synthetic_faces.photographic.hair import Hair
from fpliif_jax.data_builders.synthetic_faces.photographic.half_length import (
    draw_body,
    draw_raised_arm,
    dressed,
    raised_arm,
    sample_half_length,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.head_covers import (
    draw_head_cover,
    draw_lining,
    mark_lining,
    sample_head_cover,
    seen_hair,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.neckwear import (
    draw_neckwear,
    sample_neckwear,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.nose_and_mouth import (
    draw_mouth,
    draw_nose,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.person import (
    sample_photographic_person,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.reflections import (
    draw_reflection,
    sample_reflection,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.skin import (
    draw_face_skin,
    skin_colours,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.without import (
    BACKGROUND,
    CAMERA,
    FRAMING,
    changed,
)


def draw_photographic_face(
    rng: np.random.Generator,
    image_size: int,
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> Face:
    """Draws one face of `image_size` pixels a side; `rng` decides what it shows, but for the parts it is `without`.

    `also`: some of `also.ADDITIONS`, which move nothing else of the drawing.
    """
    own = own_generators(rng, also)
    person = changed(sample_photographic_person(rng), without)
    neckwear = sample_neckwear(own[SCARVES]) if SCARVES in own else None
    cover = sample_head_cover(own[SCARVES]) if SCARVES in own else None
    if cover:
        neckwear, person = None, dataclasses.replace(person, hat=None)
    elif person.hat and HATS in own:  # hats press hair down
        person = dataclasses.replace(person, hair_volume=min(person.hair_volume, 0.7))
    is_framed = HALF_LENGTH in own and FRAMING not in without
    half = sample_half_length(own[HALF_LENGTH]) if is_framed else None
    if half:
        person, half, neckwear = dressed(person, half, neckwear)
        cover = dataclasses.replace(cover, drop=2.2) if cover else None
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
    if cover:
        hair.seen = np.zeros((image_size, image_size), np.float32)
    hair.draw_back()
    lining = draw_lining(canvas, pose, person, cover, own[SCARVES]) if cover else None
    if half:
        draw_body(canvas, pose, person, half, outline, own[HALF_LENGTH])
    else:
        draw_neck(canvas, pose, person, outline)
        draw_clothes(canvas, pose, person, rng)
    if lining:
        mark_lining(canvas, lining)
    if person.necklace and JEWELS in own:
        jewels.draw_necklace(canvas, pose, person, jewels.sample_necklace(own[JEWELS]))
    elif person.necklace:
        draw_necklace(canvas, pose, person)
    if neckwear and not neckwear.before_chin:
        draw_neckwear(canvas, pose, person, neckwear, own[SCARVES])
    draw_ears(canvas, pose, person)
    draw_face_skin(canvas, pose, person, outline, skin, rng)
    draw_nose(canvas, pose, person)
    draw_mouth(canvas, pose, person, rng)
    draw_eyes(canvas, pose, person)
    draw_brows(canvas, pose, person, rng)
    if person.earrings and JEWELS in own:
        jewels.draw_earrings(canvas, pose, person, jewels.sample_earrings(own[JEWELS]))
    elif person.earrings:
        draw_earrings(canvas, pose, person)
    if neckwear and neckwear.before_chin:
        draw_neckwear(canvas, pose, person, neckwear, own[SCARVES])
    if cover:
        hair.seen = seen_hair(canvas, pose, person, cover)
    hair.draw_front()
    if person.glasses:
        glasses = draw_eyeglasses(canvas, pose, person)
        mirrored = sample_reflection(own[REFLECTIONS]) if REFLECTIONS in own else None
        if mirrored:
            draw_reflection(canvas, pose.unit, glasses, mirrored)
    if cover:
        draw_head_cover(canvas, pose, person, cover, outline, own[SCARVES])
    if person.hat and HATS in own:
        hats.draw_hat(canvas, pose, person, hats.sample_hat(own[HATS]), own[HATS])
    elif person.hat:
        draw_hat(canvas, pose, person)
        texture_cloth(canvas, pose, person, rng.spawn(1)[0], classes.HAT)
    if person.occluder:
        arm = raised_arm(pose, person, half) if half else None
        wrist = draw_occluder(canvas, pose, person, rng, arm)
        if half and wrist is not None:
            draw_raised_arm(canvas, pose, person, half, wrist, own[HALF_LENGTH])
    return Face(
        image=as_painted(canvas) if CAMERA in without else photograph(canvas, rng),
        label_map=canvas.label_map,
        lapa_label_map=canvas.lapa_label_map,
        landmarks=landmarks(person, pose, outline, shapes.brow_line, shapes.nose_outline),
        person=person,
        layers=tuple(canvas.lapa_layers),
    )
