"""Prints what finding faces is worth, as Markdown: F1 of `drawn` with find="auto" and without.

    python -m docs.faces.find
    python -m docs.faces.find --photographs=FOLDER --names=FILE

Drawn faces, and with --photographs those of CelebAMask-HQ, are pasted at random places of a canvas with a drawn
background. FOLDER has images/NAME.jpg and labels/NAME.png, a palette PNG of the set's ids; FILE names those to take,
one a line, otherwise the first ones are taken. Mean F1 over ten classes, in percent, at 256² over the whole canvas:
pixels of all canvases together, the difference with its 95 % percentile bootstrap interval over canvases. *worse*
counts the canvases whose own mean F1 is lower with "auto"; *windows* the faces with one window whose middle is in
them, those with none, those with more, and the windows whose middle is in no face.
"""

import argparse
import collections
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from fpliif_jax import FaceParser
from fpliif_jax.data import renamed_labels
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.photographic.backdrop import draw_background
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.benchmark import machine
from fpliif_jax.experiments.stats import image_bootstrap
from fpliif_jax.run_folder import run_record

_SIDE = 256  # of the label maps
# Height and width of the canvas and the sides of the faces on it, in pixels.
_CANVASES = {
    **{f"{share} %": (640, 640, (640 * share // 100,)) for share in (15, 30, 60, 70, 80, 100)},
    "two": (500, 700, (180, 150)),
    "three": (480, 720, (240, 120, 90)),
}
# Of a side in pixels: a photo of a face, and its label map.
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


class Pasted(NamedTuple):
    """Faces on a canvas: uint8 [H, W, 3], class ids uint8 [H, W], and (top, left, side) of each."""

    photo: np.ndarray
    labels: np.ndarray
    places: list[tuple[int, int, int]]


def paste(
    rng: np.random.Generator, size: tuple[int, int], sides: tuple[int, ...], draw: Draw
) -> Pasted:
    """Faces of these sides at random places where they do not overlap."""
    height, width = size
    backdrop = Canvas(max(size))
    draw_background(backdrop, rng)
    photo = (255 * np.clip(backdrop.colour[:height, :width], 0, 1)).astype(np.uint8)
    labels, taken = np.zeros(size, np.uint8), np.zeros(size, bool)
    places: list[tuple[int, int, int]] = []
    while len(places) < len(sides):
        side = sides[len(places)]
        top, left = (int(rng.integers(length - side + 1)) for length in size)
        here = slice(top, top + side), slice(left, left + side)
        if not taken[here].any():
            photo[here], labels[here] = draw(rng, side)
            taken[here] = True
            places.append((top, left, side))
    return Pasted(photo, labels, places)


def new_face(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face."""
    face = draw_face(rng.spawn(1)[0], side, "photographic")
    return face.image, face.lapa_label_map


def draw_photographs(folder: pathlib.Path, names: list[str]) -> Draw:
    """One photograph after the other, resized."""
    remaining = iter(names)
    table = renamed_labels.class_table("lapa", CELEBAMASK_HQ)

    def draw(_: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
        name = next(remaining)
        photo = Image.open(folder / "images" / f"{name}.jpg").convert("RGB")
        labels = Image.open(folder / "labels" / f"{name}.png")
        small = labels.resize((side, side), Image.Resampling.NEAREST)
        return np.asarray(photo.resize((side, side), Image.Resampling.LANCZOS)), table[small]

    return draw


def windows_of(faces: tuple[tuple[int, int, int, int], ...], pasted: Pasted) -> list[int]:
    """How many windows have their middle in each face, and at the end, in none."""
    scale = np.array(pasted.labels.shape) / _SIDE
    counts = [0] * (len(pasted.places) + 1)
    for top, left, bottom, right in faces:
        row, column = np.array([top + bottom, left + right]) / 2 * scale
        of_face = [
            index
            for index, (first, start, side) in enumerate(pasted.places)
            if first <= row < first + side and start <= column < start + side
        ]
        counts[of_face[0] if of_face else -1] += 1
    return counts


def row(parser: FaceParser, name: str, kind: str, canvases: Iterable[Pasted]) -> dict[str, Any]:
    """What is measured of a row of the table; F1 in percent."""
    matrices: list[list[np.ndarray]] = [[], []]
    windows: collections.Counter[str] = collections.Counter()
    for pasted in canvases:
        truth = np.asarray(
            Image.fromarray(pasted.labels).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        )
        for find, own in zip(("auto", "none"), matrices, strict=True):
            parsed = parser(pasted.photo, _SIDE, find=find)
            counts = metrics.confusion_matrices(truth[None], parsed.labels[None], 11)
            own.append(np.asarray(counts[0], np.int64))
            if find == "auto":
                *each, beside = windows_of(parsed.faces, pasted)
                windows.update(one=each.count(1), none=each.count(0))
                windows.update(more=sum(count > 1 for count in each), beside=beside)
    stacked = np.array(matrices)
    auto, none = (100 * metrics.mean_f1(stacked.sum(axis=1))).tolist()
    gain = image_bootstrap.paired_difference(stacked)
    of_each = (100 * metrics.mean_f1(stacked)).tolist()
    by_canvas = dict(zip(("auto", "none"), of_each, strict=True))
    difference = {"estimate": gain.estimate, "low": gain.low, "high": gain.high}
    return {
        "faces": kind,
        "on_the_canvas": name,
        "none": none,
        "auto": auto,
        "difference": difference,
        "by_canvas": by_canvas,
        "windows": dict(windows),
    }


def line(one: dict[str, Any]) -> str:
    """A row as a line of the table."""
    by_canvas, gain, windows = one["by_canvas"], one["difference"], one["windows"]
    pairs = zip(by_canvas["none"], by_canvas["auto"], strict=True)
    losses = [none - auto for none, auto in pairs if auto < none]
    worst = f" (at most {max(losses):.1f})" if losses else ""
    cells = (
        *(one["faces"], one["on_the_canvas"], str(len(by_canvas["none"]))),
        *(f"{one['none']:.2f}", f"{one['auto']:.2f}"),
        f"{gain['estimate']:+.2f} [{gain['low']:.2f}, {gain['high']:.2f}]",
        f"{len(losses)}{worst}",
        ", ".join(str(windows[what]) for what in ("one", "none", "more", "beside")),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Runs the command."""
    flags = argparse.ArgumentParser(
        "docs.faces.find",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--seed", type=int, default=0, help="of faces, places and backgrounds")
    flags.add_argument("--canvases", type=int, default=20, help="in each row")
    flags.add_argument(
        "--rows",
        nargs="+",
        choices=_CANVASES,
        default=_CANVASES,
        metavar="ROW",
        help="those to make, as '70 %%'",
    )
    flags.add_argument("--photographs", type=pathlib.Path, metavar="FOLDER")
    flags.add_argument("--names", type=pathlib.Path, help="file of the photographs' names")
    flags.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    chosen = flags.parse_args()
    if chosen.output:  # first: measuring takes long
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    if chosen.photographs:
        if chosen.names:
            names = chosen.names.read_text("utf-8").split()
        else:
            names = sorted(path.stem for path in chosen.photographs.glob("labels/*.png"))
        if len(names) < chosen.canvases:
            flags.error(f"{len(names)} photographs are too few for --canvases={chosen.canvases}")
    parser = FaceParser.from_pretrained("drawn")
    environment = machine.environment(with_torch=False) if chosen.output else None
    rows: list[dict[str, Any]] = []
    print("| faces | on the canvas | canvases | `none` | `auto` | difference | worse | windows |")
    print("|---|---|---|---|---|---|---|---|")
    for name in chosen.rows:
        height, width, sides = _CANVASES[name]
        draws = {"drawn": new_face}
        if names and len(sides) == 1:
            draws["CelebAMask-HQ"] = draw_photographs(chosen.photographs, names)
        for kind, draw in draws.items():
            sources = np.random.SeedSequence(chosen.seed).spawn(chosen.canvases)
            canvases = (
                paste(np.random.default_rng(source), (height, width), sides, draw)
                for source in tqdm(sources, desc=f"{kind}, {name}", leave=False)
            )
            rows.append(row(parser, name, kind, canvases))
            print(line(rows[-1]), flush=True)
            if chosen.output:
                run_record.write_json(chosen.output, {"environment": environment, "rows": rows})


if __name__ == "__main__":
    main()
