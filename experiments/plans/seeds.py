"""Lists of seeds as people write them: 0,1,2 or 0-4."""

from collections.abc import Sequence

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.fields import config_fields

_MOST_SEEDS, _MOST_DIGITS = 1_000, 10


def read_seeds(text: str, where: str = "--seeds") -> list[int]:
    """'0,1,2' or '0-4' as whole numbers that config.seed may be, each once.

    Args:
      text: what was given.
      where: it was given, for the message.

    Raises:
      UserError: it is neither.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"{where} is {text!r}; it must be like 0,1,2 or 0-4")
        ends = (first, last if dash else first)
        if max(map(len, ends)) > _MOST_DIGITS or int(ends[1]) - int(ends[0]) >= _MOST_SEEDS:
            raise UserError(
                f"{where} is {text!r}; it may name at most {_MOST_SEEDS:,} seeds of up to "
                f"{_MOST_DIGITS} digits"
            )
        seeds += range(int(ends[0]), int(ends[1]) + 1)
    if not seeds or len(set(seeds)) != len(seeds):
        raise UserError(f"{where} is {text!r}; it must name at least one seed, and each once")
    problem = config_fields.FIELDS["seed"].rule.problem(max(seeds))
    if problem is not None:
        raise UserError(f"{where} is {text!r}; a seed {problem}")
    return seeds


def seeds_text(seeds: Sequence[int]) -> str:
    """The inverse of `read_seeds`, with runs of three and more as 0-4."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    texts = [
        f"{part[0]}-{part[-1]}" if len(part) > 2 else ",".join(map(str, part)) for part in parts
    ]
    return ",".join(texts)
