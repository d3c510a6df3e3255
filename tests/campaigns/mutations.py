"""Damages one file at random and reads what it belongs to: every kind of file that the programs read.

python -m tests.campaigns.mutations --seed=0 --count=2000 --output=mutations.json

A trial is noticed (one line of an error that is for the person, or a line that says that something is made anew),
harmless (the same content), or a finding. Formats that hold no digest (a JPEG, a line of a log, weights from elsewhere)
can be damaged into other content that nothing can tell from what was meant; that is counted apart.
"""

import dataclasses
import hashlib
import logging
import pathlib
import random
import shutil
import sys
import traceback
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from prepared_damage_test import content as prepared_content
from prepared_damage_test import mutated
from tiny_run import tiny_config

from fpliif_jax import interop
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.prepare import prepare
from fpliif_jax.data_builders.raw import raw_images, raw_tree
from fpliif_jax.evaluation.evaluate import evaluate
from fpliif_jax.experiments import published
from fpliif_jax.experiments.runs import arrays, runs
from fpliif_jax.experiments.runs.groups import group_runs
from fpliif_jax.experiments.runs.run import RunError
from fpliif_jax.predict import photos
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.training import loop
from tests.campaigns import runner


@dataclasses.dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Attributes:
      name: for the table.
      folder: that is copied and damaged.
      pattern: of the files in it.
      read: copy of the folder, damaged file -> digest of all that is taken from it.
      has_digest: whether the format holds one, so that no other content may go unnoticed.
      reads_one: whether the digest is of the damaged file alone.
    """

    name: str
    folder: pathlib.Path
    pattern: str
    read: Callable[[pathlib.Path, pathlib.Path], str]
    has_digest: bool = False
    reads_one: bool = False


def make_trial(folder: pathlib.Path) -> runner.Trial:
    """Makes one file of each kind, sound, and returns what damages one of them."""
    kinds = _kinds(folder)
    spare, sound = folder / "damaged", {}

    def trial(chance: random.Random) -> runner.Outcome:
        kind = chance.choice(kinds)
        path = chance.choice(sorted(p for p in kind.folder.glob(kind.pattern) if p.is_file()))
        key = (kind.name, path if kind.reads_one else None)
        digest = sound[key] = sound.get(key) or kind.read(kind.folder, path)
        shutil.rmtree(spare, ignore_errors=True)
        shutil.copytree(kind.folder, spare)
        damaged, what = spare / path.relative_to(kind.folder), "bytes"
        others = [other for other in kind.folder.glob(kind.pattern) if other.is_file()]
        if len(others) > 1 and chance.random() < 0.1:
            other = chance.choice([other for other in others if other != path])
            what = f"swapped with {other.name}"
            shutil.copyfile(other, damaged)
        else:
            damaged.write_bytes(mutated(path.read_bytes(), chance))
        what = f"{path.relative_to(kind.folder)}: {what}"
        verdict, said = _verdict(lambda: kind.read(spare, damaged), digest, kind.has_digest)
        return runner.Outcome(kind.name, what, verdict, said)

    return trial


def _verdict(read: Callable[[], str], sound: str, has_digest: bool) -> tuple[str, str]:
    warnings = _Warnings()
    logging.getLogger("absl").addHandler(warnings)
    try:
        same = read() == sound
    except UserError as error:
        lines = str(error).splitlines()
        return (runner.NOTICED if len(lines) == 1 else runner.TRACEBACK), str(error)[:500]
    except Exception:
        return runner.TRACEBACK, traceback.format_exc()[-2000:]
    finally:
        logging.getLogger("absl").removeHandler(warnings)
    if same:
        return (runner.NOTICED if warnings.lines else runner.HARMLESS), " ".join(warnings.lines)
    return (runner.WRONG if has_digest else runner.UNCHECKED), ""


class _Warnings(logging.Handler):
    """Keeps what would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _kinds(folder: pathlib.Path) -> list[Kind]:
    raw, data, run = folder / "raw", folder / "data", folder / "runs" / "seed0"
    synthetic_faces.write_dataset(
        "lapa", raw, num_train=8, num_val=4, num_test=4, image_size=40, num_workers=1
    )
    prepare("lapa", manual_dir=str(raw), data_dir=str(data))
    config = tiny_config(raw, data).copy_and_resolve_references()
    with config.unlocked():
        config.train.epochs = 1
    dataset = load_dataset(config.data)
    run.mkdir(parents=True)
    loop.train(config, run, dataset, Interruption())
    evaluate(config, run, dataset)
    weights = folder / "weights"
    weights.mkdir()
    for name in ("model.safetensors", "model.pth"):
        interop.write_weights(run, "best", weights / name)
    lists = folder / "lists"
    lists.mkdir()
    (lists / "mapping.txt").write_text("".join(f"{i}  {3 * i}.jpg\n" for i in range(30)))
    (lists / "external.csv").write_text(
        "system,dataset,protocol,class,metric,value,source,seed\n"
        "Port,lapa,256,mean,mean_f1,92.1,here,0\nPort,lapa,256,mean,mean_f1,92.4,here,1\n"
    )
    cache = next(data.glob("resized/lapa-*"))

    def read_cache(copy: pathlib.Path, path: pathlib.Path) -> str:
        place = copy.parent / "resized" / cache.name
        shutil.rmtree(place.parent, ignore_errors=True)
        shutil.copytree(copy, place)
        settings = config.data.copy_and_resolve_references()
        settings.unlock().cache_dir = str(place.parent)
        other = dataclasses.replace(dataset, config=settings)
        return _digest([_split(other, name) for name in ("train", "validation", "test")])

    def read_checkpoint(copy: pathlib.Path, path: pathlib.Path) -> str:
        return _digest([checkpoint.read(copy, which) for which in ("last", "best")])

    def read_photo(copy: pathlib.Path, path: pathlib.Path) -> str:
        return _digest(photos.read(path))

    def read_label(copy: pathlib.Path, path: pathlib.Path) -> str:
        return _digest(raw_images.check_label_map(raw_tree.read_file(path), path, LAPA_AND_HELEN))

    def read_weights(copy: pathlib.Path, path: pathlib.Path) -> str:
        return _digest(interop.read_weights(str(path), config).variables)

    def read_csv(copy: pathlib.Path, path: pathlib.Path) -> str:
        return repr(published.read_external(path))

    def read_mapping(copy: pathlib.Path, path: pathlib.Path) -> str:
        return repr(raw_tree.read_rows(path))

    return [
        Kind("checkpoint", run, "checkpoints/**/*", read_checkpoint, True),
        Kind("prepared set", data, "lapa/1.0.0/*", lambda copy, path: prepared_content(copy), True),
        Kind("resized images", cache, "*/*", read_cache, True),
        Kind("run: JSON", run, "*.json*", _read_run),
        Kind("run: arrays", run, "**/*.npz", _read_run),
        Kind("label map", raw / "LaPa", "*/labels/*.png", read_label, reads_one=True),
        Kind("photo", raw / "LaPa", "*/images/*.jpg", read_photo, reads_one=True),
        Kind("weights", weights, "*", read_weights, reads_one=True),
        Kind("external CSV", lists, "external.csv", read_csv),
        Kind("mapping list", lists, "mapping.txt", read_mapping),
    ]


def _read_run(copy: pathlib.Path, path: pathlib.Path) -> str:
    found = runs.read_runs(copy)
    run = found[0]
    if run.status != "finished" or run.problem:
        raise RunError(run.problem)
    matrices = [arrays.load_matrices(run, one) for one in run.evaluations]
    examples = arrays.load_examples(run)
    group_runs(found)
    what = (run.config, run.results, run.environment, run.metrics)
    return _digest([repr(what), [vars(one) for one in matrices], vars(examples)])


def _split(dataset: Dataset, name: str) -> Any:
    split = load_split(dataset, name, (32,))
    return [split.ids.tolist(), np.array(split.images), np.array(split.labels[32])]


def _digest(tree: Any) -> str:
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        is_array = isinstance(leaf, np.ndarray | np.generic)
        array = np.asarray(leaf)
        digest.update(f"{array.dtype}{array.shape}".encode() if is_array else repr(leaf).encode())
        digest.update(np.ascontiguousarray(array).tobytes() if is_array else b"")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(runner.run("Damages files at random and reads them.", make_trial, limit=60))
