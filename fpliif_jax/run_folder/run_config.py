"""A run's config as JSON: as results and checkpoints keep it, by field, and its fingerprint."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import ml_collections

from fpliif_jax.fields import field_checks
from fpliif_jax.fields.json_types import Fields, JsonObject


def json_config(config: ml_collections.ConfigDict) -> JsonObject:
    """A config as JSON-ready nested dicts: references resolved, tuples as lists."""
    return json.loads(config.to_json())


def config_of_json(saved: JsonObject) -> ml_collections.ConfigDict:
    """The inverse of `json_config`: lists become tuples, for JSON has no tuples and configs have no lists."""
    return ml_collections.ConfigDict(_lists_to_tuples(saved))


def _lists_to_tuples(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _lists_to_tuples(value) for key, value in node.items()}
    if isinstance(node, list):
        return tuple(_lists_to_tuples(value) for value in node)
    return node


def config_fingerprint(config: JsonObject) -> str:
    """SHA-256 of a config as JSON, whatever the order of its fields: equal for equal settings alone."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def flatten_config(config: JsonObject) -> Fields:
    """{'a': {'b': 1}} -> {'a.b': 1}."""
    return dict(field_checks.fields_of(config))


def is_within(field: str, groups: Sequence[str]) -> bool:
    """Whether a field of a config ('model.norm') is one of these, or of one of these groups ('model')."""
    return any(field == group or field.startswith(f"{group}.") for group in groups)
