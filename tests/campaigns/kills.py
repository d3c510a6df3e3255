"""Ends programs at random moments, by SIGKILL, SIGTERM or SIGINT, and does the same again.

python -m tests.campaigns.kills --seed=0 --count=100 --output=kills.json

Afterwards everything must be as if nothing had happened: the same bits, nothing left over, and a prepared set that
stood before a rebuild can be used in between.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from flax import traverse_util
from prepared_damage_test import content as prepared_content

from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.prepare import prepare
from fpliif_jax.run_folder import checkpoint
from tests.campaigns import runner

_TESTS = pathlib.Path(__file__).parents[1]
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_LEFT_OVER = ("*.partial", "incomplete*", "*orbax-checkpoint-tmp*", "*.tmp")
_LONGEST = 1800  # seconds of one command, on a busy machine


@dataclasses.dataclass(frozen=True)
class Work:
    """A command that is ended and done again.

    Attributes:
      name: for the table.
      command: in the folder of a trial.
      result: of that folder -> digest of what the command leaves.
      between: raises AssertionError where the folder is of no use right after the end.
    """

    name: str
    command: Callable[[pathlib.Path], list[str]]
    result: Callable[[pathlib.Path], str]
    between: Callable[[pathlib.Path], object] = lambda folder: None


def make_trial(folder: pathlib.Path) -> runner.Trial:
    """Does every work once undisturbed, and returns what does one of them with an interruption."""
    base = folder / "base"
    synthetic_faces.write_dataset(
        "lapa", base / "raw", num_train=12, num_val=4, num_test=4, image_size=64, num_workers=1
    )
    synthetic_faces.write_dataset(
        "helen", base / "raw", num_train=9, num_val=4, num_test=4, image_size=64, num_workers=1
    )
    for name in ("lapa", "helen"):
        prepare(name, manual_dir=str(base / "raw"), data_dir=str(base / "data"))
    works = _works(prepared_content(base / "data"))
    sound, seconds = {}, {}
    for work in works:
        started = time.monotonic()
        assert _run(work.command(base)).wait(_LONGEST) == 0, work.name
        seconds[work.name] = time.monotonic() - started
        sound[work.name] = work.result(base)
        if work.name == "prediction":
            shutil.rmtree(base / "predicted")
    trained = base / "parsing"

    def trial(chance: random.Random) -> runner.Outcome:
        work, number = chance.choice(works), chance.choice(_SIGNALS)
        moment = chance.uniform(0.1, 1) * seconds[work.name]
        spare = folder / "trial"
        shutil.rmtree(spare, ignore_errors=True)
        spare.mkdir()
        for name in ("raw", "data"):
            shutil.copytree(base / name, spare / name)
        if work.name == "cache":
            shutil.rmtree(spare / "data" / "resized")
        if work.name == "prediction":
            shutil.copytree(trained, spare / "parsing")
        process = _run(work.command(spare))
        time.sleep(moment)
        process.send_signal(number)
        what = f"{number.name} after {moment:.1f} s of {seconds[work.name]:.1f}"
        try:
            process.wait(_LONGEST)
            work.between(spare)
            process = _run(work.command(spare))
            code, said = process.wait(_LONGEST), process.stderr_path.read_text()[-500:]
            problem = f"exit code {code}: {said}" if code else None
            if problem is None and work.result(spare) != sound[work.name]:
                problem = "other bits"
            left = [str(path) for name in _LEFT_OVER for path in spare.rglob(name)]
            problem = problem or (f"left over: {left}" if left else None)
        except subprocess.TimeoutExpired:
            process.kill()
            return runner.Outcome(work.name, what, runner.OVER_TIME)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        return runner.Outcome(
            work.name, what, runner.WRONG if problem else runner.HARMLESS, problem or ""
        )

    return trial


class _Process(subprocess.Popen):
    """Its stderr is in a file."""

    stderr_path: pathlib.Path


def _run(command: list[str]) -> _Process:
    path = pathlib.Path(os.environ.get("TMPDIR", "/tmp"), f"kills-{os.getpid()}.log")
    with open(path, "wb") as log:
        process = _Process(
            [sys.executable, *command], cwd=_TESTS.parent, stdout=subprocess.DEVNULL, stderr=log
        )
    process.stderr_path = path
    return process


def _works(prepared: str) -> list[Work]:
    def main(folder: pathlib.Path, name: str, config: str, *arguments: str) -> list[str]:
        data = [f"--config.data.manual_dir={folder / 'raw'}"]
        data += [f"--config.data.data_dir={folder / 'data'}", f"--workdir={folder / name}"]
        return ["-m", "fpliif_jax.main", f"--config={config}", "--mode=train", *data, *arguments]

    def parsing(folder: pathlib.Path) -> list[str]:
        return main(
            folder, "parsing", str(_TESTS / "helpers/tiny_run.py"), "--config.train.epochs=3"
        )

    def rebuild(folder: pathlib.Path) -> list[str]:
        folders = [f"--manual_dir={folder / 'raw'}", f"--data_dir={folder / 'data'}"]
        return ["-m", "data_builders.prepare", "lapa", *folders, "--rebuild"]

    def fill(folder: pathlib.Path) -> list[str]:
        return ["-c", _FILL, str(_TESTS), str(folder / "raw"), str(folder / "data")]

    def predict(folder: pathlib.Path) -> list[str]:
        places = [f"--workdir={folder / 'parsing'}", f"--output_dir={folder / 'predicted'}"]
        photos = str(folder / "raw" / "LaPa" / "train" / "images")
        return ["-m", "fpliif_jax.predict", *places, "--output_size=64", photos]

    def is_usable(folder: pathlib.Path) -> None:
        assert prepared_content(folder / "data") == prepared, "the set that stood is not usable"

    def cached(folder: pathlib.Path) -> str:
        return _files_digest(folder / "data" / "resized", "lapa-*/*/*.npy")

    stages = "--config.train.stages=('coarse','localisation','fine','end_to_end')"
    return [
        Work("training FP-LIIF", parsing, lambda folder: _trained(folder / "parsing")),
        Work(
            "training STN-iCNN",
            lambda folder: main(folder, "icnn", str(_TESTS / "helpers/tiny_icnn_run.py"), stages),
            lambda folder: _trained(folder / "icnn"),
        ),
        Work("rebuild", rebuild, lambda folder: prepared_content(folder / "data"), is_usable),
        Work("cache", fill, cached),
        Work("prediction", predict, lambda folder: _files_digest(folder / "predicted", "**/*.png")),
    ]


_FILL = """
import sys
sys.path[:0] = ["", sys.argv[1]]
from tiny_run import tiny_config
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.commands.interruption import Interruption
Interruption()
dataset = load_dataset(tiny_config(*sys.argv[2:]).data)
for split in ("train", "validation", "test"):
    load_split(dataset, split, (32, 64))
"""


def _files_digest(folder: pathlib.Path, pattern: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


def _trained(workdir: pathlib.Path) -> str:
    """Digest of the last and the best checkpoint, and of the losses."""
    digest = hashlib.sha256()
    for which in ("last", "best"):
        arrays, progress = checkpoint.read(workdir, which)
        digest.update(f"{progress['step']} {progress['best_score']}".encode())
        for name, array in sorted(traverse_util.flatten_dict(arrays, sep="/").items()):
            digest.update(name.encode() + np.asarray(array).tobytes())
    for line in (workdir / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        digest.update(repr([record["step"], record["split"], record.get("loss")]).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(runner.run("Ends programs at random moments.", make_trial, limit=4 * _LONGEST))
