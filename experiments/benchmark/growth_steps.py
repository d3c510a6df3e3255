"""A process that does one step of `growth`: python -m experiments.benchmark.growth_steps ORDER.

ORDER is `growth.Order` as JSON, the answer `growth.Measured` as JSON on stdout.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from fpliif_jax.configs import fp_liif
from fpliif_jax.data.batches import Batch
from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.prepare import prepare as prepare_set
from fpliif_jax.evaluation import metrics, results
from fpliif_jax.evaluation.scoring import ProtocolScores, TrainedModel
from fpliif_jax.experiments.benchmark.growth import DRAWN_SHARE, Measured, Order
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report.write import write_report
from fpliif_jax.experiments.runs.evaluation import Matrices
from fpliif_jax.experiments.stats import image_bootstrap
from fpliif_jax.run_folder import run_record
from fpliif_jax.run_folder.run_config import json_config

_KIBIBYTE = 2**10  # the system counts the peak in KiB
_RUNS_OF_BOOTSTRAP = 5
_KINDS = {"images": ".jpg", "labels": ".png"}


class Clock:
    """Times one block of a step, of the clock and of this process's threads."""

    seconds = 0.0
    processor_seconds = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        started, processor_started = time.perf_counter(), time.process_time()
        yield
        self.seconds = time.perf_counter() - started
        self.processor_seconds = time.process_time() - processor_started


def draw(clock: Clock, order: Order) -> None:
    """Draws the faces; `prepare` takes those of the smallest count."""
    with clock.running():
        synthetic_faces.write_dataset(
            "lapa",
            order.folder / "drawn" / str(order.count),
            num_train=0,
            num_val=0,
            num_test=order.count,
            image_size=order.image_size,
            num_workers=1,
        )


def prepare(clock: Clock, order: Order) -> None:
    """Prepares a set of so many test images, which are links to few."""
    config = _config(order)
    few = order.folder / "drawn" / str(order.smallest // DRAWN_SHARE) / "LaPa" / "test"
    for kind, ending in _KINDS.items():
        drawn = sorted((few / kind).iterdir())
        links = pathlib.Path(config.data.manual_dir) / "LaPa" / "test" / kind
        links.mkdir(parents=True)
        for index in range(order.count):
            os.link(drawn[index % len(drawn)], links / f"{index:07d}{ending}")
    with clock.running():
        prepare_set(
            "lapa",
            manual_dir=config.data.manual_dir,
            data_dir=config.data.data_dir,
            num_workers=1,
        )


def resize(clock: Clock, order: Order) -> None:
    """Fills the cache of resized images and label maps."""
    dataset = load_dataset(_config(order).data)
    with clock.running():
        load_split(dataset, "test", (order.image_size,))


def open_again(clock: Clock, order: Order) -> None:
    """Opens what is there, as every further run does: compared with the raw tree and with its digests."""
    with clock.running():
        load_split(load_dataset(_config(order).data), "test", (order.image_size,))


def evaluate(clock: Clock, order: Order) -> None:
    """Scores made predictions and writes what an evaluation leaves."""
    config = _config(order)
    dataset, workdir = load_dataset(config.data), order.folder / "evaluated" / str(order.count)
    model = _model(config)
    batch = np.zeros((config.eval.batch_size, order.image_size, order.image_size), np.uint8)
    model.score({f"labels_{order.image_size}": batch})  # compiles
    workdir.mkdir(parents=True)
    with clock.running():
        _evaluate(config, workdir, dataset, model)


def bootstrap(clock: Clock, order: Order) -> None:
    """Resamples the images of five runs, which are one with its images in another order."""
    (file,) = (order.folder / "evaluated" / str(order.count) / "evaluations").iterdir()
    with np.load(file) as arrays:
        counted = arrays["confusion_matrices"].astype(np.int64)
        ids, names = tuple(arrays["example_ids"].tolist()), tuple(arrays["class_names"].tolist())
    runs = [
        Matrices(ids, np.roll(counted, run, axis=0), names) for run in range(_RUNS_OF_BOOTSTRAP)
    ]
    with clock.running():
        image_bootstrap.image_bootstrap(image_bootstrap.stack(runs))


def make_runs(clock: Clock, order: Order) -> None:
    """Makes the folders of runs that `report` reads, each scored on so many images."""
    for seed in range(order.count):
        config = _config(dataclasses.replace(order, count=order.smallest))
        config.seed = seed
        dataset, workdir = load_dataset(config.data), order.folder / "runs" / f"seed{seed}"
        workdir.mkdir(parents=True)
        run_record.write_json(workdir / "config.json", json_config(config))
        surroundings = run_record.environment(dataset.environment())
        run_record.write_json(workdir / "environment.json", surroundings)
        _evaluate(config, workdir, dataset, _model(config))


def report(clock: Clock, order: Order) -> None:
    """Writes the report of the first runs."""
    runs = order.folder / f"runs-{order.count}"
    for seed in range(order.count):
        shutil.copytree(order.folder / "runs" / f"seed{seed}", runs / f"seed{seed}")
    with clock.running():
        study, _ = analyse(runs)
        write_report(study, {}, runs / "report")


def _config(order: Order) -> ml_collections.ConfigDict:
    config = fp_liif.get_config()
    config.data.manual_dir = str(order.folder / "sets" / str(order.count))
    config.data.data_dir = str(order.folder / "prepared" / str(order.count))
    config.data.image_size = order.image_size
    config.data.num_workers = 1
    config.eval.rows = (str(order.image_size),)
    config.eval.num_pictures = 0
    return config


def _model(config: ml_collections.ConfigDict) -> TrainedModel:
    """Predicts the truth, moved by a pixel more with every seed."""
    key = config.eval.rows[0]

    @jax.jit
    def count(labels: jax.Array) -> jax.Array:
        predicted = jnp.roll(labels, 1 + config.seed, axis=2)
        return metrics.confusion_matrices(labels, predicted, config.model.num_classes)

    def score(batch: Batch) -> dict[str, ProtocolScores]:
        return {key: ProtocolScores(np.asarray(count(batch[f"labels_{key}"])), {})}

    return TrainedModel("best", 0, 0, None, score, lambda batch: {})


def _evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, dataset: Dataset, model: TrainedModel
) -> None:
    results.evaluate_models(
        config, workdir, dataset, [model], results.RunFacts("jax", None, ["nothing was trained"])
    )


STEPS: dict[str, Callable[[Clock, Order], None]] = {
    "draw": draw,
    "prepare": prepare,
    "resize": resize,
    "open": open_again,
    "evaluate": evaluate,
    "bootstrap": bootstrap,
    "make_runs": make_runs,
    "report": report,
}


def main(text: str) -> None:
    """Does a step and answers."""
    fields, clock = json.loads(text), Clock()
    order = Order(folder=pathlib.Path(fields.pop("folder")), **fields)
    STEPS[order.step](clock, order)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE
    measured = Measured(clock.seconds, clock.processor_seconds, peak)
    print(json.dumps(dataclasses.asdict(measured)))


if __name__ == "__main__":
    main(sys.argv[1])
