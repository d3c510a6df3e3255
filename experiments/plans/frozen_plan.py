"""The plan of a study as it was before the first run: plan.json in the study's folder, and what was added to it later.

    {"form": 2, "name": …, "scale": …, "plan": {…}, "text": the file as it was written or null,
     "configs": {variant: {field: value}}, "runs": [names], "follows_seed": {variant: [sources of variation]},
     "digest": SHA-256 of all above but the form,
     "frozen": {"date", "commit", "python", "versions", "command"}, "additions": [{…}]}

Each addition has the same fields for what it added, and the plan as it then was. Fields of configs that say where
things lie, what is shown or how fast it goes are not part of a plan: a study may move to another machine. Nor are the
seeds of 'follows_seed', which are those of the runs; plans of form 1 lack it, and have numbers for all seeds.
"""

import dataclasses
import datetime
import hashlib
import json
import pathlib
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.plans import plan_file
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Question, Table
from fpliif_jax.experiments.runs.bounded_files import (
    MEBIBYTE,
    UnreadableError,
    parse_json,
    read_bytes,
)
from fpliif_jax.experiments.runs.schema import STUDY_FILES
from fpliif_jax.experiments.runs.seed_sources import FOLLOWS, possible_seeds
from fpliif_jax.run_folder import config_fields, run_record
from fpliif_jax.run_folder.config_fields import Role
from fpliif_jax.run_folder.same_run import goes_on_with

NAME = STUDY_FILES[1]
_START = "train.init_from"
_FORM, _FORMS = 2, (1, 2)
_KEYS = ("name", "scale", "plan", "text", "configs", "runs")
_FOLLOWS_SEED = "follows_seed"
_LIMIT = 16 * MEBIBYTE


class FrozenPlanError(UserError):
    """A study's plan is not the one that was frozen; the message says what differs and what to do."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """When, by which code and with what a plan was frozen or added to.

    Attributes:
      date: ISO 8601, UTC.
      commit: of the code, with '+changes' where files differed from it; None outside a checkout.
      python, versions: of Python and the packages that numbers depend on.
      command: that was typed.
    """

    date: str
    commit: str | None
    python: str
    versions: Mapping[str, str | None]
    command: str

    @staticmethod
    def now(command: str) -> "Moment":
        """This one."""
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        commit, versions = run_record.git_commit(), run_record.versions()
        return Moment(date, commit, platform.python_version(), versions, command)


@dataclasses.dataclass(frozen=True)
class Version:
    """A plan as it was at one moment.

    Attributes:
      table: the plan.
      content: all that the digest is of, as plan.json has it.
      moment: when it was frozen, or added to.
    """

    table: Table
    content: Mapping[str, Any]
    moment: Moment

    @property
    def digest(self) -> str:
        """SHA-256 of all that was planned."""
        return _digest(self.content)

    @property
    def scale(self) -> str:
        """'smoke', 'small' or 'paper'."""
        return self.content["scale"]

    @property
    def configs(self) -> Mapping[str, Mapping[str, Any]]:
        """Flat, by variant that is run at this scale, without what is no part of a plan."""
        return self.content["configs"]

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the planned runs, '<variant>/seed<seed>', in order."""
        return tuple(self.content["runs"])

    @property
    def questions(self) -> tuple[Question, ...]:
        """Those whose variants are run at this scale."""
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
        if _FOLLOWS_SEED in self.content:
            follows = self.content[_FOLLOWS_SEED].get(variant, ())
            fixed = {field: (value,) for field, value in numbers.items()}
            return fixed | {f"seeds.{source}": (FOLLOWS,) for source in follows}
        own = {one.name: dict(one.overrides) for one in self.table.variants}.get(variant, {})
        return {
            field: (value,) if field in own else (FOLLOWS, value)
            for field, value in numbers.items()
        }

    def differences(
        self, run: str, config: Mapping[str, Any], follows: Collection[str] | None = None
    ) -> list[tuple[str, Any, Any]]:
        """What a run's config has otherwise than was planned.

        Args:
          run: its name, '<variant>/seed<seed>'.
          config: flat, of the finished run.
          follows: the sources of variation that follow its seed; None where its results do not say.

        Returns:
          (field, value, planned value); fields that the plan does not know came with later code, which its commit says.
        """
        name, _, seed = run.partition("/seed")
        needs = {variant.name: variant.needs for variant in self.table.variants}.get(name)
        own, planned_fields = _planned_fields(config), dict(self.configs.get(name, {}))
        differences: list[tuple[str, Any, Any]] = []
        if seed and str(config.get("seed")) != seed:
            differences.append(
                ("seed", config.get("seed"), int(seed) if seed.isdecimal() else seed)
            )
        if needs is not None:  # it starts from the run of the same seed, wherever the study lies
            planned_fields.pop(_START, None)
            first, start = f"{needs}/seed{seed}", own.get(_START)
            if pathlib.PurePosixPath(str(start)).parts[-2:] != tuple(first.split("/")):
                differences.append((_START, start, first))

        planned_seeds = self.seeds(name) if name in self.configs else {}
        for field, possible in possible_seeds(config, follows).items():
            planned = planned_seeds.get(field, possible)
            if set(planned).isdisjoint(possible):
                differences.append((field, _seed(possible), _seed(planned)))
        return differences + [
            (field, own.get(field), planned)
            for field, planned in planned_fields.items()
            if field not in planned_seeds and not goes_on_with(field, own.get(field), planned)
        ]


