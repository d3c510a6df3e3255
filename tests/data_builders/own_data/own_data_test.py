"""A folder of one's own photos and label maps: what it may hold, what is refused, and what comes of it."""

import json
import pathlib
import re
import shlex
import shutil
from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin
from tiny_run import tiny_config

from fpliif_jax import interop
from fpliif_jax.commands import command_line
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import class_list
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import DataError, SettingsError
from fpliif_jax.data_builders.prepare import _in_one_line, class_names, metadata, prepare
from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.evaluation.evaluate import evaluate
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report.__main__ import main as write_report
from fpliif_jax.interop import read_weights
from fpliif_jax.pictures.colours import class_colours
from fpliif_jax.predict.__main__ import main as predict_main
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.training import loop, preflight

SIZE = (12, 16)  # height, width
NAMES = ("background", "skin", "left_eye", "right_eye", "hair")
COLOURS = ("#000000", "#cc0000", "#00cc00", "#0000cc", "#cccccc")
IDS = ("a", "b", "c", "d", "e", "f")

Spoil = Callable[[pathlib.Path], object]


def ids_of(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A label map with every class."""
    ids = np.random.default_rng(seed).integers(0, len(NAMES), size, np.uint8)
    ids[0, : len(NAMES)] = range(len(NAMES))
    return ids


def coloured(ids: np.ndarray) -> np.ndarray:
    return np.array([list(bytes.fromhex(c[1:])) for c in COLOURS], np.uint8)[ids]


def photo(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    return Image.fromarray(pixels)


def save_ids(path: pathlib.Path, ids: np.ndarray) -> None:
    Image.fromarray(ids).save(path)


def write_own(root: pathlib.Path) -> pathlib.Path:
    """Six photos; the label map of the n-th is ids_of(n)."""
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    for n, identifier in enumerate(IDS):
        photo(n).save(root / f"images/{identifier}.jpg", quality=95)
        save_ids(root / f"labels/{identifier}.png", ids_of(n))
    (root / "classes.txt").write_text("\n".join(NAMES) + "\n")
    return root


def write_lists(root: pathlib.Path, **splits: str) -> None:
    for split, ids in splits.items():
        (root / f"{split}.txt").write_text("".join(f"{identifier}\n" for identifier in ids))


def with_colours(root: pathlib.Path) -> None:
    lines = [f"{name} {colour}" for name, colour in zip(NAMES, COLOURS, strict=True)]
    (root / "classes.txt").write_text("\n".join(lines))
    for n, identifier in enumerate(IDS):
        Image.fromarray(coloured(ids_of(n))).save(root / f"labels/{identifier}.png")


@pytest.fixture
def own(tmp_path: pathlib.Path) -> pathlib.Path:
    return write_own(tmp_path / "own")


def prepared(own: pathlib.Path, **options: object) -> dict[str, dict[str, np.ndarray]]:
    """Decoded photos and label maps by id."""
    builder = prepare("own_data", manual_dir=str(own), data_dir=str(own.parent / "data"), **options)
    return {
        example["id"].decode(): {name: example[name] for name in ("image", "label_map")}
        for split in builder.info.splits
        for example in builder.as_data_source(split)
    }


def ids_by_split(own: pathlib.Path) -> dict[str, list[str]]:
    builder = prepare("own_data", data_dir=str(own.parent / "data"))
    return {
        split: [example["id"].decode() for example in builder.as_data_source(split)]
        for split in builder.info.splits
    }


# What it may hold.


def test_photos_label_maps_and_classes_are_those_of_the_folder(own: pathlib.Path) -> None:
    found = prepared(own)
    assert sorted(found) == list(IDS)
    for n, identifier in enumerate(IDS):
        np.testing.assert_array_equal(found[identifier]["label_map"][..., 0], ids_of(n))
        pixels = np.asarray(Image.open(own / f"images/{identifier}.jpg"))
        np.testing.assert_array_equal(found[identifier]["image"], pixels)
    of = metadata(prepare("own_data", data_dir=str(own.parent / "data")))
    assert (of.name, of.class_names) == ("own_data", NAMES)
    assert (of.complete, of.official_counts, of.official_ids, of.drawn) == (True, None, None, False)
    assert (
        "5 classes: background, skin, left_eye, right_eye, hair; a flip swaps left_eye and right_eye;"
        in (_in_one_line(of))
    )


@pytest.mark.parametrize(
    ("name", "convert"),
    [
        ("b.PNG", lambda picture: picture),
        ("b.webp", lambda picture: picture),
        ("b.bmp", lambda picture: picture),
        ("b.tif", lambda picture: picture),
        ("b.jpeg", lambda picture: picture.convert("L")),
        ("b.png", lambda picture: picture.convert("L")),
        ("b.png", lambda picture: picture.quantize(16)),
        ("b.png", lambda picture: picture.convert("RGBA")),
        ("b.jpg", lambda picture: picture.resize((40, 30))),
    ],
)
def test_photos_of_other_formats_and_sizes_keep_their_pixels(
    own: pathlib.Path, name: str, convert: Callable[[Image.Image], Image.Image]
) -> None:
    (own / "images/b.jpg").unlink()
    convert(photo(1)).save(own / "images" / name)
    if convert(photo(1)).size != (16, 12):  # 40 x 30 fits no 16 x 12
        save_ids(own / "labels/b.png", ids_of(1, (30, 40)))
    pixels = np.asarray(Image.open(own / "images" / name).convert("RGB"))
    np.testing.assert_array_equal(prepared(own)["b"]["image"], pixels)


def test_photos_lie_as_they_are_seen(own: pathlib.Path) -> None:
    for suffix in ("jpg", "png", "tif", "webp"):
        root = write_own(own.parent / suffix / "own")
        (root / "images/b.jpg").unlink()
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by 90 degrees
        stored = photo(1).transpose(Image.Transpose.ROTATE_90)
        stored.save(root / f"images/b.{suffix}", exif=exif, lossless=True, quality=100)
        found = prepared(root)["b"]["image"]
        seen = {"jpg": ImageOps.exif_transpose(Image.open(root / f"images/b.{suffix}"))}
        np.testing.assert_array_equal(found, np.asarray(seen.get(suffix, photo(1))))


def save_palette(path: pathlib.Path, ids: np.ndarray, bits: int = 8) -> None:
    picture = Image.fromarray(ids)
    picture.putpalette([*coloured(np.arange(len(NAMES))).ravel().tolist()])
    picture.save(path, bits=bits)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_value_of_a_palette_pixel_is_its_id(own: pathlib.Path, bits: int) -> None:
    save_palette(own / "labels/b.png", ids_of(1), bits)
    np.testing.assert_array_equal(prepared(own)["b"]["label_map"][..., 0], ids_of(1))


def test_colours_of_the_class_list_are_looked_up_whatever_the_kind_of_file(
    own: pathlib.Path,
) -> None:
    with_colours(own)
    opaque = Image.fromarray(coloured(ids_of(1))).convert("RGBA")
    opaque.save(own / "labels/b.png")
    Image.fromarray(coloured(ids_of(2))).quantize(8).save(
        own / "labels/c.png"
    )  # in an order of its own
    assert (np.asarray(Image.open(own / "labels/c.png")) != ids_of(2)).any()
    found = prepared(own)
    for n, identifier in enumerate(IDS):
        np.testing.assert_array_equal(found[identifier]["label_map"][..., 0], ids_of(n))


def test_hidden_files_are_passed_over(own: pathlib.Path) -> None:
    before = prepared(own)
    for name in ("images/.DS_Store", "images/Thumbs.db", "labels/._a.png", "notes.md"):
        (own / name).write_bytes(b"\0")
    (own / "__MACOSX").mkdir()
    assert prepared(own).keys() == before.keys()


def test_a_folder_of_links_is_read(own: pathlib.Path) -> None:
    elsewhere = own.parent / "photos"
    shutil.move(own / "images", elsewhere)
    (own / "images").mkdir()
    for path in elsewhere.iterdir():
        (own / "images" / path.name).symlink_to(path)
    assert len(prepared(own)) == len(IDS)


def test_label_maps_of_half_the_size_are_told(
    own: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_ids(own / "labels/b.png", ids_of(1, (6, 8)))
    assert prepared(own)["b"]["label_map"].shape == (6, 8, 1)
    assert any("1 label map, labels/b.png, is resized" in r.getMessage() for r in caplog.records)


# Splits.


def test_lists_divide_in_their_order_and_leave_the_rest_out(
    own: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_lists(own, train="cab", test="e")
    prepared(own)
    assert ids_by_split(own) == {"train": ["c", "a", "b"], "test": ["e"]}
    assert any(
        "2 photos are in no list and left out, the first d" in r.getMessage()
        for r in caplog.records
    )


def test_without_lists_it_is_divided_as_data_split_random_does(own: pathlib.Path) -> None:
    prepared(own)
    found = ids_by_split(own)
    assert {split: len(ids) for split, ids in found.items()} == {
        "train": 3,
        "validation": 1,
        "test": 2,
    }
    config = tiny_config(own, own.parent / "data").data
    config.update({"name": "own_data", "split": "random"})
    dataset = load_dataset(config)
    for split, ids in found.items():
        assert load_split(dataset, split, (32,)).ids.tolist() == ids


# What a prepared set remembers.


def test_a_change_of_the_folder_asks_for_a_rebuild(own: pathlib.Path) -> None:
    prepared(own)
    for change in (
        lambda: (own / "classes.txt").write_text("\n".join((*NAMES[:-1], "hat"))),
        lambda: write_lists(own, train="ab", validation="cd", test="ef"),
        lambda: save_ids(own / "labels/a.png", ids_of(99)),
    ):
        change()
        with pytest.raises(
            DataError, match="prepared from other data.*prepare own_data.*--rebuild"
        ):
            prepared(own)
        prepared(own, rebuild=True)
    assert metadata(prepare("own_data", data_dir=str(own.parent / "data"))).class_names[-1] == "hat"


def test_a_copy_elsewhere_has_the_same_fingerprint(
    own: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    prepared(own)
    copy = tmp_path / "other" / "own_data"
    shutil.copytree(own, copy)
    for given in (copy, copy.parent):  # also as the folder of that name in the one that is given
        builder = prepare("own_data", manual_dir=str(given), data_dir=str(own.parent / "data"))
        assert metadata(builder).class_names == NAMES


def test_a_prepared_set_without_its_classes_is_damaged(own: pathlib.Path) -> None:
    prepared(own)
    (note,) = own.parent.rglob("raw_tree.json")
    origin = prepared_set.read_origin(note.parent)
    for names in (
        None,
        ["background", 1],
        ["background"],
        ["skin", "background"],
        ["background", "skin", "skin"],
        ["background", "<script>"],
        ["background", ""],
    ):
        content = json.loads(note.read_text()) | {"class_names": names}
        note.write_text(json.dumps({k: v for k, v in content.items() if k != "sha256"}))
        with pytest.raises(DataError, match="damaged.*--rebuild"):
            prepare("own_data", data_dir=str(own.parent / "data"))
        with pytest.raises(DataError, match="not known before it is prepared"):
            class_names("own_data", str(own.parent / "data"))
    prepared_set.write_origin(note.parent, origin)
    prepare("own_data", data_dir=str(own.parent / "data"))


# What is refused.


def replace_class(root: pathlib.Path, old: str, new: str) -> None:
    (root / "classes.txt").write_text("\n".join(NAMES).replace(old, new))


def save_as(path: pathlib.Path, mode: str) -> None:
    Image.open(path).convert(mode).save(path, format="PNG")


def smooth(path: pathlib.Path) -> None:
    Image.open(path).resize((32, 24), Image.Resampling.BILINEAR).resize((16, 12)).save(path)


def packed(path: pathlib.Path) -> None:
    """Greyscale ids as programs that make PNG files smaller may write them: index 0 is the most frequent."""
    ids = np.array(Image.open(path))
    order = np.array([3, 1, 4, 0, 2], np.uint8)
    picture = Image.fromarray(np.argsort(order).astype(np.uint8)[ids])
    picture.putpalette(np.repeat(order, 3).tolist())
    picture.save(path)


def bomb(path: pathlib.Path) -> None:
    """A PNG whose header claims 100,000 × 100,000 pixels."""
    content = bytearray(path.read_bytes())
    content[16:24] = (100_000).to_bytes(4, "big") * 2
    header = bytes(content[12:29])
    content[29:33] = PngImagePlugin._crc32(header).to_bytes(4, "big")
    path.write_bytes(content)


def animated(path: pathlib.Path) -> None:
    photo(0).save(path, save_all=True, append_images=[photo(1)], lossless=True)


BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "no photos": (lambda d: shutil.rmtree(d / "images"), ("own/images", "missing", "DIR/labels")),
    "no list of classes": (lambda d: (d / "classes.txt").unlink(), ("own/classes.txt", "missing")),
    "empty folders": (
        lambda d: [p.unlink() for p in d.glob("*/*")],
        ("own: 0 photos are too few", "train.txt"),
    ),
    "photo without label map": (
        lambda d: (d / "labels/c.png").unlink(),
        ("images/c.jpg", "no label map", "labels/c.png"),
    ),
    "label map without photo": (
        lambda d: (d / "images/c.jpg").unlink(),
        ("labels/c.png", "no photo", "images/c"),
    ),
    "names in other capitals": (
        lambda d: (d / "labels/c.png").rename(d / "labels/C.png"),
        ("C.png", "capitals"),
    ),
    "names with other forms of accents": (
        lambda d: (
            (d / "images/c.jpg").rename(d / "images/\u00e9.jpg"),
            (d / "labels/c.png").rename(d / "labels/e\u0301.png"),
        ),
        ("has no", "accents. Rename it"),
    ),
    "two photos of one id": (
        lambda d: photo(1).save(d / "images/c.png"),
        ("images/c.png", "c.jpg", "the same but for the ending"),
    ),
    "ids that differ in capitals": (
        lambda d: (photo(1).save(d / "images/C.jpg"), save_ids(d / "labels/C.png", ids_of(1))),
        ("c.jpg", "C.jpg", "capitals"),
    ),
    "sub-folder": (
        lambda d: (d / "images/more").mkdir(),
        ("images/more", "folders in images are not read"),
    ),
    "HEIC": (lambda d: (d / "images/c.heic").touch(), ("images/c.heic", "HEIC", ".jpg")),
    "another file": (lambda d: (d / "images/c.txt").touch(), ("images/c.txt", "none of the files")),
    "JPEG label map": (
        lambda d: (
            Image.open(d / "labels/c.png").save(d / "labels/c.jpg"),
            (d / "labels/c.png").unlink(),
        ),
        ("labels/c.jpg", "saved with loss", "border"),
    ),
    "JPEG label map called PNG": (
        lambda d: shutil.copy(d / "images/c.jpg", d / "labels/c.png"),
        ("labels/c.png", "a JPEG image", "saved with loss"),
    ),
    "label map in another lossless format": (
        lambda d: (
            Image.open(d / "labels/c.png").save(d / "labels/c.bmp"),
            (d / "labels/c.png").unlink(),
        ),
        ("labels/c.bmp", "end in .png"),
    ),
    "RGB label map without colours": (
        lambda d: save_as(d / "labels/c.png", "RGB"),
        ("labels/c.png", "saved as RGB", "classes.txt", "#cc0000"),
    ),
    "label map with alpha": (
        lambda d: save_as(d / "labels/c.png", "LA"),
        ("labels/c.png", "alpha", "greyscale"),
    ),
    "16-bit label map": (
        lambda d: Image.fromarray(ids_of(2).astype(np.uint16)).save(d / "labels/c.png"),
        ("labels/c.png", "16 bits"),
    ),
    "1-bit label map": (
        lambda d: Image.fromarray(ids_of(2) > 1).save(d / "labels/c.png"),
        ("labels/c.png", "1-bit greyscale"),
    ),
    "greys packed into a palette": (
        lambda d: packed(d / "labels/c.png"),
        ("labels/c.png", "the palette shows the value 0 as the grey 3"),
    ),
    "id beyond the list": (
        lambda d: save_ids(
            d / "labels/c.png", np.where(ids_of(2) == 4, 7, ids_of(2)).astype(np.uint8)
        ),
        ("labels/c.png", f"{(ids_of(2) == 4).sum()} pixels have the id 7", "end with 4, hair"),
    ),
    "ids that are left out": (
        lambda d: save_ids(
            d / "labels/c.png", np.where(ids_of(2) > 3, 255, ids_of(2) + 3).astype(np.uint8)
        ),
        ("labels/c.png", "the id 5", "other ids", "255 is no class"),
    ),
    "unknown colour": (
        lambda d: (
            with_colours(d),
            Image.fromarray(
                np.where(ids_of(2)[..., None] == 4, 7, coloured(ids_of(2))).astype(np.uint8)
            ).save(d / "labels/c.png"),
        ),
        (
            "labels/c.png",
            f"{(ids_of(2) == 4).sum()} pixels",
            "row 0, column 4",
            "#070707",
            "not in classes.txt",
        ),
    ),
    "smoothed colours": (
        lambda d: (with_colours(d), smooth(d / "labels/c.png")),
        ("labels/c.png", "other colours are neither", "smoothing"),
    ),
    "transparent colours": (
        lambda d: (
            with_colours(d),
            Image.new("RGBA", SIZE[::-1], (0, 0, 0, 0)).save(d / "labels/c.png"),
        ),
        ("labels/c.png", "transparent"),
    ),
    "label map of another shape": (
        lambda d: save_ids(d / "labels/c.png", ids_of(2, (12, 12))),
        ("images/c.jpg", "16 x 12", "labels/c.png", "12 x 12", "aspect ratio", "docs/own_data.md"),
    ),
    "truncated photo": (
        lambda d: (d / "images/c.jpg").write_bytes((d / "images/c.jpg").read_bytes()[:300]),
        ("images/c.jpg", "truncated", "docs/own_data.md"),
    ),
    "empty photo": (lambda d: (d / "images/c.jpg").write_bytes(b""), ("images/c.jpg", "empty")),
    "no photo at all": (
        lambda d: (d / "images/c.jpg").write_text("<html>"),
        ("images/c.jpg", "not a JPEG or PNG"),
    ),
    "CMYK photo": (
        lambda d: photo(2).convert("CMYK").save(d / "images/c.jpg"),
        ("images/c.jpg", "CMYK", "8-bit RGB"),
    ),
    "transparent photo": (
        lambda d: (
            (d / "images/c.jpg").unlink(),
            Image.new("RGBA", SIZE[::-1], (0, 0, 0, 9)).save(d / "images/c.png"),
        ),
        ("images/c.png", "transparent"),
    ),
    "animation": (
        lambda d: ((d / "images/c.jpg").unlink(), animated(d / "images/c.webp")),
        ("images/c.webp", "2 pictures"),
    ),
    "decompression bomb": (
        lambda d: bomb(d / "labels/c.png"),
        ("labels/c.png", "pixels", "docs/own_data.md"),
    ),
    "link to a device": (
        lambda d: ((d / "images/c.jpg").unlink(), (d / "images/c.jpg").symlink_to("/dev/zero")),
        ("images/c.jpg", "a device"),
    ),
    "link to nothing": (
        lambda d: ((d / "images/c.jpg").unlink(), (d / "images/c.jpg").symlink_to("gone")),
        ("images/c.jpg", "cannot be read", "docs/own_data.md"),
    ),
    "link to itself": (
        lambda d: ((d / "images/c.jpg").unlink(), (d / "images/c.jpg").symlink_to("c.jpg")),
        ("images/c.jpg: this link cannot be followed (Too many", "Remove it, or put what it"),
    ),
    "name that is not UTF-8": (
        lambda d: (d / "images/c.jpg").rename(bytes(d / "images").decode() + "/c\udcff.jpg"),
        ("c\\udcff.jpg", "not UTF-8"),
    ),
    "id in two lists": (
        lambda d: write_lists(d, train="abc", test="dcf"),
        ("test.txt, line 2: c is listed already", "train.txt, line 3"),
    ),
    "id twice in a list": (
        lambda d: write_lists(d, train="abca"),
        ("train.txt, line 4: a is listed already", "line 1"),
    ),
    "empty list": (
        lambda d: write_lists(d, train="abc", validation=""),
        ("validation.txt", "names no photo"),
    ),
    "id of no photo": (lambda d: write_lists(d, train="abz"), ("train.txt, line 3", "'z'")),
    "file name in a list": (
        lambda d: (d / "train.txt").write_text("a.jpg\n"),
        ("train.txt, line 1", "without ending"),
    ),
    "path in a list": (
        lambda d: (d / "train.txt").write_text("../images/a\n"),
        ("train.txt, line 1", "'../images/a' is the id of no photo"),
    ),
    "list that is no text": (
        lambda d: (d / "train.txt").write_bytes(b"\xff\xfe\0"),
        ("train.txt", "not a text", "UTF-8 with one entry a line"),
    ),
    "list of classes that is no text": (
        lambda d: (d / "classes.txt").write_bytes(b"\xff\xfe\0"),
        ("classes.txt", "not a text", "UTF-8 with one entry a line"),
    ),
    "list that is a link to nothing": (
        lambda d: (d / "train.txt").symlink_to("gone"),
        ("train.txt", "cannot be read (No such file"),
    ),
    "list under another name": (
        lambda d: write_lists(d, train="ab", val="c", test="d"),
        ("own/val.txt", "train.txt, validation.txt, test.txt", "Rename it to validation.txt"),
    ),
    "list in capitals": (
        lambda d: write_lists(d, Train="ab"),
        ("own/Train.txt", "Rename it to train.txt"),
    ),
    "id in a list in other capitals": (
        lambda d: write_lists(d, train="aB"),
        ("train.txt, line 2", "'B'", "b differs in capitals or accents"),
    ),
    "too few to divide": (
        lambda d: [path.unlink() for i in IDS[2:] for path in d.glob(f"*/{i}.*")],
        ("own: 2 photos are too few", "train.txt"),
    ),
    "one class": (
        lambda d: (d / "classes.txt").write_text("background"),
        ("1 class is listed", "2 to 255"),
    ),
    "256 classes": (
        lambda d: (d / "classes.txt").write_text("\n".join(f"c{i}" for i in range(256))),
        ("classes.txt", "256 classes", "2 to 255"),
    ),
    "blank line": (
        lambda d: replace_class(d, "skin\n", "skin\n\n"),
        ("classes.txt, line 4", "line 3 is blank"),
    ),
    "name with a comma": (lambda d: replace_class(d, "skin", "a,b"), ("line 2", "'a,b'")),
    "markup": (lambda d: replace_class(d, "skin", "<script>"), ("line 2", "expected a name")),
    "colours of some": (lambda d: replace_class(d, "skin", "skin #cc0000"), ("line 2", "in none")),
    "no colour": (
        lambda d: (d / "classes.txt").write_text("background #000000\nskin red"),
        ("line 2", "'red' is no colour"),
    ),
    "one colour twice": (
        lambda d: (d / "classes.txt").write_text("background #0A0a0a\nskin #0a0A0a"),
        ("line 2", "colour of line 1"),
    ),
    "one name twice": (lambda d: replace_class(d, "hair", "Skin"), ("line 5: Skin is in line 2",)),
    "another first class": (
        lambda d: replace_class(d, "background", "void"),
        ("line 1", "'void'", "'background'"),
    ),
    "half a pair": (
        lambda d: replace_class(d, "right_eye", "rigth_eye"),
        ("line 3", "'left_eye' has no counterpart"),
    ),
    "sides of both kinds": (
        lambda d: (d / "classes.txt").write_text("background\nleft_eye\nright_eye\nl_ear\nr_ear"),
        ("classes.txt", "picture's sides", "person's own"),
    ),
}


@pytest.mark.parametrize(("spoil", "fragments"), BAD.values(), ids=BAD.keys())
def test_bad_folders(own: pathlib.Path, spoil: Spoil, fragments: tuple[str, ...]) -> None:
    spoil(own)
    with pytest.raises(DataError) as error:
        prepared(own)
    for fragment in fragments:
        assert fragment in str(error.value)
    assert "\n" not in str(error.value) and "official" not in str(error.value)
    assert not list((own.parent / "data").rglob("*.array_record"))


def test_no_data_says_what_to_put_where(tmp_path: pathlib.Path) -> None:
    for options in ({}, {"manual_dir": str(tmp_path / "nowhere")}):
        with pytest.raises(DataError, match="DIR/images.*docs/own_data.md.*prepare own_data"):
            prepare("own_data", data_dir=str(tmp_path), **options)


def test_folders_in_commands_can_be_pasted_into_a_shell(own: pathlib.Path) -> None:
    moved = own.rename(own.with_name("my own; photos"))
    folders = {"manual_dir": str(moved), "data_dir": str(own.parent / "it's prepared")}
    prepare("own_data", **folders)
    write_lists(moved, train="ab")
    with pytest.raises(DataError) as error:
        prepare("own_data", **folders)
    command = str(error.value).split("To replace it: ")[1].split(" --rebuild")[0]
    assert shlex.split(command)[4:] == [f"--{name}={folder}" for name, folder in folders.items()]


def test_names_of_celebamask_hq_are_a_list_of_classes() -> None:
    rows = list(enumerate(CELEBAMASK_HQ, start=1))
    found = class_list.parse_class_list(rows, pathlib.Path("classes.txt"))
    assert found.names == CELEBAMASK_HQ
    # Its l_lip is the lower lip.
    assert found.mirrored_pairs() == [("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")]


PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "own_data.md").read_text()


def test_class_lists_of_the_documentation_are_such() -> None:
    blocks = re.findall(r"(?:^    background.*\n)(?:^    .+\n)+", PAGE, re.MULTILINE)
    rows = [list(enumerate(map(str.strip, block.splitlines()), start=1)) for block in blocks]
    plain, with_colour = (class_list.parse_class_list(one, pathlib.Path("p")) for one in rows)
    assert plain.names == with_colour.names == NAMES and with_colour.colours is not None
    assert plain.mirrored_pairs() == [("left_eye", "right_eye")]


def test_commands_of_the_documentation_have_the_settings_that_they_name() -> None:
    (block,) = re.findall(r"## An example to copy.*?```bash\n(.*?)```", PAGE, re.DOTALL)
    commands = [shlex.split(line) for line in block.replace("\\\n", "").splitlines()]
    trained = [command for command in commands if any("--config=" in part for part in command)]
    assert len(trained) == 2
    for command in trained:
        config = command_line.config_of([part for part in command if part.startswith("--config")])
        preflight.check_settings(config)
        assert (config.data.name, config.data.data_dir) == ("own_data", "data/prepared")
        assert config.model.num_classes == len(LAPA_AND_HELEN)


# Trained, evaluated, reported and predicted with.


def run(config: object, workdir: pathlib.Path) -> dict:
    dataset = load_dataset(config.data)
    preflight.check_classes(config, dataset)
    workdir.mkdir(parents=True)
    loop.train(config, workdir, dataset, Interruption())
    return evaluate(config, workdir, dataset)


def test_lapa_copied_into_the_own_layout_trains_to_the_same_bits(
    lapa_download: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    own = tmp_path / "own"
    (own / "images").mkdir(parents=True)
    (own / "labels").mkdir()
    for folder, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        images = sorted((lapa_download / "LaPa" / folder / "images").iterdir())
        write_lists(own, **{split: [path.stem for path in images]})
        for path in images:
            shutil.copy(path, own / "images")
            shutil.copy(path.parents[1] / "labels" / f"{path.stem}.png", own / "labels")
    (own / "classes.txt").write_text("\n".join(LAPA_AND_HELEN))
    digests, weights = {}, {}
    for name, manual_dir in (("lapa", lapa_download), ("own_data", own)):
        config = tiny_config(manual_dir, tmp_path / "data")
        config.update({"data": {"name": name}, "train": {"epochs": 1}})
        config.augment.horizontal_flip = True
        dataset = load_dataset(config.data)
        digests[name] = dataset.digest
        dataset.metadata.counts["validation"] = 0  # scores change no parameter
        (tmp_path / name).mkdir()
        loop.train(config, tmp_path / name, dataset, Interruption())
        weights[name] = load_for_inference(tmp_path / name, "last").variables
    jax.tree.map(np.testing.assert_array_equal, weights["lapa"], weights["own_data"])
    assert digests["lapa"] == digests["own_data"]


MANY = ("background", "left_eye", "right_eye", *(f"part{i}" for i in range(21)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The folder of a run on 24 classes, more than have a colour of their own; its data lie beside it."""
    folder = tmp_path_factory.mktemp("trained")
    own = write_own(folder / "own")
    (own / "classes.txt").write_text("\n".join(MANY))
    save_ids(own / "labels/a.png", np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE) % 24)
    config = tiny_config(own, folder / "data")
    config.data.name = "own_data"
    config.model.num_classes = len(MANY)
    config.augment.enabled = False
    config.train.epochs = 1
    config.eval.rows = ("32",)
    run(config, folder / "runs" / "seed0")
    return folder / "runs" / "seed0"


