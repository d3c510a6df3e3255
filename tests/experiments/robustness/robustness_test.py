"""Tests of experiments/robustness: what hides parts, and the statistics; a tiny untrained STN-iCNN on drawn faces."""

import json
import pathlib
import re
import time
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import tiny_icnn_run
import tiny_run
from PIL import Image
from scipy import ndimage

from fpliif_jax import systems
from fpliif_jax.data_builders import class_names, synthetic_faces
from fpliif_jax.experiments.robustness import __main__, hiding, measure, sheet
from fpliif_jax.experiments.robustness.statistics import Average, Findings, Statistics
from fpliif_jax.run_folder import inference_checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stn_icnn import theta_forms


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def ellipse(height: int, width: int, y: float, x: float, a: float, b: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1


def nothing(region: np.ndarray) -> np.ndarray:
    return np.zeros_like(region)


def border_of(region: np.ndarray) -> np.ndarray:
    return ndimage.binary_dilation(region) & ~region


@pytest.mark.parametrize("place", [(20, 33, 9, 14), (0, 0, 7, 9), (20, 59, 30, 4)])
def test_only_the_region_changes_and_to_colours_of_its_border(place: tuple[int, ...]) -> None:
    image, region = noise(41, 60), ellipse(41, 60, *place)
    filled = hiding.fill_from_border(image, region, nothing(region))
    np.testing.assert_array_equal(filled[~region], image[~region])
    border = image[border_of(region)]
    assert (filled[region] >= border.min(axis=0)).all()
    assert (filled[region] <= border.max(axis=0)).all()
    assert (filled[region] != image[region]).mean() > 0.9
    assert filled.dtype == np.uint8 and filled is not image
    np.testing.assert_array_equal(image, noise(41, 60))  # the argument is left alone
    np.testing.assert_array_equal(filled, hiding.fill_from_border(image, region, nothing(region)))


def test_the_fill_solves_laplaces_equation() -> None:
    """Against SciPy's sparse solver: coarse scales round the region's outline by some percent of the range."""
    rows, columns = np.mgrid[:50, :70]
    waves = [np.sin(rows / 9 + k) * np.cos(columns / 7 - k) for k in range(3)]
    image = np.rint(127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)
    region = ellipse(50, 70, 24, 33, 14, 25)
    index = np.full(region.shape, -1)
    index[region] = np.arange(region.sum())
    matrix = scipy.sparse.lil_matrix((region.sum(), region.sum()))
    right = np.zeros((region.sum(), 3))
    for y, x in zip(*np.nonzero(region), strict=True):
        matrix[index[y, x], index[y, x]] = 4
        for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if region[near]:
                matrix[index[y, x], index[near]] = -1
            else:
                right[index[y, x]] += image[near]
    exact = scipy.sparse.linalg.spsolve(matrix.tocsc(), right)
    filled = hiding.fill_from_border(image, region, nothing(region))
    error = np.abs(filled[region] - exact) / np.ptp(image)
    assert error.max() <= 0.04 and error.mean() <= 0.01


def test_a_barrier_lends_no_colour() -> None:
    image = np.full((30, 40, 3), 90, np.uint8)
    region, barrier = ellipse(30, 40, 15, 15, 6, 8), np.zeros((30, 40), bool)
    barrier[:, 20:] = True
    region &= ~barrier
    image[barrier] = 250
    filled = hiding.fill_from_border(image, region, barrier)
    assert (filled[region] == 90).all()


def test_what_no_background_touches_stays() -> None:
    image = noise(9, 9)
    everything = np.ones((9, 9), bool)
    for region, barrier in (
        (everything, ~everything),
        (~everything, ~everything),
        (ellipse(9, 9, 4, 4, 2, 2), ~ellipse(9, 9, 4, 4, 2, 2)),
    ):
        np.testing.assert_array_equal(hiding.fill_from_border(image, region, barrier), image)


def test_the_region_is_the_dilated_part_without_the_other_parts() -> None:
    labels = np.zeros((30, 30), np.uint8)
    labels[10:14, 8:20] = 6
    labels[14:16, 9:19] = 7
    labels[16:20, 8:20] = 8
    labels[6:9, 12:15] = 5
    region = hiding.part_region(labels, (6, 7, 8), margin=3)
    mouth = np.isin(labels, (6, 7, 8))
    wanted = ndimage.binary_dilation(mouth, np.ones((7, 7), bool)) & (labels != 5)
    np.testing.assert_array_equal(region, wanted)
    np.testing.assert_array_equal(hiding.part_region(labels, (6, 7, 8), 0), mouth)
    assert not hiding.part_region(labels, (1,), 3).any()


def test_padding_lends_no_colour_to_a_hidden_part() -> None:
    image, labels = np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.uint8)
    image[5:15] = 200  # the picture: 10 × 20
    labels[5:8, 4:9] = 1
    image[labels == 1] = 10
    variants = measure.hide_each_part(image, labels, (10, 20), margin=1)
    assert variants.shape == (7, 20, 20, 3)
    assert (variants[1, 5:15] == 200).all() and (variants[1, :5] == 0).all()
    for untouched in (variants[0], *variants[2:]):
        np.testing.assert_array_equal(untouched, image)


