"""Tests of two processes that draw, prepare and resize the same data at once."""

import json
import pathlib
import subprocess
import sys

from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders.prepare import prepare

ROOT = pathlib.Path(__file__).parents[2]
SIZES = ((32, 16), (32, 24))  # of label maps: one that both processes make, and one of each alone
FACES = {"num_train": 6, "num_val": 2, "num_test": 2, "image_size": 48}

_OF_THE_MOMENT = ("manual_dir", "prepared_at", "stat_digest", "sha256")

_CHILD = """
import pathlib, sys
sys.path[:0] = ["tests", "tests/helpers"]
from data import same_data_at_once_test as test
folder, action, sizes = pathlib.Path(sys.argv[1]), sys.argv[2], eval(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
getattr(test, action)(folder, sizes)
"""


def load(folder: pathlib.Path, sizes: tuple[int, ...]) -> None:
    """Draws, prepares and resizes what is not there."""
    config = tiny_config(folder / "raw", folder / "prepared").data
    config.cache_dir = str(folder / "resized")
    config.synthetic.update(FACES)
    load_split(load_dataset(config), "train", sizes)


def rebuild(folder: pathlib.Path, sizes: tuple[int, ...]) -> None:
    """Prepares anew what is there; then as `load`."""
    (raw,) = (path for path in (folder / "raw").iterdir() if path.is_dir())
    prepare("lapa", manual_dir=str(raw), data_dir=str(folder / "prepared" / raw.name), rebuild=True)
    load(folder, sizes)


def _both(folder: pathlib.Path, action: str) -> list[str]:
    """Two processes do it from the same moment on; what each wrote to stderr."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(folder), action, repr(sizes)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for sizes in SIZES
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n", child.communicate()
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    errors = [child.communicate(timeout=100)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], errors
    return errors


def _contents(folder: pathlib.Path) -> dict[str, bytes | str | list]:
    """Every file by its name; notes without when and from where the set was prepared."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if "array_record" in path.name:  # protobuf writes the fields of a record in any order
                split = path.name.split("-")[1].split(".")[0]
                builder = prepare("lapa", data_dir=str(path.parents[2]))
                content = list(map(str, builder.encoded_examples(split)))
            elif path.suffix == ".json":
                note = json.loads(content)
                if path.name == "raw_tree.json":
                    note = {key: value for key, value in note.items() if key not in _OF_THE_MOMENT}
                content = json.dumps(note, sort_keys=True)
            contents[path.relative_to(folder).as_posix()] = content
    return contents


def test_two_processes_make_the_same_data_once_and_as_one_would(tmp_path: pathlib.Path) -> None:
    for sizes in SIZES:
        load(tmp_path / "one", sizes)
    alone = _contents(tmp_path / "one")
    assert {pathlib.Path(name).suffix for name in alone} >= {".jpg", ".png", ".npy", ".json"}

    errors = _both(tmp_path / "two", "load")
    assert _contents(tmp_path / "two") == alone
    for work in ("drawing LaPa", "Preparing lapa"):
        assert sum(work in text for text in errors) == 1, errors

    _both(tmp_path / "two", "rebuild")
    assert _contents(tmp_path / "two") == alone
