"""A sheet of predictions beside the truth."""

import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fpliif_jax.data_builders.class_names import class_title, sides_note
from fpliif_jax.pictures.colours import (
    FAINT_INK,
    INK,
    NO_CLASS_COLOUR,
    NO_CLASS_TITLE,
    PAPER,
    WRONG_COLOUR,
    class_colours,
)
from fpliif_jax.pictures.label_maps import palette_image, save_image

COLUMNS = ("image", "truth", "prediction", "differences")


def prediction_sheet(
    images: np.ndarray | Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    class_names: Sequence[str],
    path: pathlib.Path | str,
    titles: Sequence[str] | None = None,
    tile_size: int = 256,
) -> None:
    """Writes a sheet: for each image a row of image, truth, prediction, differences; and a legend.

    Args:
      images: uint8 [H, W, 3] each; may be larger or smaller than the label maps.
      truths: uint8 [h, w] each; ids that are no class are grey and never count as differences.
      predictions: uint8 [h, w] each, of the truth's size.
      class_names: names by label id.
      path: PNG or JPEG to write; replaced at once if it exists.
      titles: a line of text above each row.
      tile_size: length of a tile's longer side, in pixels.

    Raises:
      ValueError: the lists differ in length or are empty, or a prediction is not of its truth's
        size.
    """
    titles = [""] * len(images) if titles is None else titles
    if not 0 < len(images) == len(truths) == len(predictions) == len(titles):
        raise ValueError(
            "a sheet needs as many images as truths, predictions and titles, and at least one; got "
            f"{len(images)}, {len(truths)}, {len(predictions)}, {len(titles)}"
        )
    gap, head = round(tile_size / 16), 26
    sizes = [_fitted_size(image.shape, tile_size) for image in images]
    width = gap + len(COLUMNS) * (tile_size + gap)
    is_all_counted = all((truth < len(class_names)).all() for truth in truths)
    legend = _legend(class_names, is_all_counted, width - 2 * gap)
    height = (
        gap + head + sum(head + tile_height + gap for _, tile_height in sizes) + legend.height + gap
    )

    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    lefts = [gap + column * (tile_size + gap) for column in range(len(COLUMNS))]
    for left, name in zip(lefts, COLUMNS, strict=True):
        draw.text((left, gap), name, INK, _font(17))
    top = gap + head
    rows = zip(images, truths, predictions, titles, sizes, strict=True)
    for image, truth, prediction, title, (tile_width, tile_height) in rows:
        wrong, share = _differences(truth, prediction, len(class_names))
        _draw_text(draw, (lefts[0], top + 6), title, lefts[3] - gap - lefts[0])
        _draw_text(draw, (lefts[3], top + 6), f"{share:.1%} of pixels", tile_size)
        top += head
        tile = (tile_width, tile_height)
        tiles = (
            Image.fromarray(image).resize(tile, Image.Resampling.LANCZOS),
            palette_image(truth, class_names).resize(tile, Image.Resampling.NEAREST),
            palette_image(prediction, class_names).resize(tile, Image.Resampling.NEAREST),
            _wrong_over_grey(image, wrong, tile),
        )
        for left, picture in zip(lefts, tiles, strict=True):
            sheet.paste(picture.convert("RGB"), (left + (tile_size - tile_width) // 2, top))
        top += tile_height + gap
    sheet.paste(legend, (gap, top))
    save_image(sheet, path)


def _differences(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int
) -> tuple[np.ndarray, float]:
    """Where the two differ, bool [h, w], and the share of the counted pixels that do."""
    if truth.shape != prediction.shape:
        raise ValueError(
            f"prediction {list(prediction.shape)} is not of its truth's size {list(truth.shape)}"
        )
    counted = truth < num_classes
    wrong = (truth != prediction) & counted
    return wrong, wrong.sum() / max(counted.sum(), 1)


def _wrong_over_grey(image: np.ndarray, wrong: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Pale grey photo of (width, height) with the wrong pixels in red."""
    photo = Image.fromarray(image).convert("L").resize(size, Image.Resampling.LANCZOS)
    pale = 110 + np.asarray(photo, np.float32)[..., None] * 0.5
    # BOX enlarges to plain squares and, unlike NEAREST, loses no thin line when it reduces.
    share = Image.fromarray(wrong.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    opacity = np.asarray(share, np.float32)[..., None] / 255
    return Image.fromarray(
        np.rint(pale + opacity * (np.array(WRONG_COLOUR, np.float32) - pale)).astype(np.uint8)
    )


def _legend(class_names: Sequence[str], is_all_counted: bool, width: int) -> Image.Image:
    """Swatches with the classes as they are read, in as many lines as they need; then whose left is meant."""
    swatch, line, font = 15, 26, _font(15)
    colours: list[tuple[int, ...] | None] = [
        tuple(one.tolist()) for one in class_colours(class_names)
    ]
    entries = list(zip(map(class_title, class_names), colours, strict=True))
    entries += [] if is_all_counted else [(NO_CLASS_TITLE, NO_CLASS_COLOUR)]
    entries += [(note, None)] if (note := sides_note(class_names)) else []
    places = []
    x = y = 0
    for text, colour in entries:
        needed = (swatch + 7 if colour else 0) + round(font.getlength(text)) + 20
        if x and x + needed > width:
            x, y = 0, y + line
        places.append((x, y))
        x += needed
    legend = Image.new("RGB", (width, y + line), PAPER)
    draw = ImageDraw.Draw(legend)
    for (x, y), (text, colour) in zip(places, entries, strict=True):
        if colour:
            box = (x, y + 3, x + swatch, y + 3 + swatch)
            draw.rounded_rectangle(box, 3, colour, outline=FAINT_INK)
        left = x + (swatch + 7 if colour else 0)
        draw.text((left, y + 3 + swatch / 2), text, INK if colour else FAINT_INK, font, anchor="lm")
    return legend


def _draw_text(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, most_pixels: int
) -> None:
    """One line of small text, cut where it would run over."""
    font = _font(13)
    text = " ".join(text.split())[:most_pixels]  # measuring is slow, and no letter is so narrow
    if font.getlength(text) > most_pixels:
        while text and font.getlength(f"{text}…") > most_pixels:
            text = text[:-1]
        text += "…"
    draw.text(place, text, FAINT_INK, font)


def _fitted_size(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """(width, height) in the proportions of an array [H, W, …], the longer side as asked."""
    scale = longest / max(shape[:2])
    return max(round(shape[1] * scale), 1), max(round(shape[0] * scale), 1)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
