"""Tests of fpliif_jax/predict/label_photos.py: the command as a person runs it, with tiny untrained models."""

import dataclasses
import functools
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest
import untrained_models
from PIL import Image
from untrained_models import CANVAS, CLASS_NAMES, COARSE, PARTS

from fpliif_jax import systems
from fpliif_jax.data import resize
from fpliif_jax.data.canvas import place_on_canvas
from fpliif_jax.fields import config_fields
from fpliif_jax.pictures import label_maps
from fpliif_jax.predict import __main__, photos, result_files
from fpliif_jax.run_folder import inference_checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model, labeller
from fpliif_jax.systems.fp_liif.labeller import FPLIIFLabeller

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def trained() -> InferenceCheckpoint:
    return untrained_models.fp_liif_checkpoint()


def exit_code(arguments: list[str]) -> int:
    """What the command ends with; the line of an error is printed as at the end of a process."""
    try:
        return __main__.main(arguments)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        print(ended.code, file=sys.stderr)
        return 1


@pytest.fixture
def run(
    trained: InferenceCheckpoint,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs the command in an empty folder; returns its exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        inference_checkpoint,
        "load_for_inference",
        lambda *arguments: asked.append(arguments) or trained,
    )

    def run_command(*arguments: object) -> tuple[int, str, str]:
        texts = ["--workdir=run", *map(str, arguments)]
        if not any(text.startswith("--output_dir=") for text in texts):
            texts.append("--output_dir=out")
        code = exit_code(texts)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    run_command.asked = asked
    return run_command


