"""What the paper of FP-LIIF leaves open, and the one spelling of each function of its settings."""

from fpliif_jax.fields.json_types import Fields
from fpliif_jax.systems.reading import ANY_COUNT, OF_BOTH, Reading

READINGS = (
    *OF_BOTH,
    Reading("model.norm_affine", (False, True)),
    Reading("model.sampling", ("bilinear", "nearest")),
    Reading("model.ensemble", ("average", "area")),
    Reading("model.position", ("absolute", "relative")),
    Reading("loss.temperature_mode", ("divide", "multiply")),
    Reading("loss.edge_width", ANY_COUNT),
    Reading("loss.edge_reduction", ("edge_pixels", "all_pixels")),
    Reading("loss.edge_weight", (40.0, 10.0), "helen"),
    Reading("train.batch_size", (64, 256), "lapa"),
    Reading("train.batch_size", (33, 132), "celebamask_hq"),
    Reading("train.batch_size", (64, 33, 132, 256), "helen"),
    Reading("data.input_scaling", ("half", "imagenet", "unit")),
    Reading("augment.fill", ("background", "ignore")),
    Reading("eval.upsampling", ("logits", "labels")),
)


def effective(config: Fields) -> Fields:
    """See `Paper.effective`.

    Softmax without temperature is a temperature of 1, and logits · τ are logits / (1 / τ).
    """
    fields = dict(config)
    if "loss.temperature" in fields and "loss.temperature_mode" in fields:
        mode, temperature = _temperature(
            fields["loss.temperature_mode"], fields["loss.temperature"]
        )
        fields["loss.temperature_mode"], fields["loss.temperature"] = mode, temperature
    if fields.get("model.norm") == "none":
        fields.pop("model.norm_affine", None)
    return fields


def _temperature(mode: str, temperature: float) -> tuple[str, float]:
    """The factor of the logits, written as the mode whose temperature is at most 1."""
    if mode == "none" or temperature == 1:
        return "divide", 1.0
    if temperature > 1:
        return {"divide": "multiply", "multiply": "divide"}.get(mode, mode), 1 / temperature
    return mode, temperature
