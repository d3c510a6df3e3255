"""Tests of `python -m experiments.groups`: who is in which group, the scores, and the command with tiny numbers."""

import csv
import dataclasses
import json
import math
import pathlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fpliif_jax import systems, weights
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.data_builders.synthetic_faces.dataset import write_dataset
from fpliif_jax.data_builders.synthetic_faces.photographic.person import sample_photographic_person
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.groups import __main__, attributes, measure
from fpliif_jax.experiments.groups import scores as group_scores
from fpliif_jax.weights import trained_model

PEOPLE = [sample_photographic_person(np.random.default_rng(seed)) for seed in range(300)]
BY_NAME = {attribute.name: attribute for attribute in attributes.ATTRIBUTES}


# ------------------------------------------------------------------------------- who is in which group


def test_every_face_is_in_one_known_group_and_all_groups_can_be() -> None:
    for attribute in attributes.ATTRIBUTES:
        given = {attribute.group_of(person) for person in PEOPLE}
        assert given <= set(attribute.groups), attribute.name
        rare = {"one closed", "microphone", "blob", "beanie", "cap", "brimmed"}
        assert set(attribute.groups) - given <= rare, attribute.name


@pytest.mark.parametrize(
    "name, changes, group",
    [
        ("hair", {"hair_style": "bald"}, "bald"),
        ("glasses", {"glasses": None}, "none"),
        ("glasses", {"glasses": "dark"}, "dark"),
        ("covered by", {"occluder": "hand"}, "hand"),
        ("eyes", {"eye_openness": (0.9, 0.8)}, "open"),
        ("eyes", {"eye_openness": (0.0, 0.8)}, "one closed"),
        ("eyes", {"eye_openness": (0.0, 0.0)}, "both closed"),
        ("facial hair", {"beard": 0.0, "moustache": 0.0, "stubble": 0.3}, "stubble"),
        ("facial hair", {"beard": 0.0, "moustache": 0.4, "stubble": 0.3}, "beard or moustache"),
        ("turned aside", {"yaw": np.radians(-9.9)}, "below 10°"),
        ("turned aside", {"yaw": np.radians(-15.0)}, "10 to 20°"),
        ("turned aside", {"yaw": np.radians(20.1)}, "20° and more"),
        ("width of the face", {"unit": 0.2}, "below 1/2 of the picture"),
        ("lines of age", {"age": 0.99}, "many"),
        ("lamp from the side", {"light": np.array([-0.6, -0.1, 0.79])}, "30° and more"),
    ],
)
def test_groups_of_made_people(name: str, changes: dict[str, object], group: str) -> None:
    person = dataclasses.replace(PEOPLE[0], **changes)
    assert BY_NAME[name].group_of(person) == group


@pytest.mark.parametrize(
    "skin, group",
    [
        ((255, 224, 189), "very light"),
        ((230, 180, 140), "light"),
        ((200, 150, 120), "intermediate"),
        ((185, 130, 95), "tan"),
        ((141, 85, 36), "brown"),
        ((70, 40, 25), "dark"),
    ],
)
def test_classes_of_skin_beside_littlecms(skin: tuple[int, int, int], group: str) -> None:
    profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    to_lab = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    lightness, _, blue = ImageCms.applyTransform(Image.new("RGB", (1, 1), skin), to_lab).getpixel(
        (0, 0)
    )
    expected = math.degrees(math.atan2(lightness * 100 / 255 - 50, blue - 128))
    colour = np.array(skin) / 255
    # Its numbers are whole, and its white is D50: two degrees.
    assert attributes.typology_angle(colour) == pytest.approx(expected, abs=2)
    person = dataclasses.replace(PEOPLE[0], skin=colour)
    assert BY_NAME["skin tone"].group_of(person) == group


def test_angles_of_black_and_white() -> None:
    assert attributes.typology_angle(np.zeros(3)) == pytest.approx(-90)
    assert attributes.typology_angle(np.ones(3)) == pytest.approx(90)