def save_photo(path: pathlib.Path, height: int = 40, width: int = 30, seed: int = 0) -> None:
    """A photo of coloured blotches, so that an untrained model gives several classes."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(path)


def files_below(folder: pathlib.Path | str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    )


def expected_logits(
    trained: InferenceCheckpoint, path: pathlib.Path | str, size: tuple[int, int]
) -> np.ndarray:
    """float32 [*size, C], what the model says of a photo, written out step by step."""
    config = trained.config
    photo = np.asarray(Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    images = ((photo / 255 - mean) / deviation).astype(np.float32)[None]
    return np.asarray(apply(create_model(config.model), trained.variables, images, size))[0]


@functools.partial(jax.jit, static_argnums=(0, 3))
def apply(
    model: nn.Module, variables: dict[str, Any], images: np.ndarray, size: tuple[int, int]
) -> jax.Array:
    return model.apply(variables, images, output_size=size)


def check_labels(found: Image.Image, logits: np.ndarray) -> None:
    """Equal to the argmax, except where two classes tie to within rounding."""
    assert len(np.unique(logits.argmax(axis=-1))) >= 3  # the test would see a shift or a flip
    chosen = np.take_along_axis(logits, np.asarray(found)[..., None].astype(int), axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, logits.max(axis=-1), atol=1e-3 * np.abs(logits).max())


@pytest.mark.parametrize(
    ("flag", "size"),
    [("--output_size=48", (48, 48)), ("--output_size=20x51", (20, 51)), (None, (40, 30))],
)
def test_labels_are_the_models_at_any_output_size(
    run: Run,
    trained: InferenceCheckpoint,
    tmp_path: pathlib.Path,
    flag: str | None,
    size: tuple[int, int],
) -> None:
    save_photo(tmp_path / "photo.png")
    code, out, err = run(*filter(None, [flag]), "photo.png")
    assert code == 0, err
    assert run.asked == [("run", "best")]
    assert files_below("out") == ["photo_labels.png", "photo_overlay.jpg"]
    labels = Image.open("out/photo_labels.png")
    assert labels.mode == "P"
    check_labels(labels, expected_logits(trained, "photo.png", size))
    overlay = Image.open("out/photo_overlay.jpg")
    assert overlay.size == labels.size == size[::-1]
    # The overlay shows the photo itself, at the output's size, under the colours.
    photo = resize.resize_image(photos.read(tmp_path / "photo.png"), size)
    drawn = label_maps.overlay(photo, np.asarray(labels), CLASS_NAMES)
    assert np.abs(np.asarray(overlay).astype(int) - drawn).mean() < 12  # JPEG
    assert len(out.splitlines()) == 1 and "1 of 1 photos" in out and "step 7" in out


@pytest.mark.parametrize("size", ["0", "-1", "10x", "1x2x3", "nan", "1e9", "²", "9" * 5000])
def test_output_sizes_that_are_none_are_refused(
    run: Run, tmp_path: pathlib.Path, size: str
) -> None:
    save_photo(tmp_path / "photo.png")
    code, _, err = run(f"--output_size={size}", "photo.png")
    assert code == 1 and f"--output_size={size}: " in err and err.count("\n") == 1


def test_pieces_make_the_same_label_map_and_compile_once(
    trained: InferenceCheckpoint,
) -> None:
    labeller = FPLIIFLabeller(trained)
    inputs = {"images": np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)}
    for size in [(40, 50), (1, 7), (61, 43)]:  # of exactly 2 pieces, of 1, of 3
        whole = labeller.label(inputs, size)
        pieces = labeller.label_in_pieces(inputs, size)
        assert pieces.shape == whole.shape == (1, *size) and pieces.dtype == np.uint8
        assert (pieces != whole).mean() <= 2e-3  # ties within rounding
    assert labeller._label_queries._cache_size() == 1
    assert labeller._encode._cache_size() == 1


@pytest.mark.parametrize("system", ["trained", "trained_stn_icnn"])
def test_lowered_programs_are_those_that_label(system: str, request: pytest.FixtureRequest) -> None:
    """One after the other, each with what the last one gave, they make the same label map."""
    trained: InferenceCheckpoint = request.getfixturevalue(system)
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    side = trained.config.data.image_size
    photo = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    inputs = jax.tree.map(lambda leaf: leaf[None], labeller.network_input(photo))
    given = inputs["images"] if system == "trained" else inputs
    for lowered in labeller.lower(inputs, (side, side)).values():
        given = lowered.compile()(trained.variables, given)
    np.testing.assert_array_equal(given, labeller.label(inputs, (side, side)))


@pytest.mark.parametrize("system", ["trained", "trained_stn_icnn"])
@pytest.mark.parametrize("bicubic", config_fields.FIELDS["data.bicubic"].rule.values)
def test_photos_and_label_maps_are_resized_by_the_filter_of_the_run(
    bicubic: str,
    system: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = request.getfixturevalue(system)
    with trained.config.unlocked():
        config = trained.config.copy_and_resolve_references()
    config.data.bicubic = bicubic
    labeller = systems.of(config).inference.make_labeller(
        dataclasses.replace(trained, config=config)
    )
    photo = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    found = labeller.network_input(photo)
    if system == "trained":
        expected = resize.resize_image(photo, (32, 32), bicubic)
        np.testing.assert_array_equal(found["images"], expected)
        return
    expected, _ = place_on_canvas(photo, CANVAS, bicubic)
    np.testing.assert_array_equal(found["images"], expected)
    answer = np.random.default_rng(1).integers(0, len(PARTS), (CANVAS, CANVAS), dtype=np.uint8)
    monkeypatch.setattr(labeller, "_label_canvas", lambda *_: answer[None])
    inputs = {"images": found["images"][None], "image_sizes": np.array([[CANVAS, CANVAS]])}
    np.testing.assert_array_equal(
        labeller.label(inputs, (31, 62))[0],
        resize.resize_label_map(answer, (31, 62), len(PARTS), bicubic=bicubic),
    )


def test_the_unet_decoder_answers_too(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet = untrained_models.fp_liif_checkpoint(decoder="conv_unet", features=4)
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: unet)
    save_photo(tmp_path / "photo.png", 40, 30)
    assert run("photo.png")[0] == 0
    found = Image.open("out/photo_labels.png")
    check_labels(found, expected_logits(unet, "photo.png", (40, 30)))


def test_an_output_too_large_for_one_call_is_made_in_pieces(
    run: Run,
    trained: InferenceCheckpoint,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seed in range(3):
        save_photo(tmp_path / f"{seed}.png", seed=seed)
    bytes_of_one = 64 * 64 * len(CLASS_NAMES) * 4
    for budget in (bytes_of_one - 1, 2 * bytes_of_one):  # in pieces; two photos a call
        monkeypatch.setattr(labeller, "LOGITS_BYTES", budget)
        names = [f"{seed}.png" for seed in range(3)]
        assert run("--output_size=64", "--batch_size=8", *names)[0] == 0
        for seed in range(3):
            logits = expected_logits(trained, f"{seed}.png", (64, 64))
            check_labels(Image.open(f"out/{seed}_labels.png"), logits)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_do_not_mix_photos_up(
    run: Run, trained: InferenceCheckpoint, tmp_path: pathlib.Path, batch_size: int
) -> None:
    for seed in range(5):
        save_photo(tmp_path / "photos" / f"{seed}.png", 30 + seed, 30, seed)
    (tmp_path / "photos" / "1b.jpg").write_text("no photo")
    code, out, err = run("--output_size=20", f"--batch_size={batch_size}", "photos")
    assert code == 1 and "photos/1b.jpg: not a picture" in err
    assert "5 of 6 photos" in out and "1 passed over" in out
    for seed in range(5):
        logits = expected_logits(trained, f"photos/{seed}.png", (20, 20))
        check_labels(Image.open(f"out/{seed}_labels.png"), logits)


@pytest.fixture(scope="module")
def trained_stn_icnn() -> InferenceCheckpoint:
    return untrained_models.stn_icnn_checkpoint()


def expected_stn_icnn_labels(
    trained: InferenceCheckpoint, path: pathlib.Path | str, size: tuple[int, int]
) -> np.ndarray:
    """uint8 [*size], what the model says of a photo, written out step by step."""
    photo = Image.open(path).convert("RGB")
    if max(photo.size) > CANVAS:
        scale = CANVAS / max(photo.size)
        width, height = (int(side * scale + 0.5) for side in photo.size)
        photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    picture = np.asarray(photo, np.float32) / 255
    top, left = (CANVAS - picture.shape[0]) // 2, (CANVAS - picture.shape[1]) // 2
    window = np.s_[top : top + picture.shape[0], left : left + picture.shape[1]]
    canvas = np.zeros((1, CANVAS, CANVAS, 3), np.float32)
    canvas[0][window] = picture
    squeezed = jax.image.resize(picture, (COARSE, COARSE, 3), "linear", antialias=False)[None]
    found = apply_stn_icnn(create_model(trained.config.model), trained.variables, squeezed, canvas)
    labels = np.asarray(found).argmax(axis=-1)[0][window].astype(np.uint8)
    assert len(np.unique(labels)) >= 4  # the test would see a shift or a flip
    return resize.resize_label_map(labels, size, len(PARTS))


@functools.partial(jax.jit, static_argnums=0)
def apply_stn_icnn(
    model: nn.Module, variables: dict[str, Any], squeezed: jax.Array, canvas: np.ndarray
) -> jax.Array:
    return model.apply(variables, squeezed, canvas)["label_probabilities"]


def check_label_map(path: pathlib.Path | str, expected: np.ndarray) -> None:
    """Equal but for pixels on the borders of classes, where rounding decides."""
    found = np.asarray(Image.open(path))
    assert found.shape == expected.shape
    assert (found != expected).mean() <= 4e-3


@pytest.mark.slow
def test_stn_icnn_labels_photos_of_every_size_at_their_own(
    run: Run,
    trained_stn_icnn: InferenceCheckpoint,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained_stn_icnn)
    # Smaller than the canvas, as large, larger, larger one way; odd margins.
    sizes = [(40, 30), (31, 45), (48, 48), (97, 131), (60, 33), (150, 90)]
    for number, size in enumerate(sizes):
        save_photo(tmp_path / "photos" / f"{number}.png", *size, seed=number)
    code, out, err = run("photos")
    assert code == 0, err
    assert "6 of 6 photos" in out
    answers = []
    for number, size in enumerate(sizes):
        expected = expected_stn_icnn_labels(trained_stn_icnn, f"photos/{number}.png", size)
        check_label_map(f"out/{number}_labels.png", expected)
        answers.append(np.bincount(expected.ravel(), minlength=9) / expected.size)
    assert np.ptp(answers, axis=0).max() > 0.02  # the photos do not all get the same answer
    overlay = Image.open("out/3_overlay.jpg")
    assert overlay.size == (131, 97)


@pytest.mark.parametrize("recorded", ["picture", None])
def test_sides_of_an_earlier_run_are_told(
    run: Run,
    trained_stn_icnn: InferenceCheckpoint,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: str | None,
) -> None:
    config = trained_stn_icnn.config.copy_and_resolve_references().unlock()
    config.data.name = "celebamask_hq"
    trained = dataclasses.replace(trained_stn_icnn, config=config, whose_left=recorded)
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained)
    save_photo(tmp_path / "x.png")
    code, _, err = run("x.png")
    assert code == 0, err
    assert ("note: run: its left_… and right_… are the person's" in err) is (recorded is None)


@pytest.mark.parametrize(
    ("batch_size", "flag", "size"), [(1, "20", (20, 20)), (3, "70x51", (70, 51))]
)
def test_stn_icnn_takes_photos_of_unequal_sizes_in_one_batch(
    run: Run,
    trained_stn_icnn: InferenceCheckpoint,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    batch_size: int,
    flag: str,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *_: trained_stn_icnn)
    for seed in range(5):  # the last batch of three is padded
        save_photo(tmp_path / "photos" / f"{seed}.png", 25 + 13 * seed, 61 - 7 * seed, seed)
    (tmp_path / "photos" / "1b.jpg").write_text("no photo")
    code, out, err = run(f"--output_size={flag}", f"--batch_size={batch_size}", "photos")
    assert code == 1 and "photos/1b.jpg: not a picture" in err
    assert "5 of 6 photos" in out
    for seed in range(5):
        expected = expected_stn_icnn_labels(trained_stn_icnn, f"photos/{seed}.png", size)
        check_label_map(f"out/{seed}_labels.png", expected)


def test_photos_of_one_name_do_not_overwrite_each_other(run: Run, tmp_path: pathlib.Path) -> None:
    for path in ("a/x.png", "a/sub/x.png", "b/x.png", "x.png", "x.jpg"):
        save_photo(tmp_path / path)
    (tmp_path / "link.png").symlink_to("x.png")
    code, out, err = run("--output_size=8", "a", "b/x.png", "x.png", "x.jpg", "link.png", "a/x.png")
    assert code == 0 and "6 of 6" in out
    assert [name for name in files_below("out") if "_labels" in name] == [
        "link_labels.png", "sub/x_labels.png", "x_2_labels.png", "x_3_labels.png",
        "x_4_labels.png", "x_labels.png",
    ]  # fmt: skip
    assert "b/x.png: its results are called x_2" in err


def test_names_that_differ_in_case_alone_get_places_of_their_own(tmp_path: pathlib.Path) -> None:
    """File systems that do not tell X.jpg from x.jpg would keep one result of two."""
    names = ("X.jpg", "x.jpg", "sub/y.png", "SUB/Y.png", "z.JPG")
    tasks = result_files.plan(
        [(tmp_path / name, pathlib.Path(name)) for name in names], tmp_path / "o"
    )
    targets = [str(task.target.relative_to(tmp_path / "o")) for task in tasks]
    assert targets == ["X", "x_2", "sub/y", "SUB/Y_2", "z"]


def test_results_do_not_lie_where_a_folder_of_others_does(tmp_path: pathlib.Path) -> None:
    """The folder of a video's label maps is replaced as a whole."""
    for names in [
        ("x.mp4", "X_labels/a.jpg"),
        ("X_labels/a.jpg", "x.mp4"),
        ("x.png", "x_labels.png/a.jpg"),
    ]:
        tasks = result_files.plan(
            [(tmp_path / name, pathlib.Path(name)) for name in names], tmp_path
        )
        assert sorted(task.target.name for task in tasks) == ["a", "x_2"]


