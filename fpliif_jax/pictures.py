"""Pictures of label maps: palette PNGs, overlays on photos, sheets of predictions beside the truth.

Colours belong to what a class is, not to its id, so that skin, hair or the eye on the left of the
picture look the same in every data set, under whichever name that data set gives them.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from fpliif_jax.data_builders import class_names as names_of_sets
from fpliif_jax.data_builders.class_list import MOST_CLASSES
from fpliif_jax.files import atomic_file
from fpliif_jax.more_colours import more_colours

# Any two differ clearly (by at least 24 in CIE L*a*b*). Left and right are two shades of a hue, the
# mouth is red, and skin, hair and neck are near their own colours.
PART_COLOURS = {
    "background": (24, 26, 34),
    "skin": (244, 198, 160),
    "hair": (124, 76, 44),
    "left_brow": (46, 125, 60),
    "right_brow": (140, 205, 95),
    "left_eye": (30, 92, 220),
    "right_eye": (100, 190, 255),
    "nose": (250, 214, 60),
    "upper_lip": (205, 24, 66),
    "inner_mouth": (104, 10, 66),
    "lower_lip": (248, 104, 146),
    "left_ear": (232, 112, 26),
    "right_ear": (168, 148, 24),
    "eyeglasses": (0, 172, 160),
    "hat": (128, 62, 196),
    "earring": (255, 255, 255),
    "necklace": (198, 164, 255),
    "neck": (196, 132, 112),
    "cloth": (84, 104, 132),
}
# CelebAMask-HQ's names, by the picture's sides. Traps: 'ear_r' is an earring, 'neck_l' a necklace.
PART_OF_ALIAS = names_of_sets.CELEBAMASK_HQ_FACIAL_PARTS | {
    "r_ear": "left_ear",
    "l_ear": "right_ear",
    "eye_g": "eyeglasses",
    "ear_r": "earring",
    "neck_l": "necklace",
}
NO_CLASS_COLOUR = (150, 150, 150)  # ids that are no class, such as an ignored label
WRONG_COLOUR = (235, 30, 60)

INK = (34, 36, 44)
FAINT_INK = (112, 116, 128)
PAPER = (250, 250, 248)
COLUMNS = ("image", "truth", "prediction", "differences")


def class_colours(class_names: Sequence[str]) -> np.ndarray:
    """Colour of every class.

    A name that is not known gets one of the colours that no other class of the list uses, in order; where these
    are used up, one that is as unlike them as can be.

    Args:
      class_names: names by label id.

    Returns:
      uint8 [C, 3], red, green, blue.

    Raises:
      ValueError: more classes than a label map can have.
    """
    parts = [PART_OF_ALIAS.get(name, name) for name in class_names]
    spare = [colour for part, colour in PART_COLOURS.items() if part not in parts]
    unknown = [
        name for name, part in zip(class_names, parts, strict=True) if part not in PART_COLOURS
    ]
    if len(class_names) > MOST_CLASSES:
        raise ValueError(f"{len(class_names)} classes: a label map has at most {MOST_CLASSES}")
    if len(unknown) > len(spare):
        known = (*PART_COLOURS.values(), NO_CLASS_COLOUR, WRONG_COLOUR)
        spare += more_colours(known, len(unknown) - len(spare))
    colour_of_unknown = dict(zip(unknown, spare, strict=False))
    colours = [PART_COLOURS.get(part) or colour_of_unknown[part] for part in parts]
    return np.array(colours, np.uint8).reshape(-1, 3)


def palette_image(labels: np.ndarray, class_names: Sequence[str]) -> Image.Image:
    """Label map as a palette picture: the pixel's value is the class id, its colour the class's.

    Args:
      labels: uint8 [H, W].
      class_names: names by label id.

    Returns:
      a Pillow image of mode 'P'; ids that are no class are grey.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"labels must be uint8 [H, W], got {labels.dtype} {list(labels.shape)}")
    picture = Image.fromarray(labels, mode="L")
    picture.putpalette(_colours_of_all_ids(class_names).tobytes())
    return picture


