"""The face parsers, a folder each. This is the one place that names them."""

import functools
import importlib
from collections.abc import Sequence

import flax.linen as nn
import jax
import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import choices
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.protocol import Protocol
from fpliif_jax.systems.system import System

# Name in config.model.name: the module with its SYSTEM, imported when it is first asked for.
_SYSTEMS = {
    "fp_liif": "fpliif_jax.systems.fp_liif.system",
    "stn_icnn": "fpliif_jax.systems.stn_icnn.system",
}
_OF_LABEL_MAPS = "fp_liif"


def names() -> tuple[str, ...]:
    """Names of the systems: the values of config.model.name."""
    return tuple(_SYSTEMS)


def of(config: ml_collections.ConfigDict) -> System:
    """The system of an experiment.

    Raises:
      SettingsError: config.model.name is none.
    """
    return of_name(config.model.name)


def of_name(name: str) -> System:
    """The system of that name.

    Raises:
      SettingsError: there is none.
    """
    choices.check("config.model.name", name, _SYSTEMS)
    return importlib.import_module(_SYSTEMS[name]).SYSTEM


def of_label_maps() -> System:
    """The system whose paper's scores stand for label maps of which the files alone are known."""
    return of_name(_OF_LABEL_MAPS)


def create_model(config: ml_collections.ConfigDict, axis_name: str | None = None) -> nn.Module:
    """The networks that `config.model` describes.

    Args:
      config: `config.model`; its fields are described in each system's `settings`.
      axis_name: name of the mapped axis (`jax.pmap`) over whose devices batch norm is synchronised.

    Returns:
      A Linen module, `FPLIIF` for name='fp_liif', `STNICNN` for name='stn_icnn'.

    Raises:
      SettingsError: a field has a value that is none of its choices.
    """
    return of_name(config.name).network.create(config, axis_name)


def variable_shapes(config: ml_collections.ConfigDict) -> Variables:
    """Shapes and dtypes of the variables of an experiment's networks, as `init` makes them; nothing is computed.

    Tracing large networks takes seconds, so it is done once in a process for equal networks.

    Args:
      config: the experiment's.

    Raises:
      SettingsError: as `create_model`.
    """
    frozen = ml_collections.FrozenConfigDict(config.model)
    return dict(_variable_shapes(frozen, config.data.image_size))


@functools.lru_cache(maxsize=16)
def _variable_shapes(frozen: ml_collections.FrozenConfigDict, image_size: int) -> Variables:
    model = frozen.as_configdict()
    shapes = of_name(model.name).network.input_shapes(model, image_size)
    return jax.eval_shape(create_model(model).init, jax.random.key(0), *shapes)


def parse_protocols(
    config: ml_collections.ConfigDict, texts: Sequence[str] | None = None
) -> tuple[Protocol, ...]:
    """The protocols of config.eval.rows, or of these texts, each once.

    Raises:
      SettingsError: one of them is none of the system's, or there are none.
    """
    texts = config.eval.rows if texts is None else texts
    if not texts:
        raise SettingsError("config.eval.rows is empty; name at least one protocol")
    system = of(config)
    try:
        return tuple(dict.fromkeys(system.scoring.parse_protocol(text, config) for text in texts))
    except SettingsError as error:
        raise SettingsError(f"config.eval.rows has {error}") from error
