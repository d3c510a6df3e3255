"""FP-LIIF as a system."""

import jax.numpy as jnp
import ml_collections

from fpliif_jax.configs import fp_liif
from fpliif_jax.systems.fp_liif import (
    labeller,
    network_functions,
    operations,
    protocols,
    readings,
    settings,
    stage,
    step_numbers,
)
from fpliif_jax.systems.fp_liif.losses import apply_temperature
from fpliif_jax.systems.fp_liif.state_dict import fpliif_from_torch, fpliif_to_torch
from fpliif_jax.systems.protocol import Protocol
from fpliif_jax.systems.system import (
    Inference,
    Network,
    Paper,
    Scoring,
    System,
    Training,
    WeightExchange,
)


def _main_score(dataset: str) -> tuple[str, str]:
    return ("group_f1", "overall") if dataset == "helen" else ("mean_f1", "mean")


def _logit_scale(config: ml_collections.ConfigDict) -> float:
    return float(apply_temperature(jnp.ones(()), config.loss))


def _parse_protocol(text: str, config: ml_collections.ConfigDict) -> Protocol:
    return Protocol.parse(text)


SYSTEM = System(
    title="FP-LIIF",
    default_config=fp_liif.get_config,
    data={"framing": "square"},
    has_torch_twin=True,
    network=Network(
        create=settings.create,
        input_shapes=settings.input_shapes,
        multiply_accumulates=operations.multiply_accumulates,
        inference_variables=settings.inference_variables,
    ),
    training=Training(
        make_stages=stage.make_stages,
        choose_step_numbers=step_numbers.choose,
        step_fields=(step_numbers.QUERY_CHUNK, step_numbers.REMAT),
    ),
    scoring=Scoring(parse_protocol=_parse_protocol, make_predictor=protocols.make_predictor),
    inference=Inference(
        decodes_any_size=True,
        make_labeller=labeller.FPLIIFLabeller,
        make_network_functions=network_functions.make_network_functions,
        logit_scale=_logit_scale,
    ),
    exchange=WeightExchange(
        from_torch=fpliif_from_torch,
        to_torch=fpliif_to_torch,
        config_name="lapa",
        settings_of=settings.settings_of_weights,
    ),
    paper=Paper(
        main_score=_main_score,
        main_tables={"lapa": "table1", "celebamask_hq": "table2", "helen": "table3"},
        readings=lambda paper: readings.READINGS,
        effective=readings.effective,
    ),
)
