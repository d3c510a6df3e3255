"""STN-iCNN on CelebAMask-HQ as the authors' branch has it: data, windows, and a step of every stage."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from PIL import Image

from fpliif_jax import systems
from fpliif_jax.configs import stn_icnn_celebamask_hq_official
from fpliif_jax.data.batches import EpochOrder, train_batches
from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import class_names, synthetic_faces
from fpliif_jax.fields import config_fields
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.stn_icnn import grid_transformer, protocols, theta_forms, windows
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.training.step import init_variables

SIDE, CROP, MOUTH = 48, 11, 21
HELEN_LABELS = {
    name: class_names.FACIAL_PARTS.index(class_names.CELEBAMASK_HQ_FACIAL_PARTS.get(name, name))
    for name in ("l_brow", "r_brow", "l_eye", "r_eye", "nose", "u_lip", "mouth", "l_lip")
}


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Twelve faces of 64² with masks of 32², on which hair, a hat and glasses cover parts of the face."""
    folder = tmp_path_factory.mktemp("celebamask_hq")
    synthetic_faces.write_dataset(
        "celebamask_hq",
        folder,
        num_train=8,
        num_val=2,
        num_test=2,
        image_size=64,
        mask_size=32,
        num_workers=1,
    )
    for number in range(12):
        for part, cover in (("l_brow", "hair"), ("r_brow", "hat"), ("l_eye", "eye_g")):
            path = _mask_path(folder, number, cover)
            mask = _mask(folder, number, part)
            mask[:, ::2] = False  # half of it
            if path.exists():
                mask |= _mask(folder, number, cover)
            Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB").save(path)
    return folder


def _mask_path(folder: pathlib.Path, number: int, part: str) -> pathlib.Path:
    masks = folder / "CelebAMask-HQ" / "CelebAMask-HQ-mask-anno"
    return masks / "0" / f"{number:05d}_{part}.png"


def _mask(folder: pathlib.Path, number: int, part: str) -> np.ndarray:
    path = _mask_path(folder, number, part)
    if not path.exists():
        return np.zeros((32, 32), bool)
    return np.asarray(Image.open(path).convert("L")) > 127


def _config(folder: pathlib.Path, data_dir: pathlib.Path) -> ml_collections.ConfigDict:
    """The preset, small: networks of two rows and one convolution between them, images of 32² in the middle of 48²."""
    config = stn_icnn_celebamask_hq_official.get_config()
    config.data.manual_dir, config.data.data_dir = str(folder), str(data_dir)
    config.data.num_workers = 1
    config.data.image_size, config.data.longest_side = SIDE, 32
    config.data.split_counts = (5, 3, 2)
    config.model.coarse_size, config.model.crop_size = 32, CROP
    config.model.mouth_crop_size = MOUTH
    config.model.row_features, config.model.interlinked_layers = (3, 4), 1
    config.model.interlink_convs = 1
    config.model.kernel_size = config.model.last_kernel_size = 3
    config.model.localisation, config.model.localisation_features = "vgg9", (2, 3, 3, 4)
    return config