def test_a_photo_is_never_overwritten(tmp_path: pathlib.Path) -> None:
    found = [(tmp_path / name, tmp_path / name) for name in ("x.png", "x_overlay.jpg")]
    found = [(path, path.relative_to(tmp_path)) for path, _ in found]
    targets = [task.target.name for task in result_files.plan(found, tmp_path)]
    assert targets == ["x_2", "x_overlay"]


def test_results_of_an_earlier_run_are_not_taken_for_photos(
    run: Run, tmp_path: pathlib.Path
) -> None:
    save_photo(tmp_path / "x.png")
    for _ in range(2):
        assert "1 of 1" in run("--output_size=8", ".")[1]
    code, _, err = run("--output_size=8", "out")
    assert code == 1 and err.startswith("error: --output_dir=out") and err.count("\n") == 1


def test_results_beside_the_photos_are_replaced_and_never_photos(
    run: Run, tmp_path: pathlib.Path
) -> None:
    save_photo(tmp_path / "photos" / "x.png")
    for _ in range(2):
        code, out, _ = run("--output_size=8", "--output_dir=photos/sub/..", "photos/x.png")
        assert code == 0 and "1 of 1" in out
    code, out, err = run("--output_size=8", "photos")
    assert code == 0 and "1 of 1" in out and "passed over 2 results of an earlier run" in err


