"""Runs jobs on this machine, several at once where asked to, with its GPUs shared out among them.

On CPUs the processes of several jobs are not pinned to cores: how many cores a process sees decides how XLA
splits its sums, so a pinned run would not be bit-identical to one that runs alone.
"""

import dataclasses
import itertools
import os
import pathlib
import signal
import subprocess
import time
import types
from collections.abc import Mapping, Sequence

from fpliif_jax.commands.interruption import (
    PARENT,
    heeded,
    restored_handlers,
    was_ended,
)
from fpliif_jax.data_builders.host.regular_files import append_regular
from fpliif_jax.experiments.launching.jobs import Job, Outcome, Step, check_needs
from fpliif_jax.experiments.launching.progress import Progress
from fpliif_jax.experiments.runs.run_log import last_error, last_words, was_saved

_POLL_SECONDS = 0.2
_MEMORY_SHARE = 0.9  # of a GPU's memory that all its jobs may have together


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """Names of the GPUs that processes may use, as CUDA_VISIBLE_DEVICES has them.

    JAX is not asked: this process would take their memory for itself.
    """
    if environment.get("JAX_PLATFORMS", "").startswith("cpu"):
        return []
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(gpus))]


def shares(slots: int, gpus: Sequence[str]) -> list[dict[str, str]]:
    """Environment variables by slot that divide GPUs among jobs that run at the same time.

    Every slot has as many GPUs as any other; where there are fewer GPUs than slots, several slots have the
    same one and each a part of its memory.
    """
    if not gpus:
        return [{} for _ in range(slots)]
    if slots <= len(gpus):
        each = len(gpus) // slots
        return [
            {"CUDA_VISIBLE_DEVICES": ",".join(gpus[slot * each : (slot + 1) * each])}
            for slot in range(slots)
        ]
    jobs_on_a_gpu = -(-slots // len(gpus))
    fraction = f"{_MEMORY_SHARE / jobs_on_a_gpu:.3f}"
    return [
        {
            "CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)],
            "XLA_PYTHON_CLIENT_MEM_FRACTION": fraction,
        }
        for slot in range(slots)
    ]


def run(jobs: Sequence[Job], slots: int) -> list[Outcome]:
    """Runs jobs, at most `slots` at once, and returns how each ended, in their order.

    A job that fails does not stop the others. SIGTERM and Ctrl-C are handed on to the running jobs, which save; no
    new one is started then.

    Raises:
      ValueError: of `check_needs`.
    """
    check_needs(jobs)
    return _Pool(jobs, slots).run()


@dataclasses.dataclass
class _Running:
    """A job at work."""

    job: Job
    steps: list[Step]  # left, the one at work first
    process: subprocess.Popen
    started: float


class _Pool:
    """Jobs waiting, at work and ended."""

    def __init__(self, jobs: Sequence[Job], slots: int) -> None:
        self._jobs = list(jobs)
        self._outcomes = {job.name: Outcome(job, "skipped") for job in jobs if job.is_finished}
        self._waiting = [job for job in jobs if job.name not in self._outcomes]
        gpus = visible_gpus(os.environ)
        self._environments = shares(min(slots, max(1, len(self._waiting))), gpus)
        self._running: dict[int, _Running] = {}
        self._stopping: int | None = None

    def run(self) -> list[Outcome]:
        """Runs all jobs, until nothing is waiting or at work."""
        with restored_handlers():
            for number in heeded():
                signal.signal(number, self._stop)
            try:
                self._run_all()
            finally:
                for running in self._running.values():
                    running.process.terminate()
        return [self._outcomes[job.name] for job in self._jobs]

    def _run_all(self) -> None:
        before, slots = len(self._outcomes), len(self._environments)
        with Progress(len(self._jobs), slots, before) as progress:
            is_told = False
            while self._waiting or self._running:
                self._end_the_blocked(progress)
                self._start_the_ready(progress)
                time.sleep(_POLL_SECONDS)
                if self._stopping is not None and not is_told:
                    is_told = True
                    progress.stop()
                self._collect(progress)
                if progress.is_bar:
                    progress.show(self._doing())

    def _stop(self, number: int, frame: types.FrameType | None) -> None:
        """Hands the signal on as SIGTERM, which saves; a second Ctrl-C as itself, which ends at once."""
        repeated = self._stopping is not None and number == signal.SIGINT
        self._stopping = number
        for running in self._running.values():
            running.process.send_signal(signal.SIGINT if repeated else signal.SIGTERM)

    def _end_the_blocked(self, progress: Progress) -> None:
        for job in list(self._waiting):
            needed = self._outcomes.get(job.needs) if job.needs else None
            if self._stopping is not None:
                outcome = Outcome(job, "not started", "the study was interrupted before")
            elif needed is not None and not needed.is_well:
                outcome = Outcome(job, "blocked", f"it needs {job.needs}, which is {needed.status}")
            else:
                continue
            self._waiting.remove(job)
            self._end(outcome, progress)

    def _start_the_ready(self, progress: Progress) -> None:
        for slot, environment in enumerate(self._environments):
            if slot in self._running:
                continue
            ready = [
                job for job in self._waiting if job.needs is None or job.needs in self._outcomes
            ]
            if not ready:
                return
            self._waiting.remove(ready[0])
            steps = _unfinished_steps(ready[0], ready[0].steps)
            try:
                process = start(steps[0], ready[0].workdir, environment)
            except OSError as error:
                self._end(Outcome(ready[0], "failed", f"cannot be started: {error}"), progress)
                continue
            self._running[slot] = _Running(ready[0], steps, process, time.monotonic())
            if self._stopping is not None:  # since then: nobody has told this process
                process.terminate()
            progress.begin(ready[0])

    def _collect(self, progress: Progress) -> None:
        for slot, running in list(self._running.items()):
            code = running.process.poll()
            if code is None:
                continue
            step, seconds = running.steps[0], time.monotonic() - running.started
            problem = unfinished(step, running.job.workdir, code)
            if problem is not None:
                stopped = self._stopping is not None or was_ended(code)
                status = "interrupted" if stopped else "failed"
                self._end(Outcome(running.job, status, problem, seconds), progress)
                del self._running[slot]
            elif not (later := _unfinished_steps(running.job, running.steps[1:])):
                self._end(Outcome(running.job, "finished", None, seconds), progress)
                del self._running[slot]
            elif self._stopping is not None:
                reason = f"the study was interrupted before {later[0].module}"
                self._end(Outcome(running.job, "interrupted", reason, seconds), progress)
                del self._running[slot]
            else:
                running.steps = later
                try:
                    running.process = start(later[0], running.job.workdir, self._environments[slot])
                except OSError as error:  # it stops no other job
                    self._end(
                        Outcome(running.job, "failed", f"cannot be started: {error}", seconds),
                        progress,
                    )
                    del self._running[slot]

    def _end(self, outcome: Outcome, progress: Progress) -> None:
        self._outcomes[outcome.job.name] = outcome
        if self._stopping is None:  # what was stopped is listed at the end
            progress.end(outcome)

    def _doing(self) -> str:
        statuses = [
            f"{running.job.name}: {last_words(running.job.workdir / 'run.log')[:60]}"
            for running in self._running.values()
        ]
        return " | ".join(statuses)


def start(step: Step, workdir: pathlib.Path, environment: Mapping[str, str]) -> subprocess.Popen:
    """Starts a step; what it prints is added to run.log, after the command.

    It gets SIGTERM, and saves, when this process ends, be it by SIGKILL.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    # Bars redraw ten times a second, which fills a log that nobody watches.
    calm = {"TQDM_MININTERVAL": os.environ.get("TQDM_MININTERVAL", "2")}
    with append_regular(workdir / "run.log") as log:
        log.write(f"$ {step}\n")
        log.flush()
        return subprocess.Popen(
            step.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **calm, **environment, PARENT: str(os.getpid())},
        )


def _unfinished_steps(job: Job, steps: Sequence[Step]) -> list[Step]:
    """Steps from the first that is not finished; files that later ones left may not be theirs any more."""
    return list(itertools.dropwhile(lambda step: step.is_finished(job.workdir), steps))


def unfinished(step: Step, workdir: pathlib.Path, code: int) -> str | None:
    """Why a step that ended with this exit code is not finished; None where it is."""
    if code == 0 and step.is_finished(workdir):
        return None
    log = workdir / "run.log"
    if was_ended(code):
        return f"{'saved' if was_saved(log) else 'ended by a signal before it saved more'} ({log})"
    differing = step.differing(workdir) if code == 0 else None
    if differing and step.unlike is not None:
        return f"finished, but not as the study needs it: {', '.join(differing)} ({log})"
    if differing:
        return (
            f"finished, but its settings are not the study's: {', '.join(differing)}; has the code changed since the "
            f"study was started? ({log})"
        )
    reason = last_error(log) or last_words(log)
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{reason or 'it printed nothing'} ({ended}; {log})"