@pytest.fixture(scope="module")
def config(
    download: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> ml_collections.ConfigDict:
    return _config(download, tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def dataset(config: ml_collections.ConfigDict) -> Dataset:
    return load_dataset(config.data)


def test_the_preset_is_the_branchs() -> None:
    config = stn_icnn_celebamask_hq_official.get_config()
    assert (config.model.crop_size, config.model.mouth_crop_size) == (127, 255)
    assert config.model.variant == "official" and config.data.builder_config == "own_masks"
    assert (config.data.split, config.data.split_counts) == ("first", (2000, 200, 200))
    # What the scripts assert of orig_label: (N, 9, 512, 512).
    assert (config.data.image_size, config.data.longest_side) == (512, None)
    joint = config.train.end_to_end
    assert (joint.coarse_learning_rate, joint.localisation_learning_rate) == (0, 0)


def test_the_first_images_by_number_are_the_splits(dataset: Dataset) -> None:
    assert dataset.counts == {"train": 5, "validation": 3, "test": 2}
    ids = [list(load_split(dataset, name, (SIDE,)).ids) for name in dataset.counts]
    assert ids == [["0", "1", "2", "3", "4"], ["5", "6", "7"], ["8", "9"]]  # not 0, 1, 10, 11, 2


def test_the_truth_is_each_parts_own_mask(
    config: ml_collections.ConfigDict, dataset: Dataset, download: pathlib.Path
) -> None:
    """Merged labels differ only where hair, hat and glasses cover a part."""
    config = config.copy_and_resolve_references()
    config.data.builder_config = "official"
    merged = load_dataset(config.data)
    assert merged.metadata.fingerprint != dataset.metadata.fingerprint
    own_split, merged_split = (load_split(one, "train", (SIDE,)) for one in (dataset, merged))
    inside = (slice(8, 40), slice(8, 40))  # padded by (48 − 32)/2
    assert (own_split.image_sizes == 32).all()
    differing = 0
    for position, identifier in enumerate(own_split.ids):
        own, other = (split.labels[SIDE][position] for split in (own_split, merged_split))
        for labels in (own, other):
            assert labels.sum(dtype=int) == labels[inside].sum(dtype=int)
        number = int(identifier)
        expected, covered = np.zeros((32, 32), np.uint8), np.zeros((32, 32), bool)
        for part, label in HELEN_LABELS.items():
            expected[_mask(download, number, part)] = label  # drawn parts do not overlap
        for cover in ("hair", "hat", "eye_g", "ear_r", "neck_l"):
            covered |= _mask(download, number, cover)
        np.testing.assert_array_equal(own[inside], expected)
        same = own[inside] == other[inside]
        assert not (~same & ~covered).any()
        # Official: eyes come after glasses and hide them, hair and hat after brows.
        assert set(np.unique(own[inside][~same])) <= {
            HELEN_LABELS[part] for part in ("l_brow", "r_brow")
        }
        differing += (~same).sum()
    assert differing > 0


@pytest.mark.slow
@pytest.mark.parametrize("form", config_fields.FIELDS["model.theta_form"].rule.values)
def test_windows_of_both_sizes_go_there_and_back(form: str) -> None:
    """Networks that label perfectly give the truth wherever a window shows it, windows on the true centres have no
    error, and others the one that they are off. Colours tell the labels, so that no network is needed."""
    config = _config(pathlib.Path("none"), pathlib.Path("none"))
    config.model.theta_form, config.model.cropper = form, "centroid"
    config.model.coarse_size, config.model.coarse_from = SIDE, "canvas"
    truth = np.zeros((1, SIDE, SIDE), np.uint8)
    for label, (y, x) in enumerate([(12, 12), (12, 34), (18, 12), (18, 34), (24, 24)], start=1):
        truth[0, y - 2 : y + 3, x - 3 : x + 4] = label
    for label, y in ((6, 32), (7, 35), (8, 38)):  # 17 wide: more than the other windows show
        truth[0, y - 1 : y + 2, 16:33] = label
    found = protocols.make_predictor(
        _perfect(create_model(config.model)),
        config,
        tuple(
            protocols.parse_protocol(name, config)
            for name in ("image", "true_windows", "centroid_windows")
        ),
    )({}, {
        "images": np.repeat(25 * truth[..., None], 3, axis=-1),
        f"labels_{SIDE}": truth,
        "image_sizes": np.array([[SIDE, SIDE]], np.int32),
    })  # fmt: skip
    for name in ("true_windows", "centroid_windows"):
        if form != "eq21":  # whose windows are not slices
            np.testing.assert_array_equal(found[name].labels, truth)
    for name, error, size_error in (("image", 3, 2), ("centroid_windows", 0, 0)):
        measures = found[name].measures
        np.testing.assert_allclose(measures[windows.WINDOW_ERROR], [[error] * 6], atol=1e-4)
        np.testing.assert_allclose(
            measures[windows.WINDOW_SIZE_ERROR], [[size_error] * 6], atol=1e-4
        )


class _Perfect(STNICNN):
    """A model whose networks read the labels from the colours."""

    def label_coarsely(self, photo: jax.Array, *_: Any, **__: Any) -> jax.Array:
        labels = jnp.round(photo[..., 0] * 255 / 25).astype(jnp.int32)
        return 50 * jax.nn.one_hot(labels, 9)

    def label_parts(self, crops: Sequence[jax.Array], *_: Any, **__: Any) -> tuple[jax.Array, ...]:
        labels = [jnp.round(crop[..., 0] * 255 / 25).astype(jnp.int32) for crop in crops]
        assert [crop.shape[1] for crop in labels] == [CROP] * 5 + [MOUTH]
        targets = grid_transformer.part_targets(labels)
        return tuple(
            50 * jax.nn.one_hot(target, 1 + len(own))
            for target, own in zip(targets, PART_LABELS, strict=True)
        )

    def localise(self, *arguments: Any, **settings: Any) -> jax.Array:
        """Windows 3 pixels lower, and 2 larger."""
        length = SIDE if self.theta_form == "eq21_half_pixel" else SIDE - 1
        off = jnp.array([[[[2, 0, 0], [0, 2, 2 * 3]]]]) / length
        return super().localise(*arguments, **settings) + off


def _perfect(model: STNICNN) -> _Perfect:
    names = {field.name for field in dataclasses.fields(model)} - {"parent", "name"}
    return _Perfect(**{name: getattr(model, name) for name in names})


@pytest.mark.parametrize("form", ["align_corners", "eq21_half_pixel"])
def test_the_fine_stage_sees_slices_of_both_sizes(
    config: ml_collections.ConfigDict, dataset: Dataset, form: str
) -> None:
    config = config.copy_and_resolve_references()
    config.model.theta_form, config.train.stages = form, ("fine",)
    (stage,) = systems.of(config).training.make_stages(
        config, create_model(config.model), dataset.class_names
    )
    batch = _batch(dataset)
    inputs = jax.jit(stage.prepare)(batch)
    counts = stage.normalisers(inputs)
    assert float(counts["nose"]) == 5 * CROP**2
    assert float(counts["mouth"]) == 5 * MOUTH**2
    padded_images, padded_labels = (
        np.pad(batch[name], ((0, 0), (30, 30), (30, 30), (0, 0))[: batch[name].ndim])
        for name in ("images", "labels")
    )
    settings = stn_icnn_settings.resolve(config.model)
    theta, _ = windows.true_windows(jnp.asarray(batch["labels"]), settings)
    centres = np.round(theta_forms.centres_of_theta(theta, SIDE, form)).astype(int)
    for part, size in enumerate([CROP] * 5 + [MOUTH]):
        for example in range(5):
            y, x = centres[example, part] + 30 - size // 2
            window = (example, slice(y, y + size), slice(x, x + size))
            np.testing.assert_allclose(
                inputs["parts"][part][example], padded_images[window] / 255, rtol=0, atol=1e-4
            )
            own = PART_LABELS[part]
            wanted = padded_labels[window].astype(int)
            wanted = np.where(np.isin(wanted, own), wanted - own[0] + 1, 0)
            np.testing.assert_array_equal(inputs["targets"][part][example], wanted)


def _gradients(stage: Stage, variables: dict[str, Any], batch: dict[str, np.ndarray]) -> Any:
    """Loss, gradients and new statistics of the networks, on one device."""

    def loss(params: Any) -> Any:
        inputs = stage.prepare(batch)
        sums, updated = stage.sums({**variables, "params": params}, inputs)
        return stage.total(sums, stage.normalisers(inputs))[0], updated

    # Compiles in half the time.
    quick = {"xla_backend_optimization_level": 0}
    step = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=quick)
    (value, updated), gradients = step(variables["params"])
    return value, gradients, updated


@pytest.mark.slow
def test_every_stage_trains_a_step(config: ml_collections.ConfigDict, dataset: Dataset) -> None:
    model = create_model(config.model)
    variables, batch = init_variables(model, config), _batch(dataset)
    before = variables["batch_stats"]
    for stage in systems.of(config).training.make_stages(config, model, dataset.class_names):
        losses, gradients, statistics = _gradients(stage, variables, batch)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((losses, gradients)))
        trained = [name for name, rate in stage.learning_rates.items() if rate]
        for network in trained:
            assert any(np.any(leaf) for leaf in jax.tree.leaves(gradients[network])), stage.name
        moved = jax.tree.map(lambda one, other: np.any(one != other), statistics, before)
        # K and L are frozen in the joint training, and so are their norms.
        assert {name for name, leaves in moved.items() if any(jax.tree.leaves(leaves))} == set(
            trained
        ), stage.name


