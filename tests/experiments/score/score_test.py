"""Tests of `python -m experiments.score`: its numbers, the mistakes that it names, and what it leaves."""

import csv
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import made_runs
import numpy as np
import pytest
from PIL import Image

from fpliif_jax.data.canvas import place_labels_on_canvas
from fpliif_jax.data.renamed_labels import class_table
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, LAPA_AND_HELEN, mirrored_classes
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report.write import write_report
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.score import __main__, counting, measure
from fpliif_jax.pictures.colours import class_colours
from fpliif_jax.pictures.label_maps import palette_image

SIZE = (24, 20)  # of made label maps
Change = Callable[[np.ndarray], np.ndarray]


def made_map(seed: int) -> np.ndarray:
    """uint8 [24, 20] of LaPa's classes: a block each, nowhere symmetric, other sizes in every image."""
    draws = np.random.default_rng(seed)
    labels = np.zeros(SIZE, np.uint8)
    labels[3:21, 2:17] = 1  # skin
    labels[:3, 1 : 15 + seed % 3] = 10  # hair
    for index, (row, column) in enumerate(
        ((5, 4), (5, 11), (8, 4), (8, 11), (11, 8), (15, 6), (17, 6), (18, 6)), start=2
    ):
        height, width = (1 + draws.integers(2), 3 + draws.integers(2))
        labels[row : row + height, column : column + width] = index
    return labels


MAPS = {f"face_{index}": made_map(index) for index in range(6)}


def worse(labels: np.ndarray) -> np.ndarray:
    """A prediction that is wrong in every fifth pixel, alike in all classes."""
    draws = np.random.default_rng(int(labels.sum()))
    wrong = draws.random(labels.shape) < 0.2
    return np.where(wrong, draws.integers(0, 11, labels.shape), labels).astype(np.uint8)


def write_maps(
    folder: pathlib.Path, maps: dict[str, np.ndarray], name: str = "{}.png"
) -> pathlib.Path:
    """A folder of greyscale PNG files."""
    folder.mkdir(parents=True)
    for identifier, labels in maps.items():
        Image.fromarray(np.ascontiguousarray(labels)).save(folder / name.format(identifier))
    return folder


@pytest.fixture
def truth(tmp_path: pathlib.Path) -> pathlib.Path:
    return write_maps(tmp_path / "truth", MAPS)


