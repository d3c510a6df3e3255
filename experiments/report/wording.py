"""Scores and names as people read them. What is undefined is a dash, never a zero."""

from collections.abc import Mapping
from typing import Any

from fpliif_jax import systems
from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.comparison.study_tables import Published, ReportRow
from fpliif_jax.experiments.stats.number_text import MISSING, number
from fpliif_jax.experiments.stats.seed_statistics import Summary
from fpliif_jax.systems.protocol import Protocol

_ICNN_ROWS = {
    "image": "the whole system, scored on the image",
    "canvas": "the whole system, scored with the padding",
    "true_windows": "fine networks on windows around the true centroids",
    "centroid_windows": "fine networks on windows around the coarse mask's centroids",
    "coarse": "the coarse network alone",
}


def mean_sd(summary: Summary | None, decimals: int = 2) -> str:
    """'78.37 ± 0.41'; the mean alone where one run has no SD."""
    if summary is None or summary.mean is None:
        return MISSING
    text = number(summary.mean, decimals)
    return text if summary.sd is None else f"{text} ± {number(summary.sd, decimals)}"


def seeds(values: Mapping[int, float | None], decimals: int = 2) -> tuple[tuple[str, str], ...]:
    """(seed, score) of every run."""
    return tuple((str(seed), number(value, decimals)) for seed, value in values.items())


def published(value: Published | None) -> str:
    """A published number as printed, but fractions in percent like all scores; with its SD where there is one."""
    if value is None:
        return MISSING
    text = value.printed
    if value.unit == "fraction":
        text = number(value.value, value.decimals)
    if value.sd is not None:
        text += f" ± {value.sd:g}"
    return text


def published_note(value: Published | None) -> str:
    """How many runs are behind a published SD, where it was published, and how it was printed."""
    if value is None:
        return ""
    parts = []
    if value.n is not None:
        parts.append(counted(value.n, "run"))
    elif value.sd is not None:
        parts.append("number of runs not given")
    if value.source:
        parts.append(value.source)
    if value.unit == "fraction":
        parts.append(f"printed as {value.printed}")
    return ", ".join(parts)


def decimals_of(row: ReportRow) -> int:
    """Digits to show for a row of a table: at least as many as were printed."""
    return max(2, row.published.decimals if row.published else 0)


def row_meaning(key: str) -> str:
    """'decoded at 48², scored at 64²'; for STN-iCNN what the row is; '' for a row that is of no known protocol."""
    protocol = Protocol.of_key(key)
    if not protocol.scored_at:
        return _ICNN_ROWS.get(protocol.name, "")
    if protocol.output_size == protocol.scored_at:
        return f"decoded and scored at {protocol.scored_at}²"
    return f"decoded at {protocol.output_size}², scored at {protocol.scored_at}²"


def row_order(key: str) -> tuple[int, int]:
    """Sorts rows by the size they are decoded at, then scored at; rows without a size stay in place, last."""
    protocol = Protocol.of_key(key)
    return (protocol.output_size, protocol.scored_at) if protocol.scored_at else (2**31, 0)


def model_name(model: str) -> str:
    """The paper's name of a model."""
    return systems.of_name(model).title if model in systems.names() else str(model)


def plain(value: Any) -> str:
    """Any value of a config or environment on one line."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items()) or MISSING
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or MISSING
    return " ".join(str(value).split()) or MISSING


def score_place(split: str = "", checkpoint: str = "", protocol: str = "") -> str:
    """'test split, best checkpoint, row 48 → 64'; what is '' is left out."""
    parts = []
    if split:
        parts.append(f"{split} split")
    if checkpoint:
        parts.append(f"{checkpoint} checkpoint")
    if protocol:
        parts.append(f"row {Protocol.of_key(protocol).title}")
    return ", ".join(parts)


def settings_text(group: ReportGroup) -> str:
    """The fields in which a group differs from the others of its study."""
    return ", ".join(f"{key} = {plain(value)}" for key, value in group.settings.items())
