"""Tests of fpliif_jax.FaceParser: every kind of photo, both systems, and what a parsed photo gives."""

import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy
import untrained_models
from PIL import Image
from untrained_models import CLASS_NAMES

import fpliif_jax
from fpliif_jax import FaceParser
from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.data_builders.synthetic_faces.drawing import draw_face
from fpliif_jax.interop import InteropError, write_weights
from fpliif_jax.pictures import label_maps
from fpliif_jax.predict import parsed_photo, photos
from fpliif_jax.predict.__main__ import main as predict_main
from fpliif_jax.predict.find_faces import FaceFinder, FindError
from fpliif_jax.predict.parsed_photo import ParsedPhoto, ParsedPhotoError
from fpliif_jax.predict.photos import PhotoError
from fpliif_jax.predict.windows import Window
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.systems.fp_liif import labeller as fp_liif_labeller
from fpliif_jax.weights import WeightsError

SYSTEMS = ("fp_liif", "stn_icnn")


@pytest.fixture(scope="module")
def checkpoints() -> dict[str, InferenceCheckpoint]:
    return {
        "fp_liif": untrained_models.fp_liif_checkpoint(),
        "stn_icnn": untrained_models.stn_icnn_checkpoint(),
    }


@pytest.fixture(scope="module")
def parsers(checkpoints: dict[str, InferenceCheckpoint]) -> dict[str, FaceParser]:
    return {name: FaceParser(trained) for name, trained in checkpoints.items()}


