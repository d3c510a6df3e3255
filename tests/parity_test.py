"""The Flax model against the literal form of the paper in PyTorch, with the same parameters."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
import torch
from literal_fp_liif import LiteralFPLIIF, make_coordinates

from configs import fp_liif
from fpliif_jax.models import create_model

# Both sides compute in float32 and sum in different orders. A sum of k terms of size one is off by
# about sqrt(k) 6e-8 of its size; k is below 600 for one layer, and errors add up over the layers:
# 4e-7 of the largest value is what comes out, and a factor of ten is left for other machines.
# A wrong cell, order or weight is off by more than 1e-3.
TOLERANCE = 5e-6


def model_config(**changes: Any) -> ml_collections.ConfigDict:
    config = fp_liif.get_config().model
    config.num_classes, config.features, config.group_blocks = 5, 8, (1, 2, 1)
    config.rcmlp_features, config.mlp_features = (16, 6), (12, 10)
    config.update(changes)
    return config


def to_flax(name: str, value: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """PyTorch's 'a.0.b.weight' is Flax's ('a_0', 'b', 'kernel'), with the inputs before the outputs;
    where the value has one axis only, the weight is a norm's scale."""
    path: list[str] = []
    for part in name.split("."):
        if part.isdigit():
            path[-1] += f"_{part}"
        else:
            path.append(part)
    if path[-1] == "weight":
        path[-1] = "scale" if value.ndim == 1 else "kernel"
        value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
    return tuple(path), value


def flax_tree(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, tensor in tensors.items():
        path, value = to_flax(name, tensor.detach().numpy())
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value
    return tree


def random_images(seed: int, batch: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, height, width, 3)).astype(np.float32)


def to_torch(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def assert_close(actual: Any, expected: Any) -> None:
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * scale)


def query_latent_grid(model: Any, latent_grid: jax.Array, coordinates: np.ndarray) -> jax.Array:
    return model.decoder.query(latent_grid, coordinates)


@pytest.mark.parametrize(
    ("ensemble", "sampling", "position"),
    list(
        itertools.product(
            ("average", "area", "none"), ("bilinear", "nearest"), ("absolute", "relative")
        )
    ),
)
def test_every_decoder_variant_is_the_literal_form(
    ensemble: str, sampling: str, position: str
) -> None:
    """On the grid, larger and smaller than the latent one, and at scattered queries; with every
    subset of unfolding, reduce-channel MLP and global feature."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(2, 6, 5, 8)).astype(np.float32)
    scattered = rng.uniform(-1, 1, size=(2, 40, 2)).astype(np.float32)
    # The corners, the border of two cells, and a centre.
    scattered[:, :4] = [(-1, -1), (1, 1), (0, 0.2), (1 / 6, 0)]
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
        literal = LiteralFPLIIF(config).decoder
        model = create_model(config)
        params = {"params": {"decoder": flax_tree(dict(literal.named_parameters()))}}

        def expected(queries: torch.Tensor, literal: torch.nn.Module = literal) -> np.ndarray:
            with torch.no_grad():
                latents = torch.from_numpy(latent).permute(0, 3, 1, 2)
                return literal(latents, queries.expand(2, -1, 2)).numpy()

        # Not under jit: 96 variants share most of their operations, and compile in no time so.
        grid = {"latent_grid": jnp.asarray(latent)}
        large = model.apply(params, grid, (13, 24), method="decode")
        queried = model.apply(params, grid["latent_grid"], scattered, method=query_latent_grid)
        assert large.shape == (2, 13, 24, 5)
        assert_close(large.reshape(2, -1, 5), expected(make_coordinates(13, 24)))
        assert_close(queried, expected(torch.from_numpy(scattered)))
        if unfold and rcmlp and global_feature:
            small = model.apply(params, grid, (4, 6), method="decode")
            assert_close(small.reshape(2, -1, 5), expected(make_coordinates(4, 6)))


@pytest.mark.parametrize(
    "changes",
    [{}, {"norm": "none"}, {"norm_affine": True}, {"norm": "batch", "norm_affine": True}],
    ids=["default", "no norm", "affine norm", "batch norm"],
)
def test_logits_and_gradients_of_a_small_model(changes: dict[str, Any]) -> None:
    config = model_config(**changes)
    torch.manual_seed(1)
    literal = LiteralFPLIIF(config).train()
    model = create_model(config)
    tensors = dict(literal.named_parameters())
    for name, tensor in tensors.items():
        if "norm" in name:
            torch.nn.init.normal_(tensor)
    params = flax_tree(tensors)
    # Sizes that are not multiples of four, not square, and an output of another shape.
    images = random_images(1, 3, 22, 27)
    quick_compilation = {"xla_backend_optimization_level": 0}
    weights = np.random.default_rng(2).normal(size=(3, 17, 21, 5)).astype(np.float32)

    def loss(params: Any) -> tuple[jax.Array, jax.Array]:
        variables = {"params": params}
        if config.norm == "batch":
            shapes = jax.eval_shape(model.init, jax.random.key(0), images)
            variables["batch_stats"] = jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape), shapes["batch_stats"]
            )
        logits, _ = model.apply(variables, images, (17, 21), train=True, mutable=["batch_stats"])
        return jnp.sum(jnp.tanh(logits) * weights), logits

    loss_and_gradients = jax.jit(
        jax.value_and_grad(loss, has_aux=True), compiler_options=quick_compilation
    )
    (_, logits), gradients = loss_and_gradients(params)
    expected = literal(to_torch(images), (17, 21)).permute(0, 2, 3, 1)
    torch.sum(torch.tanh(expected) * torch.from_numpy(weights)).backward()
    assert_close(logits, expected.detach().numpy())

    expected_gradients = flax_tree({name: tensor.grad for name, tensor in tensors.items()})
    assert jax.tree.structure(gradients) == jax.tree.structure(expected_gradients)
    # Relative to the largest gradient of all: a bias in front of a norm has gradient zero, and what
    # comes out for it is rounding.
    scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected_gradients))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE * scale),
        gradients,
        expected_gradients,
    )


def test_the_papers_model_in_full_size() -> None:
    config = model_config(
        num_classes=11,
        features=64,
        group_blocks=(2, 6, 16),
        rcmlp_features=(256, 64),
        mlp_features=(256, 256, 256, 256),
    )
    torch.manual_seed(2)
    literal = LiteralFPLIIF(config)
    images = random_images(3, 1, 64, 64)
    with torch.no_grad():
        expected = literal(to_torch(images), (64, 64)).permute(0, 2, 3, 1).numpy()
    params = flax_tree(dict(literal.named_parameters()))
    logits = jax.jit(create_model(config).apply)({"params": params}, images)
    assert_close(logits, expected)
