"""The page's modules, in Node.js: photos resized to the bits of Pillow, label maps as Python makes and writes them."""

import json
import pathlib

import numpy as np
import PIL
import pytest
from needs_node import run_modules
from PIL import Image

from fpliif_jax.data.canvas import canvas_size
from fpliif_jax.data.resize import resize_image
from fpliif_jax.pictures.label_maps import palette_image

_RESIZE = """
import { readFileSync, writeFileSync } from 'node:fs';
import { PhotoResizer } from './resize.js';
const [folder, list] = process.argv.slice(2);
for (const [name, width, height, rows, columns, filter, band] of JSON.parse(list)) {
  const rgba = new Uint8ClampedArray(readFileSync(`${folder}/${name}`));
  const resizer = new PhotoResizer(width, height, rows, columns, filter);
  for (let row = 0; row < height; row += band) resizer.push(rgba.subarray(row * width * 4, (row + band) * width * 4));
  writeFileSync(`${folder}/${name}.resized`, resizer.finish());
}
console.log('null');
"""
# Height, width, new height and width: squares, smaller and larger, one pixel, the size itself, odd ratios, a long
# strip; and photos as they come to a canvas.
_SIZES = (
    *((90, 61, 32, 32), (61, 97, 32, 32), (20, 31, 48, 48), (1, 1, 8, 8), (2, 3, 7, 7), (32, 32, 32, 32)),
    *((32, 75, 32, 32), (96, 64, 32, 32), (3, 500, 16, 16), (640, 480, 128, 128)),
    *((61, 97, 30, 48), (97, 80, 48, 40), (3, 500, 1, 48), (40, 30, 40, 30)),
)  # fmt: skip
# Those that Pillow resizes along y first, from version 13 on: just so tall, and narrow ones.
_TALL = (
    *((91, 61, 32, 32), (97, 64, 32, 32), (49, 20, 48, 48), (333, 64, 64, 64), (500, 3, 16, 16)),
    *((333, 64, 64, 12), (500, 3, 48, 1), (97, 40, 48, 20)),
)


