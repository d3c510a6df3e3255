"""The command: a page of a tiny model, and what it refuses before anything long begins."""

import base64
import dataclasses
import json
import pathlib
import re
import signal

import numpy as np
import pytest
import untrained_models
from needs_onnx import onnxruntime
from PIL import Image

from fpliif_jax import FaceParser
from fpliif_jax.demo import __main__ as command
from fpliif_jax.demo import build_page, networks, runtime, serve
from fpliif_jax.run_folder import inference_checkpoint
from fpliif_jax.systems.fp_liif import network_functions
from fpliif_jax.weights.trained_model import ChosenModel

RUNTIME = {name: name.encode() for name in runtime.FILES}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, ChosenModel]:
    """A page of a tiny model of a run, made by the command, and the model."""
    trained = untrained_models.fp_liif_checkpoint()
    folder = tmp_path_factory.mktemp("demo")
    (folder / "run").mkdir()
    (folder / "run" / "environment.json").write_text('{"data_drawn": true}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_functions, "_EXAMPLE_SIZES", ((5, 9), (1, 1)))
        patch.setattr(runtime, "files", lambda archive: RUNTIME)
        patch.setattr(build_page, "_FACE_SIZE", 40)
        patch.setattr(networks, "_LIVE_SHARES", (0.5,))
        patch.setattr(inference_checkpoint, "load_for_inference", lambda *arguments: trained)
        command.main([f"--workdir={folder}/run", f"--output={folder}/page"])
    return folder / "page", ChosenModel(trained, "best", f"{folder}/run", "")


def test_a_page_has_all_that_it_needs_and_nothing_of_this_machine(
    page: tuple[pathlib.Path, ChosenModel],
) -> None:
    folder, chosen = page
    described = json.loads((folder / "model" / "model.json").read_text(encoding="utf-8"))
    assert described["class_names"] == list(chosen.trained.class_names)
    assert len(described["colours"]) == len(described["class_names"])
    assert described["bytes"]["runtime/ort-wasm-simd-threaded.wasm"] == 27
    side = chosen.trained.config.data.image_size
    assert described["sides"][0] == described["image_size"] == side
    paths = [f"model/{part}_{one}.onnx" for one in described["sides"] for part in networks.PARTS]
    assert [path for pair in described["networks"] for path in pair] == paths
    assert {name for name in described["bytes"] if name.endswith(".onnx")} == set(paths)
    assert all(described["bytes"][name] == (folder / name).stat().st_size for name in paths)
    assert (described["can"], described["framing"]) == (["sizes"], "square")
    assert "config" not in described
    assert described["description"].startswith(
        "a run, trained on drawn faces in the layout of lapa; best checkpoint, step "
    )
    for path in folder.rglob("*"):
        assert path.is_dir() or str(folder.parent).encode() not in path.read_bytes(), path
    for name in runtime.FILES:
        assert (folder / "runtime" / name).read_bytes() == name.encode()
    listed = (folder / "files.js").read_text(encoding="utf-8")
    policy = serve.policy_of((folder / "index.html").read_text(encoding="utf-8"))
    assert json.dumps(policy) in listed


def test_a_page_says_whose_left_its_classes_mean_where_any_has_a_side(
    page: tuple[pathlib.Path, ChosenModel],
) -> None:
    folder, chosen = page
    described = json.loads((folder / "model" / "model.json").read_text(encoding="utf-8"))
    assert described["sides_note"] == ""
    names = ("background", "left_eye", "right_eye", *chosen.trained.class_names[3:])
    of_sides = chosen._replace(
        trained=dataclasses.replace(chosen.trained, class_names=names, whose_left="picture")
    )
    note = build_page.description(of_sides, np.zeros((40, 40, 3), np.uint8))["sides_note"]
    assert note == "Left and right are the picture’s."


def test_what_the_page_compares_itself_with_is_python_s(
    page: tuple[pathlib.Path, ChosenModel],
) -> None:
    """By onnxruntime here, as there: photo, square, encoder, decoder, temperature."""
    folder, chosen = page
    described = json.loads((folder / "model" / "model.json").read_text(encoding="utf-8"))
    face = Image.open(folder / "faces" / "0.png")
    side, size = described["image_size"], described["check"]["size"]
    square = np.asarray(face.resize((side, side), Image.Resampling.BICUBIC))
    encoder, decoder = (
        onnxruntime.InferenceSession(folder / "model" / f"{part}_{side}.onnx")
        for part in networks.PARTS
    )
    latent = dict(
        zip(
            [out.name for out in encoder.get_outputs()],
            encoder.run(None, {"photo": square}),
            strict=True,
        )
    )
    axis = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    (logits,) = decoder.run(None, {**latent, "y": axis, "x": axis})
    labels = np.frombuffer(base64.b64decode(described["check"]["labels"]), np.uint8)
    differing = (logits.argmax(-1).reshape(-1) != labels).sum()
    assert differing <= 2 and len(np.unique(labels)) > 1  # ties
    powers = np.exp((logits - logits.max(-1, keepdims=True)) * described["logit_scale"])
    probabilities = FaceParser(chosen.trained)(face, size=size).probabilities
    expected = (powers / powers.sum(-1, keepdims=True)).transpose(2, 0, 1)
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_networks_for_live_video_see_a_smaller_square_by_the_same_weights(
    page: tuple[pathlib.Path, ChosenModel],
) -> None:
    """As Python's do where `image_size` is that of the square."""
    folder, chosen = page
    sides = json.loads((folder / "model" / "model.json").read_text(encoding="utf-8"))["sides"]
    assert len(sides) > 1 and sides == sorted(set(sides), reverse=True)
    side = sides[-1]
    square = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    encoder, decoder = (
        onnxruntime.InferenceSession(folder / "model" / f"{part}_{side}.onnx")
        for part in networks.PARTS
    )
    names = [out.name for out in encoder.get_outputs()]
    latent = dict(zip(names, encoder.run(None, {"photo": square}), strict=True))
    axis = ((np.arange(24) + 0.5) / 24 * 2 - 1).astype(np.float32)
    (logits,) = decoder.run(None, {**latent, "y": axis, "x": axis})
    config = chosen.trained.config.copy_and_resolve_references()
    config.data.image_size = side
    parsed = FaceParser(dataclasses.replace(chosen.trained, config=config))(square, size=24)
    assert (logits.argmax(-1) == parsed.labels).mean() >= 0.99  # ties


@pytest.mark.parametrize(
    ("side", "sides"), [(128, [128, 96, 80, 64]), (100, [100, 76, 64, 52]), (8, [8, 4]), (4, [4])]
)
def test_sides_of_live_video_are_whole_latent_cells(side: int, sides: list[int]) -> None:
    trained = untrained_models.fp_liif_checkpoint()
    config = trained.config.copy_and_resolve_references()
    config.data.image_size = side
    chosen = ChosenModel(dataclasses.replace(trained, config=config), "best", "run", "")
    assert networks.network_sides(chosen) == sides


def test_a_page_of_a_network_that_answers_on_its_canvas_and_says_where_it_looks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = untrained_models.stn_icnn_checkpoint()
    monkeypatch.setattr(runtime, "files", lambda archive: RUNTIME)
    monkeypatch.setattr(build_page, "_FACE_SIZE", 40)
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *arguments: trained)
    command.main(["--workdir=run", f"--output={tmp_path}/page"])
    described = json.loads((tmp_path / "page" / "model" / "model.json").read_text(encoding="utf-8"))
    side = untrained_models.CANVAS
    assert (described["can"], described["framing"]) == (["windows"], "canvas")
    assert described["windows"] == [[1], [2], [3], [4], [5], [6, 7, 8]]
    assert (described["sides"], described["longest_side"]) == ([side], side)
    assert described["threads"] == 1  # of small operators, more are slower
    assert described["networks"] == [[f"model/model_{side}.onnx"]]
    size = described["check"]["size"]
    labels = np.frombuffer(base64.b64decode(described["check"]["labels"]), np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "page" / described["networks"][0][0])
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[4:44, 4:44] = Image.open(tmp_path / "page" / "faces" / "0.png")
    feeds = {"canvas": canvas, "image_size": np.int32([40, 40])}
    values, windows = session.run(["probabilities", "windows"], feeds)
    pixels = ((np.arange(size) + 0.5) * 40 / size).astype(int)  # that hold the centres of the cells
    of_photo = values[4:44, 4:44].argmax(-1)
    assert (of_photo[pixels[:, None], pixels].reshape(-1) != labels).mean() < 0.001
    assert windows.shape == (6, 4) and len(np.unique(labels)) > 2