def test_the_mouths_network_has_the_parameters_of_before() -> None:
    config = _config(pathlib.Path("none"), pathlib.Path("none"))
    canvas = jnp.zeros((1, SIDE, SIDE, 3))
    trees = []
    for mouth in (MOUTH, None):
        config.model.mouth_crop_size = mouth
        model = create_model(config.model)
        trees.append(
            jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)), canvas)
        )
    assert trees[0] == trees[1]
    with config.model.unlocked():
        del config.model.mouth_crop_size  # as in the settings of older runs
    assert stn_icnn_settings.resolve(config.model).mouth_crop_size == CROP
    config.model.mouth_crop_size = 7
    with pytest.raises(ValueError, match=r"model\.mouth_crop_size is 7.*at least 8"):
        stn_icnn_settings.resolve(config.model)
    config.model.mouth_crop_size, config.model.row_features = 31, (2,) * 6  # 31, 15, 7, 3, 1, 0
    config.model.crop_size = config.model.coarse_size = 32
    config.model.pool_size = 2
    with pytest.raises(ValueError, match=r"mouth_crop_size is 31; the 6 rows .* at least 32 with"):
        stn_icnn_settings.resolve(config.model)
    config.model.pool_size = 3  # 31, 16, 8, 4, 2, 1
    stn_icnn_settings.resolve(config.model)


def _batch(dataset: Dataset) -> dict[str, np.ndarray]:
    split = load_split(dataset, "train", (SIDE,))
    batches = train_batches(
        split, SIDE, EpochOrder(batch_size=5, seed=0), local_slice=slice(0, 5), steps=range(1)
    )
    return next(iter(batches))
