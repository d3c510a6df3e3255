"""A fresh process that does one thing once: python -m experiments.benchmark.child TASK.

For what cannot be seen from inside a process that did other things before: the time from its start to its first result,
and the most memory it ever had. TASK is `children.ChildTask` as JSON, the answer a line of JSON on stdout.
"""

import contextlib
import dataclasses
import json
import pathlib
import sys
import time

_STARTED = time.perf_counter()

import jax  # noqa: E402 - the time of importing is part of the answer
from ml_collections import ConfigDict  # noqa: E402

from fpliif_jax.experiments.benchmark import jax_programs, torch_programs  # noqa: E402
from fpliif_jax.experiments.benchmark.children import ChildTask  # noqa: E402
from fpliif_jax.experiments.benchmark.parts import training  # noqa: E402
from fpliif_jax.experiments.benchmark.timing import Program, reason  # noqa: E402
from fpliif_jax.experiments.runs.benchmark_results import Start  # noqa: E402
from fpliif_jax.nn.variables import Variables  # noqa: E402
from fpliif_jax.run_folder.run_config import config_of_json  # noqa: E402
from fpliif_jax.systems import create_model  # noqa: E402
from fpliif_jax.training import preflight  # noqa: E402
from fpliif_jax.training.step import init_variables  # noqa: E402

_KIBIBYTE = 1024


def main() -> None:
    """Reads the task, does it, and answers."""
    imported = time.perf_counter() - _STARTED
    task = ChildTask(**json.loads(sys.argv[1]))
    try:
        answer = dataclasses.asdict(_do(task, imported))
    except Exception as error:
        answer = {"problem": reason(error)}
    print(json.dumps(answer), flush=True)


def _do(task: ChildTask, seconds_of_importing: float) -> Start:
    config = config_of_json(task.config)
    preflight.apply_to_jax(config)
    variables = init_variables(create_model(config.model), config)
    if task.framework == "torch":
        torch_programs.prepare(config)
        torch_programs.device_name()
        before = _peak_from_now()
        program = _torch_program(task, config, variables)
        program.call()
        peak = _torch_device_peak(program)
    else:
        before = _peak_from_now()
        program = _jax_program(task, config, variables)
        program.call()
        peak = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    after = _peak()
    resident = None if before is None or after is None else after - before
    return Start(seconds_of_importing, program.compile_seconds, resident, peak)


def _jax_program(task: ChildTask, config: ConfigDict, variables: Variables) -> Program:
    config = jax_programs.with_dtype(config, task.dtype)
    if task.what == "forward":
        return jax_programs.forward(config, variables, task.output_size, task.batch)
    if task.what == "gradient":
        config = training.without_augmentation(config)
    stage = jax_programs.stages_of(config)[0]
    return jax_programs.training_step(config, variables, stage)


def _torch_program(task: ChildTask, config: ConfigDict, variables: Variables) -> Program:
    config = jax_programs.with_dtype(config, "float32")
    variant = torch_programs.VARIANTS[task.variant]
    if task.what == "forward":
        return torch_programs.forward(
            config, variables, task.output_size, task.batch, variant, task.dtype
        )
    stage = jax_programs.stages_of(config)[0]
    batch = jax_programs.random_batch(config, stage, config.train.batch_size)
    return torch_programs.gradient_step(config, variables, batch, variant, task.dtype)


def _torch_device_peak(program: Program) -> int | None:
    """Peak bytes of a second call: the first one tries convolution algorithms, each with its own workspace."""
    import torch

    if torch_programs.device_name() == "cpu":
        return None
    torch.cuda.reset_peak_memory_stats()
    program.call()
    return torch.cuda.max_memory_allocated()


def _peak_from_now() -> int | None:
    """Resident memory, in bytes, from which on `_peak` counts: importing and making weights had a peak of their own.

    None where the system does not tell. Where Linux does not let the peak be forgotten it is that peak, and what stays
    below it is not seen.
    """
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return _peak()


def _peak() -> int | None:
    """The most memory this process has had, in bytes; None where the system does not tell (not Linux).

    `getrusage` would include what the process had from which this one was started.
    """
    try:
        lines = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * _KIBIBYTE


if __name__ == "__main__":
    main()
