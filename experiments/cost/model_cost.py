"""What a model costs, as data and as a table: `experiments.cost` is its command."""

import dataclasses
from collections.abc import Mapping, Sequence

import ml_collections

from fpliif_jax import systems
from fpliif_jax.configs import fp_liif
from fpliif_jax.evaluation import evaluate
from fpliif_jax.experiments.published import PublishedValue, published_values, select
from fpliif_jax.fields import config_fields
from fpliif_jax.systems import multiply_accumulates
from fpliif_jax.training import preflight

OUTPUT_SIZES = (64, 96, 128, 192, 256, 512)  # FP-LIIF Table 6, and the 512 rows of Tables 1 and 2
_TABLE_6_CLASSES = 19
_TABLE_6 = "FP-LIIF Table 6"
# Of the fields that make another function, those that change no operation and no parameter.
_IMMATERIAL = ("num_classes", "norm_epsilon")


@dataclasses.dataclass(frozen=True)
class SizeCost:
    """The operations of a model for one image at an output size.

    Attributes:
      output_size: in pixels.
      gmacs: of all parts.
      published_gmacs: None unless Table 6 is about this model and size.
      parts: GMACs by part.
    """

    output_size: int
    gmacs: float
    published_gmacs: float | None
    parts: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a model costs.

    Attributes:
      parameters: trained values.
      published_parameters: in millions; None unless the paper's Table 4 is about this model.
      rows: one an output size; its own alone of a network that has no other; none where operations are not counted.
    """

    parameters: int
    published_parameters: float | None
    rows: Sequence[SizeCost]


def cost(config: ml_collections.ConfigDict) -> Cost:
    """Parameters and operations of `config.model` for one image.

    Args:
      config: a whole experiment; its model, and the size of its images.

    Raises:
      SettingsError: a field is missing or impossible.
    """
    preflight.check_fields(config)
    own_size = config.data.image_size
    system = systems.of(config)
    sizes = OUTPUT_SIZES if system.inference.decodes_any_size else ()
    parameters = count_parameters(config)
    rows = []
    for size in sorted({*sizes, own_size}) if system.network.multiply_accumulates else ():
        parts = multiply_accumulates.count(config.model, own_size, size)
        published = _published(config, "gmacs", _TABLE_6, str(size))
        gmacs = {name: operations / 1e9 for name, operations in parts.items()}
        total = sum(parts.values()) / 1e9
        rows.append(SizeCost(size, total, published.value if published else None, gmacs))
    published = _published(config, "parameters", "FP-LIIF Table 4", "256")
    return Cost(parameters, published.value if published else None, rows)


def count_parameters(config: ml_collections.ConfigDict) -> int:
    """Trained values of the model, from the shapes of its initialisation; nothing is computed."""
    return evaluate.count_parameters(systems.variable_shapes(config))


def is_papers(config: ml_collections.ConfigDict) -> bool:
    """Whether Table 6 is about this model: FP-LIIF as published, 256² images, 19 classes."""
    paper = fp_liif.get_config()
    return (
        config.model.name == paper.model.name
        and config.model.num_classes == _TABLE_6_CLASSES
        and config.data.image_size == paper.data.image_size
        and all(
            config.model[field] == value
            for field, value in paper.model.items()
            if field not in _IMMATERIAL and config_fields.decides_function(f"model.{field}")
        )
    )


def _published(
    config: ml_collections.ConfigDict, metric: str, source: str, protocol: str
) -> PublishedValue | None:
    if not is_papers(config):
        return None
    key = {"system": "FP-LIIF", "metric": metric, "source": source, "protocol": protocol}
    return next(iter(select(published_values(), **key)), None)


def to_text(costs: Cost, config: ml_collections.ConfigDict) -> str:
    """The same as a table: a column a size, a line a part."""
    parameters = f"{costs.parameters:,} parameters"
    if costs.published_parameters:
        parameters += f" (the paper: {costs.published_parameters} M)"
    rows = costs.rows
    if not rows:
        title = systems.of(config).title
        return f"{parameters}. Operations are not counted: the paper of {title} prints none."
    names = list(rows[0].parts)
    width = max(map(len, (*names, "difference"))) + 2

    def line(name: str, cells: list[str]) -> str:
        return f"{name:<{width}}" + "".join(f"{cell:>10}" for cell in cells)

    lines = [
        f"{parameters}. GMACs of one image, literal form:",
        "",
        line("output", [str(row.output_size) for row in rows]),
        *(line(name, [f"{row.parts[name]:.3f}" for row in rows]) for name in names),
        line("in all", [f"{row.gmacs:.3f}" for row in rows]),
    ]
    published = [row.published_gmacs for row in rows]
    if any(published):
        lines.append(line("Table 6", ["–" if p is None else f"{p:g}" for p in published]))
        differences = [
            "–" if p is None else f"{row.gmacs - p:+.3f}"
            for row, p in zip(rows, published, strict=True)
        ]
        lines.append(line("difference", differences))
    return "\n".join(lines)