def test_what_is_recorded_of_a_person_is_what_was_drawn() -> None:
    """Make-up and beards are drawn by the recorded odds, and a toothy smile is wider than a neutral mouth."""
    assert {person.feminine for person in PEOPLE} == {True, False}
    assert not any(person.feminine for person in PEOPLE if person.beard or person.stubble)
    assert all(person.feminine for person in PEOPLE if person.makeup or person.earrings)
    assert all(person.mouth_opening > 0 for person in PEOPLE if person.expression == "open mouth")
    assert all(person.smile >= 0.07 for person in PEOPLE if person.expression == "toothy smile")
    assert all(person.mouth_opening == 0 for person in PEOPLE if person.expression == "neutral")


# ------------------------------------------------------------------------------------------ scores


NAMES = ("background", "skin", "hair")


def scored_by_hand() -> group_scores.Scored:
    """Twelve faces of two classes; four are labelled worse, and two of those have no hair, where some is seen."""
    good = np.array([[50, 0, 0], [0, 40, 0], [0, 0, 10]])
    bad = np.array([[44, 40, 0], [0, 6, 0], [0, 0, 10]])
    bald = np.array([[40, 0, 5], [0, 55, 0], [0, 0, 0]])
    groups = [{each.name: each.groups[0] for each in attributes.ATTRIBUTES} for _ in range(12)]
    matrices = np.stack([good] * 12)
    for index in (3, 8):
        groups[index]["covered by"], matrices[index] = "hand", bad
    for index in (0, 11):
        matrices[index] = bald
    for index in set(range(12)) - {0, 11}:
        groups[index]["hair"] = "long"
    return group_scores.Scored(groups, matrices)


def group_of(scores: group_scores.Scores, attribute: str, name: str) -> group_scores.GroupScore:
    (found,) = (one for one in scores.groups if (one.attribute, one.group) == (attribute, name))
    return found


def test_scores_of_groups_made_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = group_scores.Scores.of(scored_by_hand(), NAMES, resamples=50)
    hand = group_of(scores, "covered by", "hand")
    skin = 100 * 2 * 12 / (12 + 92)
    assert hand.faces == 2
    assert hand.mean_f1 == pytest.approx((skin + 100) / 2)
    assert (hand.low, hand.high) == (hand.mean_f1, hand.mean_f1)  # two equal faces
    assert (hand.lowest_class, hand.lowest_f1) == ("skin", pytest.approx(skin))
    assert hand.absent == {}
    # All faces: skin 2 (8·40 + 2·6 + 2·55) of (442 + 522), hair 2·100 of (100 + 110).
    all_skin, all_hair = 100 * 2 * 442 / (442 + 522), 100 * 200 / 210
    assert hand.all_f1 == pytest.approx((all_skin + all_hair) / 2)
    overall = scores.overall
    assert (overall.faces, overall.mean_f1) == (12, pytest.approx((all_skin + all_hair) / 2))
    assert overall.low < overall.mean_f1 < overall.high
    assert scores.classes["hair"].mean_f1 == pytest.approx(all_hair)
    covered = [one.group for one in scores.groups if one.attribute == "covered by"]
    assert covered == ["nothing", "hand"]
    # Two faces are too few to be called the worst; nor is a group that has all faces.
    assert scores.worst_group is None or scores.worst_group.faces == 10
    monkeypatch.setattr(group_scores, "FEWEST_FACES", 2)
    assert scores.worst_group.group == "hand"
    line = scores.as_text().splitlines()[-1]
    assert line.startswith("worst of the groups with 2 faces or more: covered by, hand: 61.5 (61.5")


def test_a_class_that_a_group_lacks_is_no_part_of_its_score_but_is_told() -> None:
    scores = group_scores.Scores.of(scored_by_hand(), NAMES, resamples=50)
    bald = group_of(scores, "hair", "bald")
    assert bald.mean_f1 == 100  # of skin; with the hair that nobody has it would be 50
    assert bald.all_f1 == pytest.approx(scores.classes["skin"].mean_f1)
    assert bald.absent == {"hair": 5.0}
    assert bald.absent_text == "hair 5.00 %"


def test_a_group_of_one_face_has_no_interval() -> None:
    one = group_scores.Scored(scored_by_hand().groups[1:2], scored_by_hand().matrices[1:2])
    scores = group_scores.Scores.of(one, NAMES, resamples=50)
    assert scores.overall.mean_f1 == 100
    assert scores.overall.low is None and scores.worst_group is None
    assert "–" in scores.as_text()


# ------------------------------------------------------------------------------------ faces and truth


