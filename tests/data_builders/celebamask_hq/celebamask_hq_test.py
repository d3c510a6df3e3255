"""CelebAMask-HQ's builder: splits, the orders of merging masks, and what it refuses."""

import io
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image
from raw_sets import (
    SIZE,
    Folders,
    examples,
    save_image,
    save_mask,
    save_png,
    write_celebamask_hq,
    write_mapping,
)
from spoilt_sets import (
    Spoil,
    check_refused,
    leave_only_macos_files,
    nest,
    recolour,
    replace_text,
    truncate,
)

from fpliif_jax import data_builders
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ_FACIAL_PARTS, FACIAL_PARTS
from fpliif_jax.data_builders.prepare import metadata, prepare


def test_celebamask_hq_split_rule_and_sizes(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_celebamask_hq(manual_dir)
    builder = prepare("celebamask_hq", manual_dir=str(manual_dir), data_dir=data_dir)
    assert builder.builder_config.name == "official"
    ids = {s: [int(e["id"]) for e in examples(builder, s)] for s in builder.info.splits}
    assert ids == {"train": [0, 1], "validation": [2, 1999], "test": [10, 2000]}
    example = examples(builder, "test")[1]
    assert example["file_name"] == b"CelebA-HQ-img/2000.jpg"
    assert example["image"].shape == (24, 32, 3)
    assert example["label_map"].shape == (12, 16, 1)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # Worked out by hand from the published orders of painting; one overlap a column:
        # skin+neck, eye_g+l_eye, u_lip+l_lip, hair+cloth, ear_r+neck_l, hair+hat, l_lip+mouth, none
        ("official", [17, 4, 12, 18, 16, 14, 12, 0]),
        ("farl", [1, 3, 11, 13, 16, 14, 12, 0]),
        ("own_masks", [17, 4, 11, 18, 16, 14, 10, 0]),
    ],
)
def test_merge_profiles(folders: Folders, config: str, expected: list[int]) -> None:
    manual_dir, data_dir = folders
    root = manual_dir / "CelebAMask-HQ"
    columns = {
        "skin": (0,),
        "neck": (0,),
        "eye_g": (1,),
        "l_eye": (1,),
        "u_lip": (2,),
        "l_lip": (2, 6),
        "hair": (3, 5),
        "cloth": (3,),
        "ear_r": (4,),
        "neck_l": (4,),
        "hat": (5,),
        "mouth": (6,),
    }
    save_image(root / "CelebA-HQ-img/7.jpg", 7, (8, 8))
    write_mapping(root, [(7, 5)])
    for part, where in columns.items():
        mask = np.zeros((8, 8), bool)
        mask[:, where] = True
        save_mask(root, 7, part, mask)
    builder = prepare(
        "celebamask_hq", builder_config=config, manual_dir=str(manual_dir), data_dir=data_dir
    )
    (example,) = examples(builder, "train")
    np.testing.assert_array_equal(example["label_map"][..., 0], np.tile(expected, (8, 1)))


def test_merge_orders_are_the_published_ones() -> None:
    configs = data_builders.BUILDERS["celebamask_hq"].builder_configs
    assert " ".join(configs["official"].order) == (
        "skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat ear_r "
        "neck_l neck cloth"
    )
    assert " ".join(configs["farl"].order) == (
        "neck skin cloth l_ear r_ear l_brow r_brow l_eye r_eye nose mouth l_lip u_lip hair eye_g "
        "hat ear_r neck_l"
    )
    own_masks = configs["own_masks"].order
    assert " ".join(own_masks[:10]) == "skin eye_g l_ear r_ear hair hat ear_r neck_l neck cloth"
    # The last one painted is Helen's first label, and so on back.
    names = [CELEBAMASK_HQ_FACIAL_PARTS.get(part, part) for part in own_masks[10:]]
    assert tuple(reversed(names)) == FACIAL_PARTS[1:]


def test_merge_profiles_have_their_own_sets_and_fingerprints(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_celebamask_hq(manual_dir)
    prepared = [
        metadata(
            prepare(
                "celebamask_hq", builder_config=c, manual_dir=str(manual_dir), data_dir=data_dir
            )
        )
        for c in (None, "official", "farl")
    ]
    assert [p.builder_config for p in prepared] == ["official", "official", "farl"]
    assert prepared[0].fingerprint == prepared[1].fingerprint != prepared[2].fingerprint


def through_jpeg(path: pathlib.Path) -> None:
    """Half white, half black, and noise where the two meet."""
    mask = np.zeros(SIZE, np.uint8)
    mask[:, 5:] = 255
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, format="JPEG", quality=80)
    save_png(path, np.asarray(Image.open(stream)))


CELEBAMASK_HQ = "CelebAMask-HQ"


MASKS = f"{CELEBAMASK_HQ}/CelebAMask-HQ-mask-anno"


IMAGES = f"{CELEBAMASK_HQ}/CelebA-HQ-img"


MAPPING = f"{CELEBAMASK_HQ}/CelebA-HQ-to-CelebA-mapping.txt"


BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "no mask folder": (lambda d: shutil.rmtree(d / MASKS), (MASKS, "missing")),
    "no numbered mask folder": (
        lambda d: shutil.rmtree(d / MASKS / "1"),
        (f"{IMAGES}/2000.jpg", f"{MASKS}/1"),
    ),
    "no mapping file": (lambda d: (d / MAPPING).unlink(), (MAPPING, "missing")),
    "image without mask": (
        lambda d: (d / MASKS / "0/00010_skin.png").unlink(),
        (f"{IMAGES}/10.jpg", "no mask"),
    ),
    "mask without image": (
        lambda d: save_mask(d / CELEBAMASK_HQ, 77, "nose", np.ones(SIZE, bool)),
        (f"{MASKS}/0/00077_nose.png", "77.jpg"),
    ),
    "row without image": (
        lambda d: replace_text(d / MAPPING, "1999 ", "1998 "),
        (f"{IMAGES}/1999.jpg", MAPPING),
    ),
    "image missing": (lambda d: (d / IMAGES / "1.jpg").unlink(), (f"{IMAGES}/1.jpg", MAPPING)),
    "image in no row": (
        lambda d: save_image(d / IMAGES / "11.jpg"),
        (f"{IMAGES}/11.jpg", "no row", MAPPING),
    ),
    "image twice in the mapping": (
        lambda d: replace_text(d / MAPPING, "\n2 ", "\n1 "),
        (MAPPING, "line 4", "image 1 "),
    ),
    "row that is none": (
        lambda d: replace_text(d / MAPPING, "\n2 ", "\ntwo "),
        (MAPPING, "line 4", "'two "),
    ),
    "row with a number of 5,000 digits": (
        lambda d: replace_text(d / MAPPING, "\n2 ", f"\n{'2' * 5000} "),
        (MAPPING, "line 4", "'2222", "…"),
    ),
    "row with digits of another script": (
        lambda d: replace_text(d / MAPPING, "\n2 ", "\n\u0662 "),
        (MAPPING, "line 4"),
    ),
    "mask that went through JPEG": (
        lambda d: through_jpeg(d / MASKS / "0/00010_skin.png"),
        ("00010_skin.png", "neither black nor white", "JPEG", "Restore"),
    ),
    "grey mask": (
        lambda d: save_png(d / MASKS / "0/00010_skin.png", np.full(SIZE, 128, np.uint8)),
        ("00010_skin.png", "100.0%", "128"),
    ),
    "mask of 0, 1 and 255": (
        lambda d: save_png(
            d / MASKS / "0/00010_skin.png", np.resize(np.array([0, 1, 255], np.uint8), SIZE)
        ),
        ("00010_skin.png", "33.3%", "such as 1"),
    ),
    "only what macOS leaves": (
        lambda d: leave_only_macos_files(d, CELEBAMASK_HQ),
        ("CelebAMask-HQ: there is no such folder", "https://"),
    ),
    "masks of two sizes": (
        lambda d: save_mask(d / CELEBAMASK_HQ, 10, "nose", np.ones((6, 8), bool)),
        ("00010_nose.png", "00010_skin.png", "8 x 6", "16 x 12"),
    ),
    "another aspect ratio": (
        lambda d: save_image(d / IMAGES / "10.jpg", size=(24, 24)),
        (f"{IMAGES}/10.jpg", "24 x 24", "16 x 12"),
    ),
    "unknown part": (
        lambda d: save_mask(d / CELEBAMASK_HQ, 10, "beard", np.ones(SIZE, bool)),
        ("00010_beard.png", "neck_l"),
    ),
    "mask in another folder": (
        lambda d: shutil.move(d / MASKS / "0/00010_skin.png", d / MASKS / "1/00010_skin.png"),
        (f"{MASKS}/1/00010_skin.png", f"{MASKS}/0/00010_skin.png"),
    ),
    "palette mask": (
        lambda d: recolour(d / MASKS / "0/00010_skin.png", "P"),
        ("00010_skin.png", "palette"),
    ),
    "coloured mask": (
        lambda d: Image.new("RGB", (16, 12), "red").save(d / MASKS / "0/00010_skin.png"),
        ("00010_skin.png", "colours"),
    ),
    "truncated image": (
        lambda d: truncate(d / IMAGES / "10.jpg", 0.9),
        (f"{IMAGES}/10.jpg", "truncated"),
    ),
    "image with leading zeros": (
        lambda d: (d / IMAGES / "10.jpg").rename(d / IMAGES / "00010.jpg"),
        (f"{IMAGES}/00010.jpg", "leading zeros"),
    ),
    "unpacked too deep": (
        lambda d: nest(d / CELEBAMASK_HQ),
        ("CelebAMask-HQ/CelebAMask-HQ", "one level too deep"),
    ),
}


@pytest.mark.parametrize(("spoil", "fragments"), BAD.values(), ids=BAD)
def test_bad_input(folders: Folders, spoil: Spoil, fragments: tuple[str, ...]) -> None:
    check_refused("celebamask_hq", folders, spoil, fragments)


def test_label_maps_of_celebamask_hq_are_of_another_size_without_a_word(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    manual_dir, data_dir = folders
    prepare("celebamask_hq", manual_dir=str(write_celebamask_hq(manual_dir)), data_dir=data_dir)
    assert not [r for r in caplog.records if "label maps" in r.getMessage()]
