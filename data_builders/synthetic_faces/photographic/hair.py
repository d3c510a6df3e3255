"""Hair of single locks, behind the head and before it."""

import numpy as np
from PIL import Image, ImageFilter

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import open_curve
from fpliif_jax.data_builders.synthetic_faces.hair import hair_outline, on_hairline
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import LONG_STYLES
from fpliif_jax.data_builders.synthetic_faces.photographic import locks
from fpliif_jax.data_builders.synthetic_faces.photographic.lock_plane import LockPlane
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson
from fpliif_jax.data_builders.synthetic_faces.photographic.strands import strand_colours


class Hair:
    """Everything about one head's hair that both of its layers share.

    Front and back are painted at different times; `back` lies behind neck and face, `front` before them.
    """

    def __init__(
        self, canvas: Canvas, pose: HeadPose, person: PhotographicPerson, rng: np.random.Generator
    ) -> None:
        self.canvas, self.pose, self.person, self.rng = canvas, pose, person, rng
        self.seen: np.ndarray | None = (
            None  # how much of it cloth leaves: float32 [size, size]; None: all
        )
        self.strands = strand_colours(person, pose, canvas.size, rng)

    def draw_back(self) -> None:
        """Draws the hair behind neck and face."""
        style = self.person.hair_style
        if style in ("bald", "buzz"):
            return
        plane = LockPlane(self.canvas.size)
        reach = np.pi / 2 + (0.65 if style == "afro" else 0.2)
        plane.fill(self.pose.on_plane(hair_outline(self.person, reach), -0.25), 110)
        if style in LONG_STYLES:
            strokes, tones = locks.falling_locks(self.person, self.rng, 38, behind=True)
            plane.locks(self.pose, strokes, self.person.hair_strand * 1.6, tones)
        elif style == "afro":
            _curls(plane, self.pose, self.person, self.rng, reach)
        elif style == "bun":
            centre = self.pose.on_plane([(0.2 * self.person.hair_part, -1.85)], -0.35)[0]
            spot = self.pose.unit * np.array([0.42, 0.36])
            plane.ellipse(centre, spot, 140)
        self._paint(plane, 0.62)

    def draw_front(self) -> None:
        """Cap, fringe and the locks beside the face, with the shadow they cast."""
        person, pose, rng = self.person, self.pose, self.rng
        style = person.hair_style
        if style == "bald":
            return
        plane = LockPlane(self.canvas.size)
        line = _hairline(person)
        falls = style in LONG_STYLES and person.hair_over_ears
        tucked = style in LONG_STYLES and not falls
        reach = np.pi / 2 + (0.50 if style == "afro" else -0.15 if tucked else 0.08)
        outer = hair_outline(person, reach)
        plane.fill(np.concatenate([on_hairline(pose, line), pose.on_plane(outer)]), 128)
        if style == "afro":
            _curls(plane, pose, person, rng, reach)
        elif style != "buzz":
            strokes, tones = locks.cap_locks(person, rng, outer)
            plane.locks(pose, strokes, person.hair_strand * 0.8, tones)
        strokes, tones = locks.hairline_locks(person, rng, line)
        plane.locks(pose, strokes, 0.05, tones)
        if falls:
            strokes, tones = locks.falling_locks(person, rng, 30, behind=False)
            plane.locks(pose, strokes, person.hair_strand, tones)
        if person.fringe:
            strokes, tones = locks.fringe_locks(person, rng)
            plane.locks(pose, strokes, 0.5 * person.hair_strand + 0.03, tones)
        self._paint(plane, 1.0, casts=True)

    def _paint(self, plane: "LockPlane", light: float, casts: bool = False) -> None:
        canvas, person = self.canvas, self.person
        box, mask, tone = plane.reduced()
        if self.seen is not None:
            mask = (mask * self.seen[box]).astype(np.uint8)
        cover = Patch(*box, mask.astype(np.float32) / 255)
        if casts:
            self._cast_shadow(cover, mask)
        shade = np.float32(light) * (
            1 + np.float32(0.9 * person.hair_grain) * (tone.astype(np.float32) / 128 - 1)
        )
        strands = np.clip(cover.of(self.strands) * shade[..., None], 0.005, 1)
        canvas.paint(cover, strands, 0.85 if person.hair_style == "buzz" else 1.0)
        canvas.mark(cover, classes.HAIR)

    def _cast_shadow(self, cover: Patch, mask: np.ndarray) -> None:
        size, unit = (self.canvas.size,) * 2, self.pose.unit
        away = -self.person.light[:2] * 0.06 * unit + (0, 0.02 * unit)
        whole = np.zeros(size, np.uint8)
        cover.of(whole)[:] = mask
        moved = Image.fromarray(whole).transform(
            size, Image.Transform.AFFINE, (1, 0, -away[0], 0, 1, -away[1])
        )
        blur = 0.04 * unit
        left, top, right, bottom = moved.getbbox() or (0, 0, 0, 0)
        margin = int(3 * blur) + 4  # no blur reaches further
        rows = slice(max(top - margin, 0), min(bottom + margin, size[1]))
        columns = slice(max(left - margin, 0), min(right + margin, size[0]))
        near = moved.crop((columns.start, rows.start, columns.stop, rows.stop))
        shadow = np.asarray(near.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
        strength = np.float32(0.30 + 0.45 * (1 - self.person.ambient))
        self.canvas.tint(Patch(rows, columns, shadow * strength), (0.45, 0.38, 0.36))


def _hairline(person: PhotographicPerson) -> np.ndarray:
    """Where hair meets the forehead: [N, 2] face coordinates from x < 0 to x > 0."""
    rise, part = person.hairline, person.hair_part
    covers = person.hair_style in LONG_STYLES and person.hair_over_ears
    sideburn = (0.95, 0.30) if covers else (0.985, 0.10)
    recedes = max(rise, 0)
    half = np.array([sideburn, (0.965, -0.25), (0.95, -0.62), (0.87 - 0.6 * recedes, -0.95 - 0.7 * rise),
                     (0.50, -1.12 - 1.1 * rise)])  # fmt: skip
    left, right = half * (-1, 1), half[::-1].copy()
    if person.hair_style in LONG_STYLES or person.hair_style == "quiff":
        # The parting pulls the line up on its side.
        right[:, 0] = np.maximum(right[:, 0], part + 0.12)
        left[:, 0] = np.minimum(left[:, 0], part - 0.12)
        peak = [(part, -1.22 - rise)]
    else:
        peak = [(0.0, -1.12 - 0.6 * rise)]
    return open_curve(np.concatenate([left, np.array(peak), right]), 6)


def _curls(
    plane: LockPlane,
    pose: HeadPose,
    person: PhotographicPerson,
    rng: np.random.Generator,
    reach: float,
) -> None:
    outer = hair_outline(person, reach)
    where = rng.uniform(0, 1, 90) * (len(outer) - 1)
    edge = np.stack([np.interp(where, np.arange(len(outer)), outer[:, i]) for i in (0, 1)], -1)
    middle = np.array([0.0, -0.7])
    at = pose.on_plane(middle + (edge - middle) * rng.uniform(0.8, 1.03, 90)[:, None])
    radii = rng.uniform(0.05, 0.14, 90) * pose.unit
    for centre, radius, tone in zip(at, radii, locks.tones(rng, 90).tolist(), strict=True):
        plane.ellipse(centre, np.array([radius, radius]), tone)
