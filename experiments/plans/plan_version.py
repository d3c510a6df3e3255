"""A plan as it was at one moment: when it was frozen, or added to."""

import dataclasses
import datetime
import functools
import hashlib
import itertools
import json
import pathlib
import platform
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from fpliif_jax.experiments.plans import committed_file, plan_content
from fpliif_jax.experiments.plans.plan_values import Content
from fpliif_jax.experiments.plans.run_name import RunName
from fpliif_jax.experiments.plans.variant import Question, Table
from fpliif_jax.experiments.runs.seed_sources import FOLLOWS, possible_seeds
from fpliif_jax.experiments.runs.value_types import SEED_SOURCES, SeedSource, is_integer
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.fields.json_types import Fields
from fpliif_jax.run_folder import run_record
from fpliif_jax.run_folder.same_run import goes_on_with

_START = "train.init_from"


@dataclasses.dataclass(frozen=True)
class Moment:
    """Record of when, by which code and with what a plan was frozen or added to.

    Attributes:
      date: ISO 8601, UTC.
      commit: of the code, with '+changes' where files differed from it; None outside a checkout.
      python, versions: of Python and the packages that numbers depend on.
      command: that was typed.
      file: that the commit has the plan in, word for word; None where it has not, or where nobody looked (plans
        frozen by earlier versions).
    """

    date: str
    commit: str | None
    python: str
    versions: Mapping[str, str | None]
    command: str
    file: str | None = None

    @staticmethod
    def now(command: str, name: str, text: str | None) -> "Moment":
        """This one, for the plan of that name and text."""
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        commit, versions = run_record.git_commit(), run_record.versions()
        file = committed_file.file_of(name, text, commit)
        return Moment(date, commit, platform.python_version(), versions, command, file)


