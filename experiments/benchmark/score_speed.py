"""Measures how fast pairs of label maps are scored, beside reading them alone.

    python -m experiments.benchmark.score_speed
    python -m experiments.benchmark.score_speed --sides=256,512 --pairs=248 --output=score_speed.json

A few faces are drawn; their label maps, and these with half the detail as predictions, are written again and again
under other names, in CelebAMask-HQ's 19 classes. In every round each way takes all pairs, one way after the other, on
all cores: the bytes of the files alone; read and decoded, as `experiments.score` reads them; scored by it at all its
sizes, label maps resized by nearest neighbour, and class-wise bicubically, its default. Where the system can, the files
are taken out of its memory before each, so that they come from the disk. docs/score.md has what was measured.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import markdown, results_file
from fpliif_jax.fields.json_types import JsonObject

if TYPE_CHECKING:
    from fpliif_jax.experiments.score.pairing import Pair

_COMMAND = "experiments.benchmark.score_speed"
_DRAWN = 8  # faces, whatever the number of pairs
_DATASET = "celebamask_hq"
_TITLES = {
    "bytes": "bytes alone",
    "decoded": "read and decoded",
    "nearest": "scored, `nearest`",
    "class_bicubic": "scored, `class_bicubic`",
}
Seconds = Mapping[int, Mapping[str, Sequence[float]]]  # of each round, by side and way


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument(
        "--sides", type=_sides, default="256,512", help="of label maps (default 256,512)"
    )
    parser.add_argument("--pairs", type=int, default=248, help="of each side (default 248)")
    parser.add_argument("--rounds", type=int, default=5, help="times to measure all (default 5)")
    parser.add_argument(
        "--workspace", type=pathlib.Path, help="folder to work in, on the disk (a temporary one)"
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    command_line.run(_COMMAND, results_file.run, _measure, parser.parse_args(arguments))


def _sides(text: str) -> list[int]:
    sides = sorted({int(part) for part in text.split(",")})
    if sides[0] < 32:
        raise argparse.ArgumentTypeError(f"{text!r}: give numbers from 32 on")
    return sides


def _measure(flags: argparse.Namespace) -> tuple[str, JsonObject]:
    for field in ("pairs", "rounds"):
        if getattr(flags, field) < 1:
            raise UserError(f"--{field}={getattr(flags, field)}: at least one")
    if flags.workspace:
        flags.workspace.mkdir(parents=True, exist_ok=True)
    seconds: dict[int, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(
        prefix="score-", dir=flags.workspace, ignore_cleanup_errors=True
    ) as folder:
        pairs = {
            side: write_pairs(pathlib.Path(folder, str(side)), side, flags.pairs)
            for side in flags.sides
        }
        megabytes = {side: _size(of_side) / 1e6 for side, of_side in pairs.items()}
        ways = _ways()
        for number in range(1, flags.rounds + 1):
            for side, of_side in pairs.items():
                for name, way in ways.items():
                    of_way = seconds.setdefault(side, {}).setdefault(name, [])
                    of_way.append(_seconds(way, of_side))
            print(f"round {number} of {flags.rounds}", file=sys.stderr)
    content = {
        "pairs": flags.pairs,
        "from_disk": hasattr(os, "posix_fadvise"),
        "megabytes": megabytes,
        "seconds": seconds,
    }
    return table(seconds, flags.pairs), content


def write_pairs(folder: pathlib.Path, side: int, count: int) -> "list[Pair]":
    """Writes label maps of drawn faces and predictions of them, as 8-bit PNG files of ids.

    Args:
      folder: that is made, with `truth` and `predictions` in it.
      side: in pixels.
      count: of pairs.
    """
    from PIL import Image

    from fpliif_jax.data_builders import synthetic_faces
    from fpliif_jax.experiments.score.pairing import Pair

    files = []
    for seed in range(min(_DRAWN, count)):
        labels = Image.fromarray(synthetic_faces.draw_face(seed, side).label_map)
        half = labels.resize((side // 2, side // 2), Image.Resampling.NEAREST)
        files.append((labels, half.resize((side, side), Image.Resampling.NEAREST)))
    pairs = []
    for kind in ("truth", "predictions"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        name = f"{number:06d}"
        pair = Pair(name, folder / "truth" / f"{name}.png", folder / "predictions" / f"{name}.png")
        for image, path in zip(
            files[number % len(files)], (pair.truth, pair.prediction), strict=True
        ):
            with open(path, "wb") as file:
                image.save(file, "PNG")
                file.flush()
                os.fsync(file.fileno())  # only what is on the disk can leave the memory
        pairs.append(pair)
    return pairs


def _ways() -> "dict[str, Callable[[list[Pair]], object]]":
    from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ
    from fpliif_jax.data_builders.host.ordered_map import ordered_map
    from fpliif_jax.experiments.score.class_tables import own_ids
    from fpliif_jax.experiments.score.counted_pairs import count_pairs
    from fpliif_jax.experiments.score.counting import Counter, canvas_of
    from fpliif_jax.experiments.score.reading import read_label_map

    names = CELEBAMASK_HQ
    tables = own_ids(names, True), own_ids(names, False)

    def bytes_of(pair: "Pair") -> None:
        pair.truth.read_bytes()
        pair.prediction.read_bytes()

    def decode(pair: "Pair") -> None:
        for path, table_of_ids in zip((pair.truth, pair.prediction), tables, strict=True):
            read_label_map(path, table_of_ids, names, "")

    def scored(method: str) -> "Callable[[list[Pair]], object]":
        counter = Counter(names, method, canvas_of(_DATASET, names))
        return lambda pairs: count_pairs(pairs, counter, *tables)

    return {
        "bytes": lambda pairs: list(ordered_map(bytes_of, pairs)),
        "decoded": lambda pairs: list(ordered_map(decode, pairs)),
        "nearest": scored("nearest"),
        "class_bicubic": scored("class_bicubic"),
    }


def _seconds(way: "Callable[[list[Pair]], object]", pairs: "list[Pair]") -> float:
    """Seconds that one way takes by the clock, the files not in memory where the system can be told so."""
    if hasattr(os, "posix_fadvise"):
        for path in (path for pair in pairs for path in (pair.truth, pair.prediction)):
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = time.perf_counter()
    way(pairs)
    return time.perf_counter() - started


def _size(pairs: "Sequence[Pair]") -> int:
    return sum(path.stat().st_size for pair in pairs for path in (pair.truth, pair.prediction))


def table(seconds: Seconds, pairs: int) -> str:
    """Pairs a second, medians over rounds, and how many times as long as decoding alone scoring takes, in Markdown.

    Args:
      seconds: of all rounds.
      pairs: of each side.
    """
    rows = []
    for side, of_side in seconds.items():
        medians = {name: statistics.median(of_side[name]) for name in _TITLES}
        cells = [f"{pairs / taken:,.0f}" for taken in medians.values()]
        for place, name in ((2, "nearest"), (3, "class_bicubic")):
            cells[place] += f" ({medians[name] / medians['decoded']:.1f} times as long)"
        rows.append([f"{side}²", *cells])
    return markdown.table(["label maps", *_TITLES.values()], rows)


if __name__ == "__main__":
    main()
