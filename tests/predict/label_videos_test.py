"""Tests of videos: in Python and by the command, with tiny untrained models and files that are made here."""

import os
import pathlib
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import untrained_models
from blotchy_photos import save_run
from needs_video import av
from PIL import Image
from small_videos import REGULAR, frames_of, save_video, sound_of, turned

from fpliif_jax import FaceParser
from fpliif_jax.pictures import label_maps
from fpliif_jax.predict import __main__, videos
from fpliif_jax.predict.find_faces import FaceFinder, FindError
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.predict.videos import Video, VideoError
from fpliif_jax.predict.windows import Window
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif.labeller import FPLIIFLabeller

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    checkpoints: dict[str, InferenceCheckpoint],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """Runs the command in an empty folder; returns its exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    save_run(tmp_path / "run", checkpoints["fp_liif"])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run_command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = __main__.main(["--workdir=run", "--output_dir=out", *arguments])
        except SystemExit as ended:
            print(ended.code, file=sys.stderr)
            code = 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run_command
    for number, handler in before.items():
        signal.signal(number, handler)


def listed(folder: str = "out") -> list[str]:
    return sorted(os.listdir(folder))


def overlay_of(parser: FaceParser, pixels: np.ndarray) -> np.ndarray:
    labels = parser(pixels).labels
    return label_maps.overlay(pixels, labels, parser.class_names)


# ------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mov", ".mkv"])
def test_an_overlay_has_the_video_s_frames_times_and_sound(
    run: Run, tmp_path: pathlib.Path, parsers: dict[str, FaceParser], suffix: str
) -> None:
    source = tmp_path / f"film{suffix}"
    times = (0, 40, 80, 360, 400, 1000)  # of no constant rate
    save_video(source, times)
    code, out, err = run(source.name)
    assert code == 0 and "1 of 1 videos labelled" in out, err
    assert listed() == [f"film_overlay{suffix}"]
    overlay = tmp_path / "out" / f"film_overlay{suffix}"
    frames, shown = frames_of(source), frames_of(overlay)
    assert [time for time, _ in shown] == [time for time, _ in frames] == list(times)
    assert sound_of(overlay) == sound_of(source) != []
    for (_, pixels), (_, result) in zip(frames, shown, strict=True):
        expected = overlay_of(parsers["fp_liif"], pixels).astype(float)
        # Video halves the resolution of colours, and has loss.
        assert np.abs(result - expected).mean() < 12 < np.abs(pixels - expected).mean()


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])  # of the others the last frame has no duration
def test_the_last_frame_is_shown_as_long_as_in_the_video(
    run: Run, tmp_path: pathlib.Path, suffix: str
) -> None:
    source = tmp_path / f"x{suffix}"
    save_video(source, times=(0, 40), last_duration=700)
    assert run(source.name)[0] == 0
    for path in (source, tmp_path / "out" / f"x_overlay{suffix}"):
        with av.open(path) as container:
            stream = container.streams.video[0]
            assert stream.duration * stream.time_base == Fraction(740, 1000)


def test_label_maps_of_frames_are_those_of_photos(
    run: Run, tmp_path: pathlib.Path, parsers: dict[str, FaceParser]
) -> None:
    save_video(tmp_path / "x.mp4")
    for _ in range(2):  # earlier results are replaced
        code, _, err = run("--frame_labels", "--output_size=24x20", "x.mp4")
        assert code == 0, err
    assert listed() == ["x_labels", "x_overlay.mp4"]
    names = [f"{index:06d}.png" for index in range(len(REGULAR))]
    assert listed("out/x_labels") == names
    for name, (_, pixels) in zip(names, frames_of(tmp_path / "x.mp4"), strict=True):
        labels = Image.open(tmp_path / "out/x_labels" / name)
        expected = parsers["fp_liif"](pixels, size=(24, 20)).labels
        assert labels.mode == "P" and np.mean(np.asarray(labels) != expected) < 0.01  # ties
    assert [frame.shape for _, frame in frames_of(tmp_path / "out/x_overlay.mp4")] == [
        (24, 20, 3)
    ] * len(REGULAR)


def test_photos_and_videos_at_once_and_what_lies_in_folders(
    run: Run, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "folder").mkdir()
    save_video(tmp_path / "folder" / "y.mp4")
    save_video(tmp_path / "x.mp4")
    Image.new("RGB", (20, 20)).save(tmp_path / "folder" / "x.png")
    code, out, err = run("--output_size=16", "x.mp4", "folder")
    assert code == 0 and "2 of 2 photos and videos labelled" in out
    assert "1 .mp4; videos are labelled where they are named" in err
    assert "folder/x.png: its results are called x_2" in err
    assert listed() == ["x_2_labels.png", "x_2_overlay.jpg", "x_overlay.mp4"]


def test_only_earlier_results_are_replaced_and_none_is_taken_for_a_video(
    run: Run, tmp_path: pathlib.Path
) -> None:
    save_video(tmp_path / "x.mp4")
    (tmp_path / "out" / "x_labels").mkdir(parents=True)
    (tmp_path / "out" / "x_labels" / "000000.png").write_bytes(b"mine")
    code, _, err = run("--frame_labels", "x.mp4")
    assert code == 1 and "out/x_labels is in the way" in err
    assert run("x.mp4")[0] == 0  # which writes none
    code, out, err = run("x.mp4", "out/x_overlay.mp4")
    assert code == 0 and "1 of 1" in out and "passed over 1 result of an earlier run" in err
    save_video(tmp_path / "out" / "x_overlay.mp4")
    code, _, err = run("x.mp4")
    assert code == 1 and "out/x_overlay.mp4 is in the way" in err


def test_a_picture_that_is_to_be_turned_is(run: Run, tmp_path: pathlib.Path) -> None:
    save_video(tmp_path / "x.mp4", height=40, width=32)
    (tmp_path / "x.mp4").write_bytes(turned((tmp_path / "x.mp4").read_bytes()))
    with Video(tmp_path / "x.mp4") as video:
        assert video.size == (32, 40)
        pixels = [frame.pixels() for frame in video.frames()]
    for upright, (_, coded) in zip(pixels, frames_of(tmp_path / "x.mp4"), strict=True):
        np.testing.assert_array_equal(
            upright, np.asarray(Image.fromarray(coded).rotate(-90, expand=True))
        )
    assert run("x.mp4")[0] == 0
    shown = frames_of(tmp_path / "out" / "x_overlay.mp4")
    assert {frame.shape for _, frame in shown} == {(32, 40, 3)}
    with av.open(tmp_path / "out" / "x_overlay.mp4") as container:
        assert {frame.rotation for frame in container.decode(video=0)} == {0}


@pytest.mark.parametrize("size", [None, "24x30"])
def test_a_picture_of_oblong_pixels_is_shown_in_its_proportions(
    run: Run, tmp_path: pathlib.Path, size: str | None
) -> None:
    for is_turned in (False, True):
        path = tmp_path / f"x{is_turned:d}.mp4"
        save_video(path, times=(0, 40), height=40, width=32, pixel_aspect=Fraction(16, 11))
        if is_turned:
            path.write_bytes(turned(path.read_bytes()))
        assert run(*([f"--output_size={size}"] if size else []), path.name)[0] == 0
        with av.open(tmp_path / "out" / f"x{is_turned:d}_overlay.mp4") as container:
            stream = container.streams.video[0]
            shown = Fraction(stream.width, stream.height) * stream.sample_aspect_ratio
            assert size is None or (stream.height, stream.width) == (24, 30)
        proportions = Fraction(32 * 16, 40 * 11)
        assert shown == (1 / proportions if is_turned else proportions)


def test_a_webm_that_is_not_shown_in_its_proportions_says_so(
    run: Run, tmp_path: pathlib.Path
) -> None:
    save_video(tmp_path / "x.webm", times=(0, 40), height=40, width=32)
    note = "x.webm: its overlay is not shown in its proportions"
    assert note in run("--output_size=24x30", "x.webm")[2]
    code, _, err = run("--output_size=20x16", "x.webm")
    assert code == 0 and note not in err


@pytest.mark.parametrize("aspect", [(2**31 - 1, 1), (1, 2**31 - 1), (0, 0), (2**32 - 1, 7)])
def test_pixels_of_an_absurd_shape_are_taken_for_square(
    run: Run, tmp_path: pathlib.Path, aspect: tuple[int, int]
) -> None:
    path = tmp_path / "x.mp4"
    save_video(path, times=(0, 40), pixel_aspect=Fraction(4, 3))
    content = path.read_bytes()
    place = content.index(b"pasp") + 4
    absurd = b"".join(number.to_bytes(4, "big") for number in aspect)
    path.write_bytes(content[:place] + absurd + content[place + 8 :])
    code, _, err = run("x.mp4")
    assert code == 0, err
    with av.open(tmp_path / "out" / "x_overlay.mp4") as container:
        shape = container.streams.video[0].sample_aspect_ratio
        assert shape in (
            None,
            Fraction(1),
            Fraction(4, 3),
        )  # the last as the pictures themselves say


def test_colours_stay_what_they_are(tmp_path: pathlib.Path, run: Run) -> None:
    save_video(tmp_path / "x.mp4", colour=(200, 40, 60))
    assert run("--output_size=21x15", "x.mp4")[0] == 0  # odd, for which H.264 has no halved colours
    (_, pixels), *_ = frames_of(tmp_path / "x.mp4")
    (_, shown), *_ = frames_of(tmp_path / "out" / "x_overlay.mp4")
    assert shown.shape == (21, 15, 3)
    # An untrained model gives one class to one colour, which is laid over all of the frame.
    labels_colour = 2 * shown[10, 7].astype(float) - pixels[10, 7]
    colours = np.asarray(
        label_maps.palette_image(
            np.arange(5, dtype=np.uint8)[None], untrained_models.CLASS_NAMES
        ).convert("RGB")
    )[0]
    assert np.abs(np.vstack([colours, pixels[10, 7]]) - labels_colour).max(axis=1).min() < 8


def test_ctrl_c_leaves_nothing_of_a_video_and_what_was_there(
    tmp_path: pathlib.Path,
    checkpoints: dict[str, InferenceCheckpoint],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_video(tmp_path / "x.mp4")
    assert run("--frame_labels", "x.mp4")[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*") if path.is_file()}
    label, calls = FPLIIFLabeller.label, []

    def label_and_interrupt(*arguments: Any) -> np.ndarray:
        calls.append(arguments)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return label(*arguments)

    monkeypatch.setattr(FPLIIFLabeller, "label", label_and_interrupt)
    code, _, err = run("--frame_labels", "x.mp4")
    assert code == 130 and "interrupted: nothing of x.mp4 is kept" in err
    assert 3 <= len(calls) < len(REGULAR)
    assert listed() == ["x_labels", "x_overlay.mp4"]
    assert {path: path.read_bytes() for path in before} == before


def test_a_full_disk_is_one_line(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_video(tmp_path / "x.mp4")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fpliif_jax.predict.parsed_photo.ParsedPhoto.save", full)
    code, _, err = run("--frame_labels", "x.mp4")
    assert code == 1 and "x.mp4: its result cannot be written: [Errno 28] No space left" in err
    assert listed() == []


def test_earlier_label_maps_stay_where_new_ones_cannot_take_their_place(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_video(tmp_path / "x.mp4", times=(0, 40))
    assert run("--frame_labels", "x.mp4")[0] == 0

    def fail(self: str | pathlib.Path, target: str | pathlib.Path) -> None:
        if os.fspath(self).endswith(".partial"):
            raise OSError(5, "Input/output error")
        rename(self, target)

    rename = os.rename
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fail)
        code, _, err = run("--frame_labels", "x.mp4")
    assert code == 1 and "its result cannot be written: [Errno 5]" in err
    assert listed("out/x_labels") == ["000000.png", "000001.png"]
    assert listed() == ["x_labels", "x_overlay.mp4"]


def test_what_a_killed_process_left_is_removed_a_day_later(
    run: Run, tmp_path: pathlib.Path
) -> None:
    save_video(tmp_path / "x.mp4")
    """But of no other program's and, below the folder, nothing: --output_dir may be all that somebody has."""
    left = [
        (".x_labels.old_made.partial", 2 * 86400),
        (".x_labels.new_made.partial", 0),
        (".film.part.partial", 2 * 86400),
        ("mine/.x_labels.old_made.partial", 2 * 86400),
    ]
    for name, age in left:
        folder = tmp_path / "out" / name
        folder.mkdir(parents=True)
        (folder / "000000.png").write_bytes(b"")
        moment = folder.stat().st_mtime - age
        os.utime(folder, (moment, moment))
    assert run("x.mp4")[0] == 0
    assert listed() == [".film.part.partial", ".x_labels.new_made.partial", "mine", "x_overlay.mp4"]
    assert listed("out/mine") == [".x_labels.old_made.partial"]