class PlannedContent(msgspec.Struct, frozen=True):
    """All that the digest of a plan is of, as plan.json has it.

    Attributes:
      name: of the plan.
      scale: 'smoke', 'small' or 'paper'.
      plan: of `plan_content.content_of`.
      text: of its file; None of a table of a paper.
      configs: fields by variant that is run at this scale, without what is no part of a plan.
      runs: their names, in order.
      follows_seed: by variant the sources of variation that follow a run's seed; not in plans of form 1.
    """

    name: str
    scale: str
    plan: Content
    text: str | None
    configs: dict[str, Fields]
    runs: tuple[str, ...]
    follows_seed: dict[str, list[SeedSource]] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuses what the types cannot."""
        if not all(map(RunName.parse, self.runs)):
            raise ValueError("has runs that are not called '<variant>/seed<seed>'")
        follows = self.follows_seed
        if follows is not msgspec.UNSET and follows.keys() != self.configs.keys():
            raise ValueError("has follows_seed of other variants than configs")
        for field, value in itertools.chain(*(fields.items() for fields in self.configs.values())):
            is_seed = value is None or is_integer(value) or isinstance(value, str)
            if config_fields.has_role(field, Role.SEED) and not is_seed:
                raise ValueError(f"has configs in which {field} is no seed")


@dataclasses.dataclass(frozen=True)
class Version:
    """A plan as it was at one moment.

    Attributes:
      table: the plan.
      content: what was planned.
      moment: when it was frozen, or added to.
    """

    table: Table
    content: PlannedContent
    moment: Moment

    @property
    def digest(self) -> str:
        """SHA-256 of all that was planned."""
        return digest_of(msgspec.to_builtins(self.content))

    @property
    def scale(self) -> str:
        """'smoke', 'small' or 'paper'."""
        return self.content.scale

    @property
    def configs(self) -> Mapping[str, Fields]:
        """Flat, by variant that is run at this scale, without what is no part of a plan."""
        return self.content.configs

    @functools.cached_property
    def runs(self) -> dict[str, RunName]:
        """The planned runs by name, in order."""
        return {text: name for text in self.content.runs if (name := RunName.parse(text))}

    @property
    def questions(self) -> tuple[Question, ...]:
        """Questions whose variants are run at this scale."""
        return tuple(
            one
            for one in self.table.questions
            if one.variant in self.configs and one.against in self.configs
        )

    def seeds(self, variant: str) -> dict[str, tuple[Any, ...]]:
        """What the seeds of a variant's sources of variation are planned as: see `possible_seeds`, whose form it has.

        A plan of an earlier version does not say whether a number is fixed, unless an override has it.
        """
        fields = self.configs[variant]
        numbers = {
            field: value
            for field, value in fields.items()
            if field != "seed" and config_fields.has_role(field, Role.SEED)
        }
        follows = self.content.follows_seed
        if follows is not msgspec.UNSET:
            fixed = {field: (value,) for field, value in numbers.items()}
            return fixed | {f"seeds.{source}": (FOLLOWS,) for source in follows.get(variant, ())}
        own = {one.name: dict(one.overrides) for one in self.table.variants}.get(variant, {})
        return {
            field: (value,) if field in own else (FOLLOWS, value)
            for field, value in numbers.items()
        }

    def differences(
        self, run: RunName, config: Mapping[str, Any], follows: Collection[str] | None = None
    ) -> list[tuple[str, Any, Any]]:
        """What a run's config has otherwise than was planned.

        Args:
          run: its name; the plan need not have it.
          config: flat, of the finished run.
          follows: the sources of variation that follow its seed; None where its results do not say.

        Returns:
          (field, value, planned value); fields that the plan does not know came with later code, which its commit says.
        """
        name = run.variant
        needs = {variant.name: variant.needs for variant in self.table.variants}.get(name)
        planned_fields = dict(self.configs.get(name, {}))
        own = config_fields.with_earlier(_planned_fields(config), planned_fields)
        differences: list[tuple[str, Any, Any]] = []
        if config.get("seed") != run.seed:
            differences.append(("seed", config.get("seed"), run.seed))
        if needs is not None:  # it starts from the run of the same seed, wherever the study lies
            planned_fields.pop(_START, None)
            first, start = str(RunName(needs, run.seed)), own.get(_START)
            if pathlib.PurePosixPath(str(start)).parts[-2:] != tuple(first.split("/")):
                differences.append((_START, start, first))

        planned_seeds = self.seeds(name) if name in self.configs else {}
        for field, possible in possible_seeds(config, follows).items():
            planned = planned_seeds.get(field, possible)
            if set(planned).isdisjoint(possible):
                differences.append((field, seed_text(possible), seed_text(planned)))
        return differences + [
            (field, own.get(field), planned)
            for field, planned in planned_fields.items()
            if field not in planned_seeds and not goes_on_with(field, own.get(field), planned)
        ]


def version_of(
    table: Table,
    scale: str,
    text: str | None,
    configs: Mapping[str, Fields],
    runs: Sequence[str],
    command: str,
) -> Version:
    """The plan as it is now.

    Args:
      table: the plan.
      scale: of `experiments.plans.scales`.
      text: of its file; None of a table of a paper.
      configs: of `seed_sources.settings_of`, by variant that is run at this scale.
      runs: names of the planned runs.
      command: that was typed.
    """
    table = dataclasses.replace(table, questions=table.asked)
    content = PlannedContent(
        name=table.name,
        scale=scale,
        plan=plan_content.content_of(table),
        text=text,
        configs={
            name: {
                field: value
                for field, value in _planned_fields(fields).items()
                if not _follows(field, value)
            }
            for name, fields in configs.items()
        },
        runs=tuple(runs),
        follows_seed={
            name: [one for one in sorted(SEED_SOURCES) if fields.get(f"seeds.{one}") == FOLLOWS]
            for name, fields in configs.items()
        },
    )
    return Version(table, content, Moment.now(command, table.name, text))


def _planned_fields(config: Mapping[str, Any]) -> Fields:
    """The fields of a flat config, as JSON has them, that are part of a plan."""
    return {
        field: value
        for field, value in json.loads(json.dumps(config)).items()
        if field != "seed" and not config_fields.changes_no_result(field)
    }


def _follows(field: str, value: Any) -> bool:
    """Whether a field of `seed_sources.settings_of` is a seed that is config.seed's."""
    return value == FOLLOWS and config_fields.has_role(field, Role.SEED)


def seed_text(possible: Sequence[Any]) -> Any:
    """A seed of `seeds` or `possible_seeds` for people; of two readings the number."""
    return "config.seed's" if possible[-1] == FOLLOWS else possible[-1]


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content of a plan as JSON, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
