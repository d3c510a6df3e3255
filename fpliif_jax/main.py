"""Trains and evaluates a face parser: python -m fpliif_jax.main --config=configs/lapa.py."""

import os
import pathlib
import sys
import traceback
from logging import Formatter
from typing import NoReturn

import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags

from fpliif_jax import interop, parallel
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders import standard_streams
from fpliif_jax.data_builders.errors import USER_ERRORS, error_line
from fpliif_jax.evaluation.evaluate import checkpoints_to_evaluate, evaluate
from fpliif_jax.evaluation.results import table
from fpliif_jax.interruption import Interruption
from fpliif_jax.preflight import (
    apply_to_jax,
    check_classes,
    check_devices,
    check_settings,
    define_config_flag,
    parse_flags,
    warn_of_dtype,
)
from fpliif_jax.run_folder import run_lock, run_record
from fpliif_jax.training import loop, supervision

_LONGEST_REASON = 300  # characters of what JAX says of a process that is gone
_CONFIG = define_config_flag()
_WORKDIR = flags.DEFINE_string("workdir", None, "Run's folder; none: runs/<config>/seed<seed>.")
_MODE = flags.DEFINE_enum(
    "mode", "train_and_eval", ["train", "eval", "train_and_eval"], "What to do."
)
_TORCH = flags.DEFINE_string("torch_checkpoint", None, "File of weights to evaluate.")
_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "host:port of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Processes of a multi-host run.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Index of this process, from 0.")


def main(argv: list[str]) -> None:
    """Runs the chosen mode; errors a person can mend are one line and exit code 1."""
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]!r}; settings are --config.FIELD=VALUE")
    logging.set_verbosity(logging.WARNING)  # Orbax tells every detail of every save
    logging.get_absl_handler().setFormatter(Formatter("%(levelname)s: %(message)s"))
    is_one_of_several = parallel.is_one_of_several(_NUM_PROCESSES.value)
    if is_one_of_several:
        supervision.in_child()
    interruption = Interruption()
    config = _CONFIG.value
    if _TORCH.value and _MODE.value != "eval":
        sys.exit("error: --torch_checkpoint is for --mode=eval")
    name = pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem
    run_name = f"torch-{pathlib.Path(_TORCH.value).name}" if _TORCH.value else f"seed{config.seed}"
    workdir = pathlib.Path(_WORKDIR.value or f"runs/{name}/{run_name}").expanduser()
    try:
        apply_to_jax(config)
        parallel.initialize(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
        supervision.joined()
        check_devices()
        check_settings(config)
        warn_of_dtype(config)
        run(config, workdir, interruption)
    except Exception as error:
        if is_one_of_several:
            _end_one_of_several(error)
        if not isinstance(error, USER_ERRORS):
            raise
        sys.exit(error_line(error))
    sys.exit(interruption.exit_code if interruption.requested else 0)


def _end_one_of_several(error: Exception) -> NoReturn:
    """Ends at once: at a normal end JAX would wait five minutes for the other processes."""
    if parallel.tells_of_a_lost_process(error):
        print(" ".join(str(error).split())[:_LONGEST_REASON], file=sys.stderr, flush=True)
        os._exit(supervision.LOST_PEER)
    if isinstance(error, USER_ERRORS):
        print(error_line(error), file=sys.stderr, flush=True)
    else:
        traceback.print_exception(error)
    os._exit(1)


def run(config: ml_collections.ConfigDict, workdir: pathlib.Path, stop: Interruption) -> None:
    """Prepares the data, then trains and evaluates."""
    run_record.check_workdir(workdir)
    given = interop.read_weights(_TORCH.value, config) if _TORCH.value else None
    if _MODE.value == "eval" and given is None:
        checkpoints_to_evaluate(config, workdir)  # a wrong folder is told at once
    dataset = load_dataset(config.data)
    check_classes(config, dataset)
    workdir.mkdir(parents=True, exist_ok=True)
    with run_lock.locked(workdir, parallel.is_main_process()):
        if _MODE.value != "eval":
            loop.train(config, workdir, dataset, stop)
        if stop.requested:
            print(f"interrupted and saved in {workdir}: the same command goes on", file=sys.stderr)
        elif _MODE.value != "train":
            results = evaluate(config, workdir, dataset, given)
            if parallel.is_main_process():
                print(f"{table(results)}\n{workdir / 'results.json'}")


if __name__ == "__main__":
    standard_streams.outlive_readers()
    app.run(main, flags_parser=parse_flags)
