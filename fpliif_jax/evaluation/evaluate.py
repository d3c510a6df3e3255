"""Evaluates checkpoints as the paper does and writes results.json."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from absl import logging
from tqdm import tqdm

from fpliif_jax import parallel, systems
from fpliif_jax.data import input_pipeline
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.evaluation import examples, metrics
from fpliif_jax.run_folder import checkpoint, config_fields
from fpliif_jax.run_folder.run_record import write_json, write_npz
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.protocol import Prediction, Protocol, title_of
from fpliif_jax.systems.stn_icnn.model import PART_NAMES

Variables = dict[str, Any]


class Found(NamedTuple):
    """What a protocol found in a split.

    Attributes:
      matrices: int32 [N, C, C], the confusion matrix of every image.
      measures: by name, float32 [N, …].
    """

    matrices: np.ndarray
    measures: dict[str, np.ndarray]


Score = Callable[[input_pipeline.Batch], dict[str, Found]]


class Candidate(NamedTuple):
    """A trained model, as evaluation sees it, whatever framework it is in.

    Attributes:
      name: of the checkpoint: 'best', 'last', 'given' ….
      step: training step of the checkpoint.
      parameters: number of trained values.
      fingerprint: of the data it was trained on; None where that is not known.
      score: what each protocol finds in a batch, see `score_split`.
      predict: each protocol's prediction by its key, from a batch of one image as `examples.write_examples` makes it.
      note: where the model comes from, if not from a run.
    """

    name: str
    step: int
    parameters: int
    fingerprint: str | None
    score: Score
    predict: Callable[[input_pipeline.Batch], dict[str, Prediction]]
    note: str | None = None


def label_sizes(protocols: tuple[Protocol, ...]) -> tuple[int, ...]:
    """The sides of the label maps that protocols need."""
    return tuple(dict.fromkeys(protocol.label_size for protocol in protocols))


def make_eval_step(
    model: nn.Module, config: ml_collections.ConfigDict, protocols: tuple[Protocol, ...]
) -> Callable[[Variables, input_pipeline.Batch], dict[str, tuple]]:
    """Builds the pmapped step: replicated variables, a sharded batch -> what each protocol finds.

    Returns:
      A function whose result has, for each protocol's key, (int32 [devices, N, C, C], measures), of the
      whole global batch on every device; the matrices of padding are zero.
    """
    predict = systems.of(config).make_predictor(model, config, protocols)
    classes = config.model.num_classes

    def step(variables: Variables, batch: input_pipeline.Batch) -> dict[str, tuple]:
        found = {}
        for name, predicted in predict(variables, batch).items():
            matrices = metrics.confusion_matrices(predicted.truth, predicted.labels, classes)
            counted = matrices * batch["weights"].astype(jnp.int32)[:, None, None]
            found[name] = (counted, predicted.measures)
        return parallel.all_gather(found)

    return parallel.pmap(step)


def evaluate_split(
    eval_step: Callable[..., dict[str, tuple]],
    variables: Variables,
    split: input_pipeline.Split,
    protocols: tuple[Protocol, ...],
    batch_size: int,
    description: str | None = None,
) -> dict[Protocol, Found]:
    """Evaluates every image of a split, for each protocol.

    Args:
      eval_step: of `make_eval_step`, for the same protocols.
      variables: replicated.
      split: its label maps must have every protocol's size.
      protocols: what is scored by.
      batch_size: global.
      description: label of the progress bar; None for no bar.
    """
    score = _scorer(eval_step, variables)
    return score_split(score, split, protocols, batch_size, description)


def _scorer(eval_step: Callable[..., dict[str, tuple]], variables: Variables) -> Score:
    def score(batch: input_pipeline.Batch) -> dict[str, Found]:
        results = eval_step(variables, parallel.shard(batch))
        return {name: Found(*parallel.unreplicate(found)) for name, found in results.items()}

    return score


def score_split(
    score: Score,
    split: input_pipeline.Split,
    protocols: tuple[Protocol, ...],
    batch_size: int,
    description: str | None = None,
) -> dict[Protocol, Found]:
    """Scores every image of a split, for each protocol, whatever computes the scores.

    Args:
      score: what each protocol finds in the global batch, from this process's rows of it; what it says of padding
        is dropped.
      split: its label maps must have every protocol's size.
      protocols: what is scored by.
      batch_size: global.
      description: label of the progress bar; None for no bar.
    """
    found: dict[Protocol, list[Found]] = {protocol: [] for protocol in protocols}
    bar = tqdm(
        total=len(split),
        desc=description,
        unit="image",
        leave=False,
        disable=description is None or not parallel.is_main_process(),
    )
    remaining = len(split)
    with bar:
        for batch in input_pipeline.evaluation_batches(
            split,
            label_sizes=label_sizes(protocols),
            batch_size=batch_size,
            rows=parallel.local_rows(batch_size),
        ):
            results = score(batch)
            count = min(batch_size, remaining)
            for protocol in protocols:
                kept = jax.tree.map(lambda leaf, n=count: leaf[:n], results[protocol.key])
                found[protocol].append(kept)
            remaining -= count
            bar.update(count)
    return {
        protocol: jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
        for protocol, parts in found.items()
    }


def row_scores(found: Found, class_names: tuple[str, ...]) -> dict[str, Any]:
    """All scores by a protocol, ready for JSON: `metrics.scores`, and the means of its measures.

    A measure [N, 6] is one of the six parts: {'mean': over images and parts, 'brow1': …}, in pixels, None
    where no image has the part.
    """
    scores = metrics.scores(found.matrices, class_names)
    for name, values in found.measures.items():
        means = {"mean": _defined_mean(values)}
        for part, column in zip(PART_NAMES, values.T, strict=True):
            means[part] = _defined_mean(column)
        scores[name] = means
    return scores


def _defined_mean(values: np.ndarray) -> float | None:
    """None where there is nothing to average, or a window that went to infinity."""
    defined = values[~np.isnan(values)].astype(np.float64)
    return float(defined.mean()) if defined.size and np.isfinite(defined).all() else None


def evaluate(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: input_pipeline.Dataset,
    given: checkpoint.InferenceCheckpoint | None = None,
) -> dict[str, Any]:
    """Evaluates every checkpoint, split and protocol of config.eval and writes what a study needs.

    Leaves evaluations/<split>-<checkpoint>-<protocol>.npz (ids [N], confusion matrices [N, C, C], measures),
    examples.npz, predictions.png and, last, results.json.

    Args:
      config: the run's settings.
      workdir: where the results go, and the checkpoints are.
      dataset: prepared.
      given: a model from elsewhere, to evaluate instead of the run's checkpoints; its name is 'given'.

    Returns:
      The content of results.json.

    Raises:
      CheckpointError: there is no checkpoint, or it is of another model.
      DataError: there is no split to evaluate.
    """
    protocols = parse_protocols(config)
    model = create_model(config.model)
    eval_step = make_eval_step(model, config, protocols)
    predict = systems.of(config).make_predictor(model, config, protocols)
    notes: list[str] = []
    if given is None:
        checkpoints = checkpoints_to_evaluate(config, workdir)
        missing = [which for which in config.eval.checkpoints if which not in checkpoints]
        notes += [f"there is no {which!r} checkpoint" for which in missing]
    else:
        checkpoints = ["given"]

    def load(which: str) -> Candidate:
        state = given or checkpoint.load_for_inference(workdir, which)
        check_same_model(state, config, model, workdir)
        checkpoint.check_same_classes(state.class_names, dataset.class_names, workdir)
        variables = systems.of(config).inference_variables(config.model, state.variables)
        return Candidate(
            which,
            state.step,
            count_parameters(state.variables),
            state.fingerprint,
            _scorer(eval_step, parallel.replicate(variables)),
            functools.partial(jax.jit(predict), variables),
            state.note,
        )

    progress = checkpoint.read_progress(workdir, "last") if given is None else None
    return record(
        config,
        workdir,
        dataset,
        checkpoints,
        load,
        framework="jax",
        train=progress["train"] if progress else None,
        notes=notes,
    )


def record(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: input_pipeline.Dataset,
    checkpoints: Sequence[str],
    load: Callable[[str], Candidate],
    *,
    framework: str,
    train: dict[str, Any] | None,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Evaluates models of any framework, by every protocol on every split, and writes what `evaluate` leaves.

    Args:
      config: the run's settings.
      workdir: where the results go.
      dataset: prepared.
      checkpoints: what to evaluate, at least one; the first is pictured.
      load: reads one of them.
      framework: 'jax' or 'pytorch'.
      train: what training took, for results.json; None where that is not known.
      notes: what the reader of the results should know.

    Returns:
      The content of results.json.

    Raises:
      DataError: there is no split to evaluate.
    """
    protocols, class_names, notes = parse_protocols(config), dataset.class_names, list(notes)
    evaluations = []
    pictured = False
    for split_name in _splits_to_evaluate(config, dataset, notes):
        split = input_pipeline.load_split(dataset, split_name, label_sizes(protocols))
        for which in checkpoints:
            candidate = load(which)
            if candidate.note and candidate.note not in notes:
                notes.append(candidate.note)
            found_by_protocol = score_split(
                candidate.score,
                split,
                protocols,
                config.eval.batch_size,
                description=f"evaluating {which} on {split_name}",
            )
            for protocol, found in found_by_protocol.items():
                evaluations.append(
                    {
                        "split": split_name,
                        "checkpoint": which,
                        "step": candidate.step,
                        "row": protocol.key,
                        "input_size": config.data.image_size,
                        "output_size": protocol.output_size,
                        "scored_at": protocol.scored_at,
                        **row_scores(found, class_names),
                    }
                )
                if parallel.is_main_process():
                    name = f"{split_name}-{which}-{protocol.key}.npz"
                    write_npz(
                        workdir / "evaluations" / name,
                        example_ids=split.ids,
                        confusion_matrices=found.matrices,
                        class_names=np.array(class_names),
                        **found.measures,
                    )
            if not pictured and parallel.is_main_process() and config.eval.num_pictures:
                examples.write_examples(
                    workdir,
                    candidate.predict,
                    split,
                    split_name,
                    which,
                    protocols,
                    examples.Ranking.of(found_by_protocol[protocols[0]].matrices),
                    class_names,
                    config.eval.num_pictures,
                )
                pictured = True
    if candidate.fingerprint not in (None, dataset.metadata.fingerprint):
        notes.append(f"trained on other data (fingerprint {candidate.fingerprint})")
    results = {
        "config": checkpoint.json_config(config),
        "config_fingerprint": checkpoint.config_fingerprint(checkpoint.json_config(config)),
        "seed": config.seed,
        "framework": framework,
        "model": config.model.name,
        "parameters": candidate.parameters,
        "dataset": dataset.record(),
        "evaluations": evaluations,
        "train": train,
        "notes": notes,
    }
    if parallel.is_main_process():
        write_json(workdir / "results.json", results)
    parallel.barrier("results are written")
    return results


