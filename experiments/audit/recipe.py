"""What FP-LIIF's paper says about training, data and model, recomputed with the code."""

import math
from collections.abc import Iterator

import jax.numpy as jnp
import ml_collections
import numpy as np

from fpliif_jax.configs import fp_liif, helen
from fpliif_jax.data_builders import BUILDERS
from fpliif_jax.experiments.audit import cost
from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables
from fpliif_jax.experiments.audit.sentences import describe
from fpliif_jax.training.optimizer import learning_rate_schedule


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about FP-LIIF's recipe, those about its cost among them."""
    yield _learning_rate(tables)
    yield from cost.check(tables)
    yield _batch(tables)
    for dataset in SET_NAMES:
        yield split_counts(tables, "FP-LIIF §4.1", dataset)
    yield _architecture(tables)
    yield _missing_table(tables)


def rates_by_epoch(settings: ml_collections.ConfigDict, rate: float, epochs: int) -> np.ndarray:
    """The learning rate of every epoch, [epochs], as training sets it."""
    schedule = learning_rate_schedule(settings, rate, 1)
    return np.asarray(schedule(jnp.arange(epochs)), np.float64)


def _learning_rate(tables: Tables) -> Finding:
    def setting(metric: str) -> float:
        return tables.one(source="FP-LIIF §4.2", metric=metric).value

    divisor, every = setting("decay_divisor"), setting("decay_every_epochs")
    config = fp_liif.get_config()
    config.train.decay_factor, config.train.decay_every_epochs = 1 / divisor, int(every)
    epochs, rate = int(setting("epochs")), setting("learning_rate")
    rates = rates_by_epoch(config.train, rate, epochs)
    # Weights of a 3×3 convolution of 64 channels are drawn within ±1/√576; their float32 neighbours are a
    # unit in the last place away, and an Adam step of less than half of it is lost.
    typical = np.float32(1 / math.sqrt(3 * 9 * config.model.features))
    half_unit = float(np.spacing(typical)) / 2
    frozen = int(np.argmax(rates < half_unit)) if (rates < half_unit).any() else epochs
    # The rates are of float32, and 99 % may be reached exactly: 22 of 22.22….
    at_99 = int(np.argmax(np.cumsum(rates) >= (0.99 - 1e-6) * rates.sum())) + 1
    return describe(
        "fp-liif-learning-rate",
        "recipe",
        "doubt" if frozen < epochs else "agrees",
        epochs=epochs,
        rate=rate,
        divisor=divisor,
        every=every,
        effective=float(rates.sum() / rate),
        at_99=at_99,
        frozen=frozen,
        frozen_rate=rates[min(frozen, epochs - 1)],
        typical=float(typical),
    )


def _batch(tables: Tables) -> Finding:
    devices = int(tables.one(source="FP-LIIF §4.2", metric="gpus").value)
    batches = tables.all(source="FP-LIIF §4.2", metric="batch_size")
    sizes = [(SET_NAMES[value.dataset], int(value.value)) for value in batches]
    left = [(name, size % devices) for name, size in sizes]
    over = sum(rest for _, rest in left)
    return describe(
        "fp-liif-batch",
        "recipe",
        "doubt" if over else "agrees",
        devices=devices,
        batches=[(SET_NAMES[value.dataset], value.printed) for value in batches],
        left=left,
        over=over,
        global_ones=[size * devices for _, size in sizes],
    )


def split_counts(tables: Tables, source: str, dataset: str) -> Finding:
    """Whether the splits add up, and are those of the official set; classes likewise."""

    def count(what: str) -> int:
        return int(tables.one(source=source, dataset=dataset, metric="count", protocol=what).value)

    images, classes = count("images"), count("classes")
    splits = {name: count(name) for name in ("train", "validation", "test")}
    total, official = sum(splits.values()), dict(BUILDERS[dataset].OFFICIAL_COUNTS or {})
    gap = total - images
    classes_fit = classes == len(BUILDERS[dataset].CLASS_NAMES)
    paper, section = source.split(" §")
    return describe(
        f"{paper.lower()}-counts-{dataset.replace('_', '-')}",
        "print",
        "agrees" if not gap and classes_fit else "contradiction",
        section="counts",
        set=SET_NAMES[dataset],
        paper=paper,
        paper_section=section,
        images=images,
        splits=splits.values(),
        classes=classes,
        total=total,
        official=official.values(),
        known_classes=len(BUILDERS[dataset].CLASS_NAMES),
        gap=gap,
        is_official=splits == official,
    )


def _architecture(tables: Tables) -> Finding:
    config = helen.get_config()
    total = int(tables.one(source="FP-LIIF §3.2", metric="residual_blocks", protocol="").value)
    groups = [
        int(v.value)
        for v in tables.all(source="FP-LIIF §3.2", metric="residual_blocks")
        if v.protocol
    ]
    image = tables.one(source="FP-LIIF §3.2", metric="image_size").value
    latent = tables.one(source="FP-LIIF §3.2", metric="latent_size").value
    side = image / 2 ** (len(groups) - 1)
    same = sum(groups) == total and side == latent and groups == list(config.model.group_blocks)
    return describe(
        "fp-liif-architecture",
        "print",
        "agrees" if same else "contradiction",
        total=total,
        groups=groups,
        image=image,
        latent=latent,
        side=side,
        same=same,
    )


def _missing_table(tables: Tables) -> Finding:
    is_there = "FP-LIIF Table 9" in tables.sources()
    status = "agrees" if is_there else "contradiction"
    return describe("fp-liif-table-9", "print", status, is_there=is_there)
