"""What a robustness.json says of itself, and whether it is what a study makes of the run that it lies in.

Whoever runs the command with other options writes into the same folder: other images or another margin are another
test.
"""

import dataclasses
import pathlib

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.robustness.statistics import OfParts
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes
from fpliif_jax.experiments.runs.results import Results

FILE = "robustness/robustness.json"
_LIMIT = 16 * MEBIBYTE
# Without options: of these images, by this checkpoint.
_SPLIT, _CHECKPOINT = "test", "best"


@dataclasses.dataclass(frozen=True)
class _Set:
    fingerprint: str | None = None


@dataclasses.dataclass(frozen=True)
class Robustness:
    """Fields of robustness.json that are used; None where it does not say one."""

    overall: OfParts
    split: str | None = None
    checkpoint: str | None = None
    step: int | None = None
    images: int | None = None
    margin: int | None = None
    dataset: _Set | None = None


def default_margin(crop_size: int) -> int:
    """Pixels that are hidden around a part: brows and lashes have soft edges."""
    return max(2, round(crop_size / 20))


def read(workdir: pathlib.Path, within: pathlib.Path) -> Robustness:
    """The test of a run's folder; `within` as in `bounded_files.read_bytes`.

    Raises:
      FileNotFoundError: there is none.
      UnreadableError: it cannot be used.
    """
    return typed_json.read(Robustness, workdir / FILE, within, _LIMIT)


def unlike(measured: Robustness, run: Results) -> list[str]:
    """Differences of a test from that of a study of the run, in what both say: 'split validation, not test'."""
    scored = [
        one for one in run.evaluations if (one.split, one.checkpoint) == (_SPLIT, _CHECKPOINT)
    ]
    crop_size = run.config.flat.get("model.crop_size")
    pairs = {
        "split": (measured.split, _SPLIT),
        "checkpoint": (measured.checkpoint, _CHECKPOINT),
        "step": (measured.step, scored[0].step if scored else None),
        "images": (measured.images, scored[0].images if scored else None),
        "margin": (measured.margin, crop_size and default_margin(crop_size)),
        "data set": (measured.dataset and measured.dataset.fingerprint, run.dataset.fingerprint),
    }
    return [
        f"{name} {found}, not {wanted}"
        for name, (found, wanted) in pairs.items()
        if None not in (found, wanted) and found != wanted
    ]


def unlike_in(workdir: pathlib.Path) -> list[str]:
    """The same of the test in a run's folder; also why it cannot be told."""
    path = workdir / "results.json"
    try:
        run = Results.of(parse_json(read_bytes(path, workdir, _LIMIT), path.name))
        return unlike(read(workdir, workdir), run)
    except (OSError, UnreadableError) as error:
        return [str(error)]
