"""The worst, the median and the best images of a group: photo, truth, prediction, differences, in every row."""

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.report import wording
from fpliif_jax.experiments.report.figures.swatches import hex_colour, hex_colours
from fpliif_jax.experiments.runs.arrays import Examples
from fpliif_jax.pictures.colours import (
    NO_CLASS_COLOUR,
    NO_CLASS_TITLE,
    WRONG_COLOUR,
    class_colours,
)
from fpliif_jax.systems.protocol import Protocol

_OF_EACH = 3
_LONGEST_SIDE = 512  # pixels of a picture; larger ones are reduced, scores are not touched
_JPEG_QUALITY = 85
_WRONG = WRONG_COLOUR


@dataclasses.dataclass(frozen=True)
class Frame:
    """A picture that is shown in some rows.

    Attributes:
      kind: 'truth' | 'prediction' | 'differences'.
      uri: data URI of a PNG.
      rows: positions in the gallery's rows.
    """

    kind: str
    uri: str
    rows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Card:
    """An image of the gallery.

    Attributes:
      place: 'worst' | 'median' | 'best'.
      example_id: the data set's.
      rank: 1 for the worst of the split.
      f1: per-image F1 in percent, in the first row that was evaluated.
      aspect: width over height.
      photo: data URI of a JPEG, or None.
      frames: pictures of all rows.
      wrong: for each row the percentage of counted pixels that differ.
    """

    place: str
    example_id: str
    rank: int
    f1: float
    aspect: float
    photo: str | None
    frames: tuple[Frame, ...]
    wrong: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The images of a group.

    Attributes:
      group: of the study.
      split, checkpoint: what was predicted, and by which.
      split_size: images in the split.
      rows: (title, meaning) of each row, by decode size.
      first: position of the row that the images were ranked by.
      cards: from the worst to the best.
      legend: (class, colour), and what does not count.
    """

    group: ReportGroup
    split: str
    checkpoint: str
    split_size: int
    rows: tuple[tuple[str, str], ...]
    first: int
    cards: tuple[Card, ...]
    legend: tuple[tuple[str, str], ...]


def make_gallery(group: ReportGroup, examples: Examples, photos: bool) -> Gallery | None:
    """Chooses the images and encodes their pictures.

    Args:
      group: of the study.
      examples: of one of its runs.
      photos: whether photographs are shown, also under the differences.

    Returns:
      None where there is nothing to show, or more classes than a label map can have.
    """
    colours = hex_colours(examples.class_names)
    if not len(examples.ids) or not examples.rows or not colours:
        return None
    order = sorted(range(len(examples.rows)), key=lambda i: wording.row_order(examples.rows[i]))
    names = [examples.rows[index] for index in order]
    cards = tuple(
        _card(examples, index, place, order, photos) for index, place in _chosen(examples)
    )
    return Gallery(
        group=group,
        split=examples.split,
        checkpoint=examples.checkpoint,
        split_size=examples.split_size,
        rows=tuple((Protocol.of_key(name).title, wording.row_meaning(name)) for name in names),
        first=order.index(0),
        cards=cards,
        legend=_legend(examples, colours),
    )


def _legend(examples: Examples, colours: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The classes as they are read, and what does not count where there is any."""
    legend = [(class_title(name), colour) for name, colour in colours.items()]
    if any((truth >= len(colours)).any() for truth in examples.truths):
        legend.append((NO_CLASS_TITLE, hex_colour(NO_CLASS_COLOUR)))
    return tuple(legend)


def _chosen(examples: Examples) -> list[tuple[int, str]]:
    """Positions of the worst three, the median three and the best three, each once, ascending."""
    ranks = np.asarray(examples.rank)
    order = np.argsort(ranks, kind="stable")
    nearest = np.argsort(np.abs(ranks - (examples.split_size - 1) / 2), kind="stable")
    places: dict[int, str] = {}
    for place, positions in (
        ("worst", order[:_OF_EACH]),
        ("best", order[::-1][:_OF_EACH]),
        ("median", [index for index in nearest if int(index) not in places][:_OF_EACH]),
    ):
        for index in positions:
            places.setdefault(int(index), place)
    return [(int(index), places[int(index)]) for index in order if int(index) in places]


def _card(examples: Examples, index: int, place: str, order: list[int], photos: bool) -> Card:
    image = examples.images[index]
    frames: dict[tuple[str, str], list[int]] = {}
    wrong = []
    for position, row in enumerate(order):
        truth, prediction = examples.truths[row][index], examples.predictions[row][index]
        counted = truth < len(examples.class_names)
        differs = (truth != prediction) & counted
        wrong.append(100 * float(differs.sum()) / max(int(counted.sum()), 1))
        for kind, uri in (
            ("truth", _label_map_uri(truth, examples.class_names)),
            ("prediction", _label_map_uri(prediction, examples.class_names)),
            ("differences", _differences_uri(differs)),
        ):
            frames.setdefault((kind, uri), []).append(position)
    return Card(
        place=place,
        example_id=examples.ids[index],
        rank=int(examples.rank[index]) + 1,
        f1=100 * float(examples.per_image_f1[index]),
        aspect=image.shape[1] / image.shape[0],
        photo=_photo_uri(image) if photos else None,
        frames=tuple(Frame(kind, uri, tuple(rows)) for (kind, uri), rows in frames.items()),
        wrong=tuple(wrong),
    )


def _photo_uri(image: np.ndarray) -> str:
    picture = Image.fromarray(image)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return _uri("image/jpeg", buffer)


def _label_map_uri(labels: np.ndarray, class_names: Sequence[str]) -> str:
    """Palette PNG with no more colours than classes, and one for pixels that do not count."""
    count = len(class_names)
    colours = [*class_colours(class_names).ravel().tolist(), *NO_CLASS_COLOUR]
    return _palette_uri(np.minimum(labels, count).astype(np.uint8), colours)


def _differences_uri(differs: np.ndarray) -> str:
    """Transparent where prediction and truth agree."""
    return _palette_uri(differs.astype(np.uint8), [0, 0, 0, *_WRONG], transparency=0)


def _palette_uri(indices: np.ndarray, colours: list[int], **options: int) -> str:
    picture = Image.fromarray(indices)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.NEAREST)
    picture.putpalette(colours)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, **options)
    return _uri("image/png", buffer)


def _uri(media_type: str, buffer: io.BytesIO) -> str:
    return f"data:{media_type};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
