"""STN-iCNN and its parts against PyTorch, and what the paper says of their shapes."""

from collections.abc import Callable
from typing import Any

import draws
import jax
import jax.numpy as jnp
import literal_stn_icnn as literal
import ml_collections
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from needs_torch import torch

from fpliif_jax.configs import stn_icnn, stn_icnn_helen_official
from fpliif_jax.data.facial_parts import PART_NAMES
from fpliif_jax.interop import stn_icnn_from_torch
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stn_icnn import icnn
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.systems.stn_icnn.theta_forms import centres_of_theta

functional = torch.nn.functional

QUICK = {"xla_backend_optimization_level": 0}  # compiles in half the time
# Two rows and few features: the compiler takes most of the time.
SMALL = {
    "crop_size": 16,
    "coarse_size": 32,
    "row_features": (4, 6),
    "interlinked_layers": 1,
    "localisation_features": (4, 4, 4, 4),
}
COARSE, SIDE, CROP = 113, 96, 24  # of the training step that is compared


def paper_config(**changes: Any) -> ml_collections.ConfigDict:
    config = stn_icnn.get_config().model
    config.update(changes)
    return config


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(function, compiler_options=QUICK)


def smooth_images(seed: int, batch: int, side: int) -> np.ndarray:
    """Waves, in [0, 1]. A bilinear crop's gradient jumps where its position crosses a pixel of noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side * 2 * np.pi
    images = np.zeros((batch, side, side, 3))
    for _ in range(4):
        frequency, phase = (
            rng.uniform(0.3, 1.5, (2, batch, 1, 1, 3)),
            rng.uniform(0, 6, (batch, 1, 1, 3)),
        )
        images += np.sin(frequency[0] * rows[..., None] + frequency[1] * columns[..., None] + phase)
    return (images / 8 + 0.5).astype(np.float32)


def flax_tree(network: torch.nn.Module) -> dict[str, Any]:
    """Variables of a network that has Flax's names already."""
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for name, tensor in network.state_dict().items():
        *path, kind = name.split(".")
        value = tensor.numpy()
        if kind == "num_batches_tracked":
            continue
        if kind == "weight":
            kind = "scale" if value.ndim == 1 else "kernel"
            value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
        node = variables["batch_stats" if kind.startswith("running") else "params"]
        for part in path:
            node = node.setdefault(part, {})
        node[kind.removeprefix("running_")] = value
    return variables


# ----------------------------------------------------------------------------- upsampling


@pytest.mark.parametrize(
    ("old", "new"), [(41, 81), (21, 41), (40, 81), (64, 128), (11, 21), (7, 16)]
)
def test_upsampling_is_pytorchs_nearest(old: int, new: int) -> None:
    x = np.random.default_rng(0).random((2, old, old + 3, 3), np.float32)
    size = (new, 2 * old + 5)
    expected = functional.interpolate(literal.channels_first(x), size=size, mode="nearest")
    found = icnn.upsample(jnp.asarray(x), size)
    np.testing.assert_array_equal(found, literal.channels_last(expected))


# ------------------------------------------------------------------------------ the paper's variant


def test_the_papers_localisation_network_has_nine_layers() -> None:
    shapes = jax.eval_shape(
        create_model(paper_config()).init,
        jax.random.key(0),
        jnp.zeros((1, 128, 128, 3)),
        jnp.zeros((1, 160, 160, 3)),
    )["params"]
    localisation = shapes["localisation"]
    assert set(localisation) == {f"conv_{index}" for index in range(8)} | {"dense"}
    widths = [9, 64, 64, 128, 128, 256, 256, 512, 512]
    for index in range(8):
        kernel = localisation[f"conv_{index}"]["conv"]["kernel"].shape
        assert kernel == (3, 3, widths[index], widths[index + 1])
    assert localisation["dense"]["kernel"].shape == (7 * 7 * 512, 36)