def version_of(
    table: Table,
    scale: str,
    text: str | None,
    configs: Mapping[str, Mapping[str, Any]],
    runs: Sequence[str],
    command: str,
) -> Version:
    """The plan as it is now.

    Args:
      table: the plan.
      scale: of `experiments.plans.scales`.
      text: of its file; None of a table of a paper.
      configs: of `seed_sources.settings_of`, by variant that is run at this scale.
      runs: names of the planned runs, '<variant>/seed<seed>'.
      command: that was typed.
    """
    table = dataclasses.replace(table, questions=table.asked)
    content = {
        "name": table.name,
        "scale": scale,
        "plan": plan_file.content_of(table),
        "text": text,
        "configs": {
            name: {
                field: value
                for field, value in _planned_fields(fields).items()
                if not _follows(field, value)
            }
            for name, fields in configs.items()
        },
        "runs": list(runs),
        _FOLLOWS_SEED: {
            name: sorted(
                field.removeprefix("seeds.")
                for field, value in fields.items()
                if _follows(field, value)
            )
            for name, fields in configs.items()
        },
    }
    return Version(table, content, Moment.now(command))


@dataclasses.dataclass(frozen=True)
class FrozenPlan:
    """A plan and what was added to it.

    Attributes:
      first: as it was before the first run.
      additions: the whole plan after each, in order.
    """

    first: Version
    additions: tuple[Version, ...] = ()

    @property
    def last(self) -> Version:
        """The plan with all additions."""
        return self.additions[-1] if self.additions else self.first

    def added(self) -> list[tuple[Version, "Additions"]]:
        """What each addition added."""
        versions = (self.first, *self.additions)
        return [
            (after, additions_between(before, after))
            for before, after in zip(versions, versions[1:], strict=False)
        ]


@dataclasses.dataclass(frozen=True)
class Additions:
    """What one plan has that an earlier one has not, by name."""

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


def _planned_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a flat config, as JSON has them, that are part of a plan."""
    return {
        field: value
        for field, value in json.loads(json.dumps(config)).items()
        if field != "seed" and not config_fields.changes_no_result(field)
    }


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
        seeds, seeds_now = before.seeds(name), after.seeds(name)
        known = seeds.keys() & seeds_now.keys()
        changes += [
            f"variants.{name}: config.{field} was {_seed(seeds[field])} and is now {_seed(seeds_now[field])}"
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


def continued(
    folder: pathlib.Path, frozen: FrozenPlan, version: Version, extend: bool
) -> FrozenPlan:
    """The frozen plan of a study that is started again, with what is added to it; changes no file.

    Args:
      folder: of the study, for messages.
      frozen: its plan.
      version: the plan that it is started with now.
      extend: whether additions may be made.

    Raises:
      FrozenPlanError: what was planned is changed, or something is added without `extend`.
    """
    path, last = folder / NAME, frozen.last
    changes = changes_between(last, version)
    if changes:
        more = f"; and {len(changes) - 4} more" if changes[4:] else ""
        raise FrozenPlanError(
            f"{path}: this is not the plan that was frozen on {frozen.first.moment.date} (digest "
            f"{last.digest[:12]}): {'; '.join(changes[:4])}{more}; run it as it was planned, give what is new a name "
            "of its own, or use another --workdir"
        )
    additions = additions_between(last, version)
    if not additions:
        return frozen
    if not extend:
        raise FrozenPlanError(
            f"{path}: the plan that was frozen on {frozen.first.moment.date} (digest {last.digest[:12]}) has no "
            f"{additions}; --extend adds them, and the report marks them as added later"
        )
    return dataclasses.replace(frozen, additions=(*frozen.additions, version))


def write(folder: pathlib.Path, plan: FrozenPlan) -> None:
    """Writes FOLDER/plan.json in one step; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    additions = [_record(version) for version in plan.additions]
    content = {"form": _FORM, **_record(plan.first), "additions": additions}
    run_record.write_json(folder / NAME, content)