def overlay(
    photo: np.ndarray, labels: np.ndarray, class_names: Sequence[str], alpha: float = 0.5
) -> np.ndarray:
    """Lays the classes' colours over a photo, with light lines between classes.

    Args:
      photo: uint8 [H, W, 3].
      labels: uint8 [H, W].
      class_names: names by label id; the class named 'background' is not coloured.
      alpha: opacity of colours and lines, 0 to 1.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: photo and label map differ in size, or alpha is out of range.
    """
    if photo.shape != (*labels.shape, 3):
        raise ValueError(f"photo {list(photo.shape)} does not fit label map {list(labels.shape)}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha = {alpha}: must be between 0 and 1")
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    is_shown = np.ones(256, bool)
    is_shown[[i for i, name in enumerate(class_names) if name == "background"]] = False
    # In 8 bits throughout: photos can have a hundred million pixels.
    picture = Image.fromarray(photo)
    colours = palette_image(labels, class_names).convert("RGB")
    picture = Image.composite(colours, picture, _opacity(is_shown[labels], alpha))
    # Light lines, because skin over skin and brown over brown hair would not show.
    picture.paste((255, 255, 255), mask=_opacity(border, alpha))
    return np.asarray(picture)


def prediction_sheet(
    images: Sequence[np.ndarray],
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
    legend = _legend(class_names, width - 2 * gap)
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


def save_image(picture: Image.Image, path: pathlib.Path | str, mark: str | None = None) -> None:
    """Writes a picture in the format of the path's suffix; no half-written file is ever seen.

    The folder is made if need be. JPEGs are written at quality 92.

    Args:
      picture: any that the format can hold.
      path: .png or .jpg.
      mark: text that the file carries to tell what wrote it: as 'Software' of a PNG, as comment of a JPEG.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image_format = Image.registered_extensions()[path.suffix.lower()]
    options: dict[str, Any] = {"quality": 92} if image_format == "JPEG" else {}
    if mark and image_format == "JPEG":
        options["comment"] = mark
    elif mark:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Software", mark)
    with atomic_file.replacing(path) as file:
        picture.save(file, format=image_format, **options)


def _colours_of_all_ids(class_names: Sequence[str]) -> np.ndarray:
    """uint8 [256, 3]: the classes' colours, then grey."""
    colours = np.full((256, 3), NO_CLASS_COLOUR, np.uint8)
    colours[: len(class_names)] = class_colours(class_names)
    return colours


def _opacity(region: np.ndarray, alpha: float) -> Image.Image:
    """Mask for Pillow that is `alpha` where the region, bool [H, W], is true."""
    return Image.fromarray(region * np.uint8(round(alpha * 255)))


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
        np.rint(pale + opacity * (np.float32(WRONG_COLOUR) - pale)).astype(np.uint8)
    )


def _legend(class_names: Sequence[str], width: int) -> Image.Image:
    """Swatches with the classes' names, in as many lines as they need."""
    swatch, line, font = 15, 26, _font(15)
    places = []
    x = y = 0
    for name in class_names:
        needed = swatch + 7 + round(font.getlength(name)) + 20
        if x and x + needed > width:
            x, y = 0, y + line
        places.append((x, y))
        x += needed
    legend = Image.new("RGB", (width, y + line), PAPER)
    draw = ImageDraw.Draw(legend)
    colours = class_colours(class_names)
    for (x, y), name, colour in zip(places, class_names, colours, strict=True):
        box = (x, y + 3, x + swatch, y + 3 + swatch)
        draw.rounded_rectangle(box, 3, tuple(colour.tolist()), outline=FAINT_INK)
        draw.text((x + swatch + 7, y + 3 + swatch / 2), name, INK, font, anchor="lm")
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