def test_results_name_the_classes_and_no_place(trained: pathlib.Path) -> None:
    results = json.loads((trained / "results.json").read_text())
    assert tuple(results["evaluations"][0]["class_f1"]) == MANY[1:]
    record = results["dataset"]
    assert (record["name"], record["complete"], record["whose_left"]) == (
        "own_data",
        True,
        "picture",
    )
    assert str(trained.parents[1]) not in json.dumps(record)


def test_a_report_tells_that_the_data_are_ones_own(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    study, _ = analyse(trained.parent)
    (group,) = study.groups
    assert tuple(group.class_names) == MANY
    write_report([f"--runs={trained.parent}", f"--output={tmp_path / 'report'}"])
    text = (tmp_path / "report" / "report.md").read_text()
    assert r"| own\_data, 3 train / 1 validation / 2 test, a set of one's own, " in text


def test_photos_are_labelled_in_the_colours_of_the_classes(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    photo(7).resize((40, 30)).save(tmp_path / "new.jpg")
    out = tmp_path / "out"
    assert (
        predict_main([f"--workdir={trained}", f"--output_dir={out}", str(tmp_path / "new.jpg")])
        == 0
    )
    pngs = [Image.open(path) for path in out.rglob("*.png")]
    (label_map,) = [png for png in pngs if png.mode == "P"]
    assert label_map.size == (40, 30)
    expected = class_colours(MANY).ravel().tolist()
    assert label_map.getpalette()[: len(expected)] == expected


def test_weights_carry_the_names_of_the_classes(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = load_for_inference(trained, "best").config
    for name in (
        "weights.safetensors",
        "weights.pth",
    ):  # the latter names none: the prepared set does
        interop.write_weights(trained, "best", tmp_path / name)
        assert read_weights(tmp_path / name, config).class_names == MANY
    config = config.copy_and_resolve_references()
    config.data.data_dir = str(tmp_path)
    with pytest.raises(DataError, match="own_data are not known before it is prepared"):
        read_weights(tmp_path / "weights.pth", config.lock())


def test_a_run_is_not_scored_on_other_classes(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(trained.parents[1] / "own", own)
    (own / "classes.txt").write_text("\n".join((*MANY[:3], *reversed(MANY[3:]))))
    config = load_for_inference(trained, "best").config.copy_and_resolve_references()
    config.update({"data": {"manual_dir": str(own), "data_dir": str(tmp_path / "data")}})
    dataset = load_dataset(config.lock().data)
    with pytest.raises(checkpoint.CheckpointError, match="id 3 was 'part0' and is 'part20'"):
        evaluate(config, trained, dataset)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"num_classes": 11},
            "num_classes is 11; own_data has 5 classes: set --config.model.num_classes=5",
        ),
        ({"labels": "facial_parts"}, "has no left_brow, .*STN-iCNN needs 'facial_parts'"),
    ],
)
def test_settings_that_do_not_fit_the_classes(
    own: pathlib.Path, fields: dict[str, object], message: str
) -> None:
    config = tiny_config(own, own.parent / "data")
    config.data.name = "own_data"
    config.data.labels = fields.get("labels", "all")
    config.model.num_classes = fields.get("num_classes", 5)
    with pytest.raises(SettingsError, match=message):
        preflight.check_classes(config, load_dataset(config.data))


def test_stn_icnn_finds_its_parts_by_their_names(tmp_path: pathlib.Path) -> None:
    found = {}
    for name in ("lapa", "own_data"):
        config = tiny_config(tmp_path / "raw", tmp_path / "data").data
        config.update({"name": name, "labels": "facial_parts"})
        config.synthetic.update({"num_train": 3, "num_val": 1, "num_test": 1, "image_size": 48})
        found[name] = load_split(load_dataset(config), "train", (32,))
    np.testing.assert_array_equal(found["lapa"].labels[32], found["own_data"].labels[32])
    assert found["own_data"].labels[32].max() == 8
