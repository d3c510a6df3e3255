"""Tests of `python -m experiments.groups.kinds`: which faces are drawn, what is scored, and the command."""

import json
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest

from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.experiments.groups import kinds, kinds_measure

SIZE = 32


class Oracle:
    """A parser that knows the truth of the pictures, in its own classes, but for where it sees hair."""

    def __init__(self, names: tuple[str, ...], blind_to: str = "") -> None:
        self.class_names, self.asked = names, set()
        self._known = {}
        table = kinds_measure.in_lapa(names)
        own = {int(lapa): label for label, lapa in enumerate(table) if lapa}
        hidden = LAPA_AND_HELEN.index(blind_to) if blind_to else -1
        self._own = np.array([own.get(one, 0) if one != hidden else 0 for one in range(11)])

    def learn(self, faces: list[kinds_measure.Shown]) -> None:
        self._known |= {face.picture.tobytes(): self._own[face.truth] for face in faces}

    def __call__(self, picture: np.ndarray, find: str) -> SimpleNamespace:
        self.asked.add(find)
        labels = self._known[picture.tobytes()].astype(np.uint8)
        return SimpleNamespace(labels=labels, faces=("a window",) * (find == "auto"))


def drawn(name: str, count: int = 3) -> list[kinds_measure.Shown]:
    return list(kinds_measure.drawn(kinds_measure.KINDS[name], count, 7, SIZE))


def test_faces_of_a_kind_are_test_faces_of_the_drawn_set() -> None:
    for name, kind in kinds_measure.KINDS.items():
        if not kind.is_half_length:
            face = draw_face(face_seed(7, "test", 2), SIZE, kind.style, (), kind.also)
            np.testing.assert_array_equal(drawn(name)[2].picture, face.image)
            np.testing.assert_array_equal(drawn(name)[2].truth, face.lapa_label_map)


def test_half_length_pictures_alone_are_of_that_kind() -> None:
    widths = [np.ptp(np.nonzero(face.truth)[1]) for face in drawn("half-length", 8)]
    assert max(widths) < 0.6 * SIZE  # hair is wider than the face
    assert len(drawn("half-length", 8)) == 8


@pytest.mark.parametrize("names", [LAPA_AND_HELEN, CELEBAMASK_HQ, FACIAL_PARTS])
def test_who_labels_all_right_has_all_points(names: tuple[str, ...]) -> None:
    faces = drawn("photographic")
    oracle = Oracle(names)
    oracle.learn(faces)
    found = kinds_measure.score(oracle, faces, "none")
    assert found["eight"]["mean_f1"] == 100
    assert (found["ten"] is None) == (names == FACIAL_PARTS)
    assert names == FACIAL_PARTS or found["ten"]["mean_f1"] == 100
    assert len(found["classes"]) == len(FACIAL_PARTS) - 1 + 2 * (names != FACIAL_PARTS)


def test_a_class_that_is_not_seen_costs_its_share() -> None:
    faces = drawn("photographic")
    oracle = Oracle(LAPA_AND_HELEN, blind_to="hair")
    oracle.learn(faces)
    found = kinds_measure.score(oracle, faces, "none")
    assert found["classes"]["hair"] == 0 and found["eight"]["mean_f1"] == 100
    assert found["ten"]["mean_f1"] == pytest.approx(90)


def test_other_classes_are_refused() -> None:
    with pytest.raises(SettingsError, match="the data set has no skin"):
        kinds_measure.in_lapa(("background", "cat"))


def test_the_command_scores_each_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {"drawn": Oracle(LAPA_AND_HELEN), "drawn_stn_icnn": Oracle(FACIAL_PARTS)}
    for name in kinds_measure.KINDS:
        for model in models.values():
            model.learn(drawn(name))
    monkeypatch.setattr(
        kinds_measure, "FaceParser", SimpleNamespace(from_pretrained=models.__getitem__)
    )
    output = tmp_path / "new" / "kinds.json"
    arguments = ["--num_faces=3", "--seed=7", f"--image_size={SIZE}", f"--output={output}"]
    kinds.main(["--weights", *models, *arguments])
    assert models["drawn"].asked == {"none", "auto"}
    assert models["drawn_stn_icnn"].asked == {"none"}  # it has no class for skin
    kept = json.loads(output.read_text())
    rows = [(row["kind"], row["model"], row["find"]) for row in kept["rows"]]
    assert len(rows) == len(set(rows)) == len(capsys.readouterr().out.splitlines()) == 9
    assert kept["kinds"]["half-length"] == {"style": "photographic", "also": ["half_length"]}
    assert all(row["windows"] == {"1" if row["find"] == "auto" else "0": 3} for row in kept["rows"])
    assert (kept["seed"], kept["num_faces"]) == (7, 3)
    kinds.main(["--kinds", "half-length", "--weights", "drawn", *arguments])
    rows = [(row["kind"], row["find"]) for row in json.loads(output.read_text())["rows"]]
    assert rows == [("half-length", "none"), ("half-length", "auto")]
    with pytest.raises(SystemExit, match="--num_faces=1: must be 2 to"):
        kinds.main([f"--output={output}", "--num_faces=1"])
    with pytest.raises(SystemExit, match="no model: --weights names"):
        kinds.main([f"--output={output}", "--weights"])


def test_what_cannot_be_scored_or_written_is_told_before_a_face_is_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(kinds_measure, "drawn", None)
    arguments = ["--weights", "--workdirs", "runs/mine"]
    monkeypatch.setattr(
        kinds_measure, "_of_run", lambda _: SimpleNamespace(class_names=("background", "cat"))
    )
    with pytest.raises(SystemExit, match="^error: runs/mine has 2 classes, background, cat …: kin"):
        kinds.main([*arguments, f"--output={tmp_path}/kinds.json"])
    monkeypatch.setattr(kinds_measure, "_of_run", lambda _: Oracle(LAPA_AND_HELEN))
    with pytest.raises(SystemExit, match=f"--output={tmp_path} is a folder: name the JSON file"):
        kinds.main([*arguments, f"--output={tmp_path}"])


def test_a_run_with_the_other_sides_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    swapped = SimpleNamespace(sides_are_swapped=True)
    monkeypatch.setattr(kinds_measure, "load_for_inference", lambda folder: swapped)
    with pytest.raises(SystemExit, match=f"{tmp_path}.*Train it again"):
        kinds.main(["--weights", "--workdirs", str(tmp_path), f"--output={tmp_path}/kinds.json"])