@pytest.mark.parametrize("suffix", ["_labels.png", "_overlay.jpg"])
def test_a_picture_that_is_no_result_is_not_replaced(
    run: Run, tmp_path: pathlib.Path, suffix: str
) -> None:
    save_photo(tmp_path / "x.png")
    save_photo(tmp_path / f"x{suffix}")
    drawn_by_hand = (tmp_path / f"x{suffix}").read_bytes()
    code, _, err = run("--output_size=8", "--output_dir=.", "x.png")
    assert code == 1 and err.startswith(f"error: x{suffix} is in the way") and err.count("\n") == 1
    assert (tmp_path / f"x{suffix}").read_bytes() == drawn_by_hand


def test_what_a_folder_has_besides_photos_is_counted(run: Run, tmp_path: pathlib.Path) -> None:
    for name in ("a.png", "b.jfif", "c.jpe", "d.avif", "e.jp2"):
        save_photo(tmp_path / "photos" / name)
    for name in ("f.heic", "g.heic", "notes.txt"):
        (tmp_path / "photos" / name).touch()
    code, out, err = run("--output_size=8", "photos")
    assert code == 0 and "5 of 5" in out
    assert (
        "passed over 3 files that are no photos Pillow can read: 2 .heic, 1 .txt; HEIC photos"
        in err
    )


