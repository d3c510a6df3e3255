"""What the plan of a study is: variants, each a config and what differs from it, and the questions that they answer.

A table of a paper is a plan, and so is a comparison of one's own (`experiments.plans.plan_file`). A variant of a table
is written down as the paper has it, with where its published numbers are; `experiments.plans.scales` makes it smaller.
"""

import dataclasses
import enum
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
      config: experiment file: 'configs/NAME.py' is the package's own, anything else a file of one's own.
      overrides: fields that differ from it, in order.
      claims: its published numbers.
      rows: of the evaluation; None: those of the config.
      needs: name of a variant whose run of the same seed it starts from.
      then: modules of experiments to run on the finished run, with the file that each leaves.
      trains: False where nothing is trained and `then` is all.
      seeds: of its runs; None: those of the plan.
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
    seeds: tuple[int, ...] | None = None


class Expectation(enum.StrEnum):
    """What a plan expects of a variant's score beside another's, stated before anything is run."""

    HIGHER = "higher"
    LOWER = "lower"
    DIFFERENT = "different"  # in either direction
    EQUIVALENT = "equivalent"  # within the margin


@dataclasses.dataclass(frozen=True)
class Question:
    """A question that a plan asks, and the comparison that answers it.

    Attributes:
      name: unique in the plan.
      text: the question, for the reader.
      variant, against: names of the two variants; the difference is variant − against, seed by seed.
      expects: of `variant` beside `against`.
      metric, class_name: of the score: 'mean_f1' and 'mean', 'f1' and 'hair', 'group_f1' and 'overall'; '': the one
        that stands for the runs.
      row: of the evaluation; '': the one that stands for the runs.
      against_row: that `against` is scored in; '': `row`.
    """

    name: str
    text: str
    variant: str
    against: str
    expects: Expectation = Expectation.DIFFERENT
    metric: str = ""
    class_name: str = ""
    row: str = ""
    against_row: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """The plan of a study: a table or figure of a paper, or a comparison of one's own.

    Attributes:
      name: on the command line.
      title: what it shows.
      variants: its lines.
      baseline: name of the variant that the others are compared with; None: no comparison.
      seeds: of all variants without their own; None: those of the scale.
      questions: what the study is to answer; without any, whether each variant differs from the baseline.
      is_published: whether it is a paper's, with published numbers to hold the runs against.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    baseline: str | None = None
    seeds: tuple[int, ...] | None = None
    questions: tuple[Question, ...] = ()
    is_published: bool = True

    @property
    def asked(self) -> tuple[Question, ...]:
        """Its questions; of a plan that has none, whether each variant differs from the baseline."""
        if self.questions or self.baseline is None:
            return self.questions
        labels = {variant.name: variant.label for variant in self.variants}
        return tuple(
            Question(
                name=variant.name,
                text=f"Does {variant.label} differ from {labels[self.baseline]}?",
                variant=variant.name,
                against=self.baseline,
            )
            for variant in self.variants
            if variant.trains and variant.name != self.baseline
        )
