"""The look of all figures, and how Matplotlib's figures become SVG text: small, deterministic, in the page's colours.

A figure is laid out in CSS pixels (1 point = 1 pixel) and is never scaled down, so text keeps its size on a phone.
"""

import enum
import io
import logging
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NARROW, WIDE = 350, 860  # pixels: a phone's column, a desktop's
TEXT, SMALL = 12.0, 11.0  # pixels


class Colour(enum.StrEnum):
    """Light colours; in HTML each becomes the variable of its name, so that a dark page has dark figures."""

    INK = "#1c1e26"
    MUTED = "#5c616e"
    RULE = "#d8d4c9"
    PAPER = "#fdfcfa"
    OURS = "#17598f"
    PUBLISHED = "#b23c17"
    EXTERNAL = "#7b3f98"
    BAND = "#f3d9c9"
    ASIDE = "#888c98"


_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fpliif_jax",
    "text.parse_math": False,  # names may have dollar signs
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.color": Colour.INK,
    "axes.edgecolor": Colour.MUTED,
    "axes.labelcolor": Colour.MUTED,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "axes.linewidth": 0.8,
    "xtick.color": Colour.MUTED,
    "ytick.color": Colour.MUTED,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "lines.solid_capstyle": "butt",
    "path.simplify": True,
}
_FONTS = "system-ui, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def style() -> AbstractContextManager[None]:
    """Context in which figures are drawn and saved."""
    return matplotlib.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many pixels, without background."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")


def add_axes(
    figure: Figure, left: float, top: float, width: float, height: float, **options: Any
) -> Axes:
    """Axes at a place in pixels from the top left corner, with nothing but a line below."""
    full_width, full_height = (72 * side for side in figure.get_size_inches())
    place = (
        left / full_width,
        1 - (top + height) / full_height,
        width / full_width,
        height / full_height,
    )
    axes = figure.add_axes(place, **options)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=3, width=0.8)
    return axes


def write_at(
    figure: Figure, left: float, top: float, text: str, most_pixels: float, **options: Any
) -> None:
    """Text at a place in pixels from the top left corner, cut to fit."""
    full_width, full_height = (72 * side for side in figure.get_size_inches())
    size = float(options.get("size", TEXT))
    options.setdefault("va", "center")
    figure.text(
        left / full_width, 1 - top / full_height, fitted(text, most_pixels, size), **options
    )


def fitted(text: str, most_pixels: float, size: float = TEXT) -> str:
    """Text cut with an ellipsis to about so many pixels."""
    text = " ".join(str(text).split())
    most = max(int(most_pixels / (0.55 * size)), 4)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document: no date, no metadata, nothing that differs between two calls."""
    buffer = io.StringIO()
    # Names may have letters that Matplotlib's font lacks; the reader's fonts draw them.
    with style(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
        figure.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    return re.sub(r"\n\s*", "\n", _in_tags(text, lambda tag: _tidy_tag(tag, used)))


def _tidy_tag(tag: str, used_ids: set[str]) -> str:
    if tag.startswith("<svg"):
        tag = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', tag)
    tag = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used_ids else "", tag)
    tag = re.sub(r"font-family: [^;\"]*", f"font-family: {_FONTS}", tag)
    tag = re.sub(r"(font: [^;\"]*?px) [^;\"]*", rf"\1 {_FONTS}", tag)
    return re.sub(r"(\d\.\d{2})\d+", r"\1", tag)  # a hundredth of a pixel is enough


def _in_tags(svg: str, change: Callable[[str], str]) -> str:
    """Changes tags alone: text between them comes from outside and may look like anything."""
    return re.sub(r"<[^>]*>", lambda match: change(match[0]), svg)


def with_paper(svg: str) -> str:
    """The figure for a file of its own, on paper: viewers may have any colour behind it."""
    end = svg.index(">") + 1
    return (
        svg[:end] + f'\n<rect width="100%" height="100%" style="fill: {Colour.PAPER}"/>' + svg[end:]
    )


def inline(svg: str, prefix: str) -> str:
    """The figure for an HTML page: colours are the page's variables, ids begin with the prefix."""
    return _in_tags(svg, lambda tag: _inline_tag(tag, prefix))


def _inline_tag(tag: str, prefix: str) -> str:
    tag = re.sub(r' (?:xmlns(?::\w+)?|version)="[^"]*"', "", tag)
    tag = tag.replace("xlink:href", "href").replace(' id="', f' id="{prefix}-')
    tag = tag.replace("url(#", f"url(#{prefix}-").replace('href="#', f'href="#{prefix}-')
    for colour in Colour:
        tag = tag.replace(colour, f"var(--{colour.name.lower()})")
    return tag
