"""STN-iCNN as a system."""

from collections.abc import Mapping
from typing import Any

import ml_collections

from fpliif_jax.configs import stn_icnn
from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.stn_icnn import (
    exchange_format,
    labeller,
    network_functions,
    operations,
    protocols,
    readings,
    settings,
    stages,
)
from fpliif_jax.systems.stn_icnn.state_dict import stn_icnn_from_torch
from fpliif_jax.systems.system import System


def _main_score(dataset: str) -> tuple[str, str]:
    return "group_f1", "overall"


def _as_they_are(config: ml_collections.ConfigDict, variables: Variables) -> Variables:
    return variables


def _from_torch(state_dict: Mapping[str, Any]) -> Variables:
    if exchange_format.is_exchange_format(state_dict):
        return exchange_format.stn_icnn_from_exchange_format(state_dict)
    return stn_icnn_from_torch(state_dict)


SYSTEM = System(
    title="STN-iCNN",
    default_config=stn_icnn.get_config,
    data={"framing": "canvas", "labels": "facial_parts"},
    main_score=_main_score,
    main_protocol="canvas",
    decodes_any_size=False,
    has_torch_twin=False,
    create_model=settings.create,
    input_shapes=settings.input_shapes,
    inference_variables=_as_they_are,
    multiply_accumulates=operations.multiply_accumulates,
    make_stages=stages.make_stages,
    parse_protocol=protocols.parse_protocol,
    make_predictor=protocols.make_predictor,
    make_labeller=labeller.STNICNNLabeller,
    make_network_functions=network_functions.make_network_functions,
    from_torch=_from_torch,
    to_torch=exchange_format.stn_icnn_to_torch,
    config_for_weights="stn_icnn_helen_official",
    settings_of_weights=exchange_format.settings_of_weights,
    windows=PART_LABELS,
    main_tables={"helen": "stn_table2", "celebamask_hq": "stn_table3"},
    readings=readings.readings,
    effective=readings.effective,
)
