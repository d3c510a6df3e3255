"""Rules for what to make of a face's window and of the whole photo: what `docs.faces.find --rules` compares."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from docs.faces.canvases import SIDE, Pasted
from fpliif_jax.evaluation import metrics
from fpliif_jax.predict.find_faces import GRID, FaceFinder
from fpliif_jax.predict.windows import NOBODY, Window, owners
from fpliif_jax.systems.labeller import Labeller

_INF = float("inf")


class Looks(NamedTuple):
    """What the parser makes of a canvas; windows are those of the label map.

    Attributes:
      whole: probabilities, float32 [C, SIDE, SIDE].
      whole_score: how certainly the whole shows a face, as a share of how certainly the only window does; 0 where there
        is not one window.
      windows: of each face, its window, its share of the canvas and the probabilities in it.
      is_face: of class ids, whether they are of a face.
    """

    whole: np.ndarray
    whole_score: float
    windows: list[tuple[Window, float, np.ndarray]]
    is_face: np.ndarray


Rule = Callable[[Looks], np.ndarray]  # -> class ids [SIDE, SIDE]


def look(labeller: Labeller, photo: np.ndarray) -> Looks:
    """Finds the faces of a photo and parses it as a whole and in their windows."""

    def weigh(window: Window, size: tuple[int, int] = (GRID, GRID)) -> np.ndarray:
        inputs = labeller.network_input(np.ascontiguousarray(window.of(photo)))
        return labeller.probabilities({name: one[None] for name, one in inputs.items()}, size)[0]

    size = photo.shape[:2]
    finder = FaceFinder(labeller.class_names)
    whole = Window(0, 0, *size)
    found = finder.find(size, weigh)
    windows = []
    for window in found:
        scaled = window.scaled(size, (SIDE, SIDE))
        sides = scaled.bottom - scaled.top, scaled.right - scaled.left
        windows.append((scaled, scaled.area / SIDE**2, weigh(window, sides)))
    is_face = np.isin(np.arange(len(labeller.class_names)), finder.face_classes)
    scores = [finder.score(one, weigh) for one in (whole, *found)]
    whole_score = scores[0] / scores[1] if len(found) == 1 else 0.0
    return Looks(weigh(whole, (SIDE, SIDE)), whole_score, windows, is_face)


def joined(weight: Callable[[float], float], whole_from: float = _INF) -> Rule:
    """The rule that adds, in each window, its probabilities and the whole photo's times a weight of the window's share.

    The whole photo's answer alone where there is no window, or where its score is at least `whole_from` of the score
    of the only one.
    """

    def rule(looks: Looks) -> np.ndarray:
        if not looks.windows or looks.whole_score >= whole_from:
            return looks.whole.argmax(axis=0)
        labels = np.zeros((SIDE, SIDE), np.int64)
        owner = owners([window for window, *_ in looks.windows], labels.shape)
        for index, (window, share, of_window) in enumerate(looks.windows):
            whole = looks.whole[:, window.top : window.bottom, window.left : window.right]
            is_own = window.of(owner) == index
            window.of(labels)[is_own] = (of_window + weight(share) * whole).argmax(axis=0)[is_own]
        return labels

    return rule


def everywhere(looks: Looks) -> np.ndarray:
    """Labels as `joined` makes them by the share; outside the windows the whole photo's times the first share."""
    labels = joined(lambda share: share)(looks)
    if looks.windows:
        outside = owners([window for window, *_ in looks.windows], labels.shape) == NOBODY
        share = looks.windows[0][1]
        background = np.zeros_like(looks.whole)
        background[0] = 1 - share
        labels[outside] = (share * looks.whole + background).argmax(axis=0)[outside]
    return labels


def as_certain(of_faces: bool) -> Rule:
    """The whole photo's answer where it is more certain in the only window than that, there or where a face is."""

    def rule(looks: Looks) -> np.ndarray:
        if len(looks.windows) == 1:
            window, _, inside = looks.windows[0]
            whole = looks.whole[:, window.top : window.bottom, window.left : window.right]
            either = looks.is_face[inside.argmax(axis=0)] | looks.is_face[whole.argmax(axis=0)]
            counts = either if of_faces else np.ones_like(either)
            if inside.max(axis=0)[counts].mean() < whole.max(axis=0)[counts].mean():
                return looks.whole.argmax(axis=0)
        return joined(lambda _: 0, 0.95)(looks)

    return rule


RULES: dict[str, Rule] = {
    "the window; the whole from .95 of the window's score": joined(lambda _: 0, 0.95),
    "always the window": joined(lambda _: 0),
    "the whole from .8": joined(lambda _: 0, 0.8),
    "the whole from .7": joined(lambda _: 0, 0.7),
    "a window only if as certain as the whole where either sees a face": as_certain(True),
    "the same of all pixels of the window": as_certain(False),
    "both, the whole by the window's share": joined(lambda share: share),
    "the same, and the whole alone from .95": joined(lambda share: share, 0.95),
    "both, the whole by the root of the share": joined(lambda share: share**0.5),
    "both, the whole by the square of the share": joined(lambda share: share**2),
    "both alike": joined(lambda _: 1),
    "both, also outside the window": everywhere,
}


def row(labeller: Labeller, name: str, kind: str, canvases: Iterable[Pasted]) -> dict[str, Any]:
    """The mean F1 of each canvas, in percent, by each rule and of the whole photo."""
    classes = len(labeller.class_names)
    matrices: dict[str, list[np.ndarray]] = {"none": [], **{rule: [] for rule in RULES}}
    for pasted in canvases:
        looks = look(labeller, pasted.photo)
        answers = {"none": looks.whole.argmax(axis=0)}
        answers.update({title: rule(looks) for title, rule in RULES.items()})
        for title, labels in answers.items():
            matrices[title].append(pasted.counts(labels, classes))
    by_canvas = {
        title: (100 * metrics.mean_f1(np.array(own))).tolist() for title, own in matrices.items()
    }
    return {"faces": kind, "on_the_canvas": name, "by_canvas": by_canvas}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of Markdown, one a rule: for each kind of faces the mean gain, and which canvases are worse."""
    kinds = list(dict.fromkeys(one["faces"] for one in rows))
    lines = [f"| rule | {' | '.join(kinds)} |", "|---" * (1 + len(kinds)) + "|"]
    for title in RULES:
        gains = [
            np.concatenate(
                [
                    np.subtract(one["by_canvas"][title], one["by_canvas"]["none"])
                    for one in rows
                    if one["faces"] == kind
                ]
            )
            for kind in kinds
        ]
        cells = [
            f"{each.mean():+.2f}, {counted([-gain for gain in each.tolist() if gain < 0], ' worse')}"
            for each in gains
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def counted(losses: list[float], what: str = "") -> str:
    """How many canvases lost, and what the one lost that lost most."""
    return f"{len(losses)}{what} (at most {max(losses):.1f})" if losses else f"0{what}"
