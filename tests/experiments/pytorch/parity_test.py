"""The Flax model against the plain form of the paper in PyTorch, with the same weights: logits and gradients."""

import functools
import itertools
from typing import Any

import draws
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from differences import Differences
from needs_torch import torch

from fpliif_jax.configs import fp_liif
from fpliif_jax.experiments.pytorch import losses as torch_losses
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF, cell_centres
from fpliif_jax.interop import fpliif_from_torch, fpliif_to_torch
from fpliif_jax.systems import create_model
from fpliif_jax.systems.fp_liif import losses
from fpliif_jax.systems.protocol import IGNORE_LABEL
from fpliif_jax.training.step import init_variables

# Both sides compute in float32 and sum in different orders. A sum of k terms of size one is off by
# about sqrt(k) 6e-8 of its size; k is below 600 for one layer, and errors add up over the layers.
# What comes out is in docs/parity.md; a factor of four is left for other machines.
# A wrong cell, order or weight is off by more than 1e-3.
TOLERANCE = 5e-6

# Relative to the largest entry of a leaf. Where one ReLU flips, one query of 1020 counts
# otherwise, for a unit that few of them reach.
GRADIENT_TOLERANCE = 5e-5
JUMP = 0.05

# What is promised, of logits of size 1.6.
PROMISED = 1e-4


def model_config(**changes: Any) -> ml_collections.ConfigDict:
    config = fp_liif.get_config().model
    config.num_classes, config.features, config.group_blocks = 5, 8, (1, 2, 1)
    config.rcmlp_features, config.mlp_features = (16, 6), (12, 10)
    config.update(changes)
    return config


def random_images(seed: int, batch: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, height, width, 3)).astype(np.float32)


def to_torch(images: np.ndarray) -> Any:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def to_numpy(logits: Any) -> np.ndarray:
    return logits.detach().permute(0, 2, 3, 1).numpy()


