"""What the checks of a run's JSON files are made of: a condition, a field, the length of texts."""

from collections.abc import Callable
from typing import Any

from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.json_values import is_integer, longest_text
from fpliif_jax.files.json_types import JsonObject


def require(fits: bool, name: str, problem: str) -> None:
    """Raises UnreadableError with the file, or the place in it, and the problem, unless it fits."""
    if not fits:
        raise UnreadableError(f"{name}: {problem}")


def check_field(
    content: JsonObject, field: str, name: str, fits: Callable[[Any], bool], wanted: str
) -> None:
    """Requires that an object has a field, and that its value fits."""
    require(field in content, name, f"has no {field!r}")
    require(fits(content[field]), name, f"{field!r} is not {wanted}")


def check_lengths(content: Any, name: str, most: int) -> None:
    """Requires that no text in it has more characters."""
    require(longest_text(content) <= most, name, f"has a text of more than {most:,} characters")


def check_seeded_object(content: Any, name: str, most: int) -> None:
    """Requires an object with a seed, without a text of more characters."""
    require(isinstance(content, dict), name, "is not a JSON object")
    check_lengths(content, name, most)
    check_field(content, "seed", name, is_integer, "an integer")