# ---------------------------------------------------------------------------------- hostile files


def _no_video(path: pathlib.Path) -> str:
    path.write_bytes(b"\0" * 5000)
    return "damaged, or not a video"


def _playlist(path: pathlib.Path) -> str:
    path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    return "damaged, or not a video"


def _sound_alone(path: pathlib.Path) -> str:
    save_video(path, with_picture=False)
    return "it has no picture"


def _missing(path: pathlib.Path) -> str:
    path.unlink()
    return "no such file"


def _pipe(path: pathlib.Path) -> str:
    path.unlink()
    os.mkfifo(path)
    return "not a file but a named pipe"


def _empty(path: pathlib.Path) -> str:
    path.write_bytes(b"")
    return "damaged, or not a video"


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize(
    "spoil",
    [_no_video, _playlist, _sound_alone, _missing, _pipe, _empty],
    ids=lambda spoil: spoil.__name__,
)
def test_what_is_no_video_is_one_line_and_the_next_is_labelled(
    tmp_path: pathlib.Path, suffix: str, spoil: Callable[[pathlib.Path], str]
) -> None:
    path = tmp_path / f"x{suffix}"
    save_video(path, times=(0, 40))
    message = spoil(path)
    with pytest.raises(VideoError, match=message) as caught:
        Video(path)
    assert "\n" not in str(caught.value)


