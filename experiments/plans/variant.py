"""What a table of a paper is here: variants, each a config, what differs from it, and where its published numbers are.

A variant is written down as the paper has it; `experiments.plans.scales` makes it smaller.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Claim:
    """Published numbers that a row of a variant's evaluation is to be compared with.

    Attributes:
      source: as in experiments/published: 'FP-LIIF Table 5'.
      system: likewise.
      protocol: likewise.
      row: of the evaluation at the paper's scale: '256', 'canvas'.
      label: what the row is called in our table; '' for the variant's own label.
    """

    source: str
    system: str
    protocol: str
    row: str
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One line of a table: what is trained and evaluated for it.

    Attributes:
      name: of its folder.
      label: in tables and figures.
      config: experiment file.
      overrides: fields that differ from it, in order.
      claims: its published numbers.
      rows: of the evaluation; None: those of the config.
      needs: name of a variant whose run of the same seed it starts from.
      then: modules of experiments to run on the finished run, with the file that each leaves.
      trains: False where nothing is trained and `then` is all.
    """

    name: str
    label: str
    config: str
    overrides: tuple[tuple[str, Any], ...] = ()
    claims: tuple[Claim, ...] = ()
    rows: tuple[str, ...] | None = None
    needs: str | None = None
    then: tuple[tuple[str, str], ...] = ()
    trains: bool = True


@dataclasses.dataclass(frozen=True)
class Table:
    """A table or figure of a paper.

    Attributes:
      name: on the command line.
      title: what it shows.
      variants: its lines.
      baseline: name of the variant that the others are compared with; None: no comparison.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    baseline: str | None = None