def make_photo(height: int = 40, width: int = 30, seed: int = 0) -> np.ndarray:
    """Coloured blotches, so that an untrained model gives several classes."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def save_run(workdir: pathlib.Path, trained: InferenceCheckpoint) -> None:
    progress = {
        "config": json_config(trained.config),
        "class_names": list(trained.class_names),
        "step": trained.step,
        "fingerprint": trained.fingerprint,
    }
    checkpoint.save(workdir, "best", trained.step, trained.variables, progress)


@contextlib.contextmanager
def count_compilations() -> Iterator[list[str]]:
    compiled: list[str] = []

    def listen(event: str, _: float, **__: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_a_photo_may_be_a_path_bytes_an_array_or_a_picture(
    parsers: dict[str, FaceParser], tmp_path: pathlib.Path
) -> None:
    pixels = make_photo()
    path = tmp_path / "photo.png"
    path.write_bytes(png(pixels))
    with Image.open(path) as picture:
        kinds = [path, str(path), path.read_bytes(), pixels, picture, Image.fromarray(pixels)]
        for system in SYSTEMS:
            expected = parsers[system](pixels)
            assert expected.size == expected.labels.shape == (40, 30)
            assert expected.labels.dtype == np.uint8 and len(np.unique(expected.labels)) >= 3
            for kind in kinds:
                parsed = parsers[system](kind)
                np.testing.assert_array_equal(parsed.labels, expected.labels)
                np.testing.assert_array_equal(parsed.photo, pixels)
        assert picture.getpixel((0, 0))  # still open


def test_grey_and_transparent_arrays_are_what_such_files_are(
    parsers: dict[str, FaceParser],
) -> None:
    rgba = np.concatenate([make_photo(), make_photo(seed=1)[..., :1]], axis=-1)
    for pixels in (rgba, rgba[..., 0], rgba[:, ::-1]):
        from_file = parsers["fp_liif"](png(pixels.copy()))
        parsed = parsers["fp_liif"](pixels)
        np.testing.assert_array_equal(parsed.photo, from_file.photo)
        np.testing.assert_array_equal(parsed.labels, from_file.labels)


def test_an_upright_photo_whatever_it_came_as(parsers: dict[str, FaceParser]) -> None:
    picture, file = Image.fromarray(make_photo()), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(file, "PNG", exif=exif)
    with Image.open(io.BytesIO(file.getvalue())) as turned:
        sizes = {parsers["fp_liif"](photo).size for photo in (file.getvalue(), turned)}
    assert sizes == {(30, 40)}


@pytest.mark.parametrize("system", SYSTEMS)
def test_label_maps_are_those_that_predict_writes(
    system: str,
    parsers: dict[str, FaceParser],
    checkpoints: dict[str, InferenceCheckpoint],
    tmp_path: pathlib.Path,
) -> None:
    save_run(tmp_path / "run", checkpoints[system])
    for seed in range(2):
        (tmp_path / f"{seed}.png").write_bytes(png(make_photo(40 + seed, 30, seed)))
    paths = [tmp_path / f"{seed}.png" for seed in range(2)]
    for flag, size in (("native", None), ("20x51", (20, 51)), ("48", 48)):
        output = tmp_path / flag
        arguments = [f"--workdir={tmp_path / 'run'}", f"--output_dir={output}"]
        assert predict_main([*arguments, f"--output_size={flag}", *map(str, paths)]) == 0
        for path, parsed in zip(paths, parsers[system](paths, size=size), strict=True):
            written = output / f"{path.stem}_labels.png"
            np.testing.assert_array_equal(np.asarray(Image.open(written)), parsed.labels)
            parsed.save(tmp_path / "saved" / "labels.png")
            assert (tmp_path / "saved" / "labels.png").read_bytes() == written.read_bytes()


@pytest.mark.parametrize(
    ("system", "size"), [("fp_liif", None), ("fp_liif", (20, 51)), ("stn_icnn", (20, 51))]
)
def test_batches_and_streams_are_single_photos(
    system: str, size: tuple[int, int] | None, parsers: dict[str, FaceParser]
) -> None:
    parser, many = parsers[system], [make_photo(40 - seed, 30, seed) for seed in range(4)]
    singles = [parser(photo, size) for photo in many]
    for parsed in (parser(many, size, batch_size=3), list(parser.stream(iter(many), size))):
        assert len(parsed) == 4
        for one, single in zip(parsed, singles, strict=True):
            assert one.labels.shape == single.labels.shape
            assert (one.labels != single.labels).mean() <= 2e-3  # ties within rounding
            np.testing.assert_array_equal(one.photo, single.photo)
            np.testing.assert_allclose(one.probabilities, single.probabilities, atol=1e-5)
    assert parser([], size) == []
    assert isinstance(parser(many[:1], size), list)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("size", [None, (61, 50)])
def test_probabilities_are_of_the_classes_and_agree_with_the_labels(
    system: str,
    size: tuple[int, int] | None,
    parsers: dict[str, FaceParser],
) -> None:
    parsed = parsers[system](make_photo(), size)
    probabilities = parsed.probabilities
    assert probabilities.shape == (len(parsed.class_names), *parsed.size)
    assert probabilities.dtype == np.float32 and probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    # STN-iCNN's label maps are resized as labels, its probabilities as numbers.
    allowed = 0.1 if system == "stn_icnn" and size else 2e-3
    assert (probabilities.argmax(axis=0) != parsed.labels).mean() <= allowed
    assert parsed.probabilities is probabilities  # computed once


@pytest.mark.parametrize(("mode", "factor"), [("divide", 4.0), ("multiply", 0.25), ("none", 1.0)])
def test_probabilities_of_fp_liif_are_the_softmax_of_its_loss(
    mode: str, factor: float, checkpoints: dict[str, InferenceCheckpoint]
) -> None:
    trained = checkpoints["fp_liif"]
    with trained.config.unlocked():
        config = trained.config.copy_and_resolve_references()
    config.loss.temperature, config.loss.temperature_mode = 0.25, mode
    parser = FaceParser(dataclasses.replace(trained, config=config))
    photo = make_photo(32, 32)
    model = fpliif_jax.create_model(config.model)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    images = ((photo / 255 - mean) / deviation).astype(np.float32)[None]
    logits = np.asarray(jax.jit(model.apply)(trained.variables, images))[0] * np.float32(factor)
    expected = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected /= expected.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(parser(photo).probabilities, np.moveaxis(expected, -1, 0), atol=1e-4)


def test_probabilities_of_stn_icnn_are_its_values_over_their_sum(
    parsers: dict[str, FaceParser], checkpoints: dict[str, InferenceCheckpoint]
) -> None:
    trained = checkpoints["stn_icnn"]
    photo = make_photo(48, 48)
    inputs = {"images": photo[None], "image_sizes": np.array([[48, 48]], np.int32)}
    labeller = parsers["stn_icnn"]._labeller
    values = np.asarray(jax.jit(labeller._values_of_canvas)(trained.variables, inputs))[0]
    total = values.sum(axis=-1)
    assert total.min() >= 1 - 1e-5 and total.max() > 1.01  # windows overlap
    expected = np.moveaxis(values / total[..., None], -1, 0)
    np.testing.assert_allclose(parsers["stn_icnn"](photo).probabilities, expected, atol=1e-5)


def test_masks_are_found_by_name(parsers: dict[str, FaceParser]) -> None:
    parsed = parsers["fp_liif"](make_photo())
    assert parsed.class_names == parsers["fp_liif"].class_names == CLASS_NAMES
    skin = parsed.mask("skin")
    assert skin.dtype == bool and skin.shape == parsed.size
    np.testing.assert_array_equal(skin, parsed.labels == 1)
    both = parsed.mask(["skin", "hair"])
    np.testing.assert_array_equal(both, (parsed.labels == 1) | (parsed.labels == 3))
    assert parsed.mask(list(CLASS_NAMES)).all() and not parsed.mask([]).any()
    with pytest.raises(ParsedPhotoError, match="no class 'beard'; there are background, skin, "):
        parsed.mask(["skin", "beard"])


def test_an_overlay_is_a_picture_of_the_photo(
    parsers: dict[str, FaceParser], tmp_path: pathlib.Path
) -> None:
    parsed = parsers["fp_liif"](make_photo(), size=50)
    picture = parsed.overlay()
    assert isinstance(picture, Image.Image) and picture.size == (50, 50)
    drawn = label_maps.overlay(parsed.photo, parsed.labels, CLASS_NAMES)
    np.testing.assert_array_equal(np.asarray(picture), drawn)
    np.testing.assert_array_equal(np.asarray(parsed.overlay(alpha=0)), parsed.photo)
    with pytest.raises(ParsedPhotoError, match=r"labels\.jpg: a label map is written as \.png"):
        parsed.save(tmp_path / "labels.jpg")


@pytest.mark.parametrize(
    ("photo", "error", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), PhotoError, r"photo 0: an array of float32 \[4, 4, 3\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), PhotoError, "several are a list"),
        (np.zeros((4, 4, 2), np.uint8), PhotoError, "a photo is uint8"),
        (np.zeros((0, 4, 3), np.uint8), PhotoError, "a photo is uint8"),
        (b"I am a picture", PhotoError, "photo 0: not a picture"),
        ("gone.jpg", PhotoError, "gone.jpg: no such file"),
        (Image.new("F", (4, 4)), PhotoError, "photo 0: floating-point"),
        (Image.new("RGB", (0, 4)), PhotoError, "no pixels"),
        (7, TypeError, "a photo is a path, bytes, a NumPy array or a Pillow image, not int"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(
    photo: Any, error: type[Exception], message: str, parsers: dict[str, FaceParser]
) -> None:
    with pytest.raises(error, match=message):
        parsers["fp_liif"](photo)
    with pytest.raises(error, match=message.replace("photo 0", "photo 1")):
        parsers["fp_liif"]([make_photo(), photo])


def test_bytes_and_arrays_are_bounded_as_files_are(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = png(make_photo())
    monkeypatch.setattr(photos, "MAX_PIXELS", 1000)
    for photo in (content, make_photo(), Image.fromarray(make_photo())):
        with pytest.raises(PhotoError, match="30x40 pixels are too many"):
            parsers["fp_liif"](photo)
    monkeypatch.setattr(photos, "MAX_BYTES", 100)
    with pytest.raises(PhotoError, match="larger than"):
        parsers["fp_liif"](content)


def test_a_stream_passes_over_what_cannot_be_read(parsers: dict[str, FaceParser]) -> None:
    sources, errors = [make_photo(), b"none", "gone.jpg", make_photo(seed=1)], []
    stream = parsers["fp_liif"].stream(
        sources, 20, batch_size=2, on_error=lambda *error: errors.append(error)
    )
    parsed = list(stream)
    assert [one.size for one in parsed] == [(20, 20)] * 2
    assert [photo for photo, _ in errors] == [b"none", "gone.jpg"]
    assert [str(error) for _, error in errors] == [
        "not a picture that Pillow can read",
        "no such file or folder",
    ]


def test_a_stream_reads_ahead_a_little(parsers: dict[str, FaceParser]) -> None:
    taken = []

    def sources() -> Iterator[np.ndarray]:
        for seed in range(50):
            taken.append(seed)
            yield make_photo(seed=seed)

    stream = parsers["fp_liif"].stream(sources(), 8, batch_size=2)
    next(stream)
    assert len(taken) <= 2 + 4 + 2  # a batch ahead, one photo a thread
    stream.close()


@pytest.mark.parametrize("size", [0, (4, 0), (3, 4, 5), "native", 4.5, (90_000, 90_000)])
def test_sizes_that_are_none_are_refused(size: Any, parsers: dict[str, FaceParser]) -> None:
    with pytest.raises(ValueError, match="size is"):
        parsers["fp_liif"](make_photo(), size=size)
    with pytest.raises(ValueError, match="batch_size is 0"):
        parsers["fp_liif"](make_photo(), batch_size=0)


def test_too_many_probabilities_are_refused(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = parsers["fp_liif"](make_photo())
    monkeypatch.setattr(parsed_photo, "MOST_PROBABILITIES", 1000)
    with pytest.raises(ParsedPhotoError, match="parse the photo at a smaller size"):
        _ = parsed.probabilities


def test_a_parser_comes_from_a_run_or_a_file(tmp_path: pathlib.Path) -> None:
    trained = untrained_models.fp_liif_checkpoint(num_classes=len(LAPA_AND_HELEN))
    trained = dataclasses.replace(trained, class_names=LAPA_AND_HELEN)
    save_run(tmp_path / "run", trained)
    from_run = FaceParser.from_run(tmp_path / "run")
    write_weights(tmp_path / "run", "best", tmp_path / "model.safetensors")
    from_file = FaceParser.from_file(tmp_path / "model.safetensors")
    expected = FaceParser(trained)(make_photo(), 20)
    for parser, origin in ((from_run, "run"), (from_file, "model.safetensors")):
        np.testing.assert_array_equal(parser(make_photo(), 20).labels, expected.labels)
        assert repr(parser).startswith("FaceParser(FP-LIIF, 11 classes, ")
        assert repr(parser).endswith(f"from {tmp_path / origin})")
    assert repr(expected).startswith("ParsedPhoto(20x20: ")


def test_a_parser_comes_with_the_package_and_finds_faces() -> None:
    """A drawn face in a corner, a quarter as wide as the photo, is nothing to a parser of the whole photo."""
    parser = FaceParser.from_pretrained("drawn")
    assert repr(parser).endswith("from weights 'drawn')")
    face = draw_face(41, 96, "photographic")
    photo, truth = np.full((384, 384, 3), 90, np.uint8), np.zeros((384, 384), np.uint8)
    photo[200:296, 40:136], truth[200:296, 40:136] = face.image, face.lapa_label_map
    parsed, whole = parser(photo, find="auto"), parser(photo)
    assert len(parsed.faces) == 1 and repr(parsed).endswith("1 face)")
    assert mean_f1(parsed.labels, truth) > mean_f1(whole.labels, truth) + 0.3
    assert not whole.faces
    with pytest.raises(WeightsError, match="drawn"):
        FaceParser.from_pretrained("painted")


def mean_f1(labels: np.ndarray, truth: np.ndarray) -> float:
    present = [label for label in range(1, 11) if (truth == label).any()]
    both = [((labels == label) & (truth == label)).sum() for label in present]
    each = [(labels == label).sum() + (truth == label).sum() for label in present]
    return float(np.mean(2 * np.array(both) / np.array(each)))


def test_faces_are_put_where_they_were_found(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Window(4, 10, 24, 40), Window(30, 20, 60, 50)]
    monkeypatch.setattr(FaceFinder, "find", lambda *_: found)
    monkeypatch.setattr(FaceFinder, "__init__", lambda *_: None)
    photo, parser = make_photo(60, 50), parsers["fp_liif"]
    for size, scale in ((None, 1), ((120, 100), 2)):
        parsed = parser(photo, size, find="auto")
        assert parsed.faces == tuple(tuple(scale * side for side in window) for window in found)
        outside = np.ones(parsed.size, bool)
        for window in found:
            shown = Window(*(scale * side for side in window))
            alone = parser(window.of(photo), shown.of(outside).shape)
            assert (alone.labels != shown.of(parsed.labels)).mean() <= 2e-3  # ties within rounding
            here = np.moveaxis(shown.of(np.moveaxis(parsed.probabilities, 0, -1)), -1, 0)
            np.testing.assert_allclose(alone.probabilities, here, atol=1e-5)
            shown.of(outside)[:] = False
        assert not parsed.labels[outside].any()
        np.testing.assert_array_equal(parsed.probabilities[0][outside], 1)


def test_predict_finds_faces_as_the_parser_does(
    checkpoints: dict[str, InferenceCheckpoint],
    parsers: dict[str, FaceParser],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [Window(4, 10, 24, 30)])
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo()))

    def run(system: str) -> int:
        save_run(tmp_path / system, checkpoints[system])
        arguments = [f"--workdir={tmp_path / system}", f"--output_dir={tmp_path / 'out'}"]
        return predict_main([*arguments, "--find=auto", "--output_size=40x30", str(photo)])

    assert run("fp_liif") == 0
    expected = parsers["fp_liif"](photo, (40, 30), find="auto")
    assert expected.faces == ((4, 10, 24, 30),)
    labels = np.asarray(Image.open(tmp_path / "out" / "photo_labels.png"))
    np.testing.assert_array_equal(labels, expected.labels)
    with pytest.raises(SystemExit, match="error: faces are found by their skin"):
        run("stn_icnn")


def test_where_no_faces_are_found_the_photo_is_parsed_as_a_whole(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [])
    monkeypatch.setattr(FaceFinder, "__init__", lambda *_: None)
    many = [make_photo(seed=seed) for seed in range(3)]
    for whole, parsed in zip(
        parsers["fp_liif"](many), parsers["fp_liif"](many, find="auto"), strict=True
    ):
        np.testing.assert_array_equal(whole.labels, parsed.labels)


def test_a_model_that_cannot_find_faces_says_so(parsers: dict[str, FaceParser]) -> None:
    with pytest.raises(FindError, match="use find='none'"):
        parsers["stn_icnn"](make_photo(), find="auto")
    with pytest.raises(ValueError, match="find is 'all'"):
        parsers["fp_liif"](make_photo(), find="all")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data.image_size", 10**9, "config.data.image_size is 1000000000"),
        ("model.name", "other", "its metadata cannot be read"),
        ("model", [1], "its metadata cannot be read"),
        ("loss.temperature", "hot", "config.loss.temperature is 'hot'"),
    ],
)
def test_settings_in_a_file_are_checked(
    field: str, value: Any, message: str, tmp_path: pathlib.Path
) -> None:
    config = json_config(untrained_models.fp_liif_checkpoint().config)
    *groups, name = field.split(".")
    functools.reduce(dict.__getitem__, groups, config)[name] = value
    path = tmp_path / "model.safetensors"
    metadata = {"fpliif_jax": json.dumps({"config": config, "class_names": list(CLASS_NAMES)})}
    safetensors.numpy.save_file({"weight": np.zeros(1, np.float32)}, path, metadata)
    with pytest.raises(InteropError, match=message):
        FaceParser.from_file(path)


def test_a_file_without_settings_needs_a_config(
    checkpoints: dict[str, InferenceCheckpoint], tmp_path: pathlib.Path
) -> None:
    save_run(tmp_path / "run", checkpoints["fp_liif"])
    write_weights(tmp_path / "run", "best", tmp_path / "model.pth")
    with pytest.raises(InteropError, match="give the config that the weights were trained with"):
        FaceParser.from_file(tmp_path / "model.pth")


@pytest.mark.parametrize("decoder", ["liif", "conv_unet"])
def test_sizes_beyond_the_first_few_compile_nothing(
    decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = untrained_models.fp_liif_checkpoint(decoder=decoder, features=4)
    monkeypatch.setattr(fp_liif_labeller, "MOST_SIZES", 2)
    parser, reference = FaceParser(trained), FaceParser(trained)
    for size in (16, 17, 18):  # two programs of their own, and the one for all others
        parser(make_photo(), size)
    with count_compilations() as compiled:
        found = [parser(make_photo(), (20 + side, 19)) for side in range(5)]
        again = parser(make_photo(), 16)
    assert compiled == []
    assert again.size == (16, 16)
    monkeypatch.setattr(fp_liif_labeller, "MOST_SIZES", 100)
    for parsed in found[::4]:
        expected = reference(make_photo(), parsed.size)
        assert (parsed.labels != expected.labels).mean() <= 2e-3  # ties within rounding


def test_photos_of_any_size_compile_once(parsers: dict[str, FaceParser]) -> None:
    for system in SYSTEMS:
        _ = parsers[system](make_photo()).probabilities
        with count_compilations() as compiled:
            for side in range(21, 26):
                parsed = parsers[system](make_photo(side, 40))
                assert isinstance(parsed, ParsedPhoto) and parsed.probabilities.shape[1] == side
        assert compiled == []


def test_the_name_is_there_before_anything_heavy_is() -> None:
    program = (
        "import time; start = time.perf_counter(); import fpliif_jax, sys; "
        "assert 'FaceParser' in dir(fpliif_jax) and 'jax' not in sys.modules; "
        "fpliif_jax.FaceParser; assert 'jax' in sys.modules"
    )
    subprocess.check_call([sys.executable, "-c", program], cwd=pathlib.Path(__file__).parents[2])
