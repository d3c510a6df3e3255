"""Submits jobs to Slurm through submitit: one array, with one task a job.

Every task writes into its job's own folder, so a task that Slurm ends at its time limit, or preempts, saves and is
queued again, and a study that is submitted again goes on where it stopped.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import submitit

from fpliif_jax.commands.interruption import was_ended
from fpliif_jax.data_builders.errors import UserError, counted
from fpliif_jax.experiments.launching import local
from fpliif_jax.experiments.launching.jobs import Job, Outcome, check_needs
from fpliif_jax.experiments.launching.progress import Progress

_POLL_SECONDS = 2.0


class SlurmError(UserError):
    """Jobs cannot be submitted; the message says why and what to do."""


class JobTask:
    """A job as a function that submitit can send: its steps, one after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._job: Job | None = None

    def __getstate__(self) -> dict[str, Any]:
        """State without the process, which cannot be sent."""
        return {"_process": None, "_job": self._job}

    def __call__(self, job: Job) -> tuple[str, str | None, float]:
        """Status, problem and seconds of the job, as in `Outcome`."""
        self._job = job
        started = time.monotonic()
        for step in job.steps:
            if step.is_finished(job.workdir):
                continue
            self._process = local.start(step, job.workdir, {})
            code = self._process.wait()
            problem = local.unfinished(step, job.workdir, code)
            if problem is not None:
                status = "interrupted" if was_ended(code) else "failed"
                return status, problem, time.monotonic() - started
        return "finished", None, time.monotonic() - started

    def checkpoint(self, job: Job) -> object:
        """Slurm is about to end the task: the step saves, and the task is queued again."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it has ended before
                os.kill(self._process.pid, signal.SIGTERM)
                # This is called in a signal handler, amid `wait` of the same process, which holds a lock: so it is
                # left for that one.
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return submitit.helpers.DelayedSubmission(JobTask(), job)


def run(
    jobs: Sequence[Job], folder: pathlib.Path, parameters: dict[str, int | str], cluster: str
) -> list[Outcome]:
    """Submits what is not finished, waits for it, and returns how each job ended, in their order.

    Ctrl-C stops the waiting; the tasks stay in the queue.

    Args:
      jobs: of the study.
      folder: for submitit's own files.
      parameters: of submitit's executor: timeout_min, slurm_partition, gpus_per_node, …
      cluster: 'slurm', or 'local' to run the array as processes of this machine.

    Raises:
      SlurmError: there is no Slurm, or it refuses a parameter.
      ValueError: of `check_needs`.
    """
    check_needs(jobs)
    outcomes = {job.name: Outcome(job, "skipped") for job in jobs if job.is_finished}
    waiting = [job for job in jobs if job.name not in outcomes]
    with Progress(len(jobs), None, len(outcomes)) as progress:
        # An array's tasks are independent, so what others need goes first, in an array of its own.
        while waiting:
            ready = [job for job in waiting if job.needs is None or job.needs in outcomes]
            for job in ready:
                if job.needs is not None and not outcomes[job.needs].is_well:
                    why = f"it needs {job.needs}, which is {outcomes[job.needs].status}"
                    outcomes[job.name] = Outcome(job, "blocked", why)
                    progress.end(outcomes[job.name])
            waiting = [job for job in waiting if job not in ready]
            ready = [job for job in ready if job.name not in outcomes]
            if ready:
                submitted = _submit(ready, folder, parameters, cluster)
                ids = ", ".join(task.job_id for _, task in submitted)
                logs = f"(logs in {os.path.relpath(folder)})"
                progress.tell(f"submitted {counted(len(ready), 'task')}: {ids} {logs}")
                outcomes |= {one.job.name: one for one in _wait(submitted, progress)}
    return [outcomes[job.name] for job in jobs]


def _submit(
    jobs: list[Job], folder: pathlib.Path, parameters: dict[str, int | str], cluster: str
) -> list[tuple[Job, Any]]:
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(name="fpliif_jax", **parameters)
        submitted = executor.map_array(JobTask(), jobs)
    except (RuntimeError, ValueError, TypeError, NameError, OSError) as error:
        raise SlurmError(f"submitit: {error}") from error
    return list(zip(jobs, submitted, strict=True))


def _wait(submitted: list[tuple[Job, Any]], progress: Progress) -> list[Outcome]:
    outcomes, left = [], list(submitted)
    while left:
        for job, task in list(left):
            if not task.done():
                continue
            left.remove((job, task))
            outcomes.append(_outcome(job, task))
            progress.end(outcomes[-1])
        if left:
            time.sleep(_POLL_SECONDS)
    return outcomes


def _outcome(job: Job, task: Any) -> Outcome:
    try:
        return Outcome(job, *task.result())
    except Exception as error:  # submitit raises what the task raised, or its own for a lost task
        return Outcome(job, "failed", f"{str(error).splitlines()[0]} ({task.paths.stderr})")