def test_photos_are_resized_to_the_bits_of_python(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    jobs, expected = [], {}
    is_early = int(PIL.__version__.split(".")[0]) < 13
    for number, (height, width, *size) in enumerate(_SIZES if is_early else _SIZES + _TALL):
        # Noise of the two extremes overshoots: what is clipped is tested too.
        levels = 256 if number % 2 else 2
        photo = (rng.integers(0, levels, (height, width, 3)) * (255 // (levels - 1))).astype(
            np.uint8
        )
        rgba = np.concatenate([photo, np.full((height, width, 1), 255, np.uint8)], axis=-1)
        for bicubic in ("pillow", "pytorch"):
            name = f"{number}-{bicubic}"
            (tmp_path / name).write_bytes(rgba.tobytes())
            jobs.append((name, width, height, *size, bicubic, 7))
            expected[name] = resize_image(photo, tuple(size), bicubic)
    run_modules(tmp_path, _RESIZE, str(tmp_path), json.dumps(jobs))
    for name, resized in expected.items():
        data = np.frombuffer((tmp_path / f"{name}.resized").read_bytes(), np.uint8)
        np.testing.assert_array_equal(data.reshape(resized.shape), resized, err_msg=name)


def test_a_label_map_is_saved_as_predict_saves_it(tmp_path: pathlib.Path) -> None:
    names = ("background", "skin", "left_brow", "hair")
    labels = np.random.default_rng(1).integers(0, len(names), (37, 53)).astype(np.uint8)
    picture = palette_image(labels, names)
    palette = np.array(picture.getpalette()).reshape(-1, 3)[: len(names)]
    colours = [f"#{bytes(colour.tolist()).hex()}" for colour in palette]
    (tmp_path / "labels").write_bytes(labels.tobytes())
    program = """
    import { readFileSync, writeFileSync } from 'node:fs';
    import { palettePng } from './png.js';
    const [folder, colours] = process.argv.slice(2);
    const blob = await palettePng(new Uint8Array(readFileSync(`${folder}/labels`)), 37, 53, JSON.parse(colours));
    writeFileSync(`${folder}/labels.png`, new Uint8Array(await blob.arrayBuffer()));
    console.log('null');
    """
    run_modules(tmp_path, program, str(tmp_path), json.dumps(colours))
    with Image.open(tmp_path / "labels.png") as saved:
        saved.load()
        assert saved.mode == "P" and saved.info["Software"] == "fpliif_jax.predict"
        np.testing.assert_array_equal(np.asarray(saved), labels)
        assert saved.getpalette() == picture.getpalette()


def test_classes_probabilities_colours_and_borders(tmp_path: pathlib.Path) -> None:
    program = """
    import { argmax, borders, paint, shares, softmax } from './labels.js';
    const labels = new Uint8Array(4);
    argmax(Float32Array.of(1, 1, 0, -3, -2, -1, 0, 5, 5, 2, 0, 1), 3, labels);
    const map = Uint8Array.of(0, 0, 1, 0, 0, 1);
    console.log(JSON.stringify({
      labels: [...labels],
      probabilities: softmax(Float32Array.of(100, 101, 99), 2),
      shares: shares(map, 3),
      paint: [...paint(Uint8Array.of(1, 0, 2), ['#010203', '#fffefd', '#070809'], new Set([0]))],
      borders: borders(map, 2, 3, new Set()),
      hidden: borders(map, 2, 3, new Set([0, 1])),
      corner: borders(Uint8Array.of(1, 0, 0, 0), 2, 2, new Set()),
    }));
    """
    printed = run_modules(tmp_path, program)
    assert printed["labels"] == [0, 2, 1, 0]  # ties go to the lower id
    powers = np.exp(2 * np.array([100.0, 101, 99]) - 202)
    np.testing.assert_allclose(printed["probabilities"], powers / powers.sum(), rtol=1e-12)
    np.testing.assert_allclose(printed["shares"], [2 / 3, 1 / 3, 0])
    assert printed["paint"] == [255, 254, 253, 255, 0, 0, 0, 0, 7, 8, 9, 255]
    assert printed["borders"] == [2, 0, 2, 2] and printed["hidden"] == []
    assert printed["corner"] == [0, 1, 1, 1, 1, 0, 1, 1]


def test_sizes_go_from_32_to_1024_in_the_photo_s_proportions(tmp_path: pathlib.Path) -> None:
    program = """
    import { LAST_STEP, centres, labelSize, longestSide, sizeText, stepOf } from './sizes.js';
    const sides = Array.from({ length: LAST_STEP + 1 }, (_, step) => longestSide(step));
    console.log(JSON.stringify({
      sides, steps: sides.map(stepOf), wide: labelSize(300, 100, 64), thin: labelSize(1, 9000, 32),
      centres: [...centres(4)], texts: [sizeText(64, 64), sizeText(21, 64)],
    }));
    """
    printed = run_modules(tmp_path, program)
    sides = printed["sides"]
    assert (sides[0], sides[-1]) == (32, 1024) and {64, 128, 256, 512} < set(sides)
    assert sides == sorted(set(sides))
    assert printed["steps"] == list(range(len(sides)))
    assert printed["wide"] == {"rows": 21, "columns": 64}
    assert printed["thin"] == {"rows": 32, "columns": 1}
    assert printed["centres"] == [-0.75, -0.25, 0.25, 0.75]
    assert printed["texts"] == ["64²", "64 × 21"]


def test_sizes_on_a_canvas_are_python_s(tmp_path: pathlib.Path) -> None:
    sizes = [(30, 40), (48, 48), (49, 48), (97, 80), (1, 9000), (125, 61), (61, 125), (1000, 999)]
    program = """
    import { canvasSize } from './sizes.js';
    const sizes = JSON.parse(process.argv[2]).map(([height, width]) => canvasSize(width, height, 48));
    console.log(JSON.stringify(sizes.map(({ rows, columns }) => [rows, columns])));
    """
    printed = run_modules(tmp_path, program, json.dumps(sizes))
    assert printed == [list(canvas_size(size, 48)) for size in sizes]


def test_windows_are_shares_of_the_photo_in_the_colours_of_their_classes(
    tmp_path: pathlib.Path,
) -> None:
    """A photo of 4 × 8 on a canvas of 16 begins at row 6 and column 4."""
    program = """
    import { windowsOf } from './windows.js';
    const model = { windows: [[2], [1, 2]], colours: ['#000000', '#111111', '#222222'] };
    const edges = Float32Array.of(6, 4, 10, 12, 5, 8, 8, 16).map((pixel) => pixel / 16);
    console.log(JSON.stringify(windowsOf(edges, 16, { rows: 4, columns: 8 }, model)));
    """
    whole = {"top": 0, "left": 0, "bottom": 1, "right": 1, "colour": "#222222"}
    beyond = {"top": -0.25, "left": 0.5, "bottom": 0.5, "right": 1.5, "colour": "#111111"}
    assert run_modules(tmp_path, program) == [whole, beyond]


def test_a_photo_lies_in_the_middle_of_its_canvas_and_answers_are_of_it_alone(
    tmp_path: pathlib.Path,
) -> None:
    """A photo of 2 × 4 on a canvas of 7 begins at row 2 and column 1; its values are told by their places."""
    program = """
    import { CanvasNetwork } from './canvas_network.js';
    globalThis.OffscreenCanvas = class {
      getContext() {
        const getImageData = (x, y, width, height) => ({ data: new Uint8ClampedArray(width * height * 4).fill(9) });
        return { fillRect: () => {}, drawImage: () => {}, getImageData };
      }
    };
    let fed;
    const probabilities = { data: Float32Array.from({ length: 98 }, (_, i) => (i % 2 ? 1 : (i / 2) % 3)) };
    const runtime = {
      session: async () => {},
      tensor: (type, data) => data,
      run: async (session, feeds) => ((fed = feeds), { probabilities, windows: { data: Float32Array.of() } }),
    };
    const model = { image_size: 7, longest_side: 7, bicubic: 'pillow', class_names: ['a', 'b'], windows: [] };
    const network = new CanvasNetwork(runtime, [[new Uint8Array()]], model);
    await network.prepare();
    await network.look({ width: 4, height: 2 });
    console.log(JSON.stringify({
      canvas: [...fed.canvas].filter((_, i) => i % 3 === 0), size: [...fed.image_size],
      labels: [...await network.labels(2, 4)], other: (await network.labels(4, 2)) === undefined,
      point: await network.probabilities(0.5, -0.75),
    }));
    """
    printed = run_modules(tmp_path, program)
    canvas = np.zeros((7, 7), int)
    canvas[2:4, 1:5] = 9
    np.testing.assert_array_equal(np.reshape(printed["canvas"], (7, 7)), canvas)
    values = np.arange(49).reshape(7, 7)[2:4, 1:5] % 3  # of the first class; the second has 1
    np.testing.assert_array_equal(np.reshape(printed["labels"], (2, 4)), values < 1)
    assert printed["size"] == [2, 4] and printed["other"]
    assert printed["point"] == [values[1, 0] / (values[1, 0] + 1), 1 / (values[1, 0] + 1)]


# Frames of a machine that takes so long: ms of all but the networks, of the encoder a pixel of its square, of the
# decoder a pixel of the label map. A step of null is the page's choice.
_LIVE = """
import { Pace } from './pace.js';
import { labelSize, longestSide, stepOf } from './sizes.js';
const pace = new Pace([128, 96, 64]);
const frames = [];
const film = (count, machine, asked) => {
  for (let frame = 0; frame < count; frame++) {
    const { side, step } = pace.next(640, 480, asked);
    const { rows, columns } = labelSize(640, 480, longestSide(step));
    const { overhead, perArea, perPixel } = machine(side, frame);
    const times = { waiting: 0, overhead, encoder: perArea * side ** 2, decoder: perPixel * rows * columns };
    pace.measured(times, side, rows * columns);
    const ms = times.overhead + times.encoder + times.decoder;
    frames.push({ side, longest: longestSide(step), ms, perSecond: pace.perSecond });
  }
};
"""


def _film(tmp_path: pathlib.Path, program: str) -> list[dict[str, float]]:
    """The frames that `film` of a program makes."""
    return run_modules(tmp_path, f"{_LIVE}{program}\nconsole.log(JSON.stringify(frames));")


@pytest.mark.parametrize(
    ("overhead", "per_area", "per_pixel", "side", "longest"),
    [
        (10, 0.0005, 0.0001, 128, 512),  # as large as live video becomes, and quick
        (10, 0.0024, 0.0050, 128, 91),
        (10, 0.0040, 0.0080, 96, 76),  # the whole square would leave less than 64 for the labels
        (10, 0.0090, 0.0170, 64, 54),
        (
            60,
            0.0360,
            0.0340,
            64,
            41,
        ),  # too slow for ten frames whatever is done: no frame is much slower for its labels
    ],
)
def test_live_video_takes_the_largest_sizes_that_keep_ten_frames(
    tmp_path: pathlib.Path,
    overhead: float,
    per_area: float,
    per_pixel: float,
    side: int,
    longest: int,
) -> None:
    machine = f"{{ overhead: {overhead}, perArea: {per_area}, perPixel: {per_pixel} }}"
    frames = _film(tmp_path, f"film(120, () => ({machine}));")
    assert (frames[-1]["side"], frames[-1]["longest"]) == (side, longest)
    fixed = overhead + per_area * side**2
    assert frames[-1]["ms"] <= max(100, 1.25 * fixed)
    assert frames[-1]["perSecond"] == pytest.approx(1000 / frames[-1]["ms"])


def test_live_video_follows_a_machine_that_becomes_slower_and_quick_again(
    tmp_path: pathlib.Path,
) -> None:
    """Three of five frames tell; two that are held up do not."""
    program = """
    const quick = { overhead: 10, perArea: 0.0024, perPixel: 0.005 };
    const slow = { overhead: 20, perArea: 0.0072, perPixel: 0.015 };
    film(60, () => quick);
    film(20, (side, frame) => (frame === 5 || frame === 7 ? slow : quick));
    film(20, () => slow);
    film(60, () => quick);
    """
    frames = _film(tmp_path, program)
    sides = [frame["side"] for frame in frames]
    assert set(sides[40:80]) == {128}
    assert sides[80:83] == 3 * [128] and set(sides[83:100]) == {64}
    assert all(frame["ms"] <= 100 for frame in frames[83:100])
    assert sides[-1] == 128 and {96} < set(sides[100:130])


def test_a_larger_square_that_proves_too_slow_is_tried_ever_more_seldom(
    tmp_path: pathlib.Path,
) -> None:
    """What it takes can only be guessed from the smaller one: here too little."""
    program = """
    film(1200, (side) => ({ overhead: 10, perArea: side === 64 ? 0.005 : 0.02, perPixel: 0.001 }));
    """
    frames = _film(tmp_path, program)
    slow = [number for number, frame in enumerate(frames) if frame["ms"] > 100]
    assert {frames[number]["side"] for number in slow} == {96}  # not at once the largest
    assert 3 <= len(slow) <= 0.02 * len(frames)
    assert max(slow) - slow[-4] > 300 > 40 > slow[4]


def test_the_size_of_live_labels_that_a_person_chose_stays(tmp_path: pathlib.Path) -> None:
    program = """
    film(60, () => ({ overhead: 10, perArea: 0.0024, perPixel: 0.005 }));
    film(60, () => ({ overhead: 10, perArea: 0.0024, perPixel: 0.005 }), stepOf(128));
    """
    frames = _film(tmp_path, program)
    assert {frame["longest"] for frame in frames[60:]} == {128}
    assert (frames[59]["side"], frames[-1]["side"]) == (128, 64)
    assert frames[-1]["ms"] <= 100


def test_what_is_no_photo_or_too_large_is_said(tmp_path: pathlib.Path) -> None:
    program = """
    import { PhotoError, decode } from './photo.js';
    let closed = 0;
    globalThis.createImageBitmap = async (file, options) => {
      if (options.colorSpaceConversion !== 'none' || file.kind === 'text') throw new Error('InvalidStateError');
      return { width: file.width, height: 12000, close: () => closed++ };
    };
    const said = [];
    for (const file of [{ size: 101 * 2 ** 20 }, { size: 9, kind: 'text', name: 'a.txt' }, { size: 9, kind: 'text' },
                        { size: 9, width: 10001 }, { size: 9, width: 10000 }]) {
      const text = (error) => error instanceof PhotoError && error.message;
      said.push(await decode(file).then((bitmap) => bitmap.width, text));
    }
    console.log(JSON.stringify({ said, closed }));
    """
    printed = run_modules(tmp_path, program)
    assert printed["said"] == [
        "This file has 101 MiB; the most is 100.",
        "“a.txt” is no photo that this browser can read. JPEG, PNG and WebP always work.",
        "This is no photo that this browser can read. JPEG, PNG and WebP always work.",
        "This photo has 10001 × 12000 pixels; the most are 120 million.",
        10000,
    ]
    assert printed["closed"] == 1


def test_the_service_worker_answers_before_it_has_kept_the_file(tmp_path: pathlib.Path) -> None:
    """A cache that never ends keeping, and one that fails, as where the disk is full."""
    program = """
    import { readFileSync } from 'node:fs';
    import { runInThisContext } from 'node:vm';
    const handlers = {}, bodies = [];
    let keep;
    globalThis.self = {
      registration: { scope: 'http://x/' }, addEventListener: (name, handler) => (handlers[name] = handler),
    };
    globalThis.PAGE = { version: '1', policy: "default-src 'none'", small: [], large: ['r.wasm'] };
    globalThis.importScripts = () => {};
    const cache = { match: async () => undefined, put: (path, response) => keep(response) };
    globalThis.caches = { open: async () => cache };
    globalThis.fetch = async () => new Response('content');
    runInThisContext(readFileSync(new URL('sw.js', import.meta.url), 'utf8'));
    const fails = async (response) => {
      bodies.push(await response.text());
      throw new Error('QuotaExceededError');
    };
    const answers = [];
    for (keep of [() => new Promise(() => {}), fails]) {
      const kept = [];
      const answer = new Promise((resolve) => handlers.fetch({
        request: { method: 'GET', url: 'http://x/r.wasm' }, respondWith: resolve, waitUntil: (work) => kept.push(work),
      }));
      const late = new Promise((resolve) => setTimeout(resolve, 2000, new Response('late')));
      const response = await Promise.race([answer, late]).catch((error) => new Response(error.message));
      answers.push([await response.text(), response.headers.get('Content-Security-Policy'), kept.length]);
      if (keep === fails) await Promise.all(kept);
    }
    console.log(JSON.stringify({ answers, bodies }));
    process.exit();
    """
    printed = run_modules(tmp_path, program)
    assert printed["answers"] == 2 * [["content", "default-src 'none'", 1]]
    assert printed["bodies"] == ["content"]  # what is to be kept is whole, too


# What a camera needs of a browser. A bitmap and a track are counted from their beginning to their end.
_CAMERA = """
const questions = [], tracks = [];
const getUserMedia = () => new Promise((resolve, reject) => questions.push({ resolve, reject }));
Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: { getUserMedia } } });
let pictures = 0; // a camera has another one whenever it is asked, unless a test says when
const video = { play: async () => {} };
Object.defineProperty(video, 'currentTime', { get: () => pictures++, configurable: true });
const page = { createElement: () => video, hidden: false };
globalThis.document = Object.assign(new EventTarget(), page);
let running = 0, bitmaps = 0;
const stream = () => {
  const track = Object.assign(new EventTarget(), { stop: () => running-- });
  tracks.push(track), running++;
  return { getTracks: () => [track] };
};
globalThis.createImageBitmap = async () => (bitmaps++, { width: 64, height: 48, close: () => bitmaps-- });
globalThis.requestAnimationFrame = (next) => setTimeout(next, 1);
globalThis.OffscreenCanvas = class {
  constructor(columns, rows) {
    const getImageData = () => ({ data: new Uint8Array(rows * columns * 4) });
    this.getContext = () => ({ drawImage: () => {}, getImageData });
  }
};
const { Camera } = await import('./camera.js');
const moment = () => new Promise((resolve) => setTimeout(resolve, 30));
const size = () => ({ seen: { rows: 8, columns: 8 }, rows: 3, columns: 4 });
"""


def test_a_camera_is_asked_for_once_and_one_that_comes_too_late_is_turned_off(
    tmp_path: pathlib.Path,
) -> None:
    program = """
    let frames = 0;
    const engine = { model: { sides: [8] }, frame: async () => ({ ms: { encoder: 1, decoder: 1 } }) };
    const camera = new Camera(engine, size, () => frames++);
    const started = [];
    const start = (name) => camera.start(() => started.push(name)).catch((error) => started.push(error.message));

    const first = start('first');
    await start('again, at once');
    const asked = questions.length;
    await camera.stop(); // a photo was chosen meanwhile
    const second = start('second');
    questions[1].resolve(stream());
    for (let tries = 0; !frames && tries < 100; tries++) await moment();
    questions[0].resolve(stream()); // permission comes, too late
    await first;
    const whileSecond = { isOn: camera.isOn, running, frames: frames > 0 };
    await camera.stop();
    await second;
    const third = start('third');
    await camera.stop();
    questions[2].reject(Object.assign(new Error(), { name: 'NotAllowedError' })); // nobody asks any more
    await third;
    const fourth = start('fourth');
    questions[3].reject(Object.assign(new Error(), { name: 'NotFoundError' }));
    await fourth;
    console.log(JSON.stringify({ asked, whileSecond, started, running, isOn: camera.isOn }));
    """
    printed = run_modules(tmp_path, _CAMERA + program)
    assert printed["asked"] == 1
    assert printed["whileSecond"] == {"isOn": True, "running": 1, "frames": True}
    assert printed["started"] == ["second", "There is no camera here."]
    assert (printed["running"], printed["isOn"]) == (0, False)


def test_frames_that_made_networks_and_those_of_a_hidden_page_do_not_count(
    tmp_path: pathlib.Path,
) -> None:
    """Frames of 40 ms; one of 800 ms makes networks, another is there when the page is seen again."""
    program = """
    let clock = 0, count = 0;
    performance.now = () => clock;
    const setHidden = (hidden) => ((document.hidden = hidden), document.dispatchEvent(new Event('visibilitychange')));
    const engine = { model: { sides: [8] }, frame: async () => {
      count++;
      const isFirst = [1, 6].includes(count);
      if (count === 10) setHidden(true), clock += 60000, setHidden(false);
      clock += isFirst ? 800 : 40;
      return { isFirst, ms: { encoder: 10, decoder: 10 } };
    } };
    const rates = [], overheads = [];
    const sizeOf = (frame, pace) => (overheads.push(...pace.frames.map(({ overhead }) => overhead)), size());
    const camera = new Camera(engine, sizeOf, (frame, perSecond) => rates.push(perSecond) === 12 && camera.stop());
    const started = camera.start(() => {});
    questions[0].resolve(stream());
    await started;
    console.log(JSON.stringify({ rates, overheads: [...new Set(overheads)] }));
    """
    printed = run_modules(tmp_path, _CAMERA + program)
    assert printed == {"rates": [None] + 12 * [25], "overheads": [20]}


def test_a_picture_of_the_camera_is_labelled_once_and_the_time_between_two_is_not_the_machine_s(
    tmp_path: pathlib.Path,
) -> None:
    """A camera with a picture every 100 ms, before a machine that takes 35, of which the networks 20."""
    program = """
    let clock = 0;
    performance.now = () => clock;
    Object.defineProperty(video, 'currentTime', { get: () => Math.floor(clock / 100) });
    globalThis.requestAnimationFrame = (next) => setTimeout(() => ((clock += 5), next()), 1);
    const engine = { frame: async () => ((clock += 30), { ms: { encoder: 10, decoder: 10 } }), model: { sides: [8] } };
    const shown = [], overheads = new Set();
    let intervals;
    const sizeOf = (frame, pace) => {
      for (const { overhead } of pace.frames) overheads.add(overhead);
      intervals = pace.intervals;
      return size();
    };
    const camera = new Camera(engine, sizeOf, () => shown.push(clock) === 5 && camera.stop());
    const started = camera.start(() => {});
    questions[0].resolve(stream());
    await started;
    console.log(JSON.stringify({ shown, intervals, overheads: [...overheads] }));
    """
    printed = run_modules(tmp_path, _CAMERA + program)
    assert printed["shown"] == [35, 135, 235, 335, 435]  # at once, and not when the next one comes
    assert printed["intervals"] == [35, 100, 100, 100]
    assert printed["overheads"] == [15]


def test_live_video_can_be_stopped_while_the_camera_has_no_other_picture(
    tmp_path: pathlib.Path,
) -> None:
    program = """
    let frames = 0, shown = 0;
    Object.defineProperty(video, 'currentTime', { get: () => 1 });
    const engine = { frame: async () => (frames++, { ms: { encoder: 1, decoder: 1 } }), model: { sides: [8] } };
    const camera = new Camera(engine, size, ({ bitmap }) => (shown++, bitmap.close()));
    const started = camera.start(() => {});
    questions[0].resolve(stream());
    for (let tries = 0; !shown && tries < 100; tries++) await moment();
    await moment();
    const late = new Promise((resolve) => setTimeout(resolve, 2000, 'goes on'));
    const end = await Promise.race([camera.stop().then(() => started).then(() => 'stopped'), late]);
    console.log(JSON.stringify({ frames, shown, end, running, bitmaps }));
    process.exit();
    """
    printed = run_modules(tmp_path, _CAMERA + program)
    assert printed == {"frames": 1, "shown": 1, "end": "stopped", "running": 0, "bitmaps": 0}


def test_a_camera_that_is_lost_is_said_and_no_bitmap_stays_open(tmp_path: pathlib.Path) -> None:
    """One that is unplugged before and after its first frame, and frames that cannot be labelled or resized."""
    program = """
    let fails = false;
    const label = async () => {
      if (fails) throw new Error('no memory');
      return { ms: { encoder: 1, decoder: 1 } };
    };
    const engine = { model: { sides: [8] }, frame: label };
    const ends = [], shown = [];
    const camera = new Camera(engine, size, ({ bitmap }) => {
      shown.splice(0).forEach((before) => before.close());
      shown.push(bitmap);
    });
    const film = async (deed) => {
      const done = camera.start(() => {}).then(() => 'stopped', (error) => error.message);
      questions.at(-1).resolve(stream());
      await deed();
      const late = moment().then(moment).then(() => 'goes on');
      ends.push([await Promise.race([done, late]), camera.isOn, running, bitmaps - shown.length]);
      await camera.stop();
    };
    const unplug = () => tracks.at(-1).dispatchEvent(new Event('ended'));
    await film(async () => (await moment(), unplug()));
    camera.video.play = async () => unplug();
    await film(moment);
    camera.video.play = async () => {};
    await film(async () => (await moment(), camera.stop(), unplug())); // a person was quicker
    await film(async () => (await moment(), (fails = true)));
    fails = false;
    await film(async () => (await moment(), (globalThis.OffscreenCanvas = undefined)));
    console.log(JSON.stringify(ends));
    """
    ends = run_modules(tmp_path, _CAMERA + program)
    lost = "The camera is gone: it was unplugged, or the browser is not allowed to use it any more."
    failed = "OffscreenCanvas is not a constructor"
    assert [end[0] for end in ends] == [lost, lost, "stopped", "no memory", failed]
    assert [end[1:] for end in ends] == 5 * [[False, 0, 0]]


def test_networks_that_could_not_be_made_are_made_the_next_time(tmp_path: pathlib.Path) -> None:
    """By the thread that computes, which says of a frame whether networks were made for it."""
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "ort.wasm.min.mjs").write_text("""
    let made = 0;
    const run = async () => ({ logits: { data: new Float32Array(24) } });
    const create = async () => {
      if (++made === 4) throw new Error('no memory');
      return { run };
    };
    export const env = { wasm: {} };
    export const InferenceSession = { create };
    export const Tensor = class {};
    """)
    program = """
    const answers = [];
    const postMessage = ({ progress, answer, error }) => progress ?? answers.push(error ?? answer.isFirst);
    globalThis.self = { postMessage };
    globalThis.fetch = async () => new Response('network');
    await import('./worker.js');
    const networks = [['e8', 'd8'], ['e4', 'd4']];
    const model = { framing: 'square', sides: [8, 4], networks, image_size: 8, class_names: ['a', 'b'], bytes: {} };
    const questions = [{ action: 'load', device: 'cpu', model }];
    for (const side of [8, 4, 4, 4]) {
      questions.push({ action: 'frame', pixels: [], seen: { rows: side, columns: side }, rows: 3, columns: 4 });
    }
    for (const data of questions) await self.onmessage({ data });
    console.log(JSON.stringify(answers));
    process.exit(); // its channel is open
    """
    assert run_modules(tmp_path, program) == [None, False, "no memory", True, False]