def table(results: dict[str, Any]) -> str:
    """The evaluations of results.json as text, scores in percent as in the paper's tables."""
    lines = [
        f"{'split':<11}{'checkpoint':<19}{'row':>17}{'mean F1':>9}{'mIoU':>8}{'per image':>10}"
        f"{'images':>8}"
    ]
    for found in results["evaluations"]:
        percents = [found["mean_f1"], found["miou"], found["per_image_mean_f1"]]
        f1, miou, per_image = ("–" if p is None else f"{100 * p:.2f}" for p in percents)
        lines.append(
            f"{found['split']:<11}{found['checkpoint']:<19}{title_of(found['row']):>17}{f1:>9}{miou:>8}"
            f"{per_image:>10}{found['images']:>8}"
        )
    if results["dataset"]["drawn"]:
        lines.append("data: the faces are drawn")
    return "\n".join(lines + [f"note: {note}" for note in results["notes"]])


def count_parameters(variables: Variables) -> int:
    """Number of trained values."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(variables["params"]))


def check_same_model(
    state: checkpoint.InferenceCheckpoint,
    config: ml_collections.ConfigDict,
    model: nn.Module,
    workdir: pathlib.Path,
) -> None:
    """Refuses a checkpoint that would be another function under this config.

    Raises:
      CheckpointError: names the first setting or array that differs, or says that its sides do.
    """
    checkpoint.refuse_swapped_sides(state.sides_are_swapped, workdir)
    names = checkpoint.flatten_config(checkpoint.json_config(config))
    fields = tuple(name for name in names if config_fields.decides_function(name))
    checkpoint.check_same_fields(checkpoint.json_config(state.config), config, fields, workdir)
    shapes = systems.of(config).input_shapes(config.model, config.data.image_size)
    wanted = jax.eval_shape(model.init, jax.random.key(0), *shapes)
    checkpoint.check_same_arrays(
        state.variables, wanted, checkpoint.directory(workdir, "best").parent
    )


def checkpoints_to_evaluate(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[str]:
    """Those of config.eval.checkpoints that the run has.

    Raises:
      CheckpointError: it has none.
    """
    there = [
        which
        for which in config.eval.checkpoints
        if checkpoint.saved_step(workdir, which) is not None
    ]
    if not there:
        raise checkpoint.CheckpointError(
            f"no checkpoint to evaluate in {workdir}; train first, or check --workdir"
        )
    return there


def _splits_to_evaluate(
    config: ml_collections.ConfigDict, dataset: input_pipeline.Dataset, notes: list[str]
) -> list[str]:
    splits = []
    for name in config.eval.splits:
        if name in dataset.missing_splits:
            note = f"the {name} split is missing"
            if name == "test" and "validation" not in dataset.missing_splits:
                note += ": validation is evaluated instead, on which the best checkpoint was chosen"
                splits.append("validation")
            logging.warning("%s", note)
            notes.append(note)
        else:
            splits.append(name)
    if not splits:
        raise DataError(
            f"no split to evaluate: the data set has none of {', '.join(config.eval.splits)}; "
            "choose others with --config.eval.splits"
        )
    return list(dict.fromkeys(splits))
