"""The classes' colours as text."""

from collections.abc import Sequence

from fpliif_jax.pictures.colours import class_colours


def hex_colours(class_names: Sequence[str]) -> dict[str, str]:
    """'#rrggbb' by class name; empty where there are more classes than a label map can have."""
    try:
        colours = class_colours(class_names)
    except ValueError:
        return {}
    return {
        name: hex_colour(colour.tolist()) for name, colour in zip(class_names, colours, strict=True)
    }


def hex_colour(colour: Sequence[int]) -> str:
    """'#rrggbb' of red, green and blue."""
    return "#" + bytes(colour).hex()
