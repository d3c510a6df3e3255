"""Part 'squares': what label maps are worth where the network sees a smaller square, as in the page's live video."""

import argparse
import dataclasses
from collections.abc import Sequence

import numpy as np

from fpliif_jax import systems
from fpliif_jax.commands import compilation_cache
from fpliif_jax.demo import networks
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.benchmark import markdown
from fpliif_jax.experiments.groups import measure as groups
from fpliif_jax.weights import trained_model

FACES = 24
_SEED = 0  # of the drawn set whose test faces they are
_TOO_SMALL = 3 / 8  # of the model's side: a square that the page does not have


@dataclasses.dataclass(frozen=True)
class Row:
    """A square that the network sees: shares of its own square's work and labels, and F1 in percent."""

    square: int  # side
    share_of_the_encoder: float
    labels_as_with_its_own: float
    mean_f1: float


def measure(flags: argparse.Namespace) -> list[Row]:
    """A row for each square, the model's own first: drawn faces of its side, labelled at that side.

    Args:
      flags: with `weights`.
    """
    compilation_cache.enable()
    chosen = trained_model.load(flags)
    trained = chosen.trained
    own = trained.config.data.image_size
    faces = [groups.draw(_SEED, index, own) for index in range(FACES)]
    truth = np.stack([groups.truth_of(trained.class_names)(face) for face in faces])
    rows = []
    whole = None
    for side in (*networks.network_sides(chosen), round(own * _TOO_SMALL)):
        labeller = systems.of(trained.config).inference.make_labeller(
            networks.seeing(chosen, side).trained
        )
        labels = np.stack([groups.label(labeller, face) for face in faces])
        whole = labels if whole is None else whole
        counts = metrics.confusion_matrices(truth, labels, len(trained.class_names))
        total = np.asarray(counts, np.int64).sum(axis=0)
        rows.append(
            Row(
                square=side,
                share_of_the_encoder=(side / own) ** 2,
                labels_as_with_its_own=float((labels == whole).mean()),
                mean_f1=100 * float(metrics.mean_f1(total)),
            )
        )
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    own = rows[0].square
    head = ["square", "multiply-accumulates of the encoder", f"labels as with {own}²", "mean F1"]
    lines = []
    for row in rows:
        same = None if row.square == own else f"{100 * row.labels_as_with_its_own:.1f} %"
        share = f"{row.share_of_the_encoder:.2f}"
        lines.append([f"{row.square}²", share, same, f"{row.mean_f1:.1f}"])
    return markdown.table(head, lines)