@pytest.fixture
def predict(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Writes predictions: the true maps made worse, then changed."""

    def write(
        change: Change = lambda labels: labels, folder: str = "theirs", name: str = "{}.png"
    ) -> pathlib.Path:
        maps = {identifier: change(worse(labels)) for identifier, labels in MAPS.items()}
        return write_maps(tmp_path / folder, maps, name)

    return write


def score(
    truth: pathlib.Path, predictions: pathlib.Path, *options: str, classes: str = "lapa"
) -> None:
    if not any(option.startswith("--label_resize=") for option in options):
        options = ("--label_resize=nearest", *options)  # the other way is slow
    __main__.main(
        [f"--truth={truth}", f"--predictions={predictions}", f"--classes={classes}", *options]
    )


def refused(truth: pathlib.Path, predictions: pathlib.Path, *options: str) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as ended:
        score(truth, predictions, *options)
    text = str(ended.value.code)
    assert text.startswith("error: ") and "\n" not in text
    return text


def scores_of(folder: pathlib.Path) -> dict[tuple[str, str, str], float]:
    """Percent by metric, class and protocol, of scores.csv."""
    with open(folder / "scores.csv", encoding="utf-8", newline="") as file:
        return {
            (row["metric"], row["class"], row["scored_at"]): float(row["percent"])
            for row in csv.DictReader(file)
            if row["percent"]
        }


# ------------------------------------------------------------------------------- the numbers


def f1(truth: np.ndarray, prediction: np.ndarray, group: Sequence[int]) -> float:
    """The F1 of a group as one class, from pixels: 2 TP / (2 TP + FP + FN)."""
    is_true, is_predicted = np.isin(truth, group), np.isin(prediction, group)
    return 200 * (is_true & is_predicted).sum() / (is_true.sum() + is_predicted.sum())


def iou(truth: np.ndarray, prediction: np.ndarray, one: int) -> float:
    both = ((truth == one) & (prediction == one)).sum()
    return 100 * both / ((truth == one) | (prediction == one)).sum()


def by_formulas(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[tuple[str, str], float]:
    """Every score from the pixels of all images, without a confusion matrix."""
    truth, prediction = (
        np.concatenate([one.ravel() for one in side]) for side in zip(*pairs, strict=True)
    )
    classes = range(len(LAPA_AND_HELEN))
    of_class = [f1(truth, prediction, [one]) for one in classes]
    of_iou = [iou(truth, prediction, one) for one in classes]
    brows, eyes, nose, mouth = (2, 3), (4, 5), (6,), (7, 8, 9)
    parts = (brows, eyes, nose, mouth)
    hits = sum((np.isin(truth, p) & np.isin(prediction, p)).sum() for p in parts)
    sizes = sum(np.isin(truth, p).sum() + np.isin(prediction, p).sum() for p in parts)
    per_image = [
        np.mean([f1(t, p, [one]) for one in classes[1:] if (t == one).any() or (p == one).any()])
        for t, p in pairs
    ]
    scores = {
        ("mean_f1", "mean"): np.mean(of_class[1:]),
        ("mean_f1_with_background", "mean"): np.mean(of_class),
        ("miou", "mean"): np.mean(of_iou[1:]),
        ("miou_with_background", "mean"): np.mean(of_iou),
        ("per_image_mean_f1", "mean"): np.mean(per_image),
        ("group_f1", "eyes"): f1(truth, prediction, eyes),
        ("group_f1", "brows"): f1(truth, prediction, brows),
        ("group_f1", "mouth"): f1(truth, prediction, mouth),
        ("group_f1", "overall"): f1(truth, prediction, [c for part in parts for c in part]),
        ("group_f1", "overall_merged"): 200 * hits / sizes,
    }
    names = LAPA_AND_HELEN[1:]
    return scores | {("f1", name): of_class[one] for one, name in enumerate(names, start=1)}


def at(labels: np.ndarray, side: int) -> np.ndarray:
    """Nearest neighbour: the pixel that holds the centre of the new one."""
    rows, columns = (
        np.floor((np.arange(side) + 0.5) * length / side).astype(int) for length in labels.shape
    )
    return labels[np.ix_(rows, columns)]


def test_every_score_at_every_size_is_that_of_its_formula(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    score(truth, predict(), f"--output={tmp_path / 'run'}")
    scored = scores_of(tmp_path / "run")
    pairs = [(labels, worse(labels)) for labels in MAPS.values()]
    for protocol, side in (("native", None), ("256", 256), ("512", 512)):
        resized = [tuple(one if side is None else at(one, side) for one in pair) for pair in pairs]
        expected = {(*key, protocol): value for key, value in by_formulas(resized).items()}
        own = {key: value for key, value in scored.items() if key[2] == protocol}
        assert own == pytest.approx(expected, abs=1e-9)  # the rounding of float64


def test_counts_are_those_of_the_device() -> None:
    draws = np.random.default_rng(0)
    truth, prediction = draws.integers(0, 255, (2, 31, 17)).astype(np.uint8)
    on_device = metrics.confusion_matrices(truth[None], prediction[None], 255)[0]
    np.testing.assert_array_equal(counting.confusion_matrix(truth, prediction, 255), on_device)


@pytest.mark.parametrize("size", [(30, 50), (700, 20)])  # smaller and larger than the canvas
def test_the_canvas_is_that_of_stn_icnn(size: tuple[int, int]) -> None:
    draws = np.random.default_rng(1)
    truth, prediction = draws.integers(0, 19, (2, *size)).astype(np.uint8)
    canvas = counting.canvas_of("celebamask_hq", CELEBAMASK_HQ)
    counter = counting.Counter(CELEBAMASK_HQ, "nearest", canvas)
    parts = class_table("facial_parts", CELEBAMASK_HQ)
    shape = size if max(size) <= 512 else (512, 15)  # 20 · 512 / 700 = 14.6
    placed = [
        place_labels_on_canvas(parts[one], 512, shape, 9, "nearest") for one in (truth, prediction)
    ]
    expected = counting.confusion_matrix(*placed, 9)
    np.testing.assert_array_equal(counter.count(truth, prediction)["canvas"], expected)


def test_a_perfect_prediction_is_perfect_at_every_size(
    truth: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    same = write_maps(tmp_path / "same", MAPS)
    score(truth, same, f"--output={tmp_path / 'run'}", "--label_resize=class_bicubic")
    assert set(scores_of(tmp_path / "run").values()) == {100.0}


def test_what_the_truth_leaves_out_does_not_count(
    predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """255 of the truth, in the part where the prediction is wrong; how much that is, is said."""
    wrong = {name: labels != worse(labels) for name, labels in MAPS.items()}
    ignored = {name: np.where(wrong[name], 255, labels) for name, labels in MAPS.items()}
    truth = write_maps(tmp_path / "ignored", {k: v.astype(np.uint8) for k, v in ignored.items()})
    score(truth, predict(), f"--output={tmp_path / 'run'}")
    assert scores_of(tmp_path / "run")["mean_f1", "mean", "native"] == 100.0
    pixels = sum(int(one.sum()) for one in wrong.values())
    assert f"note: {pixels} pixels of the label maps, 1" in capsys.readouterr().out


def test_classes_that_no_label_map_has_are_named(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the classes are those of another set, of which there are more."""
    score(truth, predict(), classes="celebamask_hq")
    assert f"no label map has a pixel of {', '.join(CELEBAMASK_HQ[11:])}" in capsys.readouterr().out


def test_the_table_says_which_paper_has_which_row_and_how_far_they_are_apart(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    score(truth, predict(), f"--output={tmp_path / 'run'}")
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("mean F1 "))
    percents = [float(value) for value in line.split()[2:6]]
    assert percents[3] == pytest.approx(max(percents[:3]) - min(percents[:3]), abs=0.011)
    assert "FP-LIIF Table 1 (256, 512)" in line and "FaRL (native)" in line
    own = scores_of(tmp_path / "run")
    called_f1 = [
        value
        for (metric, name, _), value in own.items()
        if metric not in ("f1", "miou", "miou_with_background")
        and name not in ("eyes", "brows", "mouth")
    ]
    assert f"{max(called_f1) - min(called_f1):.2f} points apart on the same label maps" in text
    content = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    mean = next(one for one in content["scores"] if one["metric"] == "mean_f1")
    assert mean["percent"]["native"] == own["mean_f1", "mean", "native"]


# ------------------------------------------------------------------------------- files and names


def test_names_with_a_suffix_and_other_zeros_are_matched_and_said(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    score(truth, predict(name="{}_labels.png"), f"--output={tmp_path / 'run'}")
    assert "predictions are called NAME_labels.png" in capsys.readouterr().out
    padded = write_maps(tmp_path / "padded", {f"face_00{n}": MAPS[f"face_{n}"] for n in range(6)})
    score(truth, padded)
    assert "face_000.png is of face_0.png" in capsys.readouterr().out


def test_an_ambiguous_match_is_refused(truth: pathlib.Path, tmp_path: pathlib.Path) -> None:
    maps = {f"face_00{n}": labels for n, labels in enumerate(MAPS.values())}
    padded = write_maps(tmp_path / "padded", maps | {"face_0001": MAPS["face_1"]})
    assert "can both be meant by 'face_1'" in refused(truth, padded)


def test_missing_and_extra_predictions_are_named(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = predict()
    (folder / "face_3.png").rename(folder / "nobody.png")
    text = refused(truth, folder)
    assert "of 6 label maps 1 has no prediction, the first face_3" in text
    score(truth, folder, "--missing=skip")
    text = capsys.readouterr().out
    assert "5 label maps of lapa" in text and "the first nobody.png" in text


def test_another_split_is_named(truth: pathlib.Path, tmp_path: pathlib.Path) -> None:
    other = write_maps(tmp_path / "other", {"person_1": MAPS["face_0"]})
    assert "no prediction has the name of a label map" in refused(truth, other)


def test_other_sizes_are_said_and_scored(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    twice = predict(lambda labels: labels.repeat(2, 0).repeat(2, 1))
    score(truth, twice, f"--output={tmp_path / 'run'}")
    text = capsys.readouterr().out
    assert (
        "height x width: 48 x 40 for 24 x 20" in text
        and "nearest neighbour" in text
        and "squeezed" not in text
    )
    same = by_formulas([(labels, worse(labels)) for labels in MAPS.values()])
    own = scores_of(tmp_path / "run")["mean_f1", "mean", "native"]
    assert own == pytest.approx(same["mean_f1", "mean"], abs=1e-9)
    score(truth, predict(lambda labels: at(labels, 16), folder="square"))
    assert "taken for squeezed" in capsys.readouterr().out


def test_files_that_are_no_label_maps_are_refused(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    folder = predict()
    target = folder / "face_0.png"
    photo = np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    for write, reason in (
        (lambda: target.write_bytes(b""), "the file is empty"),
        (lambda: target.write_bytes(b"\x80\x04pickle"), "not a PNG"),
        (lambda: Image.fromarray(photo).save(target, format="JPEG"), "JPEG"),
        (lambda: Image.fromarray(photo).save(target), "list them in --prediction_classes=FILE"),
        (lambda: Image.fromarray(photo[..., 0].astype(np.uint16)).save(target), "16 bits"),
    ):
        write()
        text = refused(truth, folder)
        assert "face_0.png" in text and reason in text, text
    target.unlink()
    target.symlink_to("/dev/zero")
    assert "not a file but a device" in refused(truth, folder)


# ------------------------------------------------------------------------------- classes


def test_a_table_maps_their_ids_to_ours(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    """Names and ids of ours, in their order; by id, by colour and in a palette."""
    order = np.random.default_rng(3).permutation(11)  # our class by their id
    theirs = np.argsort(order).astype(np.uint8)
    listed = [LAPA_AND_HELEN[c] if c % 2 else str(c) for c in order]
    table = tmp_path / "table.txt"
    table.write_text("\n".join(listed), encoding="utf-8")
    score(truth, predict(), f"--output={tmp_path / 'ours'}")
    option = f"--prediction_classes={table}"
    score(truth, predict(lambda p: theirs[p], "ids"), option, f"--output={tmp_path / 'a'}")
    colours = np.random.default_rng(4).permutation(256)[:33].reshape(11, 3).astype(np.uint8)
    coloured = [f"{c} #{bytes(rgb).hex()}" for c, rgb in zip(listed, colours.tolist(), strict=True)]
    table.write_text("\n".join(coloured), encoding="utf-8")
    painted = predict(lambda p: colours[theirs[p]], "colours")
    score(truth, painted, option, f"--output={tmp_path / 'b'}")
    own_colours = predict(lambda p: class_colours(LAPA_AND_HELEN)[p], "own_colours")
    score(truth, own_colours, f"--output={tmp_path / 'c'}")
    palette = tmp_path / "palette"
    palette.mkdir()
    for name, labels in MAPS.items():
        palette_image(worse(labels), LAPA_AND_HELEN).save(palette / f"{name}.png")
    score(truth, palette, f"--output={tmp_path / 'd'}")
    for folder in "abcd":
        assert scores_of(tmp_path / folder) == scores_of(tmp_path / "ours"), folder


@pytest.mark.parametrize(
    "lines, reason",
    [
        (("skin", "nostril"), "line 2: 'nostril' is none of our classes 0 to 10"),
        (("skin", "", "nose"), "line 2 is blank"),
        (("skin #cc0000", "nose"), "line 2: expected a class"),
        (("skin #cc0000", "nose #cc0000"), "is the colour of line 1 already"),
        (("ignore",), "'ignore' is none of our classes"),
        (("99",), "'99' is none of our classes"),
    ],
)
def test_mistakes_in_a_table_are_named(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    lines: Sequence[str],
    reason: str,
) -> None:
    table = tmp_path / "table.txt"
    table.write_text("\n".join(lines), encoding="utf-8")
    assert reason in refused(truth, predict(), f"--prediction_classes={table}")


def test_ids_outside_of_the_classes_are_named_with_what_to_do(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path]
) -> None:
    text = refused(truth, predict(lambda labels: labels + 1, "from_1"))
    assert "the id 11" in text and "counted from 1" in text
    text = refused(truth, predict(lambda labels: np.where(labels == 3, 40, labels), "other"))
    assert "the id 40" in text and "--prediction_classes=FILE" in text
    text = refused(truth, predict(lambda labels: np.uint8(255) * (labels == 10), "mask"))
    assert "a mask of one class" in text


# ------------------------------------------------------------------------------- suspicions


MIRRORED = np.array(mirrored_classes(LAPA_AND_HELEN), np.uint8)
ORDER = np.array([0, 6, 2, 3, 10, 5, 1, 7, 8, 9, 4], np.uint8)  # of an inverse that it is itself


@pytest.mark.parametrize(
    "change, name",
    [
        (lambda p: p[:, ::-1], "the pictures seem to be mirrored"),
        (lambda p: MIRRORED[p], "left and right classes seem to be exchanged"),
        (lambda p: MIRRORED[p[:, ::-1]], "seem to be of mirrored photos"),
        (lambda p: p[::-1], "upside down"),
        (lambda p: (p + np.uint8(1)) % 11, "counted from 1"),
        (lambda p: (p + np.uint8(10)) % 11, "lack the background"),
        (lambda p: ORDER[p], "another order (1 is nose, 4 is hair, 6 is skin, 10 is left_eye"),
        (lambda p: np.roll(p, 2, 1), "shifted by 2 pixels to the right"),
        (lambda p: np.roll(p, -1, 0), "shifted by 1 pixel up"),
        (lambda p: np.zeros_like(p), "one class alone, background"),
    ],
)
def test_what_looks_like_a_mistake_is_named_and_not_corrected(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    change: Change,
    name: str,
) -> None:
    score(truth, predict(change), f"--output={tmp_path / 'run'}")
    text = capsys.readouterr().out
    warnings = [line for line in text.splitlines() if line.startswith("WARNING: ")]
    assert len(warnings) == 1 and name in warnings[0], text
    pairs = [(labels, change(worse(labels)).astype(np.uint8)) for labels in MAPS.values()]
    own = scores_of(tmp_path / "run")["group_f1", "eyes", "native"]
    assert own == pytest.approx(np.nan_to_num(by_formulas(pairs)["group_f1", "eyes"]), abs=1e-9)


@pytest.mark.parametrize(
    "change, name",
    [
        (lambda p: p.T, "rows and columns seem to be exchanged"),
        (np.rot90, "turned by 90° to the left"),
        (lambda p: np.rot90(p, -1), "turned by 90° to the right"),
    ],
)
@pytest.mark.parametrize(
    "width", [20, 24]
)  # of 24 rows: with sides exchanged it has another shape, or the same
def test_pictures_that_lie_on_their_side_are_named(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    change: Change,
    name: str,
    width: int,
) -> None:
    maps = {key: np.pad(labels, ((0, 0), (0, width - 20))) for key, labels in MAPS.items()}
    lying = {key: change(worse(labels)) for key, labels in maps.items()}
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", lying))
    warnings = [line for line in capsys.readouterr().out.splitlines() if "WARNING: " in line]
    assert len(warnings) == 1 and name in warnings[0]


def test_nothing_is_suspected_of_an_honest_prediction(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    score(truth, predict())
    assert "WARNING" not in capsys.readouterr().out


def test_the_truth_itself_is_recognised(
    truth: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score(truth, truth)
    assert "are the true label maps themselves" in capsys.readouterr().out


def scattered(count: int) -> dict[str, np.ndarray]:
    """Faces elsewhere in every image, on 48 by 40 pixels."""
    draws = np.random.default_rng(3)
    maps = {}
    for index in range(count):
        row, column = draws.integers(0, (24, 20))
        maps[f"face_{index}"] = np.pad(made_map(index), ((row, 24 - row), (column, 20 - column)))
    return maps


@pytest.mark.parametrize("count", [4, 90])  # fewer and more than are taken for a sample
def test_predictions_under_the_names_of_others_are_named(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    maps = scattered(count)
    theirs = {name: worse(labels) for name, labels in maps.items()}
    a, b, c = "face_0", "face_2", "face_3"
    theirs |= {a: theirs[b], b: theirs[c], c: theirs[a]}
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    (text,) = (line for line in capsys.readouterr().out.splitlines() if "WARNING: " in line)
    pairs = ((a, b), (b, c), (c, a))
    assert ", ".join(f"{one}.png fits {other}.png" for one, other in pairs) + "," in text


@pytest.mark.parametrize("count", [10, 40])
def test_predictions_of_another_split_under_the_names_of_the_truth_are_told_from_shuffled_ones(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    maps = list(scattered(2 * count).values())
    names = [f"face_{index}" for index in range(count)]
    truth = write_maps(tmp_path / "truth", dict(zip(names, maps, strict=False)))
    others = [worse(labels) for labels in maps[count:]]
    score(truth, write_maps(tmp_path / "others", dict(zip(names, others, strict=True))))
    (warning,) = printed(capsys, "WARNING: ")
    assert "no better than those of other images" in warning and "of another split" in warning
    moved = [worse(labels) for labels in np.roll(maps[:count], 3, axis=0)]
    score(truth, write_maps(tmp_path / "moved", dict(zip(names, moved, strict=True))))
    (warning,) = printed(capsys, "WARNING: ")
    assert "under the names of other images, all names shuffled: face_0.png fits " in warning


def test_predictions_that_tell_nothing_of_their_images_are_not_only_taken_for_those_of_others(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that has hardly been trained labels every face alike, but for noise."""
    maps, rng = scattered(12), np.random.default_rng(0)
    always = np.pad(made_map(0), ((12, 12), (10, 10)))
    theirs = {
        name: np.where(rng.random(always.shape) < 0.1, 1, always).astype(np.uint8) for name in maps
    }
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    (warning,) = printed(capsys, "WARNING: ")
    assert "of another split, or hardly to depend on the image" in warning


@pytest.mark.parametrize("change", [lambda _: made_map(0), lambda p: np.where(p > 0, 1, 0)])
def test_poor_predictions_are_not_taken_for_those_of_another_split(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], change: Change
) -> None:
    maps = {f"face_{index}": made_map(index) for index in range(12)}
    theirs = {name: change(labels).astype(np.uint8) for name, labels in maps.items()}
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    assert "another split" not in capsys.readouterr().out


def test_bad_predictions_are_not_taken_for_those_of_other_images(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = scattered(30)
    theirs = {name: worse(labels) for name, labels in maps.items()}
    theirs["face_4"] = np.zeros_like(theirs["face_4"])  # fits best where most is background
    theirs["face_7"] = np.where(theirs["face_7"] > 0, 1, 0).astype(np.uint8)
    theirs["face_9"] = np.roll(theirs["face_9"], 12, 1)  # another's place, and nobody's
    theirs["face_12"] = worse(theirs["face_13"])  # nearest to a face that has a better one
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    assert "WARNING" not in capsys.readouterr().out


def printed(capsys: pytest.CaptureFixture[str], start: str) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(start)]


def test_mistakes_of_a_few_files_are_named_with_these_files(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = {f"face_{index}": made_map(index) for index in range(9)}
    theirs = {name: worse(labels) for name, labels in maps.items()}
    for name in ("face_1", "face_4"):
        theirs[name] = theirs[name][:, ::-1]
    theirs["face_2"] = np.roll(theirs["face_2"], 2, 1)
    theirs["face_7"] = np.zeros_like(theirs["face_7"])  # bad, and no change makes it right
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    (warning,) = printed(capsys, "WARNING: ")
    assert (
        ": face_1.png, face_4.png: the pictures seem to be mirrored; "
        "face_2.png: the predictions seem to be shifted by 2 pixels to the right. Nothing"
    ) in warning


def test_a_file_that_is_mirrored_is_told_from_those_under_the_names_of_others(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = scattered(30)
    theirs = {name: worse(labels) for name, labels in maps.items()}
    theirs |= {"face_0": theirs["face_2"], "face_2": theirs["face_0"]}
    theirs["face_5"] = theirs["face_5"][:, ::-1]
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    alone, exchanged = printed(capsys, "WARNING: ")
    assert "by one: face_5.png: the pictures seem to be mirrored. " in alone
    assert "face_0.png fits face_2.png, face_2.png fits face_0.png, far" in exchanged


def test_no_more_than_20_files_are_tried_one_by_one(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = {f"face_{index:02}": made_map(index) for index in range(60)}
    theirs = {
        name: worse(labels)[:, ::-1] if index % 5 in (1, 3) else worse(labels)
        for index, (name, labels) in enumerate(maps.items())
    }
    score(write_maps(tmp_path / "truth", maps), write_maps(tmp_path / "theirs", theirs))
    (warning,) = printed(capsys, "WARNING: ")
    assert "mirrored" in warning and warning.count(".png") == 20


def test_the_three_lowest_are_always_named(
    truth: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = {name: worse(labels) for name, labels in MAPS.items()}
    theirs["face_3"] = np.where(theirs["face_3"] > 1, 1, 0).astype(np.uint8)
    score(truth, write_maps(tmp_path / "theirs", theirs))
    own = {
        name: by_formulas([(labels, theirs[name])])["mean_f1", "mean"]
        for name, labels in MAPS.items()
    }
    lowest = sorted(own, key=own.__getitem__)
    assert lowest[0] == "face_3"
    named = ", ".join(f"{name}.png {own[name]:.2f}" for name in lowest[:3])
    (line,) = printed(capsys, "Lowest ")
    assert line.endswith(f"native: {named}; median {np.median(list(own.values())):.2f}.")


# ------------------------------------------------------------------------------- beside runs


def test_the_report_reads_what_it_leaves_over_seeds(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    flipped = np.random.default_rng(5)
    for seed in range(3):
        maps = predict(
            lambda p: np.where(flipped.random(p.shape) < 0.05, 0, p).astype(np.uint8), f"s{seed}"
        )
        folder = tmp_path / "runs" / "theirs" / f"seed{seed}"
        score(truth, maps, f"--output={folder}", f"--seed={seed}", "--system=Theirs")
    runs = read_runs(tmp_path / "runs")
    assert [(run.status, run.problem) for run in runs] == [("finished", None)] * 3
    study, _ = analyse(tmp_path / "runs")
    (group,) = study.groups
    values = group.main_score.statistics.values
    assert values == {
        seed: pytest.approx(
            scores_of(tmp_path / f"runs/theirs/seed{seed}")["mean_f1", "mean", "native"]
        )
        for seed in range(3)
    }
    assert group.main_score.statistics.image_interval is not None
    assert group.reasons == ["of another system's label maps nothing but these is known"]
    assert not group.comparable and group.parameters is None
    assert study.title == "Reproducibility study: Theirs, lapa"


def test_two_systems_are_compared_image_by_image(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    score(truth, predict(folder="first"), f"--output={tmp_path / 'first_run'}")
    draws = np.random.default_rng(6)
    worse_still = predict(
        lambda p: np.where(draws.random(p.shape) < 0.4, 0, p).astype(np.uint8), folder="second"
    )
    capsys.readouterr()
    score(
        truth,
        worse_still,
        f"--against={tmp_path / 'first_run'}",
        f"--output={tmp_path / 'second_run'}",
    )
    first, second = (scores_of(tmp_path / name) for name in ("first_run", "second_run"))
    content = json.loads((tmp_path / "second_run" / "scores.json").read_text(encoding="utf-8"))
    by_protocol = {one["protocol"]: one for one in content["differences"]}
    assert by_protocol.keys() == {"native", "256", "512"}
    for protocol, one in by_protocol.items():
        key = ("mean_f1", "mean", protocol)
        assert one["difference"] == pytest.approx(second[key] - first[key], abs=1e-9)
        assert one["low"] < one["difference"] < one["high"] < 0  # background costs in every image
        assert one["same_truth"]
    assert "second less first_run (given) at native" in capsys.readouterr().out


def test_a_single_image_is_compared_without_an_interval(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = predict(folder="first"), predict(lambda p: np.zeros_like(p), folder="second")
    for folder in (truth, *folders):
        for path in sorted(folder.iterdir())[1:]:
            path.unlink()
    score(truth, folders[0], f"--output={tmp_path / 'first_run'}")
    capsys.readouterr()
    against = f"--against={tmp_path / 'first_run'}"
    score(truth, folders[1], against, f"--output={tmp_path / 'second_run'}")
    out = capsys.readouterr().out
    assert " points on a single image, which has no interval over images." in out
    assert "95 %" not in out
    content = json.loads((tmp_path / "second_run" / "scores.json").read_text(encoding="utf-8"))
    for one in content["differences"]:
        assert (one["low"], one["high"]) == (None, None) and one["difference"] < 0


@pytest.mark.usefixtures("quick")
def test_the_report_compares_groups_on_the_same_images(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    draws = np.random.default_rng(7)
    for system in ("one", "two"):
        maps = predict(
            lambda p: np.where(draws.random(p.shape) < 0.2, 0, p).astype(np.uint8), system
        )
        score(truth, maps, f"--output={tmp_path / 'runs' / system}")
    study, _ = analyse(tmp_path / "runs")
    table = next(table for table in study.tables if table.identifier == "images")
    assert {one.n for one in table.comparisons} == {len(MAPS)}
    one, two = (scores_of(tmp_path / "runs" / name) for name in ("one", "two"))
    for comparison in table.comparisons:
        key = ("mean_f1", "mean", comparison.a.rpartition(", ")[2])
        assert comparison.difference == pytest.approx(one[key] - two[key], abs=1e-9)
        assert comparison.interval[0] < comparison.difference < comparison.interval[1]
    assert len(table.comparisons) == 3
    # One that was scored on other label maps of the same names is in none.
    other = write_maps(tmp_path / "other", {name: MAPS["face_0"] for name in MAPS})
    score(other, tmp_path / "two", f"--output={tmp_path / 'runs' / 'three'}")
    # A run of ours on other images stands beside them, and in no comparison of images.
    made_runs.write_run(tmp_path / "runs" / "seed0", made_runs.config_of(), {"256": 90.0})
    with_ours, _ = analyse(tmp_path / "runs")
    assert len(with_ours.groups) == 4
    same = next(table for table in with_ours.tables if table.identifier == "images")
    assert len(same.comparisons) == 3
    write_report(with_ours, {}, tmp_path / "report", photos=False)
    report = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "paired bootstrap over images, n = 6" in report


def test_a_run_of_ours_is_compared_with_another_system_image_by_image(
    tmp_path: pathlib.Path,
) -> None:
    """Ours is given the matrices of the better one of two, so that its score is known."""
    maps = {f"test face {index}": labels for index, labels in enumerate(MAPS.values())}
    truth = write_maps(tmp_path / "truth", maps)
    for name, change in (("good", worse), ("bad", lambda labels: worse(worse(labels)))):
        predictions = write_maps(tmp_path / name, {k: change(v) for k, v in maps.items()})
        score(truth, predictions, f"--output={tmp_path / 'runs' / name}")
    good = tmp_path / "runs" / "good"
    with np.load(good / "evaluations" / "test-given-256.npz") as arrays:
        matrices = arrays["confusion_matrices"]
    ours = made_runs.write_run(tmp_path / "runs" / "seed0", made_runs.config_of(), {"256": 90.0})
    counted = {("test", "best", "256"): matrices}
    content = json.loads((ours / "results.json").read_text(encoding="utf-8"))
    content["evaluations"] = made_runs.write_evaluations(ours, counted, LAPA_AND_HELEN)
    (ours / "results.json").write_text(json.dumps(content), encoding="utf-8")
    shutil.rmtree(good)
    study, _ = analyse(tmp_path / "runs")
    (comparison,) = next(t for t in study.tables if t.identifier == "images").comparisons
    bad = scores_of(tmp_path / "runs" / "bad")["mean_f1", "mean", "256"]
    own = 100 * metrics.mean_f1(matrices.sum(axis=0))
    sign = 1 if comparison.a.startswith("bad") else -1
    assert comparison.difference == pytest.approx(sign * (bad - own), abs=1e-9)
    assert comparison.n == len(maps)


def test_the_folder_of_a_run_is_not_written_over(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    folder = predict()
    made_runs.write_run(tmp_path / "runs" / "seed0", made_runs.config_of(), {"256": 90.0})
    for output in (tmp_path / "runs" / "seed0", tmp_path / "runs", tmp_path):
        assert "is a run there;" in refused(truth, folder, f"--output={output}")
    for _ in range(2):  # its own may be
        score(truth, folder, f"--output={tmp_path / 'scored'}")
    for other in ("--system=another", "--seed=3"):
        assert "the scores there are of" in refused(
            truth, folder, f"--output={tmp_path / 'scored'}", other
        )
    assert "is --predictions" in refused(truth, folder, f"--output={folder}")
    assert "is --truth" in refused(truth, folder, f"--output={truth}")
    (tmp_path / "file").touch()
    told = refused(truth, folder, f"--output={tmp_path / 'file'}")
    assert told.startswith(f"error: --output={tmp_path / 'file'}: {tmp_path / 'file'} is a file")


def test_a_folder_is_looked_into_for_runs_as_deep_as_studies_are(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking through all that is below / took minutes."""
    predictions, output = predict(), tmp_path / "home"
    (output / "a" / "b" / "c" / "d").mkdir(parents=True)
    (output / "a" / "b" / "c" / "d" / "config.json").touch()
    scandir = os.scandir

    def refuse(folder: pathlib.Path) -> Any:
        if folder.name == "c":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        told = refused(truth, predictions, f"--output={output}")
    assert "a/b/c is a run there (the folder cannot be read: Permission denied)" in told
    score(truth, predictions, f"--output={output}")
    assert (output / "results.json").exists()


def test_what_is_cut_off_over_an_earlier_score_does_not_look_finished(
    truth: pathlib.Path,
    predict: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictions, option = predict(), f"--output={tmp_path / 'run'}"
    score(truth, predictions, option)
    assert (tmp_path / "run" / "results.json").exists()

    def cut_off(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "_write_tables", cut_off)
    with pytest.raises(SystemExit):
        score(truth, predictions, option)
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_run_on_other_images_is_not_compared(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    folder = predict()
    score(truth, folder, f"--output={tmp_path / 'run'}")
    (folder / "face_5.png").unlink()
    text = refused(truth, folder, f"--against={tmp_path / 'run'}", "--missing=skip")
    assert "evaluated on other images" in text


def test_a_run_to_compare_with_is_looked_for_before_anything_is_read(
    tmp_path: pathlib.Path,
) -> None:
    text = refused(tmp_path / "none", tmp_path / "none", f"--against={tmp_path / 'missing'}")
    assert "missing is not a folder" in text


def test_files_of_such_a_run_that_contradict_each_other_are_refused(
    truth: pathlib.Path, predict: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    score(truth, predict(), f"--output={tmp_path / 'run'}")
    path = tmp_path / "run" / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for change, reason in (
        ({"framework": "jax"}, "model and framework"),
        ({"parameters": "many"}, "parameters: expected `int"),
    ):
        path.write_text(json.dumps(content | change), encoding="utf-8")
        (run,) = read_runs(tmp_path / "run")
        assert run.status == "broken" and reason in run.problem