def read_frozen(folder: pathlib.Path, within: pathlib.Path) -> FrozenPlan | None:
    """The plan in a study's folder; None where none was frozen.

    Args:
      folder: of the study.
      within: folder that the file must lie in once all links are followed.

    Raises:
      UnreadableError: the file cannot be read, is no plan, or is not what its digest says.
    """
    try:
        content = parse_json(read_bytes(folder / NAME, within, _LIMIT), NAME)
    except FileNotFoundError:
        return None
    if not isinstance(content, dict) or content.get("form") not in _FORMS:
        raise UnreadableError(f"{NAME} is no frozen plan of this version of the program")
    additions = content.get("additions")
    if not isinstance(additions, list) or not all(isinstance(one, dict) for one in additions):
        raise UnreadableError(f"{NAME}: its additions are no list of plans")
    first, *later = (_parse(one) for one in (content, *additions))
    return FrozenPlan(first, tuple(later))


def _record(version: Version) -> dict[str, Any]:
    moment = dataclasses.asdict(version.moment)
    return {**version.content, "digest": version.digest, "frozen": moment}


def _parse(record: dict[str, Any]) -> Version:
    """One version of the plan; its digest is checked first."""
    if not all(key in record for key in _KEYS):
        raise UnreadableError(f"{NAME} is no frozen plan: it needs {', '.join(_KEYS)}")
    content = {key: record[key] for key in (*_KEYS, _FOLLOWS_SEED) if key in record}
    if record.get("digest") != _digest(content):
        raise UnreadableError(
            f"{NAME} was changed after it was frozen: its digest is another; restore the file as it was"
        )
    name, text, configs, runs = (content[key] for key in ("name", "text", "configs", "runs"))
    texts = (name, content["scale"], "" if text is None else text)
    is_sound = (
        all(isinstance(one, str) for one in texts)
        and isinstance(configs, dict)
        and all(isinstance(fields, dict) for fields in configs.values())
        and isinstance(runs, list)
        and all(isinstance(run, str) and run.isprintable() for run in runs)
        and _is_lists_of_texts(content.get(_FOLLOWS_SEED, {}))
    )
    if not is_sound:
        raise UnreadableError(
            f"{NAME} is no frozen plan: name, scale, configs, runs or follows_seed are none"
        )
    tables = {table.name: table for table in TABLES}
    try:
        if text is None and name in tables:
            seeds, questions = plan_file.seeds_and_questions(content["plan"], NAME)
            table = dataclasses.replace(tables[name], seeds=seeds, questions=questions)
        else:
            table = plan_file.plan_of(content["plan"], name, NAME)
    except UserError as error:
        raise UnreadableError(str(error)) from error
    return Version(table, content, _moment(record.get("frozen")))


def _moment(content: Any) -> Moment:
    texts = ("date", "python", "command")
    is_sound = (
        isinstance(content, dict)
        and all(isinstance(content.get(key), str) for key in texts)
        and isinstance(content.get("commit"), str | None)
        and isinstance(content.get("versions"), dict)
    )
    if not is_sound:
        raise UnreadableError(f"{NAME} does not say when and by which code it was frozen")
    return Moment(*(content[key] for key in ("date", "commit", "python", "versions", "command")))


def _is_lists_of_texts(content: Any) -> bool:
    """Whether it is an object of these."""
    lists = content.values() if isinstance(content, dict) else (None,)
    return all(isinstance(one, list) and all(isinstance(t, str) for t in one) for one in lists)


def _follows(field: str, value: Any) -> bool:
    """Whether a field of `seed_sources.settings_of` is a seed that is config.seed's."""
    return value == FOLLOWS and config_fields.has_role(field, Role.SEED)


def _seed(possible: Sequence[Any]) -> Any:
    """A seed of `seeds` or `possible_seeds` for people; of two readings the number."""
    return "config.seed's" if possible[-1] == FOLLOWS else possible[-1]


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


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
