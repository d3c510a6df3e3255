"""Evaluates the checkpoints of a PyTorch run and writes what a run of JAX leaves, with the same code."""

import pathlib
from collections.abc import Iterator

import ml_collections
import torch

from fpliif_jax.data import sides
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.evaluation.results import Results, RunFacts, evaluate_models
from fpliif_jax.evaluation.scoring import TrainedModel
from fpliif_jax.experiments.pytorch import checkpoint
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.experiments.pytorch.protocols import make_predictor, make_scorer
from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.run_folder.same_run import check_same_classes, refuse_swapped_sides
from fpliif_jax.systems import parse_protocols


def evaluate_run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: Dataset,
    device: torch.device,
) -> Results:
    """Evaluates every checkpoint, split and row of config.eval, see `fpliif_jax.evaluation.results.evaluate_models`.

    Returns:
      The content of results.json.

    Raises:
      CheckpointError: there is no checkpoint.
      DataError: there is no split to evaluate.
    """
    protocols = parse_protocols(config)
    checkpoints = list(dict.fromkeys(config.eval.checkpoints))
    there = [which for which in checkpoints if checkpoint.path_of(workdir, which).exists()]
    if not there:
        raise CheckpointError(f"no checkpoint to evaluate in {workdir}; train first")

    def models() -> Iterator[TrainedModel]:
        for which in there:
            saved = checkpoint.load(workdir, which)
            if saved is None:
                raise CheckpointError(
                    f"the {which!r} checkpoint of {workdir} has gone; train again"
                )
            trained = saved["progress"]
            swapped = sides.are_swapped(
                trained["config"], trained["class_names"], trained.get("whose_left")
            )
            refuse_swapped_sides(swapped, workdir)
            check_same_classes(trained["class_names"], dataset.class_names, workdir)
            model = FPLIIF(config.model)
            model.load_state_dict(saved["model"])
            model.to(device)
            predict = make_predictor(model, config, protocols, device)
            yield TrainedModel(
                which,
                trained["step"],
                sum(parameter.numel() for parameter in model.parameters()),
                trained["fingerprint"],
                make_scorer(predict, config.model.num_classes),
                predict,
            )

    last = checkpoint.load(workdir, "last")
    facts = RunFacts(
        framework="pytorch",
        train=last["progress"]["train"] if last else None,
        notes=[f"there is no {which!r} checkpoint" for which in checkpoints if which not in there],
    )
    return evaluate_models(config, workdir, dataset, models(), facts)
