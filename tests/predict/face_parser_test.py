"""Tests of fpliif_jax.FaceParser: every kind of photo, both systems, and what a parsed photo gives."""

import contextlib
import copy
import dataclasses
import io
import itertools
import os
import pathlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import jax
import numpy as np
import pytest
import untrained_models
from blotchy_photos import make_photo, png, save_run
from PIL import Image, ImageSequence
from untrained_models import CLASS_NAMES

import fpliif_jax
from fpliif_jax import FaceParser, interop, systems
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.pictures import label_maps
from fpliif_jax.predict import labelling, parsed_photo, photos
from fpliif_jax.predict.__main__ import main as predict_main
from fpliif_jax.predict.parsed_photo import ParsedPhoto, ParsedPhotoError
from fpliif_jax.predict.photos import PhotoError
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif import labeller as fp_liif_labeller

SYSTEMS = ("fp_liif", "stn_icnn")


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
    sizes = [("20x51", (20, 51)), ("native", None), ("48", 48)]
    # STN-iCNN resizes its label map to any size, and each run of the command compiles it anew.
    for flag, size in sizes if system == "fp_liif" else sizes[:1]:
        output = tmp_path / flag
        arguments = [f"--workdir={tmp_path / 'run'}", f"--output_dir={output}"]
        assert predict_main([*arguments, f"--output_size={flag}", *map(str, paths)]) == 0
        for path, parsed in zip(paths, parsers[system](paths, size=size), strict=True):
            written = output / f"{path.stem}_labels.png"
            np.testing.assert_array_equal(np.asarray(Image.open(written)), parsed.labels)
            parsed.save(tmp_path / "saved" / "labels.png")
            assert (tmp_path / "saved" / "labels.png").read_bytes() == written.read_bytes()