def test_unreadable_photos_are_reported_and_the_rest_is_done(
    run: Run, tmp_path: pathlib.Path
) -> None:
    save_photo(tmp_path / "photos" / "good.jpg")
    save_photo(tmp_path / "photos" / "cut.jpg", 300, 300)
    cut = (tmp_path / "photos" / "cut.jpg").read_bytes()
    (tmp_path / "photos" / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    code, out, err = run("photos", "gone.jpg")
    assert code == 1 and "1 of 3 photos" in out
    assert "photos/cut.jpg: image file is truncated" in err
    assert "gone.jpg: no such file" in err
    assert "Traceback" not in err
    assert files_below("out") == ["good_labels.png", "good_overlay.jpg"]


def test_folders_that_cannot_be_read_are_reported_and_the_rest_is_done(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_photo(tmp_path / "photos" / "good.jpg")
    save_photo(tmp_path / "photos" / "locked" / "photo.jpg")
    scandir = os.scandir

    def refusing(path: os.PathLike[str] | str) -> Any:
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    code, out, err = run("--output_size=8", "photos")
    assert code == 1 and "1 of 1 photos" in out
    assert "passed over a folder that cannot be read: photos/locked: Permission denied" in err
    code, _, err = run("--output_size=8", "photos/locked")
    assert (code, err) == (1, "error: photos/locked: Permission denied\n")


def test_a_result_that_cannot_be_written_is_reported(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_photo(tmp_path / "a.png")
    save_photo(tmp_path / "b.png")
    save = label_maps.save_image

    def full(picture: Image.Image, path: pathlib.Path | str, *mark: str) -> None:
        if "a_labels" in str(path):
            raise OSError(28, "No space left on device")
        save(picture, path, *mark)

    monkeypatch.setattr(label_maps, "save_image", full)
    code, out, err = run("--output_size=8", "a.png", "b.png")
    assert code == 1 and "1 of 2" in out and "a.png: its result cannot be written" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output_size=big", "x.png"], "--output_size=big"),
        (["--output_size=5x", "x.png"], "--output_size=5x"),
        (["--output_size=0", "x.png"], "--output_size=0"),
        (["--output_size=-4", "x.png"], "--output_size=-4"),
        (["--output_size=90000x90000", "x.png"], "--output_size=90000x90000"),
        (["--batch_size=0", "x.png"], "--batch_size=0"),
        (["--output_dir=x.png", "y.png"], "--output_dir=x.png"),
        (["empty"], "no photos in empty"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    run: Run, tmp_path: pathlib.Path, arguments: list[str], message: str
) -> None:
    save_photo(tmp_path / "x.png")
    (tmp_path / "empty").mkdir()
    code, out, err = run(*arguments)
    assert code == 1 and not out
    assert err.startswith(f"error: {message}") and err.count("\n") == 1


def test_a_folder_that_is_no_run_is_one_line_too(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_photo(tmp_path / "x.png")
    arguments = [f"--workdir={tmp_path / 'gone'}", f"--output_dir={tmp_path}/out"]
    assert exit_code([*arguments, str(tmp_path / "x.png")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ") and "gone" in err and err.count("\n") == 1
