"""Draws the test of Fig. 5 of STN-iCNN: hidden part, coarse mask, and the windows of both croppers."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fpliif_jax.data.facial_parts import PART_LABELS, PART_NAMES
from fpliif_jax.pictures.colours import INK, PAPER, class_colours
from fpliif_jax.pictures.label_maps import overlay, save_image
from fpliif_jax.systems.stn_icnn import theta_forms

TILE, GAP, LABEL_WIDTH, LINE = 240, 14, 120, 24
ROWS = {
    "hidden": "one part\nhidden",
    "mask": "coarse mask\nof K",
    "centroid": "windows\nof the baseline\n(centroids)",
    "stn": "windows\nof STN",
}
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


class Column(NamedTuple):
    """One image of the sheet.

    Attributes:
      title: below its first tile.
      image: uint8 [S, S, 3], the canvas with the part hidden.
      window: rows and columns of the canvas that the image takes.
      mask: uint8 [s, s], K's labels.
      mask_shows_canvas: K saw the whole canvas, not the image alone.
      hidden_part: 0 … 5.
      theta_form: of `thetas`.
      true_centres: float [6, 2], y and x in pixels.
      present: bool [6].
      thetas: by cropper, float32 [6, 2, 3].
    """

    title: str
    image: np.ndarray
    window: tuple[slice, slice]
    mask: np.ndarray
    mask_shows_canvas: bool
    hidden_part: int
    theta_form: str
    true_centres: np.ndarray
    present: np.ndarray
    thetas: dict[str, np.ndarray]


def write(columns: Sequence[Column], class_names: Sequence[str], path: pathlib.Path) -> None:
    """Writes the sheet: a column for each image, the rows of `ROWS`, and a legend.

    Args:
      columns: may be empty; then nothing is written.
      class_names: names by label id.
      path: PNG or JPEG, replaced if it exists.
    """
    if not columns:
        return
    width = LABEL_WIDTH + len(columns) * (TILE + GAP) + GAP
    height = GAP + LINE + len(ROWS) * (TILE + GAP + LINE) + LINE + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    colours = _part_colours(class_names)
    for number, column in enumerate(columns):
        left, top = LABEL_WIDTH + number * (TILE + GAP), GAP
        draw.text((left, top), f"{PART_NAMES[column.hidden_part]} hidden", INK, _font(17))
        top += LINE
        view = _view(column)
        for row in ROWS:
            tile, caption = _tile(row, column, view, class_names, colours)
            sheet.paste(tile, (left, top))
            draw.text((left, top + TILE + 4), _fitting(caption), INK, _font(14))
            top += TILE + GAP + LINE
    for number, text in enumerate(ROWS.values()):
        top = GAP + LINE + number * (TILE + GAP + LINE)
        draw.multiline_text((GAP, top + TILE / 2 - 20), text, INK, _font(15), spacing=5)
    _legend(draw, (LABEL_WIDTH, height - LINE - GAP // 2), colours)
    save_image(sheet, path)


def _tile(
    row: str,
    column: Column,
    view: tuple[int, int, int],
    class_names: Sequence[str],
    colours: Sequence[tuple[int, ...]],
) -> tuple[Image.Image, str]:
    """A tile of one of `ROWS` and the text below it."""
    part = column.hidden_part
    if row == "mask":
        lost = not np.isin(column.mask, PART_LABELS[part]).any()
        verb = "finds no" if lost else "still finds"
        return _enlarged(_masked(column, class_names), view), f"K {verb} {PART_NAMES[part]}"
    tile = _enlarged(column.image, view)
    if row == "hidden":
        return tile, column.title
    draw = ImageDraw.Draw(tile)
    side = len(column.image)
    theta = column.thetas[row]
    # The hidden part's window last: on top of the others.
    for index in [*(i for i in range(len(PART_NAMES)) if i != part), part]:
        corners = _corners(theta[index], side, column.theta_form)
        box = [value for corner in corners for value in _on_tile(corner, view)]
        if index == part:
            draw.rectangle(box, outline=BLACK, width=6)
        draw.rectangle(box, outline=colours[index], width=4 if index == part else 2)
    centres = theta_forms.centres_of_theta(jnp.asarray(theta), side, column.theta_form)
    centre = np.asarray(centres)[part]
    true = column.true_centres[part]
    start, end = _on_tile(true, view), _on_tile(centre, view)
    draw.line([start, end], fill=WHITE, width=2)
    _dot(draw, end, colours[part])
    _cross(draw, start)
    distance = np.linalg.norm(centre - true)
    return tile, f"{PART_NAMES[part]} window {distance:.0f} px off"


def _masked(column: Column, class_names: Sequence[str]) -> np.ndarray:
    """The canvas with K's mask over it: uint8 [S, S, 3]."""
    side = len(column.image)
    window = (slice(0, side), slice(0, side)) if column.mask_shows_canvas else column.window
    picture = column.image[window]
    size = picture.shape[1::-1]
    mask = np.asarray(Image.fromarray(column.mask).resize(size, Image.Resampling.NEAREST))
    shown = column.image.copy()
    shown[window] = overlay(picture, mask, class_names, alpha=0.75)
    return shown


