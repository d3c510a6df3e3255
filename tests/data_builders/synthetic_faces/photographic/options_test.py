"""Sets of photographic drawn faces with `without` or `also`: sets of their own, by function, command and config."""

import json
import pathlib
from typing import NamedTuple

import pytest
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.synthetic_faces import __main__, write_dataset

OPTIONS = {"image_size": 32, "num_workers": 1, "style": "photographic"}
PICTURE = "train/images/synthetic_train_000000.jpg"


class Option(NamedTuple):
    """`parts`: two of them, the second by the alphabet first. `names`: that of a config's folder after the style."""

    name: str
    parts: tuple[str, str]
    version: int
    known: str
    names: list[str]


WITHOUT = Option(
    "without", ("pose", "camera"), 2, "camera, background", ["2", "2-without-camera-pose"]
)
ALSO = Option("also", ("scarves", "hats"), 3, "scarves, reflections", ["2", "3-also-hats-scarves"])
both = pytest.mark.parametrize("option", [WITHOUT, ALSO], ids=lambda option: option.name)


def joined(option: Option) -> str:
    return ",".join(sorted(option.parts))


@both
def test_a_set_with_the_option_is_another_set(tmp_path: pathlib.Path, option: Option) -> None:
    bare = write_dataset("lapa", tmp_path / "bare", 1, 0, 0, **OPTIONS)
    settings = json.loads((bare / "synthetic_faces.json").read_text())
    assert settings["style_version"] == 2 and option.name not in settings  # none is drawn anew
    new = tmp_path / "new"
    root = write_dataset("lapa", new, 1, 0, 0, **{option.name: list(option.parts)}, **OPTIONS)
    own = json.loads((root / "synthetic_faces.json").read_text())
    assert own == {**settings, "style_version": option.version, option.name: joined(option)}
    drawn = root.stat().st_mtime_ns
    again = (*option.parts[::-1], option.parts[0])
    write_dataset("lapa", new, 1, 0, 0, **{option.name: again}, **OPTIONS)
    assert root.stat().st_mtime_ns == drawn
    write_dataset("lapa", new, 1, 0, 0, **OPTIONS)  # without the option: drawn anew
    assert (root / PICTURE).read_bytes() == (bare / PICTURE).read_bytes()


@both
def test_what_is_not_known_is_named(tmp_path: pathlib.Path, option: Option) -> None:
    with pytest.raises(DataError, match=f"{option.name}='nose': choose of {option.known}"):
        write_dataset("lapa", tmp_path, 1, 0, 0, **{option.name: ["nose"]}, **OPTIONS)
    part = option.parts[0]
    with pytest.raises(DataError, match=f"{option.name}={part}: it is for style=photographic"):
        write_dataset("lapa", tmp_path, 1, 0, 0, image_size=32, **{option.name: [part]})


@both
def test_the_command_draws_set_and_contact_sheet(tmp_path: pathlib.Path, option: Option) -> None:
    command = ["--layout=lapa", f"--output_dir={tmp_path}", "--num_train=1", "--num_val=0", "--num_test=0",
               "--image_size=32", "--style=photographic"]  # fmt: skip
    sheets = [tmp_path / "bare.png", tmp_path / "own.png"]
    chosen = f"--{option.name}={','.join(option.parts)}"
    assert __main__.main([*command, f"--contact_sheet={sheets[0]}"]) == 0
    assert __main__.main([*command, f"--contact_sheet={sheets[1]}", chosen]) == 0
    settings = json.loads((tmp_path / "LaPa" / "synthetic_faces.json").read_text())
    assert settings[option.name] == joined(option)
    assert sheets[0].read_bytes() != sheets[1].read_bytes()


@both
def test_a_config_draws_each_set_in_a_folder_of_its_own(
    tmp_path: pathlib.Path, option: Option
) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 1, "num_val": 1, "num_test": 1, "image_size": 48})
    config.synthetic.style = "photographic"
    bare = load_dataset(config).metadata
    config.synthetic[option.name] = option.parts
    own = load_dataset(config).metadata
    assert own.fingerprint != bare.fingerprint
    assert own.drawing[option.name] == joined(option) and option.name not in bare.drawing
    names = sorted(path.name for path in (tmp_path / "raw").iterdir() if path.is_dir())
    assert [name.split("-photographic")[1] for name in names] == option.names