def test_the_papers_networks_have_3x3_kernels_and_one_convolution_between_rows() -> None:
    shapes = jax.eval_shape(
        create_model(paper_config()).init,
        jax.random.key(0),
        jnp.zeros((1, 128, 128, 3)),
        jnp.zeros((1, 160, 160, 3)),
    )["params"]
    networks = [
        shapes["coarse"],
        *(shapes["fine"][name] for name in ("brows", "eyes", "nose", "mouth")),
    ]
    for network, labels in zip(networks, (9, 2, 2, 2, 4), strict=True):
        assert len(network) == 4 + 3 * 4 + 3 + 3
        kernels = {name: block["conv"]["kernel"].shape for name, block in network.items()}
        assert {shape[:2] for shape in kernels.values()} == {(3, 3)}
        assert [kernels[f"head_{index}"][3] for index in range(3)] == [
            2 * labels + 8,
            labels,
            labels,
        ]
        assert [kernels[f"interlink_1_{row}_0"][2:] for row in range(4)] == [
            (24, 8), (48, 16), (72, 24), (56, 32)
        ]  # fmt: skip
        assert [name for name, block in network.items() if "norm" not in block] == ["head_2"]


@pytest.mark.parametrize("size", [(40, 40), (21, 35)])
def test_the_papers_icnn_is_the_literal_one(size: tuple[int, int]) -> None:
    network = literal.PaperICNN(9).eval()
    literal.randomise(network, seed=3)
    model = create_model(paper_config()).coarse
    images = np.random.default_rng(3).random((2, *size, 3), np.float32)
    with torch.no_grad():
        expected = literal.channels_last(network(literal.channels_first(images)))
    found = jit(model.apply)(flax_tree(network), images)
    assert found.dtype == jnp.float32
    # As everywhere below: about 1e-6 of the largest value are rounding.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_the_papers_localisation_network_is_the_literal_one() -> None:
    network = literal.PaperLocalise((8, 8, 16, 16)).eval()
    literal.randomise(network, seed=4)
    model = create_model(paper_config(localisation_features=(8, 8, 16, 16))).localisation
    logits = np.random.default_rng(4).normal(size=(2, 128, 128, 9)).astype(np.float32)
    with torch.no_grad():
        expected = network(literal.channels_first(logits)).numpy()
    assert expected.min() < 0 < expected.max()  # no activation at the end
    found = np.asarray(jit(model.apply)(flax_tree(network), logits))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert (found[:, :, [0, 1], [1, 0]] == 0).all()


# ------------------------------------------------------------------------ a training step, official


