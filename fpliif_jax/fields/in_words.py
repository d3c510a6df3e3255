"""Fields as people read them: their values, what they may be, the group that they stand in."""

from typing import Any

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

_UNGROUPED = "of the whole run"


def group_of(name: str) -> str:
    """'model' of 'model.norm'; 'seeds' of 'seed' too."""
    group, dot, _ = name.partition(".")
    return "seeds" if name == "seed" else group if dot else _UNGROUPED


def shown(value: Any) -> str:
    """A field's value: '256', "('parsing',)", 'none'."""
    if isinstance(value, list | tuple):
        return repr(tuple(value))
    return "none" if value is None else repr(value) if value == "" else str(value)


def role_name(role: config_fields.Role) -> str:
    """A role in a word: 'rounding'."""
    return role.name.lower()


def rule_in_words(rule: Rule) -> str:
    """What a field of this rule may be: 'a whole number from 1', 'bilinear, nearest'."""
    match rule:
        case Number():
            text = f"{'a whole number' if rule.is_whole else 'a number'} {_bounds(rule)}"
        case NumberOrAuto():
            return f"{rule_in_words(rule.number)}, or auto"
        case Numbers():
            kind = "whole numbers" if rule.each.is_whole else "numbers"
            text = f"{rule.how_many} {kind} {_bounds(rule.each)}"
            text += ", the lower one first" if rule.is_interval else ""
        case Choice():
            text = ", ".join(map(str, rule.values))
        case Names():
            text = f"some of {', '.join(rule.values)}" if rule.values else "names"
        case Switch():
            return "true or false"
        case Path():
            return "a path"
        case Anything():
            return rule.why.partition(":")[0]
    return text + (", or none" if getattr(rule, "is_optional", False) else "")


def _bounds(number: Number) -> str:
    lowest = f"{'above' if number.is_above else 'from'} {number.low:g}"
    is_boundless = number.high == config_fields.LARGEST_COUNT
    return lowest if is_boundless else f"{lowest} to {number.high:.10g}"
