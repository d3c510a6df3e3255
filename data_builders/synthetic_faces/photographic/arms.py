"""Arms of half-length pictures: how they are held, their skin and their hands."""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse, ribbon
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.body import lit_skin
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

SHOULDER = (2.14, 1.42)
_ELBOW_OF_RAISED = (2.7, 4.2)
# Elbow and wrist on the right of the picture, in body coordinates.
_POSTURES = {
    "down": ((2.72, 5.2), (2.80, 8.7)),
    "folded": ((2.75, 5.1), (0.75, 7.0)),
    "crossed": ((2.55, 4.9), (-1.25, 4.6)),
    "on hips": ((4.0, 4.9), (2.15, 6.9)),
}
_ODDS = {"down": 6, "folded": 2, "crossed": 2, "on hips": 1.2}
_SLEEVES = {1.95: 6, 1.45: 1.5, 0.5: 3, 0.12: 1.5}  # odds by how far down the arm they reach
# Along an arm, 0 the shoulder, 1 the elbow and 2 the wrist: how thick it is.
_STATIONS, _THICKNESS = (0, 0.2, 1, 1.3, 2), (1.02, 1.06, 0.80, 0.80, 0.48)

RAISED = 1.0  # end of an arm whose other half is before the face
SLEEVE = 0.12  # how much thicker one is than the arm in it


@dataclass(frozen=True)
class Posture:
    """How both arms are held and covered. `raised`: the side whose hand holds what is before the face, if one does."""

    kind: str
    raised: int
    bends: np.ndarray  # what is added to elbows and wrists, units [side, joint, 2]
    sleeve: float  # how far down an arm it reaches


def sample_posture(rng: np.random.Generator) -> Posture:
    """Arms of a half-length picture."""
    return Posture(
        chosen(rng, _ODDS),
        int(rng.choice([-1, 1])),
        rng.normal(0, 0.16, (2, 2, 2)),
        float(chosen(rng, {str(reach): odds for reach, odds in _SLEEVES.items()})),
    )


@dataclass(frozen=True)
class Arm:
    """Joints in pixels [3, 2]: shoulder, elbow, wrist. `scale`: pixels in a unit, times how thick the arm is."""

    side: int
    joints: np.ndarray
    scale: float
    has_hand: bool  # to be seen
    end: float  # of what is drawn with the body

    def shapes(self, start: float, stop: float, more: float = 0.0) -> list[np.ndarray]:
        """Outlines in pixels of the part between two places along the arm, `more` units thicker than bare."""
        shapes = []
        for joint in (0, 1):
            low, high = max(start, joint), min(stop, joint + 1)
            if low < high:
                at = np.linspace(low, high, 7)
                first, second = self.joints[joint : joint + 2]
                line = first + (second - first) * (at - joint)[:, None]
                shapes.append(ribbon(line, self._thickness(at, more)))
            if start <= joint < stop:
                radii = self._thickness(np.array([joint, joint]), more) / 2
                shapes.append(ellipse(self.joints[joint], radii, samples=20))
        return shapes

    def _thickness(self, at: np.ndarray, more: float) -> np.ndarray:
        return (np.interp(at, _STATIONS, _THICKNESS) + more) * self.scale


def posed_arms(
    pose: HeadPose, person: PhotographicPerson, posture: Posture, width: float
) -> list[Arm]:
    """Both arms of a body `width` times as wide as others, the one behind first."""
    arms = []
    holds = person.occluder in ("hand", "microphone")
    kind = "folded" if holds and posture.kind == "crossed" else posture.kind
    for number, side in enumerate((-1, 1)):
        is_raised = holds and side == posture.raised
        elbow, wrist = np.array(_POSTURES[kind]) + posture.bends[number]
        if is_raised:
            elbow = np.array(_ELBOW_OF_RAISED) + posture.bends[number, 0]
        joints = pose.on_body(np.array([SHOULDER, elbow, wrist]) * (side * width, 1))
        thick = pose.unit * (0.92 if person.feminine else 1.08)
        tucked = kind == "crossed" and side < 0
        end = RAISED if is_raised else 1.85 if tucked else 2.0
        arms.append(Arm(side, joints, thick, end == 2, end))
    return arms