@pytest.fixture(scope="module")
def training_step() -> dict[str, Any]:
    """A step of both, with a loss of the crops: outputs, gradients, new statistics, and how far the gradients of
    several draws of the parameters are apart.
    """
    torch.manual_seed(0)
    network = literal.OfficialSTNICNN(literal.LocaliseConv15, CROP).train()
    literal.randomise(network, seed=5)
    literal.aim(network, 0.3)
    config = stn_icnn_helen_official.get_config().model
    config.coarse_size, config.crop_size, config.localisation = COARSE, CROP, "conv15"
    model = create_model(config)
    variables = stn_icnn_from_torch(network.state_dict())
    initial = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    parameters = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    resized, canvas = smooth_images(6, 3, COARSE), smooth_images(7, 3, SIDE)
    weights = np.random.default_rng(8).normal(size=(3, 6, CROP, CROP, 3)).astype(np.float32)

    def stages(model: STNICNN) -> dict[str, jax.Array]:
        coarse_logits = model.label_coarsely(resized, train=True)
        theta = model.localise(coarse_logits, SIDE, train=True)
        parts = jnp.stack(model.crop(canvas, theta), axis=1)
        return {"coarse_logits": coarse_logits, "theta": theta, "parts": parts}

    def loss(params: Any) -> Any:
        both = {"params": params, "batch_stats": variables["batch_stats"]}
        outputs, updates = model.apply(both, method=stages, mutable=["batch_stats"])
        return jnp.mean(outputs["parts"] * weights), (outputs, updates)

    differentiate = jit(jax.value_and_grad(loss, has_aux=True))
    differences: dict[str, list[float]] = {"coarse": [], "localisation": []}
    for draw in reversed(
        draws.DRAWS
    ):  # the first one, with the values as they are, is compared in full
        network.load_state_dict(initial)
        of_draw = draws.variables_of_draw({n: t.numpy() for n, t in parameters.items()}, draw)
        network.load_state_dict(
            {name: torch.from_numpy(leaf) for name, leaf in of_draw.items()}, strict=False
        )
        network.zero_grad()
        (value, (outputs, updates)), gradients = differentiate(
            stn_icnn_from_torch(network.state_dict())["params"]
        )
        coarse_logits = network.modelA(literal.channels_first(resized))
        theta = network.stn_model(coarse_logits.softmax(1))
        parts = literal.crop(literal.channels_first(canvas), theta, CROP)
        expected = {"coarse_logits": coarse_logits, "theta": theta, "parts": parts}
        total = (parts.movedim(2, -1) * torch.from_numpy(weights)).mean()
        total.backward()
        slots = dict(network.named_parameters())
        state = {
            name: torch.zeros_like(tensor) if name in slots and slots[name].grad is None
            else slots[name].grad if name in slots else tensor
            for name, tensor in network.state_dict().items()
        }  # fmt: skip
        expected_trees = stn_icnn_from_torch(state)
        for name, found in differences.items():
            ours, theirs = (
                ravel_pytree(tree[name])[0] for tree in (gradients, expected_trees["params"])
            )
            assert np.linalg.norm(theirs) > 1e-4
            found.append(float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)))
    return {
        "differences": differences,
        "found": {"loss": value, **outputs},
        "expected": {"loss": total.item(), **expected},
        "gradients": gradients,
        "statistics": updates["batch_stats"],
        # Gradients in the place of parameters are carried over like them.
        "expected_trees": expected_trees,
        "before": variables["batch_stats"],
    }


@pytest.mark.slow
def test_outputs_of_a_training_step_are_pytorchs(training_step: dict[str, Any]) -> None:
    found, expected = training_step["found"], training_step["expected"]
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-3)
    theta = expected["theta"].detach().numpy()
    # Four times the worst of what 12 changes of the parameters by 1e-7 do on one side: 4e-5 of the logits and θ,
    # 6e-4 of the crops. A window one pixel off would show 0.035, by which neighbouring pixels differ.
    np.testing.assert_allclose(found["theta"], theta, rtol=0, atol=1.6e-4)
    for name, allowed in (("coarse_logits", 1.6e-4), ("parts", 2.4e-3)):
        array = literal.channels_last(expected[name])
        np.testing.assert_allclose(found[name], array, rtol=0, atol=allowed)


def test_running_statistics_of_a_training_step_are_pytorchs(training_step: dict[str, Any]) -> None:
    """With the unbiased variance, which differs by 6 % where the last norms see 3 examples of 2×3 cells."""
    found, expected = training_step["statistics"], training_step["expected_trees"]["batch_stats"]
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), found, expected
    )
    before = training_step["before"]
    for network in ("coarse", "localisation"):
        moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), found[network], before[network])
        assert all(change > 1e-3 for change in jax.tree.leaves(moved))


def test_gradients_through_theta_are_pytorchs(training_step: dict[str, Any]) -> None:
    """Norms of small batches, ReLUs and maxima amplify rounding to a thousandth of a network's gradient, and one of
    them that flips to a hundredth; a wrong path is off by all of it."""
    gradients, expected = training_step["gradients"], training_step["expected_trees"]["params"]
    assert jax.tree.structure(gradients) == jax.tree.structure(expected)
    for network, differences in training_step["differences"].items():
        print(network, " ".join(f"{number:.1e}" for number in differences))
        draws.assert_all_but_jumps_agree(differences, rounding=0.01, jump=0.1)