def test_paths_may_begin_with_the_home_folder(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    parsers: dict[str, FaceParser],
    checkpoints: dict[str, InferenceCheckpoint],
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(make_photo()).save(home / "a.png")
    parsed = parsers["fp_liif"]("~/a.png")
    parsed.save("~/new/labels.png")
    save_run(home / "run", checkpoints["fp_liif"])
    interop.write_weights("~/run", "best", "~/a.safetensors")
    config = checkpoints["fp_liif"].config.copy_and_resolve_references()
    with config.unlocked():
        config.data.name = "own_data"  # whose classes are those of the file
    interop.make_run("~/a.safetensors", config, "~/made")
    assert interop.read_weights("~/a.safetensors", config).class_names == CLASS_NAMES
    assert sorted(path.name for path in home.iterdir()) == [
        *("a.png", "a.safetensors", "made", "new", "run")
    ]
    with pytest.raises(PhotoError, match="no such file"):
        parsers["fp_liif"]("~nobody-of-this-name/a.png")
    Image.fromarray(make_photo()).save(tmp_path / "~nobody-of-this-name", "PNG")
    as_named = parsers["fp_liif"](pathlib.Path("~nobody-of-this-name"))
    np.testing.assert_array_equal(as_named.labels, parsed.labels)


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


@pytest.mark.parametrize("size", [None, 24])
def test_what_it_gives_is_the_caller_s_to_write_to(
    parsers: dict[str, FaceParser], size: int | None
) -> None:
    photo = make_photo()
    before = photo.copy()
    for system in SYSTEMS:
        first, second = parsers[system]([photo, photo], size, batch_size=2)
        kept = second.labels.copy()
        for array in (first.labels, first.photo, first.probabilities, first.mask("nose")):
            array[:] = 0
        assert not first.labels.any() and (second.labels == kept).all()
    assert (photo == before).all()


def test_probabilities_are_of_the_photo_that_was_parsed_whatever_is_written_to_it_since(
    parsers: dict[str, FaceParser],
) -> None:
    for system in SYSTEMS:
        side = parsers[system].config.data.image_size
        photo = make_photo(side, side)  # which the network takes as it is
        first, second = (parsers[system](photo) for _ in range(2))
        first.photo[:] = 0
        assert (first.probabilities == second.probabilities).all()


def test_a_photo_is_copied_only_where_the_network_reads_it_too(
    checkpoints: dict[str, InferenceCheckpoint],
) -> None:
    trained = checkpoints["fp_liif"]
    side = trained.config.data.image_size
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    for photo, is_copied in ((make_photo(side, side), True), (make_photo(side, side + 1), False)):
        pixels = photo.copy()
        ((_, parsed),) = labelling.label_photos(
            labeller, [0], None, 1, "none", read=lambda _, pixels=pixels: pixels
        )
        assert np.shares_memory(parsed.photo, pixels) is not is_copied
        assert (parsed.photo == photo).all() and parsed.photo.flags.writeable


def test_a_parsed_photo_is_pickled_and_copied(parsers: dict[str, FaceParser]) -> None:
    for system in SYSTEMS:
        parsed = parsers[system](make_photo())
        sent = pickle.loads(pickle.dumps(parsed))
        assert repr(sent) == repr(parsed) and sent.class_names == parsed.class_names
        assert (sent.labels == parsed.labels).all() and (sent.photo == parsed.photo).all()
        with pytest.raises(ParsedPhotoError, match="parse the photo again"):
            _ = sent.probabilities
        copies = [copy.copy(parsed), copy.deepcopy(parsed)]
        expected = parsed.probabilities
        sent = pickle.loads(pickle.dumps(parsed))
        for one in (*copies, sent):
            assert (one.probabilities == expected).all()


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


def _frames_of_one_picture(frames: list[np.ndarray]) -> Iterator[Image.Image]:
    file = io.BytesIO()
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(file, "TIFF", save_all=True, append_images=pictures[1:])
    return iter(ImageSequence.Iterator(Image.open(file)))


def _frames_in_one_array(frames: list[np.ndarray]) -> Iterator[np.ndarray]:
    buffer = np.empty_like(frames[0])
    for frame in frames:
        buffer[:] = frame
        yield buffer
    buffer[:] = 0


@pytest.mark.parametrize("given", [_frames_of_one_picture, _frames_in_one_array])
def test_a_stream_keeps_what_it_was_given_whatever_is_written_there_since(
    given: Callable[[list[np.ndarray]], Iterator[Any]],
    parsers: dict[str, FaceParser],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = [make_photo(seed=seed) for seed in range(5)]
    monkeypatch.setattr(labelling, "num_workers", lambda: 1)
    slow = png(np.tile(make_photo(), (50, 50, 1)))  # the only thread is at work on it meanwhile
    sources = itertools.chain([slow], given(frames))
    stream = parsers["fp_liif"].stream(sources, 8, batch_size=len(frames) + 1)
    next(iter(stream))
    for frame, parsed in zip(frames, stream, strict=True):
        np.testing.assert_array_equal(parsed.photo, parsers["fp_liif"](frame, 8).photo)


def test_one_picture_that_is_not_decoded_yet_is_read_by_many_threads() -> None:
    pixels = np.tile(make_photo(), (25, 25, 1))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    expected = photos.read(file.getvalue())
    for _ in range(3):
        with Image.open(file) as picture, futures.ThreadPoolExecutor(4) as pool:
            for read in pool.map(photos.read, [picture] * 4):
                np.testing.assert_array_equal(read, expected)


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_a_forked_process_is_told_and_does_not_wait_for_ever(
    parsers: dict[str, FaceParser],
) -> None:
    parser, told = parsers["fp_liif"], 7
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            parser(make_photo())
        except UserError:
            os._exit(told)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == told


@pytest.mark.parametrize("size", [0, (4, 0), (3, 4, 5), "native", 4.5, True, (90_000, 90_000)])
def test_sizes_that_are_none_are_refused(size: Any, parsers: dict[str, FaceParser]) -> None:
    with pytest.raises(ValueError, match="size is"):
        parsers["fp_liif"](make_photo(), size=size)


@pytest.mark.parametrize("batch_size", [0, "4", True, 2.0])
def test_batch_sizes_that_are_none_are_refused(
    batch_size: Any, parsers: dict[str, FaceParser]
) -> None:
    with pytest.raises(ValueError, match=f"batch_size is {batch_size!r}: must be a whole number"):
        parsers["fp_liif"](make_photo(), batch_size=batch_size)
    with pytest.raises(ValueError, match="batch_size is"):
        parsers["fp_liif"].stream([make_photo()], batch_size=batch_size)


@pytest.mark.parametrize(
    "photo",
    [
        "photo.png",
        pathlib.Path("photo.png"),
        png(make_photo()),
        make_photo(),
        make_photo()[..., 0],
        Image.fromarray(make_photo()),
    ],
    ids=["str", "path", "bytes", "array", "grey array", "picture"],
)
def test_a_stream_of_a_single_photo_is_refused(photo: Any, parsers: dict[str, FaceParser]) -> None:
    with pytest.raises(TypeError, match="stream takes several photos, as a list"):
        parsers["fp_liif"].stream(photo)
    assert len(list(parsers["fp_liif"].stream(np.stack([make_photo()] * 2), 8))) == 2


def test_too_many_probabilities_are_refused(
    parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = parsers["fp_liif"](make_photo())
    monkeypatch.setattr(parsed_photo, "MOST_PROBABILITIES", 1000)
    with pytest.raises(ParsedPhotoError, match="parse the photo at a smaller size"):
        _ = parsed.probabilities


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
        "import fpliif_jax, sys; "
        "assert 'FaceParser' in dir(fpliif_jax) and 'jax' not in sys.modules; "
        "fpliif_jax.FaceParser; assert 'jax' in sys.modules"
    )
    subprocess.check_call([sys.executable, "-c", program], cwd=pathlib.Path(__file__).parents[2])
