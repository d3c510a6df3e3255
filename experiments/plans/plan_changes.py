"""What one version of a plan has that an earlier one has not, and what of that is otherwise."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.plan_version import Version, seed_text
from fpliif_jax.experiments.plans.variant import Question, Table
from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder.same_run import goes_on_with


@dataclasses.dataclass(frozen=True)
class Additions:
    """Names of what one plan has that an earlier one has not."""

    variants: tuple[str, ...]
    runs: tuple[str, ...]
    questions: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.variants or self.runs or self.questions)

    def __str__(self) -> str:
        parts = []
        for what in ("variants", "questions", "runs"):
            names = getattr(self, what)
            if names:
                parts.append(f"{what} {shortened(names)}")
        return "; ".join(parts)


def additions_between(before: Version, after: Version) -> Additions:
    """What is in `after` and not in `before`."""
    return Additions(
        _new(before.configs, after.configs),
        _new(before.runs, after.runs),
        _new(_names(before.questions), _names(after.questions)),
    )


def changes_between(before: Version, after: Version) -> list[str]:
    """What of `before` is gone or otherwise in `after`, a line each; how things are called is none."""
    changes = []
    if (before.table.name, before.scale) != (after.table.name, after.scale):
        changes.append(
            f"it was {before.table.name} at scale {before.scale} and is now {after.table.name} at "
            f"scale {after.scale}"
        )
    if before.table.baseline != after.table.baseline:
        changes.append(
            f"baseline was {before.table.baseline!r} and is now {after.table.baseline!r}"
        )
    for name, fields in before.configs.items():
        if name not in after.configs:
            changes.append(f"variants.{name} is gone")
            continue
        now = after.configs[name]
        fields = config_fields.with_earlier(fields, now)
        seeds, seeds_now = before.seeds(name), after.seeds(name)
        known = seeds.keys() & seeds_now.keys()
        changes += [
            f"variants.{name}: config.{field} was {seed_text(seeds[field])} and is now {seed_text(seeds_now[field])}"
            for field in sorted(known)
            if set(seeds[field]).isdisjoint(seeds_now[field])
        ]
        for field in sorted((fields.keys() | now.keys()) - known):
            if not goes_on_with(field, fields.get(field), now.get(field)):
                changes.append(
                    f"variants.{name}: config.{field} was {fields.get(field)!r} and is now "
                    f"{now.get(field)!r}"
                )
    steps_before, steps_after = _steps(before.table), _steps(after.table)
    for name in before.configs.keys() & after.configs.keys():
        if steps_before[name] != steps_after[name]:
            changes.append(f"variants.{name}: what it needs, or what follows it, is another")
    questions = {question.name: question for question in after.questions}
    for question in before.questions:
        if question.name not in questions:
            changes.append(f"questions.{question.name} is gone")
        elif _asked(question) != _asked(questions[question.name]):
            changes.append(f"questions.{question.name} is another")
    gone = _new(after.runs, before.runs)
    if gone and not changes:
        changes.append(f"runs {shortened(gone)} are gone")
    return changes


def _names(questions: Iterable[Question]) -> tuple[str, ...]:
    return tuple(question.name for question in questions)


def _new(before: Iterable[str], after: Sequence[str] | Mapping[str, Any]) -> tuple[str, ...]:
    known = set(before)
    return tuple(name for name in after if name not in known)


def _steps(table: Table) -> dict[str, tuple[Any, ...]]:
    return {one.name: (one.needs, one.then, one.trains) for one in table.variants}


def _asked(question: Question) -> Question:
    """A question without its words."""
    return dataclasses.replace(question, text="")
