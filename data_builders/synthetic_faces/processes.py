"""Draws a set in several processes, each of which is a `worker`."""

import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import fpliif_jax
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.synthetic_faces.job import Job


def faces_of_processes(job: Job, root: Path, num_workers: int) -> Iterator[str]:
    """Yields once for each face that one of `num_workers` processes has written."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Planes of a picture are freed and needed again all the time: glibc is to keep their memory.
    environment |= {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "134217728"}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(
            None,
            [str(Path(fpliif_jax.__file__).parents[1]), os.environ.get("PYTHONPATH")],
        )
    )
    order = {
        "job": dataclasses.asdict(job),
        "root": str(root.resolve()),
        "num_workers": num_workers,
    }
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fpliif_jax.data_builders.synthetic_faces.worker",
                json.dumps(order | {"worker": worker}),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for worker in range(num_workers)
    ]
    # A thread for each worker passes its lines on, and in the end the worker itself.
    lines: queue.SimpleQueue[str | subprocess.Popen[str]] = queue.SimpleQueue()

    def pass_on(worker: subprocess.Popen[str]) -> None:
        for line in worker.stdout:  # pyrefly: ignore[not-iterable] - a pipe
            lines.put(line)
        lines.put(worker)

    for worker in workers:
        threading.Thread(target=pass_on, args=(worker,), daemon=True).start()
    try:
        running = num_workers
        while running:
            line = lines.get()
            if isinstance(line, str):
                yield line
            else:
                _check_success(line, root)
                running -= 1
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()  # pyrefly: ignore[missing-attribute] - a pipe
            worker.stderr.close()  # pyrefly: ignore[missing-attribute] - a pipe


def _check_success(worker: subprocess.Popen[str], root: Path) -> None:
    message = worker.stderr.read().strip()  # pyrefly: ignore[missing-attribute] - a pipe
    if worker.wait() != 0:
        reason = message.splitlines()[-1] if message else "killed, perhaps for want of memory"
        raise DataError(
            f"{root}: a drawing process ended with code {worker.returncode} ({reason}). Make room, "
            "or run again with a smaller num_workers."
        )