# -------------------------------------------------------------------------- small models of the paper


@pytest.fixture(scope="module")
def small() -> tuple[STNICNN, dict[str, Any], np.ndarray, np.ndarray]:
    """The paper's, and a batch of four."""
    model = create_model(paper_config(**SMALL))
    resized, canvas = smooth_images(9, 4, 32), smooth_images(10, 4, 48)
    # Not `init`: it takes long to compile, and signals would nearly vanish on their way to θ.
    shapes = jax.eval_shape(model.init, jax.random.key(0), resized, canvas)
    rng = np.random.default_rng(11)

    def random(path: Any, leaf: Any) -> jax.Array:
        if path[-1].key in ("scale", "var"):
            values = rng.uniform(0.5, 1.5, leaf.shape)
        else:
            values = rng.normal(size=leaf.shape) * np.sqrt(2 / max(np.prod(leaf.shape[:-1]), 10))
        return jnp.asarray(values, jnp.float32)

    variables = jax.tree_util.tree_map_with_path(random, shapes)
    dense = variables["params"]["localisation"]["dense"]
    dense["bias"] = jnp.tile(jnp.array([0.4, 0, -0.2, 0, 0.4, 0.1]), 6)
    dense["kernel"] *= 0.1
    return model, variables, resized, canvas


def test_shapes_and_probabilities(small: Any) -> None:
    model, variables, resized, canvas = small
    outputs = jit(model.apply)(variables, resized, canvas)
    assert outputs["coarse_logits"].shape == (4, 32, 32, 9)
    assert outputs["theta"].shape == (4, 6, 2, 3)
    assert [crop.shape for crop in outputs["parts"]] == [(4, 16, 16, 3)] * 6
    assert [logits.shape[-1] for logits in outputs["part_logits"]] == [2] * 5 + [4]
    assert len(PART_NAMES) == 6
    found = np.asarray(outputs["label_probabilities"])
    assert found.shape == (4, 48, 48, 9)
    assert found.min() >= 0 and found.max() <= 1
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(outputs))


def test_the_second_of_a_pair_is_mirrored(small: Any) -> None:
    model, variables, _, canvas = small
    crops = jnp.asarray(canvas[:, :16, :16])
    parts = [crops, crops[:, :, ::-1]] * 3
    logits = jit(lambda *given: model.apply(*given, method="label_parts"))(variables, parts)
    for first in (0, 2):
        np.testing.assert_allclose(logits[first + 1], logits[first][:, :, ::-1], rtol=0, atol=1e-5)
    assert np.abs(logits[0] - logits[2]).max() > 1e-2  # brows and eyes have networks of their own


@pytest.mark.slow
def test_padding_examples_change_nothing(small: Any) -> None:
    model, variables, resized, canvas = small
    weights = np.array([1, 1, 1, 0], np.float32)

    def compute(resized: Any, canvas: Any, weights: Any) -> Any:
        return model.apply(
            variables, resized, canvas, train=True, example_weights=weights, mutable=["batch_stats"]
        )

    step, statistics = jit(compute), jit(lambda *given: compute(*given)[1])
    outputs, updates = step(resized, canvas, weights)
    other = [np.concatenate([images[:3], 5 * images[:1]]) for images in (resized, canvas)]
    other_outputs, other_updates = step(*other, weights)
    first = {name: jax.tree.map(lambda x: x[:3], value) for name, value in outputs.items()}
    second = {name: jax.tree.map(lambda x: x[:3], value) for name, value in other_outputs.items()}
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)  # noqa: E731
    jax.tree.map(close, (first, updates), (second, other_updates))
    jax.tree.map(close, updates, statistics(resized[:3], canvas[:3], weights[:3]))