def _sound_that_mov_refuses(path: pathlib.Path) -> str:
    """Opus in a .mov: FFmpeg reads it, and refuses to write it."""
    save_video(path.with_suffix(".mp4"), sound="libopus")
    path.with_suffix(".mp4").rename(path)
    return "a sound track is left out of the overlay: .mov cannot hold opus"


def _sound_of_a_kind_that_nobody_knows(path: pathlib.Path) -> str:
    save_video(path)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    return "a sound track is left out of the overlay: .mkv cannot hold one that FFmpeg"


def _sound_whose_time_goes_back(path: pathlib.Path) -> str:
    """The seventh packet comes with the time 0."""
    save_video(path)
    content, place = bytearray(path.read_bytes()), 0
    for index, packet in enumerate(sound_of(path)):
        place = content.index(packet, place)
        if index == 6:
            content[place - 3 : place - 1] = bytes(2)  # of the block's head: track, time, flags
        place += len(packet)
    path.write_bytes(content)
    return "1 packet of its sound is damaged and left out of the overlay"


@pytest.mark.parametrize(
    ("suffix", "spoil", "num_packets"),
    [
        (".mov", _sound_that_mov_refuses, 0),
        (".mkv", _sound_of_a_kind_that_nobody_knows, 0),
        (".mkv", _sound_whose_time_goes_back, 12),
    ],
)
def test_sound_that_cannot_be_copied_is_left_out_with_a_note(
    run: Run,
    tmp_path: pathlib.Path,
    suffix: str,
    spoil: Callable[[pathlib.Path], str],
    num_packets: int,
) -> None:
    path = tmp_path / f"x{suffix}"
    note = spoil(path)
    save_video(tmp_path / "y.mp4", times=(0, 40))
    code, out, err = run(path.name, "y.mp4")
    assert code == 0 and "2 of 2 videos labelled" in out, err
    assert f"{path.name}: {note}" in err
    overlay = tmp_path / "out" / f"x_overlay{suffix}"
    assert [time for time, _ in frames_of(overlay)] == list(REGULAR)
    with av.open(overlay) as container:
        assert len(container.streams.audio) == bool(num_packets)
    if num_packets:
        assert len(sound_of(overlay)) == num_packets == len(sound_of(path)) - 1


