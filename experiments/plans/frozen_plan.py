"""The plan of a study as it was before the first run: plan.json in the study's folder, and what was added to it later.

    {"form": 2, "name": …, "scale": …, "plan": {…}, "text": the file as it was written or null,
     "configs": {variant: {field: value}}, "runs": [names], "follows_seed": {variant: [sources of variation]},
     "digest": SHA-256 of all above but the form,
     "frozen": {"date", "commit", "python", "versions", "command", "file"}, "additions": [{…}]}

Each addition has the same fields for what it added, and the plan as it then was. Fields of configs that say where
things lie, what is shown or how fast it goes are not part of a plan: a study may move to another machine. Nor are the
seeds of 'follows_seed', which are those of the runs; plans of form 1 lack it, and have numbers for all seeds;
they stay so when more is added to them, and the file is of form 2 then.
"""

import dataclasses
import itertools
import pathlib
from typing import Any

import msgspec

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.plans import committed_file, plan_file
from fpliif_jax.experiments.plans.plan_changes import (
    Additions,
    additions_between,
    changes_between,
)
from fpliif_jax.experiments.plans.plan_version import Moment, PlannedContent, Version, digest_of
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes
from fpliif_jax.experiments.runs.run import STUDY_FILES
from fpliif_jax.experiments.runs.value_types import is_integer
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import run_record

NAME = STUDY_FILES[1]
_FORMS = (1, 2)
_LIMIT = 16 * MEBIBYTE


class FrozenPlanError(UserError):
    """A study's plan is not the one that was frozen; the message says what differs and what to do."""


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
    def versions(self) -> tuple[Version, ...]:
        """The whole plan at first and after each addition."""
        return (self.first, *self.additions)

    @property
    def last(self) -> Version:
        """The plan with all additions."""
        return self.versions[-1]

    def added(self) -> list[tuple[Version, Additions]]:
        """What each addition added."""
        return [
            (after, additions_between(before, after))
            for before, after in itertools.pairwise(self.versions)
        ]

    def as_json(self) -> JsonObject:
        """The content of plan.json."""
        form = 1 if self.last.content.follows_seed is msgspec.UNSET else 2
        first, *additions = map(_record, self.versions)
        return {"form": form, **first, "additions": additions}


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
    run_record.write_json(folder / NAME, plan.as_json())


def write_grown(folder: pathlib.Path, plan: FrozenPlan | None) -> None:
    """Writes FOLDER/plan.json where it adds to the plan that is there now; the same one stays as it is.

    Another command may have frozen one since this one has looked. Hold the folder meanwhile.

    Args:
      folder: of the study.
      plan: to be there; None: none.

    Raises:
      FrozenPlanError: there is a plan that this one does not begin with.
      UnusablePlanError: what is there cannot be read.
    """
    there = read_frozen(folder, folder)
    digests, before = (
        [version.digest for version in one.versions] if one else [] for one in (plan, there)
    )
    if before != digests[: len(before)]:
        raise FrozenPlanError(
            f"{folder / NAME}: "
            + (
                "this study has a frozen plan; go on with it by experiments.reproduce, or use another --workdir"
                if plan is None
                else "another command has frozen or extended a plan there meanwhile; give this one again, or use "
                "another --workdir"
            )
        )
    if plan is not None and before != digests:
        write(folder, plan)


class UnusablePlanError(UnreadableError):
    """A study's frozen plan cannot be used.

    Attributes:
      problem: the message without the folder, for reports, which name no places.
    """

    def __init__(self, folder: pathlib.Path, problem: str) -> None:
        """Takes the study's folder, and what is wrong with which file in it."""
        super().__init__(f"{folder}: {problem}")
        self.problem = problem


def read_frozen(folder: pathlib.Path, within: pathlib.Path) -> FrozenPlan | None:
    """The plan in a study's folder; None where none was frozen.

    Args:
      folder: of the study.
      within: folder that the file must lie in once all links are followed.

    Raises:
      UnusablePlanError: the file cannot be read, is no plan, or is not what its digest says.
    """
    try:
        return _plan_of(parse_json(read_bytes(folder / NAME, within, _LIMIT), NAME))
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise UnusablePlanError(folder, str(error)) from error


def _plan_of(content: Any) -> FrozenPlan:
    form = content.get("form") if isinstance(content, dict) else None
    if not is_integer(form) or form not in _FORMS:
        raise UnreadableError(f"{NAME} is no frozen plan of this version of the program")
    additions = content.get("additions")
    if not isinstance(additions, list) or not all(isinstance(one, dict) for one in additions):
        raise UnreadableError(f"{NAME}: its additions are no list of plans")
    says_what_follows = ["follows_seed" in one for one in (content, *additions)]
    # What was planned in form 1 stays as it was frozen when a later version adds to it.
    if says_what_follows != sorted(says_what_follows) or says_what_follows[-1] != (form == 2):
        raise UnreadableError(
            f"{NAME} is no frozen plan: form {form} and follows_seed do not agree"
        )
    first, *later = (_parse(one) for one in (content, *additions))
    return FrozenPlan(first, tuple(later))


def _record(version: Version) -> JsonObject:
    moment = dataclasses.asdict(version.moment)
    return {**msgspec.to_builtins(version.content), "digest": version.digest, "frozen": moment}


def _parse(record: JsonObject) -> Version:
    """One version of the plan; its digest is checked first."""
    fields = PlannedContent.__struct_fields__
    content = {key: value for key, value in record.items() if key in fields}
    if record.get("digest") != digest_of(content):
        raise UnreadableError(
            f"{NAME} was changed after it was frozen: its digest is another; restore the file as it was"
        )
    planned = typed_json.parse(PlannedContent, content, f"{NAME} is no frozen plan")
    name = planned.name
    tables = {table.name: table for table in TABLES}
    try:
        if planned.text is None and name in tables:
            seeds, questions = plan_file.seeds_and_questions(planned.plan, NAME)
            table = dataclasses.replace(tables[name], seeds=seeds, questions=questions)
        else:
            table = plan_file.plan_of(planned.plan, name, NAME)
    except UserError as error:
        raise UnreadableError(str(error)) from error
    problem = f"{NAME} does not say when and by which code it was frozen"
    moment = typed_json.parse(Moment, record.get("frozen"), problem)
    if moment.file not in (None, committed_file.path_of(name)):
        raise UnreadableError(problem)
    return Version(table, planned, moment)