def test_parts_of_examples_can_be_left_out(small: Any) -> None:
    """Weights [B, 6]: what a left-out crop shows makes no difference to the statistics of its network."""
    model, variables, _, canvas = small
    parts = jnp.stack([jnp.asarray(canvas[:, part : part + 16, :16]) for part in range(6)], axis=1)
    weights = np.ones((4, 6), np.float32)
    weights[1, 4], weights[:, 0], weights[2, 1] = 0, 0, 0

    @jit
    def statistics(parts: Any, weights: Any) -> Any:
        _, updates = model.apply(
            variables,
            jnp.moveaxis(parts, 1, 0),
            True,
            weights,
            method="label_parts",
            mutable=["batch_stats"],
        )
        return updates["batch_stats"]["fine"]

    expected = statistics(parts, weights)
    changed = statistics(parts.at[1, 4].set(0.9).at[:, 0].set(0.1).at[2, 1].set(3), weights)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), changed, expected
    )
    counted = statistics(parts.at[0, 4].set(0.9), weights)
    assert (
        np.abs(
            counted["nose"]["input_0"]["norm"]["mean"] - expected["nose"]["input_0"]["norm"]["mean"]
        ).max()
        > 1e-4
    )


@pytest.mark.parametrize("trained", ["coarse", "localisation", "fine"])
def test_frozen_networks_keep_their_statistics_and_use_them(small: Any, trained: str) -> None:
    model, variables, resized, canvas = small
    # Of the statistics alone: what comes after the network is not compiled.
    updates = jit(
        lambda *given: model.apply(variables, *given, train=(trained,), mutable=["batch_stats"])[1]
    )(resized, canvas)
    for network, statistics in updates["batch_stats"].items():
        pairs = zip(
            jax.tree.leaves(statistics),
            jax.tree.leaves(variables["batch_stats"][network]),
            strict=True,
        )
        same = [bool(np.array_equal(new, old)) for new, old in pairs]
        assert not any(same) if network == trained else all(same)


def largest_gradients(
    model: STNICNN, variables: Any, resized: Any, canvas: Any
) -> dict[str, float]:
    """Of a function of the crops, for each network before them."""

    def crops(model: STNICNN) -> jax.Array:
        theta = model.localise(model.label_coarsely(resized), canvas.shape[1])
        return sum(jnp.sum(jnp.sin(9 * crop)) for crop in model.crop(canvas, theta))

    def loss(params: Any) -> jax.Array:
        both = {"params": params, "batch_stats": variables["batch_stats"]}
        return model.apply(both, method=crops)

    params = {name: tree for name, tree in variables["params"].items() if name != "fine"}
    return {
        name: max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(tree))
        for name, tree in jit(jax.grad(loss))(params).items()
    }


def test_gradients_reach_the_coarse_network_through_theta_only(small: Any) -> None:
    model, variables, resized, canvas = small
    largest = largest_gradients(model, variables, resized, canvas)
    assert largest["coarse"] > 1e-3 and largest["localisation"] > 1e-3
    fixed = create_model(paper_config(**SMALL, cropper="centroid"))
    coarse = {kind: {"coarse": trees["coarse"]} for kind, trees in variables.items()}
    assert largest_gradients(fixed, coarse, resized, canvas) == {"coarse": 0}


# ----------------------------------------------------------------------------- the centroid cropper


def theta_of_mask(alignment: str, mask: np.ndarray, side: int, sizes: Any = None) -> jax.Array:
    model = create_model(paper_config(**SMALL, cropper="centroid", coarse_alignment=alignment))

    @jit
    def theta(mask: Any, sizes: Any) -> jax.Array:
        return model.apply({}, mask, side, sizes, method="theta_of_mask")

    return theta(mask, None if sizes is None else np.array(sizes, np.int32))


