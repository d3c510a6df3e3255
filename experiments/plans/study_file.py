"""Which table the runs of a folder were made for: study.json, as `experiments.reproduce` and `multi_seed` leave it."""

import dataclasses
import pathlib
from typing import Any

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.plans import frozen_plan
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Table, Variant
from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes
from fpliif_jax.experiments.runs.run import STUDY_FILES
from fpliif_jax.run_folder import run_lock
from fpliif_jax.run_folder.run_record import write_json

_NAME = STUDY_FILES[0]
_LIMIT = 4 * MEBIBYTE
_DEPTH = 3  # folders of studies inside the folder of a report


@dataclasses.dataclass(frozen=True)
class Study:
    """Record of a study that was started in a folder.

    Attributes:
      folder: where it is; of a study that was read, relative to where studies were looked for, '' for that
        folder itself.
      table: of the papers; None for seeds of one config.
      scale: 'smoke', 'small' or 'paper'; '' without a table.
      command: what the person typed.
      jobs: names of all runs that it was to make: their folders.
      plan: as it was frozen before the first run; None where none was, or where it cannot be read.
      plan_problem: why its plan.json cannot be read; '' where there is none or it can.
    """

    folder: str
    table: Table | None
    scale: str
    command: str
    jobs: tuple[str, ...]
    plan: FrozenPlan | None = None
    plan_problem: str = ""

    @property
    def run_names(self) -> tuple[str, ...]:
        """The names of its runs where studies were looked for: `jobs` with its folder."""
        return tuple(f"{self.folder}/{job}" if self.folder else job for job in self.jobs)

    def variant_of(self, run_name: str) -> Variant | None:
        """The line of the table that a run (path from the common root) belongs to."""
        name = self.inside(run_name).split("/")[0]
        variants = self.table.variants if self.table else ()
        return next((one for one in variants if one.name == name), None)

    def inside(self, run_name: str) -> str:
        """The name of a run within the study."""
        return run_name.removeprefix(f"{self.folder}/") if self.folder else run_name

    def holds(self, run_name: str) -> bool:
        """Whether a run lies in the study's folder."""
        return not self.folder or run_name.startswith(f"{self.folder}/")


def write_study(workdir: pathlib.Path, study: Study) -> None:
    """Notes in WORKDIR/study.json what its runs are, and before it in WORKDIR/plan.json what is planned.

    Raises:
      FrozenPlanError: the folder has the plan of another study; nothing is written then.
      RunLockError: another command is writing the same two files.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    content = {
        "table": study.table.name if study.table else "",
        "scale": study.scale,
        "command": study.command,
        "jobs": list(study.jobs),
    }
    with run_lock.writing(workdir, "--workdir"):
        frozen_plan.write_grown(workdir, study.plan)
        write_json(workdir / _NAME, content)


def read_studies(root: pathlib.Path) -> tuple[list[Study], list[str]]:
    """The studies in a folder and a few levels below it, and what is wrong with files that are none.

    A folder with a plan is a study also where its study.json is missing or cannot be read.
    """
    studies, problems = [], []
    for depth in range(_DEPTH + 1):
        patterns = ["/".join(["*"] * depth + [name]) for name in STUDY_FILES]
        for folder in sorted({path.parent for one in patterns for path in root.glob(one)}):
            inside = folder.relative_to(root).as_posix()
            name = "" if inside == "." else inside
            plan, plan_problem = None, ""
            try:
                plan = frozen_plan.read_frozen(folder, root)
            except frozen_plan.UnusablePlanError as error:
                plan_problem = error.problem
                problems.append(f"{inside}/{plan_problem}".removeprefix("./"))
            study = _of_plan(name, plan, plan_problem)
            try:
                content = parse_json(read_bytes(folder / _NAME, root, _LIMIT), _NAME)
                study = _parse(name, content, plan, plan_problem)
            except FileNotFoundError:
                pass
            except UnreadableError as error:
                problems.append(f"{(folder / _NAME).relative_to(root)}: {error}")
            if study is not None:
                studies.append(study)
    return studies, problems


def _of_plan(folder: str, plan: FrozenPlan | None, plan_problem: str) -> Study | None:
    """What is known of a study by its plan alone; None without a plan."""
    if plan is not None:
        last = plan.last
        return Study(folder, last.table, last.scale, last.moment.command, tuple(last.runs), plan)
    return Study(folder, None, "", "", (), None, plan_problem) if plan_problem else None


def _parse(folder: str, content: Any, plan: FrozenPlan | None, plan_problem: str) -> Study:
    fields = content if isinstance(content, dict) else {}
    table, scale, command, jobs = map(fields.get, ("table", "scale", "command", "jobs"))
    if not (isinstance(table, str) and isinstance(scale, str) and isinstance(command, str)):
        raise UnreadableError("it is not what a study leaves")
    if not isinstance(jobs, list) or not all(_is_folder_inside(job) for job in jobs):
        raise UnreadableError("its jobs are not a list of folders inside it")
    tables = {table.name: table for table in TABLES}
    if plan is not None:
        tables[plan.last.table.name] = plan.last.table
    # The plan of a study of one's own is in plan.json alone.
    if table and table not in tables and not plan_problem:
        raise UnreadableError(f"there is no table {table[:50]!r}")
    return Study(folder, tables.get(table), scale, command, tuple(jobs), plan, plan_problem)


def _is_folder_inside(job: Any) -> bool:
    """Whether it names a folder that cannot lie elsewhere."""
    if not isinstance(job, str) or not job.isprintable():
        return False
    path = pathlib.PurePosixPath(job)
    return not path.is_absolute() and ".." not in path.parts