def test_measures_by_hand() -> None:
    """Two images; the second has a brow alone, which K finds with nothing hidden and loses when hidden."""
    present = np.zeros((2, 6), bool)
    present[0, [0, 4]] = present[1, 0] = True
    true = np.zeros((2, 6, 2), np.float32)
    true[:, 0] = (10, 10)
    true[:, 4] = (30, 10)
    boxes = np.zeros((2, 6, 4), np.int32)
    boxes[:, 0] = (8, 6, 12, 14)
    boxes[:, 4] = (20, 8, 40, 12)
    kept = np.ones((2, 7, 6), bool)
    kept[1, 1, 0] = False
    still = np.repeat(true[:, None], 7, axis=1)
    centroid = still.copy()
    centroid[1, 1, 0] += (3, 4)  # 5 pixels away, out of the box
    centroid[0, 1, 4] += (0, 2)  # the nose's window moves when the brow is hidden
    centroid[0, 5, 5] += 100  # a part that the image does not have
    found = Statistics.of(
        Findings(present, true, boxes, kept, {"stn": still, "centroid": centroid})
    )
    overall = found.overall
    assert (overall.hidden, overall.lost_before, overall.lost) == (3, 0, 1)
    assert overall.stn.distance_after == Average(mean=0, median=0, n=3)
    assert overall.centroid.distance_before.mean == 0
    assert overall.centroid.distance_after.mean == pytest.approx(5 / 3)
    assert overall.centroid.moved.median == 0
    assert overall.centroid.inside_before == 1
    assert overall.centroid.inside_after == pytest.approx(2 / 3)
    assert overall.centroid.others_moved == Average(mean=1, median=1, n=2)
    lost = found.when_lost
    assert lost.hidden == lost.lost == 1 and lost.stn.inside_after == 1
    assert lost.centroid.distance_after.mean == 5
    assert found.parts["brow1"].hidden == 2 and found.parts["nose"].hidden == 1
    absent = found.parts["mouth"]
    assert absent.hidden == 0 and absent.stn.inside_after is None
    assert absent.stn.moved == Average(mean=None, median=None, n=0)
    assert "–" in found.as_text()


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A raw Helen download with four test faces of 48²."""
    folder = tmp_path_factory.mktemp("helen") / "raw"
    counts = {"num_train": 1, "num_val": 1, "num_test": 4}
    synthetic_faces.write_dataset("helen", folder, **counts, image_size=48, seed=0, num_workers=1)
    return folder


def untrained(config: ml_collections.ConfigDict) -> InferenceCheckpoint:
    model = create_model(config.model)
    shapes = systems.of(config).network.input_shapes(config.model, config.data.image_size)
    random = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: np.abs(random.normal(scale=0.1, size=leaf.shape)).astype(leaf.dtype),
        jax.eval_shape(model.init, jax.random.key(0), *shapes),
    )
    return InferenceCheckpoint(config, variables, class_names.FACIAL_PARTS, 7, "0" * 64)


def test_the_command_writes_numbers_and_a_picture(
    faces: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = untrained(tiny_icnn_run.tiny_icnn_config())
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained)

    def run(output: str, *arguments: str) -> dict[str, Any]:
        data = [f"--manual_dir={faces}", f"--data_dir={tmp_path / 'prepared'}"]
        given = [f"--workdir={tmp_path}", f"--output={tmp_path / output}", *data, *arguments]
        __main__.main(given)
        folder = tmp_path / output
        assert sorted(path.name for path in folder.iterdir()) == [
            "robustness.json", "robustness.png",
        ]  # fmt: skip
        return json.loads((folder / "robustness.json").read_text())

    found = run("first", "--num_pictures=2")
    assert (found["images"], found["step"], found["split"]) == (4, 7, "test")
    assert (found["checkpoint"], found["seed"], found["margin"]) == ("best", 0, 2)
    assert found["config"]["model"]["crop_size"] == 13
    assert found["dataset"]["trained_on"] == "0" * 64 != found["dataset"]["fingerprint"]
    assert 20 <= found["overall"]["hidden"] <= 24  # glasses can hide an eye
    for group in (found["overall"], *found["parts"].values()):
        assert group["stn"]["moved"]["n"] == group["centroid"]["moved"]["n"] == group["hidden"]
        assert 0 <= group["centroid"]["inside_after"] <= 1
        assert group["lost"] <= group["hidden"]
    assert sum(part["hidden"] for part in found["parts"].values()) == found["overall"]["hidden"]
    with Image.open(tmp_path / "first" / "robustness.png") as picture:
        assert picture.format == "PNG" and picture.width > 2 * 240
    out = capsys.readouterr().out
    assert "4 images of test" in out and "mouth" in out and "lost by K" in out

    fewer = run("fewer", "--num_images=2", "--num_pictures=9", "--seed=3", "--margin=0")
    assert (fewer["images"], fewer["seed"], fewer["margin"]) == (2, 3, 0)


def test_a_margin_beyond_the_picture_takes_no_longer_than_one_up_to_its_edge() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[3, 4], labels[10, 10] = 1, 2
    wanted = hiding.part_region(labels, (1,), 30)
    assert wanted.sum() == labels.size - 1
    started = time.process_time()
    assert (hiding.part_region(labels, (1,), 10**8) == wanted).all()
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, ["--num_images=-1"], "--num_images=-1"),
        ({}, ["--seed=-1"], "--seed=-1: must be 0 or more"),
        ({"cropper": "centroid"}, [], "model.cropper='centroid'"),
        (None, [], "model.name='fp_liif'"),
        ({}, ["--manual_dir=gone", "--data_dir=gone"], "gone"),
        ({}, ["--labels=facial_parts"], "--labels=facial_parts is for --dataset"),
        ({}, ["--weights=drawn_stn_icnn"], "--workdir and --weights are both given"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object] | None,
    arguments: list[str],
    message: str,
) -> None:
    config = tiny_run.tiny_config() if change is None else tiny_icnn_run.tiny_icnn_config()
    config = config.copy_and_resolve_references()
    config.model.update(change or {})
    names = class_names.FACIAL_PARTS
    trained = InferenceCheckpoint(config, {"params": {}}, names, 7, None)
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^error: .*{re.escape(message)}.*$"):
        __main__.main(["--workdir=run", *arguments])
    assert not (tmp_path / "run").exists()


def test_images_of_another_set_are_those_asked_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a run on drawn faces that is tested on photographs: their classes are made the model's, or refused."""
    counts = {"num_train": 1, "num_val": 3, "num_test": 1}
    raw = tmp_path / "raw"
    synthetic_faces.write_dataset("celebamask_hq", raw, **counts, image_size=48, num_workers=1)
    trained = untrained(tiny_icnn_run.tiny_icnn_config())
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained)
    given = [
        f"--workdir={tmp_path / 'run'}", "--split=validation", "--num_pictures=0",
        "--dataset=celebamask_hq", f"--manual_dir={raw}", f"--data_dir={tmp_path / 'prepared'}",
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="^error: celebamask_hq has the classes background, skin"):
        __main__.main(given)
    __main__.main([*given, "--labels=facial_parts"])
    results = json.loads((tmp_path / "run" / "robustness" / "robustness.json").read_text())
    assert (results["dataset"]["name"], results["images"]) == ("celebamask_hq", 3)
    assert results["config"]["data"]["name"] == "helen" and results["overall"]["hidden"] > 12