def test_what_the_container_refuses_at_its_end_is_one_line(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x.mp4", "y.mp4"):
        save_video(tmp_path / name, times=(0, 40))
    errors = [av.error.ArgumentError(22, "Invalid argument")]

    class Refusing:
        """A container that is written, and cannot be closed the first time."""

        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def close(self) -> None:
            self._container.close()
            if errors:
                raise errors.pop()

    def refusing(file: Any, mode: str = "r", **options: Any) -> Any:
        container = opened(file, mode, **options)
        return Refusing(container) if hasattr(file, "name") and mode == "w" else container

    opened = av.open
    monkeypatch.setattr(av, "open", refusing)
    code, out, err = run("x.mp4", "y.mp4")
    assert code == 1 and "1 of 2 videos labelled" in out
    assert "x.mp4: its overlay cannot be encoded: " in err and "Invalid argument" in err
    assert listed() == ["y_overlay.mp4"]


def test_a_video_that_cannot_be_read_is_passed_over(run: Run, tmp_path: pathlib.Path) -> None:
    save_video(tmp_path / "good.mp4", times=(0, 40))
    save_video(tmp_path / "bad.mp4", times=(0, 40))
    content = (tmp_path / "bad.mp4").read_bytes()
    (tmp_path / "bad.mp4").write_bytes(content[: content.index(b"moov")])  # its table, at the end
    code, out, err = run("bad.mp4", "good.mp4")
    assert code == 1 and "1 of 2 videos labelled" in out and "bad.mp4: damaged" in err
    assert listed() == ["good_overlay.mp4"]


def test_of_a_video_that_is_cut_off_there_is_what_it_has(run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.webm"
    save_video(path, times=range(0, 4000, 40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    code, out, err = run("--output_size=8", "x.webm")
    assert code == 1 and "0 of 1 videos" in out
    (line,) = [line for line in err.splitlines() if "of the 4.0 s that it says it has" in line]
    assert line.lstrip("\r").startswith("x.webm: it ends after ")
    assert 20 < len(frames_of(tmp_path / "out" / "x_overlay.webm")) < 100


def test_damaged_frames_are_counted_and_the_others_are_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.mp4"
    save_video(path, times=range(0, 2000, 40), height=96, width=96)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 3000
    content[start : start + 2000] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(content)
    with Video(path) as video:
        times = [frame.time for frame in video.frames()]
        assert len(times) > 20 and (np.diff(times) > 0).all()
        assert any("frames are damaged" in line for line in video.problems)


def test_huge_frames_and_endless_videos_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.webm"
    save_video(path)
    monkeypatch.setattr(videos, "MAX_FRAMES", 3)
    with Video(path) as video, pytest.raises(VideoError, match="more than 3 frames"):
        list(video.frames())
    monkeypatch.setattr(videos, "MAX_PIXELS", 40 * 32 - 1)
    with pytest.raises(VideoError, match="32x40 pixels are too many|damaged"):
        Video(path)


def test_frames_of_another_size_in_between_are_resized(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.webm"
    with av.open(path, "w") as container:
        packets = []
        for height, first in ((40, 0), (24, 3)):
            encoder = av.CodecContext.create("libvpx-vp9", "w")
            encoder.height, encoder.width, encoder.pix_fmt = height, 32, "yuv420p"
            encoder.time_base = videos.Fraction(1, 25)
            for index in range(first, first + 3):
                frame = av.VideoFrame.from_ndarray(np.full((height, 32, 3), 90, np.uint8))
                frame.pts = index
                packets += encoder.encode(frame)
            packets += encoder.encode()
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.height, stream.width = 40, 32
        for packet in packets:
            packet.stream = stream
            container.mux(packet)
    with Video(path) as video:
        assert [frame.pixels().shape for frame in video.frames()] == [(40, 32, 3)] * 6


def test_without_pyav_it_is_one_line_that_names_the_extra(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_video(tmp_path / "x.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    code, _, err = run("x.mp4")
    assert code == 1
    assert err == 'error: a video needs av: pip install "fpliif_jax[video]"\n'


# -------------------------------------------------------------------------------------- in Python


@pytest.mark.parametrize("name", ["fp_liif", "stn_icnn"])
def test_frames_in_python(
    tmp_path: pathlib.Path, parsers: dict[str, FaceParser], name: str
) -> None:
    path, parser = tmp_path / "x.mp4", parsers[name]
    save_video(path, times=(0, 40, 500))
    parsed = list(parser.video(path))
    assert [round(1000 * seconds) for seconds, _ in parsed] == [0, 40, 500]
    for (_, frame), (_, pixels) in zip(parsed, frames_of(path), strict=True):
        np.testing.assert_array_equal(frame.photo, pixels)
        assert np.mean(frame.labels != parser(pixels).labels) < 0.01  # ties
    if name == "fp_liif":
        batches = parser.video(path, size=16, batch_size=2)
        assert [frame.size for _, frame in batches] == [(16, 16)] * 3


def test_faces_can_be_found_in_frames(
    tmp_path: pathlib.Path, parsers: dict[str, FaceParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.mp4"
    save_video(path, times=(0, 40))
    window = Window(4, 5, 24, 25)
    monkeypatch.setattr(FaceFinder, "find", lambda *_: [window])
    for _, frame in parsers["fp_liif"].video(path, find="auto"):
        assert frame.faces == (window,)
        assert not frame.labels[24:].any()
    with pytest.raises(FindError):
        next(parsers["stn_icnn"].video(path, find="auto"))
    with pytest.raises(VideoError, match=r"x\.avi: not a video: its name must end with \.mp4"):
        next(parsers["fp_liif"].video(tmp_path / "x.avi"))


@pytest.mark.parametrize("by_command", [False, True])
def test_memory_does_not_grow_with_a_video(
    run: Run,
    tmp_path: pathlib.Path,
    parsers: dict[str, FaceParser],
    monkeypatch: pytest.MonkeyPatch,
    by_command: bool,
) -> None:
    """Of 30 frames, whose pixels FFmpeg holds, and of their results no more than a few are there at once."""
    save_video(tmp_path / "x.mp4", times=range(0, 30 * 40, 40))

    def counts_of(kind: type) -> list[int]:
        """Gets the number of objects that are there each time that one is made."""
        alive: weakref.WeakSet[Any] = weakref.WeakSet()
        counts, initialize = [], kind.__init__

        def initialize_counted(self: Any, *arguments: Any) -> None:
            initialize(self, *arguments)
            alive.add(self)
            counts.append(len(alive))

        monkeypatch.setattr(kind, "__init__", initialize_counted)
        return counts

    num_frames, num_results = counts_of(videos.Frame), counts_of(ParsedPhoto)
    if by_command:
        assert run("--output_size=8", "x.mp4")[0] == 0
    else:
        for _ in parsers["fp_liif"].video(tmp_path / "x.mp4", size=8):
            pass
    assert len(num_frames) == len(num_results) == 30
    assert max(num_frames) < 15 and max(num_results) < 5
