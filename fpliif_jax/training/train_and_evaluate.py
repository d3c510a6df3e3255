"""Trains and evaluates: what `python -m fpliif_jax.main` does once its flags are read."""

import dataclasses
import json
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import jax
import ml_collections
from absl import logging

from fpliif_jax.commands import command_line
from fpliif_jax.commands.interruption import SAID_SAVED, Interruption
from fpliif_jax.data.dataset import load_datasets
from fpliif_jax.data_builders.errors import USER_ERRORS, SettingsError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.devices import joining, parallel, supervision
from fpliif_jax.evaluation.evaluate import checkpoints_to_evaluate, evaluate
from fpliif_jax.evaluation.score_table import table
from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder import evaluated_config, run_lock, run_record, shared_folder
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.training import loop
from fpliif_jax.training.preflight import (
    apply_to_jax,
    check_classes,
    check_devices,
    check_fields,
    check_scored_classes,
    check_settings,
    check_start_from_run,
    warn_of_dtype,
    warn_of_lost_rates,
)

_LONGEST_REASON = 300  # characters of what JAX says of a process that is gone


@dataclasses.dataclass(frozen=True)
class GivenWeights:
    """A model to evaluate instead of the run's checkpoints.

    Attributes:
      flag: that asks for it, '--weights=drawn'.
      run_name: the run's folder is called after it, where none is given.
      read: gives it as the model of a config; raises what `interop.read_weights` raises, or SettingsError.
    """

    flag: str
    run_name: str
    read: Callable[[ml_collections.ConfigDict], InferenceCheckpoint]


def main(
    config: ml_collections.ConfigDict,
    config_name: str,
    *,
    workdir: str | None,
    mode: str,
    processes: tuple[str, str | None, int | None, int | None],
    weights: GivenWeights | None = None,
    given: Sequence[str] = (),
    is_chosen: bool = True,
) -> int:
    """Trains and evaluates.

    Args:
      config: of the run.
      config_name: 'lapa'; the run's folder is called after it.
      workdir: of the run; None: runs/<config>/seed<seed>.
      mode: 'train', 'eval' or 'train_and_eval'.
      processes: of a run over several hosts: 'auto' or 'off', address of process 0, how many there are, and which this
        one is; see `joining.initialize`.
      weights: to evaluate, or None: those of the run.
      given: fields of the config that the command line gave by name; see `evaluated_config.of_run`.
      is_chosen: whether the command line named the config, see there.

    Returns:
      the exit code.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    logging.set_verbosity(logging.WARNING)  # Orbax tells every detail of every save
    check_fields(config)
    is_one_of_several = joining.is_one_of_several(processes[0], processes[2])
    if is_one_of_several:
        supervision.in_child()
    interruption = Interruption()
    if weights is not None and mode != "eval":
        raise SettingsError(f"{weights.flag.partition('=')[0]} is for --mode=eval")
    run_name = weights.run_name if weights else f"seed{config.seed}"
    folder = expanded(workdir or f"runs/{config_name}/{run_name}")
    if mode == "eval" and weights is None:
        config = evaluated_config.of_run(config, given, folder, is_chosen)
    try:
        apply_to_jax(config)
        joining.initialize(*processes)
        supervision.joined()
        check_devices()
        joining.check_joined(processes[0], processes[2])
        joining.check_same_in_all(
            _shared_settings(config, workdir, mode, weights.flag if weights else None)
        )
        check_settings(config)
        warn_of_dtype(config)
        if mode != "eval":
            warn_of_lost_rates(config)
        is_finished = run(config, folder, mode, weights, interruption)
    except Exception as error:
        if is_one_of_several:
            _end_one_of_several(error)
        raise
    return 0 if is_finished else interruption.exit_code


def _shared_settings(config: ml_collections.ConfigDict, *arguments: str | None) -> str:
    """What all processes of a run must have been started with: places, costs and displays may be a machine's own."""
    fields = {
        name: value
        for name, value in flatten_config(json_config(config)).items()
        if not config_fields.changes_no_result(name)
    }
    return json.dumps([fields, arguments], sort_keys=True)


def _end_one_of_several(error: Exception) -> NoReturn:
    """Ends at once: at a normal end JAX would wait five minutes for the other processes."""
    if parallel.tells_of_a_lost_process(error):
        print(" ".join(str(error).split())[:_LONGEST_REASON], file=sys.stderr, flush=True)
        os._exit(supervision.LOST_PEER)
    if isinstance(error, USER_ERRORS):
        print(command_line.user_error_line(error), file=sys.stderr, flush=True)
    else:
        traceback.print_exception(error)
    os._exit(1)


def run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    mode: str,
    weights: GivenWeights | None,
    stop: Interruption,
) -> bool:
    """Prepares the data, then trains and evaluates.

    Args:
      config, workdir, mode, weights: those of `main`.
      stop: asks to stop.

    Returns:
      whether that is finished; if not, this process or another one was asked to stop, and the run is saved.
    """
    run_record.check_workdir(workdir)
    given = weights.read(config) if weights is not None else None
    if mode == "eval" and weights is None:
        checkpoints_to_evaluate(config, workdir)  # so that a wrong folder ends at once
    if mode != "eval":
        check_start_from_run(config, workdir)
    trained_on, scored_on = load_datasets(config, trains=mode != "eval")
    check_classes(config, trained_on)
    check_classes(config, scored_on)
    check_scored_classes(trained_on, scored_on)
    workdir.mkdir(parents=True, exist_ok=True)
    with run_lock.locked(workdir, parallel.is_main_process()):
        if weights is None:
            shared_folder.check_shared(workdir)
        is_trained = mode == "eval" or loop.train(config, workdir, trained_on, stop)
        # Several processes do what they have agreed on: a signal may have reached one of them alone.
        if not is_trained or (stop.requested and jax.process_count() == 1):
            print(f"{SAID_SAVED}{workdir}: the same command goes on", file=sys.stderr)
            return False
        if mode != "train":
            results = evaluate(config, workdir, scored_on, given)
            if parallel.is_main_process():
                print(f"{table(results)}\n{workdir / 'results.json'}")
    return True
