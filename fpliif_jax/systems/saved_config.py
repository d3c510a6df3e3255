"""The settings of a model as files of weights keep them: without the places of its data."""

from collections.abc import Mapping
from typing import Any

import ml_collections
from flax import traverse_util

from fpliif_jax import systems
from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder.run_config import config_of_json, flatten_config, json_config


def completed(saved: Mapping[str, Any]) -> ml_collections.ConfigDict:
    """A config of all its fields: what is not saved is what was done before there was the field, else the default's.

    Args:
      saved: of JSON, nested.

    Raises:
      KeyError, TypeError, ValueError, AttributeError: it is not nested fields, or names no system.
    """
    fields = flatten_config(dict(saved))
    default = systems.of_name(fields["model.name"]).default_config()
    defaults = flatten_config(json_config(default))
    fields = defaults | config_fields.with_earlier(fields, defaults)
    return config_of_json(traverse_util.unflatten_dict(fields, sep=".")).lock()
