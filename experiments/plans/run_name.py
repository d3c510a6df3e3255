"""How the runs of a study are called: by what was varied, and by their seed."""

import re
from typing import NamedTuple

_FORM = re.compile(r"(?:(.+)/)?seed(0|[1-9][0-9]{0,17})")


class RunName(NamedTuple):
    """The name of a run in its study, and its folder there: 'lambda=20/seed3'.

    Attributes:
      variant: of the plan; '' where all runs are of one config: 'seed3'.
      seed: config.seed.
    """

    variant: str
    seed: int

    @classmethod
    def parse(cls, text: str) -> "RunName | None":
        """The name that is written so; None where no run is called that, or where it cannot be printed."""
        match = _FORM.fullmatch(text)
        return cls(match[1] or "", int(match[2])) if match and text.isprintable() else None

    def __str__(self) -> str:
        return f"{self.variant}/seed{self.seed}" if self.variant else f"seed{self.seed}"