def test_the_faces_are_the_test_faces_of_a_drawn_set(tmp_path: pathlib.Path) -> None:
    write_dataset("lapa", tmp_path, 1, 0, 2, image_size=64, seed=5, style="photographic")
    files = sorted((tmp_path / "LaPa/test/labels").iterdir())
    for index, file in enumerate(files):
        face = measure.draw(5, index, 64)
        np.testing.assert_array_equal(face.lapa_label_map, np.asarray(Image.open(file)))
    assert len(files) == 2


def test_the_truth_is_in_the_models_classes() -> None:
    face = draw_face(0, 32, "photographic")
    assert measure.truth_of(LAPA_AND_HELEN)(face) is face.lapa_label_map
    assert measure.truth_of(CELEBAMASK_HQ)(face) is face.label_map
    parts = measure.truth_of(FACIAL_PARTS)(face)
    for index, name in enumerate(LAPA_AND_HELEN):
        part = FACIAL_PARTS.index(name) if name in FACIAL_PARTS else 0
        assert (parts[face.lapa_label_map == index] == part).all()
    with pytest.raises(measure.GroupsError, match="the model has 10 classes, background, skin"):
        measure.truth_of(LAPA_AND_HELEN[:-1])


# --------------------------------------------------------------------------------------- the command


def test_the_command_scores_what_it_draws(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--weights=drawn", "--num_faces=4", "--image_size=64", f"--output={tmp_path}"]
    __main__.main([*arguments, "--seed=3"])
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "groups.json").read_text())
    assert results["model"] == "--weights=drawn" and results["seed"] == 3
    trained = weights.load("drawn")
    scored = measure.score(systems.of(trained.config).inference.make_labeller(trained), 4, 3, 64)
    assert scored.matrices.sum() == 4 * 64 * 64
    expected = 100 * metrics.mean_f1(scored.matrices.sum(axis=0))
    assert results["overall"]["mean_f1"] == pytest.approx(expected)
    # Half as large as it was trained on: 70. Sides or classes exchanged would leave less than 50.
    assert expected > 55
    assert results["classes"].keys() == set(LAPA_AND_HELEN[1:])
    for attribute, groups in results["attributes"].items():
        assert sum(group["faces"] for group in groups.values()) == 4, attribute
    with open(tmp_path / "groups.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == sum(map(len, results["attributes"].values()))
    first = next(iter(results["attributes"]["skin tone"].values()))
    assert float(table[0]["mean_f1"]) == first["mean_f1"]
    with np.load(tmp_path / "faces.npz") as file:
        np.testing.assert_array_equal(file["confusion_matrices"], scored.matrices)
        assert tuple(file["class_names"]) == LAPA_AND_HELEN
        pairs = zip(file["attributes"], file["groups"][2], strict=True)
        assert dict(pairs) == scored.groups[2]
    assert f"4 drawn faces, the weights 'drawn' (step 3500): {tmp_path}" in printed
    assert len(printed.splitlines()) >= len(table) + 2
    with Image.open(tmp_path / "faces.png") as sheet:
        assert sheet.size[0] > 600


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--weights=drawn", "--num_faces=1"], "--num_faces=1: must be 2 to 20000"),
        (["--weights=drawn", "--num_faces=20001"], "--num_faces=20001: must be"),
        (["--weights=drawn", "--image_size=2000"], "--image_size=2000: must be 32 to 1024"),
        (["--weights=drawn", "--seed=-1"], "--seed=-1: must be 0 or more"),
        ([], r"give --workdir=RUN or --weights=NAME"),
        (["--weights=drawn", "--output=/proc/none"], "--output=/proc/none: No such file"),
    ],
)
def test_what_cannot_be_measured_is_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        __main__.main(arguments)


def test_other_classes_are_refused_before_anything_is_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    trained = dataclasses.replace(weights.load("drawn"), class_names=LAPA_AND_HELEN[:-1])
    chosen = trained_model.ChosenModel(trained, "best", "RUN", "the best checkpoint (step 1)")
    monkeypatch.setattr(trained_model, "load", lambda flags: chosen)
    monkeypatch.setattr(measure, "draw", None)
    with pytest.raises(SystemExit, match="^error: the model has 10 classes"):
        __main__.main(["--workdir=RUN", f"--output={tmp_path}"])