def test_an_earlier_run_with_the_other_sides_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_icnn_run.tiny_icnn_config().copy_and_resolve_references()
    config.data.name = "celebamask_hq"
    names = class_names.FACIAL_PARTS
    trained = InferenceCheckpoint(config, {"params": {}}, names, 7, None)
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained)
    with pytest.raises(SystemExit, match=f"^error: {re.escape(str(tmp_path))}: its left_….*$"):
        __main__.main([f"--workdir={tmp_path}"])


def test_a_folder_that_is_no_run_is_one_line_too(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="^error: .*gone.*$"):
        __main__.main([f"--workdir={tmp_path / 'gone'}"])


@pytest.mark.parametrize(("form", "beyond"), [("align_corners", 0), ("eq21_half_pixel", 0.5)])
def test_windows_are_drawn_where_the_crops_look(form: str, beyond: float) -> None:
    """From the centre of the first pixel to the centre of the last, or to their outer edges."""
    theta = theta_forms.theta_of_centres(jnp.asarray([[[10.0, 20.0]]]), 13, 64, form)
    corners = sheet._corners(np.asarray(theta)[0, 0], 64, form)
    expected = [(4 - beyond, 14 - beyond), (16 + beyond, 26 + beyond)]
    np.testing.assert_allclose(corners, expected, rtol=0, atol=1e-4)
