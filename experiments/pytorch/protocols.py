"""FP-LIIF's protocols, predicted and scored by a PyTorch model."""

from collections.abc import Callable

import ml_collections
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fpliif_jax.evaluation.scoring import ProtocolScores
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.experiments.pytorch.step import Batch, autocast, normalise, to_images
from fpliif_jax.systems.labeller import NO_LABEL
from fpliif_jax.systems.protocol import IGNORE_LABEL, Prediction, Protocol


def make_predictor(
    model: FPLIIF,
    config: ml_collections.ConfigDict,
    protocols: tuple[Protocol, ...],
    device: torch.device,
) -> Callable[[Batch], dict[str, Prediction]]:
    """Builds a function of a batch that gives each protocol's prediction by its key, NumPy arrays."""

    @torch.no_grad()
    def predict(batch: Batch) -> dict[str, Prediction]:
        model.eval()
        images = normalise(to_images(batch["images"], device), config.data.input_scaling)
        predictions = {}
        with autocast(config, device):
            groups = model.encode(images)
            for protocol in protocols:
                output_size = (protocol.output_size, protocol.output_size)
                logits = model.decode(groups, output_size).float()
                labels = predict_labels(logits, protocol.scored_at, config.eval.upsampling)
                truth = batch[f"labels_{protocol.label_size}"].astype(np.int32)
                predictions[protocol.key] = Prediction(truth, labels.int().cpu().numpy(), {})
        return predictions

    return predict


def predict_labels(logits: Tensor, size: int, upsampling: str) -> Tensor:
    """Class ids int64 [B, size, size] of logits [B, C, h, w] (§5.2).

    'logits': bilinear, then argmax; 'labels': argmax, then nearest.
    """
    if upsampling == "logits":
        return _labels_of(functional.interpolate(logits, (size, size), mode="bilinear"))[:, 0]
    labels = _labels_of(logits).float()
    return functional.interpolate(labels, (size, size), mode="nearest-exact")[:, 0].long()


def _labels_of(values: Tensor) -> Tensor:
    """Labels as `labeller.labels_of` makes them, of [B, C, h, w]: int64 [B, 1, h, w]."""
    largest, labels = values.max(dim=1, keepdim=True)
    return torch.where(largest.isfinite(), labels, NO_LABEL)


def make_scorer(
    predict: Callable[[Batch], dict[str, Prediction]], num_classes: int
) -> Callable[[Batch], dict[str, ProtocolScores]]:
    """Builds a function of a batch that gives each protocol's confusion matrices by its key."""

    def score(batch: Batch) -> dict[str, ProtocolScores]:
        return {
            name: ProtocolScores(
                confusion_matrices(
                    np.asarray(prediction.truth), np.asarray(prediction.labels), num_classes
                ),
                {},
            )
            for name, prediction in predict(batch).items()
        }

    return score


def confusion_matrices(truth: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """int32 [B, C, C], rows truth and columns prediction, of label maps [B, h, w] each; see `ProtocolScores`."""
    matrices = []
    for true, predicted in zip(torch.from_numpy(truth), torch.from_numpy(labels), strict=True):
        if (predicted == NO_LABEL).any():
            matrices.append(torch.full((num_classes, num_classes), -1, dtype=torch.int32))
            continue
        counted = true != IGNORE_LABEL
        pairs = true[counted].long() * num_classes + predicted[counted]
        counts = torch.bincount(pairs, minlength=num_classes**2)
        matrices.append(counts.view(num_classes, num_classes).int())
    return torch.stack(matrices).numpy()
