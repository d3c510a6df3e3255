"""Evaluates checkpoints as the paper does and writes results.json."""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from absl import logging
from tqdm import tqdm

from data_builders.errors import DataError
from fpliif_jax import checkpoint, input_pipeline, metrics, parallel, pictures, preprocess
from fpliif_jax.models import create_model
from fpliif_jax.run_record import write_json

Variables = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a results table.

    Attributes:
      output_size: side of the square grid the decoder answers on.
      scored_at: side of the ground truth; logits are brought to it.
    """

    output_size: int
    scored_at: int

    @property
    def name(self) -> str:
        """For file names: '192to256', or '256' where both sizes are the same."""
        if self.output_size == self.scored_at:
            return str(self.output_size)
        return f"{self.output_size}to{self.scored_at}"


def parse_row(text: str) -> Row:
    """Reads '512' or '192->256'.

    Raises:
      ValueError: it is neither.
    """
    output_size, arrow, scored_at = str(text).replace("→", "->").partition("->")
    try:
        row = Row(int(output_size), int(scored_at if arrow else output_size))
    except ValueError:
        row = Row(0, 0)
    if min(row.output_size, row.scored_at) < 1:
        raise ValueError(
            f"config.eval.rows has {text!r}; a row is a size such as '512', or '192->256'"
        )
    return row


def make_eval_step(
    model: nn.Module, config: ml_collections.ConfigDict, rows: tuple[Row, ...]
) -> Callable[[Variables, input_pipeline.Batch], dict[str, jax.Array]]:
    """Builds the pmapped step: replicated variables, a sharded batch -> confusion matrices.

    Returns:
      A function whose result has, for each row's name, int32 [devices, N, C, C], the matrices of
      the whole global batch on every device; those of padding are zero.

    Raises:
      ValueError: config.eval.upsampling is unknown.
    """
    upsampling = config.eval.upsampling
    if upsampling not in ("logits", "labels"):
        raise ValueError(
            f"config.eval.upsampling is {upsampling!r}; it must be 'logits' or 'labels'"
        )

    def step(variables: Variables, batch: input_pipeline.Batch) -> dict[str, jax.Array]:
        images = batch["images"].astype(jnp.float32) / jnp.float32(255)
        images = preprocess.normalise(images, config.data.input_scaling)
        latent = model.apply(variables, images, method="encode")
        found = {}
        for row in rows:
            size = (row.output_size, row.output_size)
            logits = model.apply(variables, latent, size, method="decode")
            predictions = predict_labels(logits, (row.scored_at, row.scored_at), upsampling)
            labels = batch[f"labels_{row.scored_at}"].astype(jnp.int32)
            matrices = metrics.confusion_matrices(labels, predictions, logits.shape[-1])
            found[row.name] = matrices * batch["weights"].astype(jnp.int32)[:, None, None]
        return parallel.all_gather(found)

    return parallel.pmap(step)


def predict_labels(logits: jax.Array, size: tuple[int, int], upsampling: str) -> jax.Array:
    """Class ids of logits [B, h, w, C] at another size: [B, *size] int32 (§5.2).

    'logits': bilinear (half-pixel centres), then argmax; 'labels': argmax, then nearest.
    """
    batch, height, width, classes = logits.shape
    if (height, width) == size:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    if upsampling == "logits":
        resized = jax.image.resize(
            logits, (batch, *size, classes), "linear", antialias=False, precision="highest"
        )
        return jnp.argmax(resized, axis=-1).astype(jnp.int32)
    labels = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    return jax.image.resize(labels, (batch, *size), "nearest")


def evaluate_split(
    eval_step: Callable[..., dict[str, jax.Array]],
    variables: Variables,
    split: input_pipeline.Split,
    rows: tuple[Row, ...],
    batch_size: int,
    description: str | None = None,
) -> dict[Row, np.ndarray]:
    """Confusion matrices of every image of a split: for each row int32 [N, C, C].

    Args:
      eval_step: of `make_eval_step`, for the same rows.
      variables: replicated.
      split: its label maps must have every row's size.
      rows: what is scored.
      batch_size: global.
      description: label of the progress bar; None for no bar.
    """
    sizes = tuple(dict.fromkeys(row.scored_at for row in rows))
    found: dict[Row, list[np.ndarray]] = {row: [] for row in rows}
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
            label_sizes=sizes,
            batch_size=batch_size,
            rows=parallel.local_rows(batch_size),
        ):
            matrices = eval_step(variables, parallel.shard(batch))
            count = min(batch_size, remaining)
            for row in rows:
                found[row].append(parallel.unreplicate(matrices[row.name])[:count])
            remaining -= count
            bar.update(count)
    return {row: np.concatenate(parts) for row, parts in found.items()}


def evaluate(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: input_pipeline.Dataset,
) -> dict[str, Any]:
    """Evaluates every checkpoint, split and row of config.eval and writes what a study needs.

    Leaves evaluations/<split>-<checkpoint>-<row>.npz (ids [N] and confusion matrices [N, C, C]),
    predictions.png and, last, results.json.

    Returns:
      The content of results.json.

    Raises:
      CheckpointError: there is no checkpoint, or it is of another model.
      DataError: there is no split to evaluate.
    """
    rows = tuple(parse_row(text) for text in config.eval.rows)
    model = create_model(config.model)
    eval_step = make_eval_step(model, config, rows)
    class_names = dataset.metadata.class_names
    checkpoints = checkpoints_to_evaluate(config, workdir)
    missing = [which for which in config.eval.checkpoints if which not in checkpoints]
    notes = [f"there is no {which!r} checkpoint" for which in missing]
    evaluations = []
    pictured = False
    for split_name in _splits_to_evaluate(config, dataset, notes):
        sizes = tuple(dict.fromkeys(row.scored_at for row in rows))
        split = input_pipeline.load_split(dataset, split_name, sizes)
        for which in checkpoints:
            state = checkpoint.load_for_inference(workdir, which)
            check_same_model(state, config, model, workdir)
            matrices = evaluate_split(
                eval_step,
                parallel.replicate(state.variables),
                split,
                rows,
                config.eval.batch_size,
                description=f"evaluating {which} on {split_name}",
            )
            for row, found in matrices.items():
                evaluations.append(
                    {
                        "split": split_name,
                        "checkpoint": which,
                        "step": state.step,
                        "input_size": config.data.image_size,
                        "output_size": row.output_size,
                        "scored_at": row.scored_at,
                        **metrics.scores(found, class_names),
                    }
                )
                if parallel.is_main_process():
                    name = f"{split_name}-{which}-{row.name}.npz"
                    _write_npz(
                        workdir / "evaluations" / name,
                        example_ids=split.ids,
                        confusion_matrices=found,
                        class_names=np.array(class_names),
                    )
            if not pictured and parallel.is_main_process() and config.eval.num_pictures:
                _draw_predictions(
                    config, workdir, model, state, split, rows[0], matrices[rows[0]], class_names
                )
                pictured = True
            trained_on_other_data = state.fingerprint != dataset.metadata.fingerprint
    if trained_on_other_data:
        notes.append(f"trained on other data (fingerprint {state.fingerprint})")
    trained = checkpoint.read_progress(workdir, "last") or {"train": None}
    results = {
        "config": checkpoint.json_config(config),
        "seed": config.seed,
        "model": config.model.name,
        "parameters": count_parameters(state.variables),
        "dataset": {
            "name": dataset.metadata.name,
            "builder_config": dataset.metadata.builder_config,
            "complete": dataset.metadata.complete,
            "counts": dataset.metadata.counts,
            "fingerprint": dataset.metadata.fingerprint,
        },
        "evaluations": evaluations,
        "train": trained["train"],
        "notes": notes,
    }
    if parallel.is_main_process():
        write_json(workdir / "results.json", results)
    parallel.barrier("results are written")
    return results


def table(results: dict[str, Any]) -> str:
    """The evaluations of results.json as text, scores in percent as in the paper's tables."""
    lines = [
        f"{'split':<11}{'checkpoint':<11}{'row':>9}{'mean F1':>9}{'mIoU':>8}{'per image':>10}"
        f"{'images':>8}"
    ]
    for found in results["evaluations"]:
        row = Row(found["output_size"], found["scored_at"]).name.replace("to", "→")
        percents = [found["mean_f1"], found["miou"], found["per_image_mean_f1"]]
        f1, miou, per_image = ("–" if p is None else f"{100 * p:.2f}" for p in percents)
        lines.append(
            f"{found['split']:<11}{found['checkpoint']:<11}{row:>9}{f1:>9}{miou:>8}"
            f"{per_image:>10}{found['images']:>8}"
        )
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
      CheckpointError: names the first setting or array that differs.
    """
    costs = ("query_chunk", "remat", "dtype")  # memory, time and rounding; not the function
    fields = tuple(f"model.{name}" for name in config.model if name not in costs)
    checkpoint.check_same_fields(
        checkpoint.json_config(state.config), config, (*fields, "data.input_scaling"), workdir
    )
    size = config.data.image_size
    wanted = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, size, size, 3), jnp.float32))
    )
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


def _write_npz(path: pathlib.Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def _draw_predictions(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    model: nn.Module,
    state: checkpoint.InferenceCheckpoint,
    split: input_pipeline.Split,
    row: Row,
    matrices: np.ndarray,
    class_names: tuple[str, ...],
) -> None:
    """Draws examples from the worst to the best, evenly spaced by per-image F1: no cherry-picking."""
    count = min(config.eval.num_pictures, len(split))
    per_image = np.nan_to_num([np.nanmean(metrics.class_f1(found)[1:]) for found in matrices])
    ranked = np.argsort(per_image, kind="stable")
    chosen = ranked[np.linspace(0, len(ranked) - 1, count).round().astype(int)]
    images = np.stack([split.images[index] for index in chosen])

    @jax.jit
    def predict(variables: Variables, pixels: jax.Array) -> jax.Array:
        inputs = preprocess.normalise(
            pixels.astype(jnp.float32) / jnp.float32(255), config.data.input_scaling
        )
        logits = model.apply(
            variables, inputs[None], output_size=(row.output_size, row.output_size)
        )
        return predict_labels(logits, (row.scored_at, row.scored_at), config.eval.upsampling)[0]

    predictions = np.stack([np.asarray(predict(state.variables, image)) for image in images])
    predictions = predictions.astype(np.uint8)
    pictures.prediction_sheet(
        images,
        np.stack([split.labels[row.scored_at][index] for index in chosen]),
        predictions,
        class_names,
        workdir / "predictions.png",
        titles=[f"{split.ids[index]}  F1 {100 * per_image[index]:.1f}" for index in chosen],
    )
