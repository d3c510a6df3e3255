"""What is said of the weights that come with the package, from model_cards.json: purpose, training data, scores."""

import json
import math
import pathlib
from typing import NamedTuple

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.weights.shipped import WeightsError, shipped

PATH = pathlib.Path(__file__).with_name("model_cards.json")


class Score(NamedTuple):
    """An F1 and the ends of its 95 % interval over images, all in percent."""

    f1: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.f1:.2f} ({self.low:.1f}–{self.high:.1f})"


class Scored(NamedTuple):
    """Scores on one set of images.

    Attributes:
      images: how many.
      of: 'drawn' or 'photographs'.
      style_version: of the drawing; None of photographs.
      side: pixels of the label maps that were compared.
      f1: by class, and last 'mean'.
    """

    images: int
    of: str
    style_version: int | None
    side: int
    f1: dict[str, Score]

    @property
    def title(self) -> str:
        """Title of the column of a table."""
        if self.of == "photographs":
            return f"{self.images} photographs, {self.side}²"
        return f"{self.images} drawn test faces, version {self.style_version}, {self.side}²"


class WorstGroup(NamedTuple):
    """The drawn faces that it labels worst, of the groups with ten or more, and all faces over the same classes."""

    name: str
    faces: int
    f1: Score
    all: float

    @property
    def sentence(self) -> str:
        """The group's score beside that of all faces, in the digits of the page's table."""
        f1, low, high = self.f1
        return f"{self.name}, {self.faces} faces: {f1:.1f} ({low:.1f}–{high:.1f}) beside {self.all:.1f} of all faces"


class ModelCard(NamedTuple):
    """What is said of one file of weights.

    Attributes:
      purpose, not_for, photographs: sentences that hold for all weights here, the last about the photographs' scores.
      card: the page of the repository that says more.
      faces: numbers of drawn faces for training, validation and test.
      side: pixels of these faces.
      style: that they were drawn in, `style_version` of it, with `seed`.
      scores: as the page's table has them.
      worst_group: among the last drawn faces of these scores.
      start: the weights of the package that its training began with; None: none.
    """

    purpose: str
    not_for: str
    photographs: str
    card: str
    faces: tuple[int, int, int]
    side: int
    style: str
    style_version: int
    seed: int
    scores: tuple[Scored, ...]
    worst_group: WorstGroup
    start: str | None = None

    @property
    def drawing(self) -> str:
        """How the faces that it was trained on were drawn."""
        train, validation, test = (f"{count:,}" for count in self.faces)
        return (
            f"{train} / {validation} / {test} faces (training, validation, test) drawn at {self.side}² in the style "
            f"`{self.style}`, its version {self.style_version}, seed {self.seed}"
            + (
                f", begun with the weights `{self.start}`, which learnt from others"
                if self.start
                else ""
            )
        )


def read(name: str) -> ModelCard:
    """The card of the weights with that name.

    Raises:
      WeightsError: there is no such name, or model_cards.json is missing or damaged.
    """
    shipped(name)
    try:
        content = json.loads(read_regular(PATH, MEBIBYTE))
        return _card(content, content["models"][name])
    except OSError as error:
        problem = error.strerror or str(error)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        problem = f"is damaged or of another version ({type(error).__name__}: {error})"
    raise WeightsError(f"{PATH}: {problem}; install fpliif_jax anew")


def _card(content: JsonObject, model: JsonObject) -> ModelCard:
    common: JsonObject = {key: content[key] for key in ("purpose", "not_for", "photographs")}
    if not all(isinstance(text, str) for text in common.values()):
        raise TypeError(f"{', '.join(common)} must be text")
    worst: JsonObject = model["worst_group"]
    scores = tuple(_scored(one) for one in model["scores"])
    if not scores or any(one.f1.keys() != scores[0].f1.keys() for one in scores):
        raise ValueError("scores of other classes")
    train, validation, test = model["faces"]
    parts: JsonObject = {
        "faces": (train, validation, test),
        "scores": scores,
        "worst_group": WorstGroup(**(worst | {"f1": _score(worst["f1"])})),
    }
    return ModelCard(**common, **(model | parts))


def _scored(one: JsonObject) -> Scored:
    f1 = {name: _score(values) for name, values in one["f1"].items()}
    fields: JsonObject = {"style_version": None} | one | {"f1": f1}
    scored = Scored(**fields)
    if (scored.of, scored.style_version is None) not in (("drawn", False), ("photographs", True)):
        raise ValueError(f"images of {scored.of!r}")
    mean = sum(score.f1 for name, score in f1.items() if name != "mean") / (len(f1) - 1)
    if list(f1)[-1] != "mean" or abs(f1["mean"].f1 - mean) > 0.011:  # all are rounded
        raise ValueError("a mean that is not that of the classes")
    return scored


def _score(values: list[float]) -> Score:
    score = Score(*map(float, values))
    if not (math.isfinite(score.f1) and 0 <= score.low <= score.f1 <= score.high <= 100):
        raise ValueError(f"no F1 with an interval: {values}")
    return score