def _view(column: Column) -> tuple[int, int, int]:
    """The square that a column shows, around the face: top, left and side, in pixels of the canvas."""
    canvas = len(column.image)
    centres = column.true_centres[column.present]
    scale = float(np.median(np.abs(column.thetas["centroid"][:, 0, 0])))
    length = theta_forms.pixels_per_scale(canvas, column.theta_form)
    extent = (centres.max(axis=0) - centres.min(axis=0)).max() + scale * length
    side = min(round(1.3 * extent), canvas)
    middle = (centres.max(axis=0) + centres.min(axis=0)) / 2
    top, left = np.clip((middle - side / 2).round().astype(int), 0, canvas - side)
    return int(top), int(left), side


def _enlarged(canvas: np.ndarray, view: tuple[int, int, int]) -> Image.Image:
    top, left, side = view
    shown = Image.fromarray(canvas[top : top + side, left : left + side])
    return shown.resize((TILE, TILE), Image.Resampling.BICUBIC)


def _on_tile(position: np.ndarray, view: tuple[int, int, int]) -> tuple[float, float]:
    """x and y on the tile of a position (y, x) on the canvas."""
    top, left, side = view
    y, x = (position - (top, left) + 0.5) * (TILE / side) - 0.5
    return float(x), float(y)


def _corners(theta: np.ndarray, side: int, form: str) -> list[np.ndarray]:
    """Upper left and lower right end, y and x on the canvas, of the window of θ [2, 3]."""
    centre = np.asarray(theta_forms.centres_of_theta(jnp.asarray(theta), side, form))
    reach = np.abs(theta[[1, 0], [1, 0]]) * theta_forms.pixels_per_scale(side, form) / 2
    return [centre + sign * reach for sign in (-1, 1)]


def _cross(draw: ImageDraw.ImageDraw, place: tuple[float, float]) -> None:
    """Draws a cross where the part truly is."""
    x, y = place
    for colour, width in ((BLACK, 5), (WHITE, 2)):
        draw.line([x - 7, y, x + 7, y], fill=colour, width=width)
        draw.line([x, y - 7, x, y + 7], fill=colour, width=width)


def _dot(draw: ImageDraw.ImageDraw, place: tuple[float, float], colour: tuple[int, ...]) -> None:
    """Draws a dot where the window has its centre."""
    x, y = place
    draw.ellipse([x - 6, y - 6, x + 6, y + 6], fill=colour, outline=BLACK)


def _legend(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], colours: Sequence[tuple[int, ...]]
) -> None:
    x, y = place
    font = _font(14)
    for name, colour in zip(PART_NAMES, colours, strict=True):
        draw.rectangle([x, y + 2, x + 14, y + 16], outline=colour, width=4)
        draw.text((x + 21, y + 9), name, INK, font, anchor="lm")
        x += 44 + round(font.getlength(name))
    _cross(draw, (x + 7, y + 9))
    text = "true centre of the hidden part"
    draw.text((x + 21, y + 9), text, INK, font, anchor="lm")
    x += 44 + round(font.getlength(text))
    draw.ellipse([x + 1, y + 3, x + 13, y + 15], fill=colours[0], outline=BLACK)
    draw.text((x + 21, y + 9), "centre of its window", INK, font, anchor="lm")


def _part_colours(class_names: Sequence[str]) -> list[tuple[int, ...]]:
    """A colour for each part: that of its last label."""
    colours = class_colours(class_names)
    return [tuple(colours[labels[-1]].tolist()) for labels in PART_LABELS]


def _fitting(text: str) -> str:
    font = _font(14)
    if font.getlength(text) <= TILE:
        return text
    while font.getlength(f"{text}…") > TILE:
        text = text[:-1]
    return f"{text}…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