@pytest.mark.parametrize("alignment", ["half_pixel", "corners"])
def test_the_centroid_cropper_finds_the_parts_on_the_canvas(alignment: str) -> None:
    """Squares around known pixels of images are squeezed as PyTorch does, and found again."""
    side, sizes = 300, [(200, 240), (300, 300)]
    centres = np.array([(60, 60), (60, 180), (90, 70), (90, 170), (120, 120), (160, 120)])
    masks, expected = [], []
    for height, width in sizes:
        labels = np.zeros((1, 9, height, width), np.float32)
        for label, (y, x) in enumerate(centres, start=1):
            labels[0, label, y - 9 : y + 10, x - 9 : x + 10] = 1
        labels[0, 0] = 0.5
        squeezed = functional.interpolate(
            torch.from_numpy(labels), size=(128, 128), mode="bilinear",
            align_corners=alignment == "corners",
        )  # fmt: skip
        masks.append(squeezed[0].argmax(0).numpy())
        expected.append(centres + ((side - height) // 2, (side - width) // 2))
    theta = theta_of_mask(alignment, np.stack(masks), side, sizes)
    found = np.asarray(centres_of_theta(theta, side))
    # A pixel of the mask is 2.3 of the image; the edges of a square are rounded to it.
    assert np.abs(found - np.stack(expected)).max() < 2
    np.testing.assert_allclose(found, np.round(found), rtol=0, atol=1e-4)
    np.testing.assert_allclose(theta[..., 0, 0], 15 / 299, rtol=1e-6)

    alone = theta_of_mask(alignment, masks[1][None], side)
    np.testing.assert_array_equal(alone[0], theta[1])


@pytest.mark.parametrize(
    ("alignment", "pixel", "found"),
    [
        ("half_pixel", (0, 0), (15, 5)),  # (0.5 · 100/128 − 0.5, 0.5 · 120/128 − 0.5) rounds to 0
        ("half_pixel", (127, 127), (114, 124)),
        ("half_pixel", (64, 32), (65, 35)),  # 49.89, 29.97
        ("corners", (0, 0), (15, 5)),
        ("corners", (127, 127), (114, 124)),
        ("corners", (64, 32), (65, 35)),  # 49.89, 29.98
    ],
)
def test_pixels_of_the_mask_are_pixels_of_the_canvas(
    alignment: str, pixel: tuple[int, int], found: tuple[int, int]
) -> None:
    """A single pixel, of an image of 100×120 in the middle of 130²; absent parts are in its middle."""
    mask = np.zeros((1, 128, 128), np.int32)
    mask[0][pixel] = 5
    theta = theta_of_mask(alignment, mask, 130, [(100, 120)])
    centres = np.asarray(centres_of_theta(theta, 130))[0]
    np.testing.assert_allclose(centres[4], found, rtol=0, atol=1e-4)
    for part in (0, 1, 2, 3, 5):  # (49.5, 59.5) rounds to (50, 60)
        np.testing.assert_allclose(centres[part], (65, 65), rtol=0, atol=1e-4)


def test_the_two_alignments_differ_for_a_larger_canvas() -> None:
    """A mask of 128² on a canvas of 1024²: pixel 32 begins at 256, or lies 32/127 of the way."""
    mask = np.zeros((1, 128, 128), np.int32)
    mask[0, 32, 96] = 5
    for alignment, expected in (("half_pixel", (260, 772)), ("corners", (258, 773))):
        theta = theta_of_mask(alignment, mask, 1024)
        np.testing.assert_allclose(centres_of_theta(theta, 1024)[0, 4], expected, rtol=0, atol=1e-3)


def test_conv15_says_which_inputs_it_takes() -> None:
    model = create_model(paper_config(**SMALL, localisation="conv15"))
    with pytest.raises(ValueError, match=r"'conv15'.*113² to 128², not 32x32"):
        jax.eval_shape(
            model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)), jnp.zeros((1, 48, 48, 3))
        )
