"""Draws a test set of each kind and has models label it: what `python -m experiments.groups.kinds` does."""

import argparse
import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from fpliif_jax.data import renamed_labels
from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.experiments.groups.kinds import KINDS, Kind
from fpliif_jax.experiments.groups.measure import GroupsError, check_set, counted
from fpliif_jax.experiments.groups.scores import Score, interval
from fpliif_jax.experiments.runs.local_versions import without_local_version
from fpliif_jax.experiments.stats.number_text import number
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.predict.face_parser import FaceParser
from fpliif_jax.predict.find_faces import AUTO, NONE
from fpliif_jax.run_folder import run_record
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.run_folder.same_run import refuse_swapped_sides

_LAPA = class_names.LAPA_AND_HELEN
_PARTS = [_LAPA.index(name) for name in class_names.FACIAL_PARTS[1:]]
_LARGEST_HALF_LENGTH = 0.16  # half of a face's width, in widths of the picture


class Shown(NamedTuple):
    """A picture, uint8 [S, S, 3], and its label map in LaPa's classes, uint8 [S, S]."""

    picture: np.ndarray
    truth: np.ndarray


def drawn(kind: Kind, count: int, seed: int, size: int) -> Iterator[Shown]:
    """The first `count` test faces of the kind in the drawn set with that seed."""
    index = 0
    while count:
        face = draw_face(face_seed(seed, "test", index), size, kind.style, (), kind.also)
        index += 1
        if not kind.is_half_length or face.person.unit < _LARGEST_HALF_LENGTH:
            count -= 1
            yield Shown(face.image, face.lapa_label_map)


def in_lapa(names: tuple[str, ...]) -> np.ndarray:
    """LaPa's id of each class of a model: uint8 [C].

    Raises:
      SettingsError: it lacks one of LaPa's classes, and is none of facial parts.
    """
    if names == class_names.FACIAL_PARTS:
        return np.array([_LAPA.index(name) for name in names], np.uint8)
    table = renamed_labels.class_table("lapa", names)
    return np.arange(len(_LAPA), dtype=np.uint8) if table is None else table


def score(parser: FaceParser, faces: list[Shown], find: str) -> JsonObject:
    """Scores in percent: 'ten' classes, None where the model does not have them, 'eight' parts, and 'classes'; and
    'windows', pictures by how many faces were found."""
    table = in_lapa(parser.class_names)
    counts, windows = [], collections.Counter[int]()
    for picture, truth in tqdm(faces, unit="face", leave=False):
        parsed = parser(picture, find=find)
        counts.append(counted(truth, table[parsed.labels], len(_LAPA)))
        windows[len(parsed.faces)] += 1
    matrices = np.stack(counts)
    known = [one for one in range(1, len(_LAPA)) if one in table]
    ten = known if len(known) > len(_PARTS) else None
    return {
        "ten": ten and dataclasses.asdict(Score.of(matrices, ten, 2000)),
        "eight": dataclasses.asdict(Score.of(matrices, _PARTS, 2000)),
        "classes": {_LAPA[one]: Score.of(matrices, [one], 2000).mean_f1 for one in known},
        "windows": {str(number): windows[number] for number in sorted(windows)},
    }


def run(flags: argparse.Namespace) -> None:
    """Scores all models and writes the results; the flags are those of `python -m experiments.groups.kinds`.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    check_set(flags)
    if not (flags.weights or flags.workdirs):
        raise GroupsError("no model: --weights names some of the package, --workdirs runs")
    parsers = {name: FaceParser.from_pretrained(name) for name in flags.weights}
    parsers |= {workdir: _of_run(workdir) for workdir in flags.workdirs}
    _check_classes(parsers)  # before anything long begins
    output = expanded(flags.output)
    if output.is_dir():
        raise GroupsError(f"--output={output} is a folder: name the JSON file to write")
    output.parent.mkdir(parents=True, exist_ok=True)
    environment = run_record.environment({})
    environment["platform"] = without_local_version(environment["platform"])
    settings = {name: getattr(flags, name) for name in ("seed", "num_faces", "image_size")}
    rows: list[JsonObject] = []
    for name in flags.kinds:
        kind = KINDS[name]
        faces = list(drawn(kind, flags.num_faces, flags.seed, flags.image_size))
        for model, parser in parsers.items():
            finds = kind.is_half_length and "skin" in parser.class_names
            for find in (NONE, AUTO) if finds else (NONE,):
                scores = score(parser, faces, find)
                rows.append({"kind": name, "model": model, "find": find, **scores})
                print(_line(rows[-1]), flush=True)
                run_record.write_json(
                    output,
                    {"environment": environment, **settings, "kinds": _settings(), "rows": rows},
                )


def _check_classes(parsers: Mapping[str, FaceParser]) -> None:
    for name, parser in parsers.items():
        try:
            in_lapa(parser.class_names)
        except SettingsError as error:
            classes = ", ".join(parser.class_names[:4])
            raise GroupsError(
                f"{name} has {len(parser.class_names)} classes, {classes} …: kinds are scored in LaPa's, which the 11 "
                "of LaPa and Helen, the 19 of CelebAMask-HQ and the 9 of facial parts can become"
            ) from error


def _of_run(workdir: str) -> FaceParser:
    trained = load_for_inference(expanded(workdir))
    refuse_swapped_sides(trained.sides_are_swapped, workdir)
    return FaceParser(trained, workdir)


def _settings() -> JsonObject:
    return {name: {"style": kind.style, "also": list(kind.also)} for name, kind in KINDS.items()}


def _line(row: JsonObject) -> str:
    of = "ten" if row["ten"] else "eight"
    found = Score(**row[of])
    return f"{row['kind']:<14}{row['model']:<24}{row['find']:<6}{number(found.mean_f1, 1)} ({interval(found)}), {of}"
