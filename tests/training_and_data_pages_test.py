"""How long a training takes and how much disk a set does, as the pages have it, follows from what was measured."""

import json
import pathlib

import pytest

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.celebamask_hq.celebamask_hq_dataset_builder import (
    Builder as CelebAMaskHQ,
)
from fpliif_jax.data_builders.helen.helen_dataset_builder import Builder as Helen
from fpliif_jax.data_builders.lapa.lapa_dataset_builder import Builder as LaPa
from fpliif_jax.systems import parse_protocols

_ROOT = pathlib.Path(__file__).parents[1]
_RESULTS = _ROOT / "experiments" / "results"
_CONFIGS = {"lapa": LaPa, "celebamask_hq": CelebAMaskHQ, "helen": Helen}
_TITLES = {"lapa": "LaPa", "celebamask_hq": "CelebAMask-HQ", "helen": "Helen"}


def _cells(page: str, beginning: str) -> list[str]:
    """Of the first row that begins so."""
    lines = (_ROOT / "docs" / page).read_text("utf-8").splitlines()
    line = next(line for line in lines if line.startswith(f"| [{beginning}]"))
    return line.strip("| ").split(" | ")


@pytest.mark.parametrize("name", _CONFIGS)
def test_times_follow_from_the_rates_that_were_measured(name: str) -> None:
    loop = json.loads((_RESULTS / "nvidia-h100" / "drawn-lapa-results.json").read_text("utf-8"))
    kept = json.loads(
        (_RESULTS / "amd-epyc-2-cores-training" / "benchmark.json").read_text("utf-8")
    )
    (image,) = (
        one["median_seconds"]
        for one in kept["measurements"]
        if (one["part"], one["candidate"], one["batch"]) == ("gradient", "JAX", 1)
    )
    images = _CONFIGS[name].OFFICIAL_COUNTS["train"]
    assert command_line.config_of([f"--config={name}"]).train.epochs == 400
    hours = [epochs * images / loop["train"]["images_per_second"] / 3600 for epochs in (400, 120)]
    days = [epochs * images * image / 86_400 for epochs in (400, 120)]
    shown = [f"{one:.0f} h" if one >= 10 else f"{one:.1f} h" for one in hours]
    shown += [f"{one:.0f} days" for one in days]
    assert _cells("training.md", f"`{name}.py`")[1:] == [f"{images:,}", *shown]


@pytest.mark.parametrize("name", _CONFIGS)
def test_resized_sets_have_the_bytes_of_their_pixels(name: str) -> None:
    config, counts = command_line.config_of([f"--config={name}"]), _CONFIGS[name].OFFICIAL_COUNTS
    side = config.data.image_size
    sizes = {protocol.scored_at for protocol in parse_protocols(config, config.eval.rows)}
    pixels = 4 * side**2 * sum(counts.values())
    pixels += counts["test"] * sum(size**2 for size in sizes - {side})
    cells = _cells("data.md", _TITLES[name])
    assert cells[3] == " / ".join(f"{count:,}" for count in counts.values())
    assert cells[5] == f"{pixels / 1e9:.1f} GB"
