"""What a study has to run: jobs of one folder each, made of commands that leave a file when they are finished."""

import contextlib
import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Callable, Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import Fields, JsonObject
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.run_folder import how_far
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.run_folder.run_record import read_environment, read_record
from fpliif_jax.run_folder.same_run import goes_on_with, is_free


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of a job: python -m MODULE ARGUMENTS.

    Attributes:
      module: 'fpliif_jax.main'.
      arguments: its own.
      output: name of the file in the job's folder that is there when the step is finished; scores may also be there
        because somebody asked for them before.
      config: what the output must say of itself under 'config'; None: it is not asked.
      framework: likewise under 'framework'; what says nothing is of JAX.
      follows_seed: likewise under 'follows_seed', in any order, where the output says it; None: it is not asked.
      unlike: of the job's folder, in what the output there is not of this step; None: it is not asked.
    """

    module: str
    arguments: tuple[str, ...]
    output: str
    config: JsonObject | None = None
    framework: str = "jax"
    follows_seed: tuple[str, ...] | None = None
    unlike: Callable[[pathlib.Path], list[str]] | None = None

    @property
    def command(self) -> list[str]:
        """Arguments of the process, with the interpreter that runs this one."""
        # A study that a launcher of several processes has started is still one run after another.
        alone = ["--distributed=off"] if self.module == "fpliif_jax.main" else []
        return [sys.executable, "-m", self.module, *self.arguments, *alone]

    def __str__(self) -> str:
        return shlex.join(["python", "-m", self.module, *self.arguments])

    def conflict(self, workdir: pathlib.Path) -> str | None:
        """Why this step cannot go on with what the folder holds; None where it can.

        A run of other settings, or of another framework: data may have moved, and what is evaluated may change.
        """
        if self.config is None or not (workdir / "config.json").is_file():
            return None
        path = workdir / "config.json"
        try:
            config = read_record(path)
            if config is None:
                return None
            before = flatten_config(config)
            path = workdir / "environment.json"
            environment = read_record(path)
            if environment is None:
                environment = {"framework": self.framework}
            framework = environment.get("framework", "jax")
        except (OSError, ValueError, AttributeError) as error:
            return f"{path} cannot be read ({error}); delete the folder to start it afresh"
        if framework != self.framework:
            return (
                f"{workdir} holds a run of the framework {framework!r}, and this one is of {self.framework!r}; use "
                "another --workdir"
            )
        now = flatten_config(self.config)
        before = config_fields.with_earlier(before, now) | _chosen(environment, before)
        for field in sorted(before.keys() | now.keys()):
            if is_free(field) or goes_on_with(field, before.get(field), now.get(field)):
                continue
            return (
                f"{workdir} holds a run with other settings: config.{field} was "
                f"{before.get(field)!r} and is now {now.get(field)!r}; give it the same value, or use "
                "another --workdir"
            )
        return None

    def is_finished(self, workdir: pathlib.Path) -> bool:
        """Whether its output is there, of this config, and of training that had come to its end."""
        path = workdir / self.output
        if not path.is_file():
            return False
        if self.unlike is not None:
            return not self.unlike(workdir)
        if self.config is None:
            return True
        if self.differing(workdir) != []:
            return False
        content = read_record(path)
        if content is None:
            return False
        far = how_far.unfinished(flatten_config(content.get("config", {})), content.get("train"))
        return far is None

    def differing(self, workdir: pathlib.Path) -> list[str] | None:
        """The settings in which the output is not of this step, 'config.model.norm'; None where it says none."""
        if self.unlike is not None:
            return self.unlike(workdir)
        if self.config is None:
            return None
        now = _compared(self.config)
        try:
            content = read_record(workdir / self.output)
            if content is None or not isinstance(content["config"], dict):
                return None
            before = config_fields.with_earlier(_compared(content["config"]), now)
            follows, own = content.get("follows_seed"), self.follows_seed
            # A seed fixed at that of the run gives the same bits: it is scored again, under its own name.
            is_other = follows is not None and own is not None and set(follows) != set(own)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        with contextlib.suppress(OSError, ValueError):
            before |= _chosen(read_environment(workdir), before)
        differing = [
            f"config.{field}"
            for field in sorted(before.keys() | now.keys())
            if not goes_on_with(field, before.get(field), now.get(field))
        ]
        differing += ["the sources that follow the seed"] if is_other else []
        is_of_other = content.get("framework", "jax") != self.framework
        return differing + (["the framework"] if is_of_other else [])


def training_step(
    module: str, arguments: tuple[str, ...], workdir: pathlib.Path, framework: str = "jax"
) -> Step:
    """Trains and evaluates a run.

    Args:
      module: of the trainer.
      arguments: --config=FILE and --config.FIELD=VALUE.
      workdir: of the run.
      framework: 'jax' or 'pytorch'.
    """
    config = command_line.config_of(arguments)
    return Step(
        module,
        (*arguments, f"--workdir={workdir}"),
        "results.json",
        json_config(config),
        framework,
        tuple(config_fields.follows_seed(config)),
    )


@dataclasses.dataclass(frozen=True)
class Job:
    """Steps in one folder, one after the other.

    Attributes:
      name: for the person, unique in a study.
      workdir: the folder; run.log there has what the steps print.
      steps: in order.
      needs: name of a job that must be finished first.
      seed: of its run; None where nothing is trained, or no plan asks.
    """

    name: str
    workdir: pathlib.Path
    steps: tuple[Step, ...]
    needs: str | None = None
    seed: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return all(step.is_finished(self.workdir) for step in self.steps)


def check_needs(jobs: Sequence[Job]) -> None:
    """Refuses what a launcher would wait for without end.

    Raises:
      ValueError: a job needs one that is not among them, or that waits for it.
    """
    waiting, startable = list(jobs), {None}
    while ready := [job for job in waiting if job.needs in startable]:
        startable |= {job.name for job in ready}
        waiting = [job for job in waiting if job not in ready]
    if waiting:
        raise ValueError(f"{waiting[0].name} needs {waiting[0].needs}, which never ends")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
      job: the job.
      status: 'finished', 'skipped' (it was finished before), 'interrupted' (by a signal; the same command goes on),
        'not started', 'failed' or 'blocked' (what it needs is not finished).
      problem: one line; None where all is well.
      seconds: how long it ran now.
    """

    job: Job
    status: str
    problem: str | None = None
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether the job's files are there."""
        return self.status in ("finished", "skipped")


def _compared(config: JsonObject) -> Fields:
    flat = flatten_config(config)
    return {
        field: value for field, value in flat.items() if not config_fields.changes_no_result(field)
    }


def _chosen(environment: JsonObject, config: Fields) -> Fields:
    """The numbers that a run chose where its config says 'auto'."""
    chosen = environment.get("chosen")
    if not isinstance(chosen, dict):
        return {}
    return {field: number for field, number in chosen.items() if config.get(field) == AUTO}
