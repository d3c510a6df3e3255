"""Evaluates the checkpoints of a run of JAX, or a model that is not of a run."""

import functools
import pathlib
from collections.abc import Iterator

import jax
import ml_collections
import numpy as np

from fpliif_jax import systems
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation.results import Results, RunFacts, evaluate_models
from fpliif_jax.evaluation.scoring import TrainedModel, make_eval_step, make_scorer
from fpliif_jax.fields import config_fields
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.run_folder.same_run import (
    check_same_classes,
    check_same_fields,
    check_scored_as_trained,
    refuse_swapped_sides,
)
from fpliif_jax.systems import create_model, parse_protocols


def evaluate(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: Dataset,
    external: InferenceCheckpoint | None = None,
) -> Results:
    """Evaluates every checkpoint, split and protocol of config.eval and writes what `results.evaluate_models` leaves.

    Args:
      config: the run's settings.
      workdir: where the results go, and the checkpoints are.
      dataset: prepared.
      external: a model that is not of the run, to evaluate instead of its checkpoints; results call it 'given'.

    Returns:
      The content of results.json.

    Raises:
      CheckpointError: there is no checkpoint, or it is of another model.
      SettingsError: the run was trained with other settings.
      DataError: there is no split to evaluate.
    """
    protocols = parse_protocols(config)
    model = create_model(config.model)
    expected = systems.variable_shapes(config)
    eval_step = make_eval_step(model, config, protocols)
    predict = systems.of(config).scoring.make_predictor(model, config, protocols)
    checkpoints, notes, train = ["given"], [], None
    if external is None:
        checkpoints = checkpoints_to_evaluate(config, workdir)
        missing = [
            which for which in dict.fromkeys(config.eval.checkpoints) if which not in checkpoints
        ]
        notes = [f"there is no {which!r} checkpoint" for which in missing]
        progress = checkpoint.read_progress(workdir, "last")
        train = progress["train"] if progress else None

    def models() -> Iterator[TrainedModel]:
        for which in checkpoints:
            state = external or load_for_inference(workdir, which)
            check_same_model(state, config, expected, workdir)
            if external is None:
                check_scored_as_trained(json_config(state.config), config, workdir)
            origin = state.note if external else workdir
            check_same_classes(state.class_names, dataset.class_names, origin)
            variables = systems.of(config).network.inference_variables(
                config.model, state.variables
            )
            yield TrainedModel(
                which,
                state.step,
                count_parameters(state.variables),
                state.fingerprint,
                make_scorer(eval_step, parallel.replicate(variables)),
                functools.partial(jax.jit(predict), variables),
                state.note,
            )

    return evaluate_models(config, workdir, dataset, models(), RunFacts("jax", train, notes))


def count_parameters(variables: Variables) -> int:
    """Number of trained values."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(variables["params"]))


def check_same_model(
    state: InferenceCheckpoint,
    config: ml_collections.ConfigDict,
    expected: Variables,
    workdir: pathlib.Path,
) -> None:
    """Refuses a checkpoint that would be another function under this config.

    Args:
      state: the checkpoint.
      config: the run's settings.
      expected: the shapes of the variables of its model.
      workdir: the run's folder.

    Raises:
      CheckpointError: names the first setting or array that differs, or says that its sides do.
    """
    refuse_swapped_sides(state.sides_are_swapped, workdir)
    names = flatten_config(json_config(config))
    fields = tuple(name for name in names if config_fields.decides_function(name))
    check_same_fields(json_config(state.config), config, fields, workdir)
    checkpoint.check_same_arrays(
        state.variables, expected, checkpoint.directory(workdir, "best").parent
    )


def checkpoints_to_evaluate(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[str]:
    """Checkpoints of config.eval.checkpoints that the run has, each once.

    Raises:
      CheckpointError: it has none.
    """
    there = [
        which
        for which in dict.fromkeys(config.eval.checkpoints)
        if checkpoint.saved_step(workdir, which) is not None
    ]
    if not there:
        raise checkpoint.CheckpointError(
            f"no checkpoint to evaluate in {workdir}; train first, or check --workdir"
        )
    return there