def test_what_is_wrong_is_said_before_anything_is_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    never = lambda *arguments: pytest.fail("read")  # noqa: E731
    monkeypatch.setattr(command.trained_model, "load", never)
    taken = serve.listen(0)
    port = taken.server_address[1]
    for arguments, message in (
        ([], "error: give --output=FOLDER to write the page, --serve to look at it, or both"),
        (["--serve=70000"], "error: --serve=70000: a port is 0 (any free one) to 65535"),
        ([f"--output={tmp_path}/mine"], "exists and is no page of this command"),
        ([f"--serve={port}"], f"error: port {port} is in use"),
    ):
        with pytest.raises(SystemExit, match=re.escape(message)):
            command.main(arguments)
    taken.server_close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serving_says_where_and_ends_with_ctrl_c_or_sigterm(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    folders = []
    # As a terminal has it: what is started in the background may ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def build(chosen: object, output: pathlib.Path, archive: object) -> list[str]:
        output.mkdir()
        assert archive == "x.tgz"
        return ["made"]

    def interrupted(self: serve.Server) -> None:
        assert self.folder.is_dir()
        folders.append(self.folder)
        signal.raise_signal(number)
        pytest.fail("still serving")

    monkeypatch.setattr(build_page, "build", build)
    monkeypatch.setattr(command.trained_model, "load", lambda *arguments: None)
    monkeypatch.setattr(serve.Server, "serve_forever", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main(["--serve=0", "--runtime=x.tgz"])
    assert ended.value.code == code
    printed = capsys.readouterr()
    assert re.fullmatch(r"made\nhttp://127\.0\.0\.1:\d+/  \(Ctrl-C ends it\)\n", printed.out)
    assert printed.err == "stopped\n"
    assert not folders[0].exists()  # it was a temporary one
