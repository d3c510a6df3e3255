"""The networks of a page: their files, and what the page can do with them."""

import dataclasses
import math
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from fpliif_jax import systems
from fpliif_jax.export import write
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.weights.trained_model import ChosenModel

PARTS = ("encoder", "decoder")
WHOLE = ("model",)
# Of the network's side, those of the squares that it sees of live video where the whole would be too slow;
# docs/demo.md says what they cost.
_LIVE_SHARES = (3 / 4, 5 / 8, 1 / 2)
_LATENT_CELL = 4  # pixels a side
# The most that networks are given. A whole one is thousands of small operators, at each of which threads would wait
# for each other: on busy cores two take twice as long as one.
_MOST_THREADS: dict[tuple[str, ...], int] = {PARTS: 8, WHOLE: 1}


def files(chosen: ChosenModel) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Makes the networks, each compared with JAX.

    Yields:
      (a line that says what was made, files by path in the page).

    Raises:
      ExportError: they differ from JAX, or the page has nothing for such a network.
    """
    names = _names(chosen)
    with tempfile.TemporaryDirectory(prefix="fpliif-demo-") as temporary:
        for side in network_sides(chosen):
            folder = pathlib.Path(temporary) / str(side)
            lines = write.export(
                seeing(chosen, side), "onnx", folder, parts=names == PARTS, float16=False
            )
            for name, line in zip(names, lines, strict=True):
                content = (folder / f"{name}.onnx").read_bytes()
                description = f"{side}²: {line.removeprefix(f'{folder}{os.sep}')}"
                yield description, {_path(name, side): content}


def abilities(chosen: ChosenModel) -> dict[str, Any]:
    """What the page can do: it asks this and nothing else, as the name of a system.

    Returns:
      `can`, of 'sizes' (the networks answer at any size: a slider, two sizes side by side) and 'windows' (they say
      where they look); `framing`, 'square' or 'canvas', how the photo is fed to them; `networks`, paths of what is
      run one after the other, for each of `sides`, the sides of the squares that are fed, the model's first; on a
      canvas `longest_side` of a photo; `threads`, the most that run them on a processor; `logit_scale`, the factor
      that the training loss gives logits before the softmax, where there are logits.
    """
    config = chosen.trained.config
    system = systems.of(config)
    sides = network_sides(chosen)
    described: dict[str, Any] = {
        "can": ["sizes"] if _names(chosen) == PARTS else [],
        "framing": system.data["framing"],
        "sides": sides,
        "threads": _MOST_THREADS[_names(chosen)],
        "networks": [[_path(name, side) for name in _names(chosen)] for side in sides],
    }
    if system.inference.windows:
        described["can"].append("windows")
    if system.data["framing"] == "canvas":
        described["longest_side"] = config.data.get("longest_side") or config.data.image_size
    else:
        described["logit_scale"] = system.inference.logit_scale(config)
    return described


def network_sides(chosen: ChosenModel) -> list[int]:
    """Sides in pixels of the squares that the page's networks see: the model's first, then those of live video."""
    side = chosen.trained.config.data.image_size
    if _names(chosen) == WHOLE:
        return [side]
    cells = (math.ceil(side * share / _LATENT_CELL) for share in _LIVE_SHARES)
    live = {cell * _LATENT_CELL for cell in cells}
    return [side, *sorted((one for one in live if one < side), reverse=True)]


def _names(chosen: ChosenModel) -> tuple[str, ...]:
    system = systems.of(chosen.trained.config)
    if system.inference.decodes_any_size:
        return PARTS
    if system.data.get("framing") != "canvas":
        raise ExportError(
            f"the page shows networks that answer at any size, or that see a canvas; {system.title} does neither: "
            "python -m fpliif_jax.export writes it for other programs"
        )
    return WHOLE


def _path(name: str, side: int) -> str:
    return f"model/{name}_{side}.onnx"


def seeing(chosen: ChosenModel, side: int) -> ChosenModel:
    """The model with a square of another side as its input: the weights are those of any."""
    config = chosen.trained.config.copy_and_resolve_references()
    config.data.image_size = side
    return chosen._replace(trained=dataclasses.replace(chosen.trained, config=config))
