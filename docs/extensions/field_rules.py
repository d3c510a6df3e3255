"""Every config field with its defaults, what it may be and what it decides, from the code's own table."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import ml_collections

from fpliif_jax.configs import fp_liif, stn_icnn
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.setting_ranges import (
    Anything,
    Choice,
    Names,
    Number,
    NumberOrAuto,
    Numbers,
    Path,
    Rule,
    Switch,
)
from fpliif_jax.run_folder.run_config import flatten_config, json_config

_BOUNDLESS = 10**9  # bounds from here on only keep numbers finite


@dataclasses.dataclass(frozen=True)
class FieldRow:
    """A field as the page has it, in words.

    Attributes:
      name: 'model.norm'.
      defaults: of FP-LIIF and STN-iCNN; None where the system has no such field.
      values: what it may be.
      role: what it decides.
    """

    name: str
    defaults: tuple[str | None, str | None]
    values: str
    role: str

    @property
    def group(self) -> str:
        """'model' of 'model.norm'; 'seeds' of 'seed' too; empty for other fields of no group."""
        group, dot, _ = self.name.partition(".")
        return "seeds" if self.name == "seed" else group if dot else ""


def rows() -> Iterator[FieldRow]:
    """All fields in the order of the table; a field that neither system has is none."""
    systems = [_defaults(module.get_config()) for module in (fp_liif, stn_icnn)]
    for name, field in config_fields.FIELDS.items():
        defaults = tuple(system.get(name) for system in systems)
        if any(defaults):
            yield FieldRow(name, defaults, in_words(field.rule), role_name(field.role))


def role_name(role: config_fields.Role) -> str:
    """As the page calls it: 'rounding'."""
    return role.name.lower()


def _defaults(config: ml_collections.ConfigDict) -> dict[str, str]:
    flat = flatten_config(json_config(config))
    return {name: _shown(value) for name, value in flat.items()}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_shown, value))})"
    return "none" if value is None else "“”" if value == "" else str(value)


def in_words(rule: Rule) -> str:
    """What a field of this rule may be: 'a whole number from 1', 'bilinear, nearest'."""
    match rule:
        case Number():
            text = f"{'a whole number' if rule.is_whole else 'a number'} {_bounds(rule)}"
        case NumberOrAuto():
            return f"{in_words(rule.number)}, or auto"
        case Numbers():
            count = rule.count or "one or more"
            kind = "whole numbers" if rule.each.is_whole else "numbers"
            text = f"{count} {kind} {_bounds(rule.each)}"
            text += ", the lower one first" if rule.is_interval else ""
        case Choice():
            text = ", ".join(map(str, rule.values))
        case Names():
            text = f"some of {', '.join(rule.values)}" if rule.values else "names"
        case Switch():
            return "a switch"
        case Path():
            return "a path"
        case Anything():
            return rule.why.partition(":")[0]
    return text + (", or none" if getattr(rule, "is_optional", False) else "")


def _bounds(number: Number) -> str:
    lowest = f"{'above' if number.is_above else 'from'} {number.low:g}"
    return lowest if number.high >= _BOUNDLESS else f"{lowest} to {number.high:.10g}"
