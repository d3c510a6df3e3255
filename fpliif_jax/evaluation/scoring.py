"""Scores a trained model, whatever framework it is in: batches of a split -> confusion matrices of every image."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from tqdm import tqdm

from fpliif_jax import systems
from fpliif_jax.data.batches import Batch, evaluation_batches
from fpliif_jax.data.resized_split import Split
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import metrics
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.labeller import NO_LABEL
from fpliif_jax.systems.protocol import Measure, Prediction, Protocol


class ScoringError(UserError):
    """A model cannot be scored; the message says which, on what, and what to do."""


class ProtocolScores(NamedTuple):
    """The images of a batch or of a split, scored by a protocol.

    Attributes:
      matrices: int32 [N, C, C], the confusion matrix of every image; -1 throughout where values of the network are no
        numbers, which `score_split` refuses.
      measures: float32 [N, parts] each, see `Prediction`.
    """

    matrices: np.ndarray
    measures: dict[Measure, np.ndarray]


Score = Callable[[Batch], dict[str, ProtocolScores]]


class TrainedModel(NamedTuple):
    """A trained model, as evaluation sees it, whatever framework it is in.

    Attributes:
      name: of the checkpoint: 'best', 'last', 'given' ….
      step: training step of the checkpoint.
      parameters: number of trained values.
      fingerprint: of the data it was trained on; None where that is not known.
      score: what each protocol scores in a batch, see `score_split`.
      predict: each protocol's prediction by its key, from a batch of one image as `pictured_examples` makes it.
      note: where the model comes from, if not from a run.
    """

    name: str
    step: int
    parameters: int
    fingerprint: str | None
    score: Score
    predict: Callable[[Batch], dict[str, Prediction]]
    note: str | None = None


def label_sizes(protocols: tuple[Protocol, ...]) -> tuple[int, ...]:
    """The sides of the label maps that protocols need."""
    return tuple(dict.fromkeys(protocol.label_size for protocol in protocols))


def make_eval_step(
    model: nn.Module, config: ml_collections.ConfigDict, protocols: tuple[Protocol, ...]
) -> jax.stages.Wrapped:
    """Builds the pmapped step: replicated variables, a sharded batch -> the scores by each protocol.

    Returns:
      A function whose result has, for each protocol's key, (int32 [devices, N, C, C], measures), of the
      whole global batch on every device; the matrices of padding are zero.
    """
    predict = systems.of(config).scoring.make_predictor(model, config, protocols)
    classes = config.model.num_classes

    def step(variables: Variables, batch: dict[str, jax.Array]) -> dict[str, tuple]:
        scores = {}
        for name, predicted in predict(variables, batch).items():
            matrices = metrics.confusion_matrices(predicted.truth, predicted.labels, classes)
            is_scored = (predicted.labels != NO_LABEL).all(axis=(1, 2))
            matrices = jnp.where(is_scored[:, None, None], matrices, -1)
            counted = matrices * batch["weights"].astype(jnp.int32)[:, None, None]
            scores[name] = (counted, predicted.measures)
        return parallel.all_gather(scores)

    return parallel.pmap(step)


def make_scorer(eval_step: Callable[..., dict[str, tuple]], variables: Variables) -> Score:
    """Builds a function of a batch that gives each protocol's scores, from replicated variables."""

    def score(batch: Batch) -> dict[str, ProtocolScores]:
        results = eval_step(variables, parallel.shard(batch))
        return {
            name: ProtocolScores(*parallel.unreplicate(scores)) for name, scores in results.items()
        }

    return score


def score_split(
    score: Score,
    split: Split,
    protocols: tuple[Protocol, ...],
    batch_size: int,
    description: str | None = None,
) -> dict[Protocol, ProtocolScores]:
    """Scores every image of a split, for each protocol, whatever computes the scores.

    Args:
      score: what each protocol scores in the global batch, from this process's rows of it; what it says of padding
        is dropped.
      split: its label maps must have every protocol's size.
      protocols: what is scored by.
      batch_size: global.
      description: label of the progress bar; None for no bar.

    Raises:
      ScoringError: values of the network are no numbers, of which `argmax` alone would make background.
    """
    batches: dict[Protocol, list[ProtocolScores]] = {protocol: [] for protocol in protocols}
    bar = tqdm(
        total=len(split),
        desc=description,
        unit="image",
        leave=False,
        disable=description is None or not parallel.is_main_process(),
    )
    remaining = len(split)
    with bar:
        for batch in evaluation_batches(
            split,
            label_sizes=label_sizes(protocols),
            batch_size=batch_size,
            local_slice=parallel.local_rows(batch_size),
        ):
            results = score(batch)
            count = min(batch_size, remaining)
            done = len(split) - remaining
            for protocol in protocols:
                scores = jax.tree.map(lambda leaf, n=count: leaf[:n], results[protocol.key])
                ids = split.ids[done : done + count]
                _refuse_no_numbers(scores.matrices, ids, protocol, description)
                batches[protocol].append(scores)
            remaining -= count
            bar.update(count)
    return {
        protocol: jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
        for protocol, parts in batches.items()
    }


def _refuse_no_numbers(
    matrices: np.ndarray, ids: np.ndarray, protocol: Protocol, description: str | None
) -> None:
    refused = np.flatnonzero((matrices < 0).any(axis=(1, 2)))
    if refused.size:
        raise ScoringError(
            f"{description or 'scoring'} by {protocol.text}: the network's values are not finite numbers on "
            f"{refused.size} of {len(ids)} images of a batch, first {ids[refused[0]]}: the weights are damaged, "
            "or of a training that diverged; train again, with a smaller learning rate, or take another checkpoint"
        )


def protocol_scores(split_scores: ProtocolScores, class_names: tuple[str, ...]) -> metrics.Scores:
    """All scores by a protocol: those of its labels, and under their names its measures.

    Returns:
      Ready for JSON; of a measure {'mean': over images and parts, 'nose': …}, None where no image has the part.
    """
    scores = metrics.scores(split_scores.matrices, class_names)
    for measure, values in split_scores.measures.items():
        means = {"mean": _defined_mean(values)}
        for part, column in zip(measure.parts, values.T, strict=True):
            means[part] = _defined_mean(column)
        # pyrefly: ignore[unsupported-operation] - the system's own, beside those that every system has
        scores[measure.name] = means
    return scores


def _defined_mean(values: np.ndarray) -> float | None:
    """Mean of what is not NaN; None where there is nothing to average, or a window that went to infinity."""
    defined = values[~np.isnan(values)].astype(np.float64)
    return float(defined.mean()) if defined.size and np.isfinite(defined).all() else None