def draw_arm(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    arm: Arm,
    sleeve: float,
    cloth: Patch,
) -> None:
    """Draws an arm over clothes that show its sleeve already: its shadow on them, round edges, bare skin and hand."""
    unit = pose.unit
    sleeved = arm.shapes(0, min(sleeve, arm.end), SLEEVE)
    whole = canvas.coverage([*sleeved, *arm.shapes(sleeve, arm.end)])
    if whole.empty:
        return
    beside = np.ones((canvas.size, canvas.size), np.float32)
    whole.of(beside)[:] -= whole.alpha
    away = np.array([-0.10 * np.sign(person.light[0] or 1.0), 0.10]) * unit
    shadow = [shape + away for shape in arm.shapes(0.35, arm.end, 0.2)]
    cast = canvas.coverage(shadow, blur=0.12 * unit, inside=cloth)
    canvas.tint(cast.scaled(cast.of(beside)), 0.42 + 0.3 * person.ambient)
    if bare_shapes := [*arm.shapes(sleeve, arm.end), *(_hand(arm) if arm.has_hand else [])]:
        bare = canvas.coverage(bare_shapes)
        canvas.paint(bare, lit_skin(person))
        canvas.mark(bare, classes.BACKGROUND)
        if arm.has_hand:
            _draw_fingers(canvas, arm, bare, unit)
    _round(canvas, person, arm, whole)
    if 0.3 < sleeve < arm.end:
        cuff = canvas.coverage(arm.shapes(sleeve - 0.05, sleeve, SLEEVE), blur=0.03 * unit)
        canvas.tint(cuff, 0.72)


def _round(canvas: Canvas, person: PhotographicPerson, arm: Arm, inside: Patch) -> None:
    """Darkens both edges of an arm, that away from the lamp more."""
    hard = (1 - person.ambient) * min(abs(person.light[0]) * 2, 1)
    for joint in range(int(np.ceil(arm.end))):
        first, second = arm.joints[joint : joint + 2]
        x, y = (second - first) / max(float(np.hypot(*(second - first))), 1e-6)
        normal = np.array([y, -x]) if y > 0 else np.array([-y, x])  # to the picture's right
        for side in (-1, 1):
            away = side * (person.light[0] or 1.0) < 0
            depth = 0.18 + (0.34 * hard if away else 0.0)
            half = 0.5 * np.interp((joint, joint + 1), _STATIONS, _THICKNESS) * arm.scale
            line = np.stack([first, second]) + side * normal * half[:, None]
            edge = canvas.coverage(
                ribbon(line, 0.42 * arm.scale), blur=0.11 * arm.scale, inside=inside
            )
            canvas.tint(edge, (1 - 0.9 * depth, 1 - depth, 1 - depth))


def _hand_axes(arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    """The way the hand points, and that to its thumb: pixels in a unit, each [2]."""
    along = arm.joints[2] - arm.joints[1]
    along = along / max(float(np.hypot(*along)), 1e-6) * arm.scale
    across = np.array([along[1], -along[0]])
    return along, across * (-1 if across[0] * arm.side > 0 else 1)


def _hand(arm: Arm) -> list[np.ndarray]:
    """A loose hand with its fingers together."""
    along, thumb = _hand_axes(arm)
    wrist = arm.joints[2]
    steps = np.array([-0.06, 0.15, 0.5, 0.85, 1.12, 1.24])
    palm = ribbon(
        wrist + steps[:, None] * along, np.array([0.47, 0.55, 0.64, 0.58, 0.42, 0.2]) * arm.scale
    )
    line = (
        wrist
        + np.array([[0.2], [0.5], [0.78]]) * along
        + np.array([[0.15], [0.34], [0.40]]) * thumb
    )
    return [palm, ribbon(line, np.array([0.2, 0.19, 0.13]) * arm.scale)]


def _draw_fingers(canvas: Canvas, arm: Arm, hand: Patch, unit: float) -> None:
    along, thumb = _hand_axes(arm)
    lines = []
    for place in (-0.14, 0.0, 0.14):
        ends = arm.joints[2] + np.array([[0.6], [1.2]]) * along + place * thumb
        lines.append(ribbon(ends, 0.04 * arm.scale))
    canvas.tint(canvas.coverage(lines, blur=0.015 * unit, inside=hand), (0.70, 0.60, 0.58))
