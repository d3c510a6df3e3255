"""One training step in PyTorch: from a batch of the loader to new parameters."""

import contextlib
import math
from collections.abc import Callable
from typing import NamedTuple

import ml_collections
import numpy as np
import torch
from torch import Tensor, nn

from fpliif_jax.experiments.pytorch.augment import augment, make_sampler
from fpliif_jax.experiments.pytorch.losses import loss_terms, pixel_counts
from fpliif_jax.systems.fp_liif.inputs import INPUT_SCALINGS
from fpliif_jax.systems.step_numbers import fixed_microbatch

Batch = dict[str, np.ndarray]


class Inputs(NamedTuple):
    """A batch as the model and the loss take it.

    Attributes:
      images: float32 [B, 3, S, S], normalised.
      labels: int64 [B, S, S].
      weights: float32 [B].
    """

    images: Tensor
    labels: Tensor
    weights: Tensor


def to_images(pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [B, S, S, 3] -> float32 [B, 3, S, S] in [0, 1]."""
    return torch.tensor(pixels, device=device).permute(0, 3, 1, 2).contiguous().float() / 255


def normalise(images: Tensor, scaling: str) -> Tensor:
    """Scales images [B, 3, S, S] in [0, 1] as `fpliif_jax.systems.fp_liif.inputs.normalise` does."""
    mean, deviation = (
        torch.tensor(value, dtype=torch.float32, device=images.device).view(-1, 1, 1)
        for value in INPUT_SCALINGS[scaling]
    )
    return (images - mean) / deviation


def autocast(
    config: ml_collections.ConfigDict, device: torch.device
) -> contextlib.AbstractContextManager:
    """The context in which the model computes with `config.model.dtype`."""
    if config.model.dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, config.model.dtype))


def make_prepare(
    config: ml_collections.ConfigDict, flip_classes: tuple[int, ...], device: torch.device
) -> Callable[[Batch], Inputs]:
    """Builds a function that turns a batch of `batches.train_batches` into augmented inputs.

    Padding is left out: its weight is 0, and batch norm must not see it.

    Args:
      config: the run's settings.
      flip_classes: of `fpliif_jax.data_builders.class_names.mirrored_classes`.
      device: where the inputs go.
    """
    sample = make_sampler(config.seeds.augmentation, config.data.image_size, config.augment)

    def prepare(batch: Batch) -> Inputs:
        batch = {name: leaf[batch["weights"] > 0] for name, leaf in batch.items()}
        images = to_images(batch["images"], device)
        labels = torch.from_numpy(batch["labels"]).to(device).long()
        if config.augment.enabled:
            draws = sample(batch["epoch"], batch["example_ids"])
            images, labels = augment(draws, images, labels, config.augment, flip_classes)
        images = normalise(images, config.data.input_scaling)
        return Inputs(images, labels, torch.from_numpy(batch["weights"]).to(device))

    return prepare


def loss_and_gradients(
    model: nn.Module, inputs: Inputs, config: ml_collections.ConfigDict
) -> dict[str, Tensor]:
    """Leaves the gradient of the batch's loss in the parameters, from parts of config.train.microbatch examples
    (all at once where it is 0 or 'auto').

    Returns:
      float32 scalars 'loss', 'cross_entropy' and 'edge_cross_entropy', of the whole batch.
    """
    model.zero_grad(set_to_none=True)
    counts = pixel_counts(inputs.labels, inputs.weights, config.loss)
    size = fixed_microbatch(config.train) or len(inputs.images)
    totals: dict[str, Tensor] = {}
    for part in zip(*(leaf.split(size) for leaf in inputs), strict=True):
        images, labels, weights = part
        with autocast(config, images.device):
            logits = model(images)
        terms = loss_terms(logits, labels, weights, counts, config.loss)
        terms["loss"].backward()
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.detach()
    return totals


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    inputs: Inputs,
    config: ml_collections.ConfigDict,
) -> dict[str, float]:
    """One step of the optimizer.

    Returns:
      'loss' and its terms before the step, and 'gradient_norm', by name.
    """
    values = loss_and_gradients(model, inputs, config)
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    values["gradient_norm"] = nn.utils.get_total_norm(gradients)
    optimizer.step()
    scheduler.step()
    return {name: value.item() for name, value in sorted(values.items())}


def make_optimizer(model: nn.Module, settings: ml_collections.ConfigDict) -> torch.optim.Adam:
    """Adam as in the paper, with PyTorch's defaults; settings is config.train."""
    return torch.optim.Adam(model.parameters(), lr=settings.learning_rate)


def make_scheduler(
    optimizer: torch.optim.Optimizer,
    settings: ml_collections.ConfigDict,
    steps_per_epoch: int,
    steps_taken: int = 0,
) -> torch.optim.lr_scheduler.LambdaLR:
    """The learning rates of `fpliif_jax.training.optimizer.learning_rate_schedule`, by step.

    Args:
      optimizer: new, or with the state it had after that many steps.
      settings: config.train.
      steps_per_epoch: batches in an epoch.
      steps_taken: before the next.
    """
    last = settings.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if settings.schedule == "constant":
            return 1.0
        if settings.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * min(step, last) / last))
        epoch = step // steps_per_epoch
        return settings.decay_factor ** (epoch // settings.decay_every_epochs)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor, last_epoch=steps_taken - 1)
