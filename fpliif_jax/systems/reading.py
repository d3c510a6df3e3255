"""What a paper leaves open: values as which its text can be read."""

import dataclasses
from typing import Any

# Values that no list can hold, as the documentation words them.
ANY_INTEGER = "any integer"
ANY_COUNT = "any whole number above 0"
ANY_NUMBER = "any number above 0"


@dataclasses.dataclass(frozen=True)
class Reading:
    """A field that a paper leaves open.

    Attributes:
      field: 'model.ensemble'.
      values: that it leaves open, the default among them; or ANY_INTEGER, ANY_COUNT, ANY_NUMBER.
      dataset: the one that the paper leaves it open for; None: all.
    """

    field: str
    values: tuple[Any, ...] | str
    dataset: str | None = None

    def has(self, value: Any) -> bool:
        """Whether the value, as JSON has it, is one of those left open."""
        if isinstance(self.values, tuple):
            # True is 1 in Python, not in a config.
            return any(value == one and type(value) is type(one) for one in self.values)
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if self.values == ANY_INTEGER:
            return is_integer
        if self.values == ANY_COUNT:
            return is_integer and value > 0
        return (is_integer or isinstance(value, float)) and value > 0


# They decide about rounding alone; no text speaks of it.
ROUNDING = (
    Reading("dtype", ("float32", "bfloat16")),
    Reading("model.dtype", ("float32", "bfloat16")),
    Reading("matmul_precision", ("default", "high", "highest")),
)
# Of both papers: both systems were trained with PyTorch, and neither says more.
OF_BOTH = (
    *ROUNDING,
    Reading("model.initializer", ("pytorch", "lecun_normal")),
    Reading("data.bicubic", ("pillow", "pytorch")),
    Reading("train.validate_every_epochs", ANY_COUNT),
)
