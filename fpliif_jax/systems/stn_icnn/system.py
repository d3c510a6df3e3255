"""STN-iCNN as a system."""

from collections.abc import Mapping
from typing import Any

from fpliif_jax.configs import stn_icnn
from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.stn_icnn import (
    exchange_format,
    labeller,
    network_functions,
    protocols,
    readings,
    settings,
    stages,
)
from fpliif_jax.systems.stn_icnn.state_dict import stn_icnn_from_torch
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
    return "group_f1", "overall"


def _from_torch(state_dict: Mapping[str, Any]) -> Variables:
    if exchange_format.is_exchange_format(state_dict):
        return exchange_format.stn_icnn_from_exchange_format(state_dict)
    return stn_icnn_from_torch(state_dict)


SYSTEM = System(
    title="STN-iCNN",
    default_config=stn_icnn.get_config,
    data={"framing": "canvas", "labels": "facial_parts"},
    has_torch_twin=False,
    network=Network(create=settings.create, input_shapes=settings.input_shapes),
    training=Training(make_stages=stages.make_stages, validation_scores=stages.VALIDATION_SCORES),
    scoring=Scoring(
        parse_protocol=protocols.parse_protocol, make_predictor=protocols.make_predictor
    ),
    inference=Inference(
        decodes_any_size=False,
        make_labeller=labeller.STNICNNLabeller,
        make_network_functions=network_functions.make_network_functions,
        windows=PART_LABELS,
    ),
    exchange=WeightExchange(
        from_torch=_from_torch,
        to_torch=exchange_format.stn_icnn_to_torch,
        config_name="stn_icnn_helen_official",
        settings_of=exchange_format.settings_of_weights,
    ),
    paper=Paper(
        main_score=_main_score,
        main_protocol="canvas",
        main_tables={"helen": "stn_table2", "celebamask_hq": "stn_table3"},
        readings=readings.readings,
        effective=readings.effective,
    ),
)