def assert_close(actual: Any, expected: Any) -> float:
    """Returns the largest difference, of the largest value."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * scale)
    return np.abs(actual - expected).max() / scale


@pytest.mark.parametrize(
    ("ensemble", "sampling", "position"),
    list(
        itertools.product(
            ("average", "area", "none"), ("bilinear", "nearest"), ("absolute", "relative")
        )
    ),
)
def test_every_decoder_variant_is_the_literal_form(
    ensemble: str, sampling: str, position: str, found: Differences
) -> None:
    """On the grid, larger and smaller than the latent one, and at scattered queries; with every
    subset of unfolding, reduce-channel MLP and global feature."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(2, 8, 5, 8)).astype(np.float32)
    scattered = rng.uniform(-1, 1, size=(2, 40, 2)).astype(np.float32)
    # The corners, the border of two cells, and a centre.
    scattered[:, :4] = [(-1, -1), (1, 1), (0, 0.2), (1 / 8, 0)]
    for unfold, rcmlp, global_feature in itertools.product((True, False), repeat=3):
        config = model_config(
            ensemble=ensemble,
            sampling=sampling,
            position=position,
            unfold=unfold,
            rcmlp=rcmlp,
            global_feature=global_feature,
        )
        torch.manual_seed(0)
        literal = FPLIIF(config)
        model = create_model(config)
        variables = fpliif_from_torch(literal.state_dict())

        def expected(queries: Any, literal: Any = literal) -> np.ndarray:
            with torch.no_grad():
                latents = torch.from_numpy(latent).permute(0, 3, 1, 2)
                return literal.decoder(latents, queries.expand(2, -1, 2)).numpy()

        # Not under jit: 96 variants share most of their operations, and compile in no time so.
        grid = {"latent_grid": jnp.asarray(latent)}
        large = model.apply(variables, grid, (17, 24), method="decode")
        queried = model.apply(variables, grid, scattered, method="decode_queries")
        assert large.shape == (2, 17, 24, 5)
        on_grid = expected(cell_centres(17, 24).view(1, -1, 2))
        found.note("decoders", assert_close(large.reshape(2, -1, 5), on_grid))
        found.note("decoders", assert_close(queried, expected(torch.from_numpy(scattered))))
        if unfold and rcmlp and global_feature:
            small = model.apply(variables, grid, (4, 6), method="decode")
            on_grid = expected(cell_centres(4, 6).view(1, -1, 2))
            found.note("decoders", assert_close(small.reshape(2, -1, 5), on_grid))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "none"},
        {"norm_affine": True},
        {"norm": "batch", "norm_affine": True},
        {"decoder": "conv_unet"},
        {"ensemble": "area", "sampling": "nearest", "position": "relative", "rcmlp": False},
    ],
    ids=["default", "no norm", "affine norm", "batch norm", "U-Net", "LIIF"],
)
def test_logits_and_gradients_of_the_loss(changes: dict[str, Any], found: Differences) -> None:
    config, loss_config = model_config(**changes), fp_liif.get_config().loss
    torch.manual_seed(1)
    literal = FPLIIF(config).train()
    tensors = dict(literal.named_parameters())
    for name, tensor in tensors.items():
        if "norm" in name:
            torch.nn.init.normal_(tensor)
    initial = {name: tensor.clone() for name, tensor in literal.state_dict().items()}
    variables = fpliif_from_torch(literal.state_dict())
    # Sizes that are not multiples of four, not square, and an output of another shape.
    # LIIF's areas are 0 / 0 on the lines through the outermost cells' centres, on which no query lies.
    size = (17, 20)
    labels = np.random.default_rng(2).integers(0, 5, (3, 3, 3)).repeat(6, 1).repeat(7, 2)
    labels = labels[:, : size[0], : size[1]]
    labels[:, :2, :3] = IGNORE_LABEL
    weights = np.ones(3, np.float32)
    model = create_model(config)
    statistics = {name: leaf for name, leaf in variables.items() if name == "batch_stats"}

    def loss(params: Any, images: np.ndarray) -> tuple[jax.Array, Any]:
        logits, updated = model.apply(
            {"params": params, **statistics}, images, size, train=True, mutable=["batch_stats"]
        )
        counts = losses.loss_normalisers(labels, weights, loss_config)
        sums = losses.loss_sums(logits, labels, weights, loss_config)
        return losses.total_loss(sums, counts, loss_config)[0], (logits, updated)

    differentiate = jax.jit(
        jax.value_and_grad(loss, has_aux=True),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    targets = torch.from_numpy(labels), torch.from_numpy(weights)
    counts = torch_losses.pixel_counts(*targets, loss_config)
    differences = []
    for draw in reversed(draws.DRAWS):  # the first one last, for the statistics below
        images = random_images(1 + draw, 3, 22, 27)
        (value, (logits, updated)), gradients = differentiate(variables["params"], images)
        literal.load_state_dict(initial)
        literal.zero_grad()
        expected = literal(to_torch(images), size)
        wanted = torch_losses.loss_terms(expected, *targets, counts, loss_config)["loss"]
        wanted.backward()
        found.note("models", assert_close(logits, to_numpy(expected)))
        np.testing.assert_allclose(value, wanted.item(), rtol=1e-5)

        own = fpliif_to_torch({"params": gradients})
        assert own.keys() == tensors.keys()
        largest = max(tensor.grad.abs().max().item() for tensor in tensors.values())
        apart = []
        for name, tensor in tensors.items():
            # The norm takes away what a bias before it adds: its gradient is zero but for rounding.
            normed = config.norm != "none" and name.endswith(("conv1.bias", "conv2.bias"))
            scale = largest if normed else tensor.grad.abs().max().item()
            assert scale > 0
            apart.append(float(np.abs(own[name] - tensor.grad.numpy()).max()) / scale)
        differences.append(np.max(apart))
    found.note("gradients", max(differences))
    draws.assert_all_but_jumps_agree(differences, rounding=GRADIENT_TOLERANCE, jump=JUMP)

    if config.norm == "batch":
        # The running statistics are the same too, and so is what evaluation makes of them.
        after = {"params": variables["params"], **updated}
        for name, buffer in literal.named_buffers():
            if "running" in name:
                assert_close(fpliif_to_torch(after)[name], buffer.numpy())
        with torch.no_grad():
            expected = literal.eval()(to_torch(images), size)
        found.note("models", assert_close(model.apply(after, images, size), to_numpy(expected)))


@pytest.mark.slow
def test_the_papers_model_in_full_size_at_every_output_size(found: Differences) -> None:
    """Encoded once; 512 in chunks of queries, which bounds the memory on both sides."""
    config = fp_liif.get_config()
    config.model.query_chunk = 16384
    model = create_model(config.model)
    variables = init_variables(model, config)
    # As initialised, logits are of size 0.08. Trained ones are of size 1 and more.
    decoder = variables["params"]["decoder"]
    decoder["mlp_8"] = jax.tree.map(lambda leaf: 20 * leaf, decoder["mlp_8"])
    literal = FPLIIF(config.model).eval()
    literal.load_state_dict(
        {name: torch.from_numpy(leaf) for name, leaf in fpliif_to_torch(variables).items()}
    )
    assert sum(parameter.numel() for parameter in literal.parameters()) == 2_283_019
    images = random_images(3, 1, 256, 256)
    latent = jax.jit(model.apply, static_argnames="method")(variables, images, method="encode")
    decode = jax.jit(functools.partial(model.apply, method="decode"), static_argnums=2)
    with torch.no_grad():
        groups = literal.encode(to_torch(images))
        for size in ((64, 64), (100, 37), (256, 256), (512, 512)):
            expected = to_numpy(literal.decode(groups, size))
            assert np.abs(expected).max() > 1
            difference = np.abs(np.asarray(decode(variables, latent, size)) - expected).max()
            found.note(f"the paper's model at {size[0]}×{size[1]}", difference)
            found.note("the paper's model, largest logit", np.abs(expected).max())
            assert difference <= PROMISED
