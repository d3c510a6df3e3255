"""Prints what finding faces is worth, as Markdown: F1 of `drawn` with find="auto" and without.

    python -m docs.faces.find
    python -m docs.faces.find --photographs=FOLDER --names=FILE
    python -m docs.faces.find --photographs=FOLDER --names=FILE --rules

Drawn faces, and with --photographs those of CelebAMask-HQ, are pasted at random places of a canvas with a drawn
background. FOLDER has images/NAME.jpg and labels/NAME.png, a palette PNG of the set's ids; FILE names those to take,
one a line, otherwise the first ones are taken. Mean F1 over ten classes, in percent, at 256² over the whole canvas:
pixels of all canvases together, the difference with its 95 % percentile bootstrap interval over canvases. *worse*
counts the canvases whose own mean F1 is lower with "auto"; *windows* the faces with one window whose middle is in
them, those with none, those with more, and the windows whose middle is in no face.

With --rules, a line for each rule by which a label map could be made of a window and the whole photo: the mean of the
canvases' own differences from "none", and how many are worse.
"""

import argparse
import collections
import functools
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from docs.faces import rules
from docs.faces.canvases import SIDE, SIZES, Draw, Pasted, draw_photographs, new_face, paste
from fpliif_jax import FaceParser, systems, weights
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.benchmark import machine
from fpliif_jax.experiments.stats import image_bootstrap
from fpliif_jax.run_folder import run_record

HEAD = (
    "| faces | on the canvas | canvases | `none` | `auto` | difference | worse | windows |",
    "|---|---|---|---|---|---|---|---|",
)


def windows_of(faces: tuple[tuple[int, int, int, int], ...], pasted: Pasted) -> list[int]:
    """How many windows have their middle in each face, and at the end, in none."""
    scale = np.array(pasted.labels.shape) / SIDE
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
        for find, own in zip(("auto", "none"), matrices, strict=True):
            parsed = parser(pasted.photo, SIDE, find=find)
            own.append(pasted.counts(parsed.labels, 11))
            if find == "auto":
                *each, beside = windows_of(parsed.faces, pasted)
                windows.update(one=each.count(1), none=each.count(0))
                windows.update(more=sum(count > 1 for count in each), beside=beside)
    stacked = np.array(matrices)
    auto, none = (100 * metrics.mean_f1(stacked.sum(axis=1))).tolist()
    gain = image_bootstrap.paired_difference(stacked)
    of_each = (100 * metrics.mean_f1(stacked)).tolist()
    by_canvas = dict(zip(("auto", "none"), of_each, strict=True))
    difference = {"estimate": auto - none}
    if gain is not None:  # as it is of a single canvas
        difference |= {"low": gain.low, "high": gain.high}
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
    cells = (
        *(one["faces"], one["on_the_canvas"], str(len(by_canvas["none"]))),
        *(f"{one['none']:.2f}", f"{one['auto']:.2f}"),
        f"{gain['estimate']:+.2f}"
        + (f" [{gain['low']:.2f}, {gain['high']:.2f}]" if "low" in gain else ""),
        rules.counted(losses),
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
        choices=SIZES,
        default=SIZES,
        metavar="ROW",
        help="those to make, as '70 %%'",
    )
    flags.add_argument("--photographs", type=pathlib.Path, metavar="FOLDER")
    flags.add_argument("--names", type=pathlib.Path, help="file of the photographs' names")
    flags.add_argument("--rules", action="store_true", help="compare rules instead")
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
    environment = machine.environment(with_torch=False) if chosen.output else None
    if chosen.rules:
        trained = weights.load("drawn")
        measure = functools.partial(
            rules.row, systems.of(trained.config).inference.make_labeller(trained)
        )
    else:
        measure = functools.partial(row, FaceParser.from_pretrained("drawn"))
        print(*HEAD, sep="\n")
    rows: list[dict[str, Any]] = []
    for name in chosen.rows:
        height, width, sides = SIZES[name]
        draws: dict[str, Draw] = {"drawn": new_face}
        if names and len(sides) == 1:
            draws["CelebAMask-HQ"] = draw_photographs(chosen.photographs, names)
        for kind, draw in draws.items():
            sources = np.random.SeedSequence(chosen.seed).spawn(chosen.canvases)
            canvases = (
                paste(np.random.default_rng(source), (height, width), sides, draw)
                for source in tqdm(sources, desc=f"{kind}, {name}", leave=False)
            )
            rows.append(measure(name, kind, canvases))
            if not chosen.rules:
                print(line(rows[-1]), flush=True)
            if chosen.output:
                run_record.write_json(chosen.output, {"environment": environment, "rows": rows})
    if chosen.rules:
        print("\n".join(rules.table(rows)))


if __name__ == "__main__":
    main()
