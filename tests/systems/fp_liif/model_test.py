"""Tests of fpliif_jax.systems.fp_liif: shapes, sizes, names, memory, precision, norms, queries, chunks."""

import functools
import inspect
import pathlib
from typing import Any

import draws
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from flax import traverse_util
from needs_torch import torch

from fpliif_jax.configs import fp_liif
from fpliif_jax.nn import grid_sampling, layers
from fpliif_jax.systems import create_model
from fpliif_jax.systems.fp_liif.decoder import LIIFDecoder
from fpliif_jax.systems.fp_liif.model import FPLIIF
from fpliif_jax.systems.fp_liif.unet import UNetDecoder

STATE_DICT = pathlib.Path(__file__).parent / "fp_liif_state_dict.txt"
GIB = 2**30


def paper_config(**changes: Any) -> ml_collections.ConfigDict:
    config = fp_liif.get_config().model
    config.update(changes)
    return config


def small_config(**changes: Any) -> ml_collections.ConfigDict:
    small = {
        "num_classes": 5,
        "features": 8,
        "group_blocks": (1, 1, 1),
        "rcmlp_features": (16, 8),
        "mlp_features": (16, 16),
    }
    return paper_config(**(small | changes))


def random_images(batch: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, height, width, 3)).astype(np.float32)


# Arithmetic is tested here, not the compiler: do without its slow passes.
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def initialised(config: ml_collections.ConfigDict) -> tuple[Any, dict[str, Any]]:
    """A model and random variables of the usual size, drawn without compiling anything."""
    rng = np.random.default_rng(0)
    model = create_model(config)
    shapes = jax.eval_shape(model.init, jax.random.key(0), random_images(1, 16, 16))

    def draw(path: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray:
        if path[-1] in ("scale", "var"):
            return np.ones(shape, np.float32)
        if path[-1] == "mean":
            return np.zeros(shape, np.float32)
        bound = np.prod(shape[:-1]) ** -0.5 if path[-1] == "kernel" else 0.1
        return rng.uniform(-bound, bound, shape).astype(np.float32)

    flat = traverse_util.flatten_dict(shapes)
    variables = {path: draw(path, leaf.shape) for path, leaf in flat.items()}
    return model, traverse_util.unflatten_dict(variables)


def parameter_shapes(config: ml_collections.ConfigDict) -> dict[tuple[str, ...], tuple[int, ...]]:
    model = create_model(config)
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    return {
        path: leaf.shape for path, leaf in traverse_util.flatten_dict(variables["params"]).items()
    }


def number_of_parameters(config: ml_collections.ConfigDict) -> int:
    return sum(int(np.prod(shape)) for shape in parameter_shapes(config).values())


def centres(height: int, width: int) -> np.ndarray:
    y, x = ((np.arange(n) + 0.5) / n * 2 - 1 for n in (height, width))
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    return grid.reshape(1, -1, 2).astype(np.float32)


# ----------------------------------------------------------------------------- sizes and names


def test_number_of_parameters_is_the_papers() -> None:
    assert number_of_parameters(paper_config(num_classes=11)) == 2_283_019
    assert number_of_parameters(paper_config(num_classes=19)) == 2_285_075


def test_number_of_parameters_of_the_u_net() -> None:
    """The paper's 9.31 M, 2.2 % exceeded."""
    assert number_of_parameters(paper_config(decoder="conv_unet")) == 9_519_371


def test_ablations_widen_and_narrow_the_first_dense_layers() -> None:
    first_kernels = {("rcmlp_0", "kernel"), ("mlp_0", "kernel")}

    def first_layers(**changes: bool) -> dict[str, tuple[int, ...]]:
        shapes = parameter_shapes(paper_config(group_blocks=(1,), **changes))
        return {path[1]: shapes[path] for path in shapes if path[1:] in first_kernels}

    assert first_layers(unfold=False) == {"rcmlp_0": (64, 256), "mlp_0": (130, 256)}
    assert first_layers(rcmlp=False) == {"mlp_0": (576 + 64 + 2, 256)}
    assert first_layers(global_feature=False) == {"rcmlp_0": (576, 256), "mlp_0": (66, 256)}


def test_names_and_shapes_are_those_of_the_pytorch_state_dict() -> None:
    expected = {}
    for line in STATE_DICT.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, shape = line.split()
        expected[name] = tuple(int(size) for size in shape.split("x"))

    actual = {}
    for path, shape in parameter_shapes(paper_config()).items():
        parts = [part.replace("_", ".") for part in path]
        if parts[-1] == "kernel":
            parts[-1] = "weight"
            # [height, width, in, out] to [out, in, height, width].
            shape = shape[:1:-1] + shape[:2] if len(shape) == 4 else shape[::-1]
        actual[".".join(parts)] = tuple(shape)
    assert actual == expected


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("norm", "layer", r"model\.norm is 'layer'.*instance, batch, none"),
        ("ensemble", "mean", r"model\.ensemble is 'mean'.*average, area, none"),
        ("dtype", "float16", r"model\.dtype is 'float16'"),
        ("name", "unet", r"model\.name is 'unet'"),
        ("query_chunk", 0, r"model\.query_chunk is 0"),
        ("group_blocks", (), r"model\.group_blocks is \(\)"),
    ],
)
def test_an_impossible_field_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_model(small_config(**{field: value}))


# ------------------------------------------------------------------------- outputs of any size


@pytest.mark.parametrize("decoder", ["liif", "conv_unet"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_any_size_in_and_out(decoder: str, dtype: str) -> None:
    """Also sizes that do not divide by four; gradients exist and are finite, in strict promotion."""
    model, variables = initialised(small_config(decoder=decoder, dtype=dtype))
    images = random_images(2, 18, 25)

    def mean_square(params: Any) -> tuple[jax.Array, jax.Array]:
        logits = model.apply({"params": params}, images, (7, 30))
        return jnp.mean(jnp.square(logits)), logits

    (_, logits), gradients = quick_jit(jax.value_and_grad(mean_square, has_aux=True))(
        variables["params"]
    )
    assert logits.shape == (2, 7, 30, 5)
    assert logits.dtype == jnp.float32
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(gradients))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    default = jax.eval_shape(model.apply, variables, images)
    assert default.shape == (2, 18, 25, 5)
    latent = jax.eval_shape(lambda v: model.apply(v, images, method="encode"), variables)
    assert latent["latent_grid"].shape == (2, 5, 7, 8)


@pytest.mark.parametrize("method", ["select", "__call__", "on_axes", "query"])
def test_both_decoders_are_called_in_the_same_way(method: str) -> None:
    liif, unet = (inspect.signature(getattr(kind, method)) for kind in (LIIFDecoder, UNetDecoder))
    assert liif == unet


def test_an_encoder_goes_with_any_decoder() -> None:
    """Another decoder, put together by hand, answers from the same encoder's parameters."""
    model, variables = initialised(small_config())
    decoder = model.decoder.clone(ensemble="none", parent=None)
    other = FPLIIF(encoder=model.encoder.clone(parent=None), decoder=decoder)
    created = create_model(small_config(ensemble="none"))
    images = random_images(1, 8, 8)
    np.testing.assert_array_equal(
        quick_jit(other.apply)(variables, images), quick_jit(created.apply)(variables, images)
    )


def test_one_latent_serves_several_outputs() -> None:
    model, variables = initialised(small_config())
    images = random_images(1, 16, 16)
    latent = model.apply(variables, images, method="encode")
    for size in ((5, 9), (20, 18)):
        decoded = model.apply(variables, latent, size, method="decode")
        np.testing.assert_array_equal(decoded, model.apply(variables, images, size))
        assert decoded.shape == (1, *size, 5)
    with pytest.raises(ValueError, match="output_size"):
        model.apply(variables, images, (0, 4))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ensemble": "area", "sampling": "nearest", "position": "relative"},
        {"ensemble": "none", "sampling": "nearest"},
        {"query_chunk": 50},
        {"decoder": "conv_unet"},
    ],
    ids=lambda changes: ",".join(map(str, changes.values())) or "default",
)
def test_queries_at_the_centres_of_pixels_are_the_grid(changes: dict[str, Any]) -> None:
    model, variables = initialised(small_config(**changes))
    images = random_images(2, 16, 20)
    # An output as large as the latent grid puts shifted queries where two cells meet.
    size = (16, 20) if changes.get("decoder") == "conv_unet" else (4, 15)
    coordinates = jnp.broadcast_to(centres(*size), (2, size[0] * size[1], 2))
    grid = quick_jit(lambda v: model.apply(v, images, size))(variables)
    queried = quick_jit(lambda v: model.apply(v, images, coordinates, method="query"))(variables)
    # Scattered coordinates are float32, rounded by 6e-8, times some 20 cells of the finest grid,
    # times the difference of two neighbouring cells.
    atol = 2e-6 * max(1, np.ptp(grid))
    np.testing.assert_allclose(queried.reshape(grid.shape), grid, rtol=0, atol=atol)


@pytest.mark.parametrize("position", ["absolute", "relative"])
@pytest.mark.parametrize("sampling", ["bilinear", "nearest"])
@pytest.mark.parametrize("ensemble", ["average", "area", "none"])
def test_rows_and_columns_are_the_queries_where_they_cross(
    ensemble: str, sampling: str, position: str
) -> None:
    changes = {"ensemble": ensemble, "sampling": sampling, "position": position}
    check_rows_and_columns_are_queries(changes)


def test_rows_and_columns_of_the_u_net_are_its_queries() -> None:
    check_rows_and_columns_are_queries({"decoder": "conv_unet"})


def check_rows_and_columns_are_queries(changes: dict[str, Any]) -> None:
    """A crop that is no regular grid, of an image that is no square, and its borders."""
    model, variables = initialised(small_config(**changes))
    rng = np.random.default_rng(0)
    images = random_images(2, 12, 20)
    y = np.concatenate([[-1, 1], rng.uniform(-0.9, 0.2, 4)]).astype(np.float32)
    x = np.concatenate([rng.uniform(0.1, 1.0, 3), [0.0, 1.0]]).astype(np.float32)
    coordinates = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(1, -1, 2)
    coordinates = jnp.broadcast_to(coordinates, (2, *coordinates.shape[1:]))

    def both(variables: Any) -> tuple[jax.Array, jax.Array]:
        latent = model.apply(variables, images, method="encode")
        on_axes = model.apply(variables, latent, y, x, method="decode_on_axes")
        return on_axes, model.apply(variables, latent, coordinates, method="decode_queries")

    on_axes, queried = quick_jit(both)(variables)
    assert on_axes.shape == (2, 6, 5, 5) and on_axes.dtype == jnp.float32
    # The same sums in another order, in float32.
    atol = 1e-6 * max(1, np.ptp(queried))
    np.testing.assert_allclose(on_axes, queried.reshape(on_axes.shape), rtol=0, atol=atol)


def test_resizing_is_pytorchs() -> None:
    grid = np.random.default_rng(0).normal(size=(2, 6, 9, 3)).astype(np.float32)
    for size in ((13, 9), (4, 5), (24, 36)):
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(grid).permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False
        )
        actual = grid_sampling.resize_bilinear(jnp.asarray(grid), size)
        # A weighted mean of four values of size one, in float32.
        np.testing.assert_allclose(actual, expected.permute(0, 2, 3, 1), rtol=0, atol=2e-6)


# ------------------------------------------------------------------------------- chunks, memory


@pytest.mark.parametrize("remat", [False, True])
def test_chunks_change_neither_logits_nor_gradients(remat: bool) -> None:
    """13 rows in chunks of at most 3, so that the last chunk is padded."""
    images = random_images(2, 16, 16)
    weights = np.random.default_rng(1).normal(size=(2, 13, 11, 5)).astype(np.float32)
    _, variables = initialised(small_config())

    def outputs(**changes: Any) -> Any:
        """Logits and gradients, a function of the parameters."""
        model = create_model(small_config(ensemble="area", **changes))

        def loss(params: Any) -> tuple[jax.Array, jax.Array]:
            logits = model.apply({"params": params}, images, (13, 11))
            return jnp.sum(logits * weights), logits

        return quick_jit(jax.value_and_grad(loss, has_aux=True))

    whole, chunked = outputs(), outputs(query_chunk=2 * 11 * 3, remat=remat)
    differences = []
    for draw in draws.DRAWS:
        params = draws.variables_of_draw(variables["params"], draw)
        (_, expected), gradients = whole(params)
        (_, logits), chunked_gradients = chunked(params)
        # The same sums in another order, in float32; values up to one, gradients up to `scale`.
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-6)
        scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradients))
        apart = jax.tree.map(lambda a, b: np.abs(a - b).max(), chunked_gradients, gradients)
        differences.append(np.max(jax.tree.leaves(apart)) / scale)
    draws.assert_all_but_jumps_agree(differences, rounding=1e-5, jump=0.01)


def memory_of(function: Any, *arguments: Any) -> float:
    """Bytes that XLA plans for arguments, results and everything between; nothing is run."""
    analysis = jax.jit(function).lower(*arguments).compile().memory_analysis()
    return (
        analysis.temp_size_in_bytes
        + analysis.output_size_in_bytes
        + analysis.argument_size_in_bytes
    )


def test_output_of_1024_stays_under_4_gib() -> None:
    def memory(query_chunk: int) -> float:
        model = create_model(paper_config(query_chunk=query_chunk))
        images = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
        variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
        return memory_of(lambda v, x: model.apply(v, x, (1024, 1024)), variables, images)

    assert memory(query_chunk=65536) < 1.5 * GIB
    # It is the chunks that do it.
    assert memory(query_chunk=1024**2) > 4 * GIB


def test_remat_saves_memory_of_the_gradient() -> None:
    def memory(remat: bool) -> float:
        model = create_model(paper_config(query_chunk=16384, remat=remat))
        latent = {"latent_grid": jax.ShapeDtypeStruct((1, 64, 64, 64), jnp.float32)}
        variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))

        def loss(variables: Any, latent: Any) -> jax.Array:
            logits = model.apply(variables, latent, (256, 256), method="decode")
            return jnp.mean(jnp.square(logits))

        return memory_of(jax.grad(loss), variables, latent)

    assert memory(remat=True) < 0.65 * memory(remat=False)


# ---------------------------------------------------------------------------------- precision


@pytest.mark.parametrize("decoder", ["liif", "conv_unet"])
def test_bfloat16_activations_stay_near_float32(decoder: str) -> None:
    model, variables = initialised(small_config(decoder=decoder))
    half = create_model(small_config(decoder=decoder, dtype="bfloat16"))
    images = random_images(2, 32, 32)
    expected = quick_jit(model.apply)(variables, images)
    actual = quick_jit(half.apply)(variables, images)
    assert np.isfinite(actual).all()
    # An activation is rounded by up to 2^-9 = 0.2 %; some 20 to 30 roundings one after the other,
    # of random sign, make about 1 %.
    error = np.sqrt(np.mean(np.square(actual - expected)) / np.var(expected))
    assert error < 0.03
    # And it is bfloat16 that was computed in.
    assert error > 1e-4


def test_bfloat16_does_not_round_coordinates() -> None:
    """Neighbouring pixels of a 1024² output are 0.002 apart: less than bfloat16 can tell near 1."""
    config = small_config(dtype="bfloat16", num_classes=2, mlp_features=(1,), unfold=False)
    model, variables = initialised(config)
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    # The logit is 1 - y, as the first layer makes it.
    kernel = params["decoder"]["mlp_0"]["kernel"].at[-2, 0].set(-1.0)
    params["decoder"]["mlp_0"] = {"kernel": kernel, "bias": jnp.ones((1,))}
    params["decoder"]["mlp_2"]["kernel"] = jnp.ones((1, 2))
    images = random_images(1, 16, 16)
    logits = quick_jit(lambda p: model.apply({"params": p}, images, (1024, 1)))(params)
    expected = 1 - centres(1024, 1)[0, :, 0]
    # Rounding 1 - y afterwards to 8 bits is allowed, rounding y before is not.
    np.testing.assert_allclose(logits[0, :, 0, 0], expected, rtol=2**-8)


def test_initialisers() -> None:
    def flat(initializer: str) -> dict[str, np.ndarray]:
        model = create_model(paper_config(initializer=initializer, group_blocks=(1, 1)))
        images = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
        variables = model.lazy_init(jax.random.key(3), images)
        return traverse_util.flatten_dict(variables["params"], sep="/")

    pytorch, lecun = flat("pytorch"), flat("lecun_normal")
    fan_in = {
        "encoder/head": 27,
        "encoder/groups_0/blocks_0/conv1": 576,
        "encoder/downs_0": 576,
        "decoder/rcmlp_0": 576,
        "decoder/rcmlp_2": 256,
        "decoder/mlp_0": 130,
        "decoder/mlp_8": 256,
    }
    for name, inputs in fan_in.items():
        bound = inputs**-0.5
        kernel, bias = pytorch[f"{name}/kernel"], pytorch[f"{name}/bias"]
        assert np.abs(kernel).max() <= bound
        # The standard deviation of U(-b, b) is b / sqrt(3); 1,728 values and more give it to 5 %.
        np.testing.assert_allclose(np.std(kernel), bound / np.sqrt(3), rtol=0.05)
        assert np.abs(bias).max() <= bound
        assert np.ptp(bias) > 1.2 * bound
        np.testing.assert_allclose(np.std(lecun[f"{name}/kernel"]), bound, rtol=0.05)
        assert not lecun[f"{name}/bias"].any()


# -------------------------------------------------------------------------------------- norms


def test_instance_norm_is_pytorchs() -> None:
    features = np.random.default_rng(0).normal(2, 3, size=(2, 5, 7, 4)).astype(np.float32)
    expected = torch.nn.InstanceNorm2d(4, eps=0.1)(torch.from_numpy(features).permute(0, 3, 1, 2))
    norm = layers.InstanceNorm(epsilon=0.1, affine=False, dtype=jnp.float32)
    # Values up to about three, in float32.
    np.testing.assert_allclose(
        norm.apply({}, jnp.asarray(features)), expected.permute(0, 2, 3, 1), rtol=0, atol=3e-6
    )


# The mean is far from zero: the variance as E[x²] - E[x]² in float32 would be off by 1e-3.
BATCH = np.random.default_rng(0).normal(100, 3, size=(5, 4, 6, 3)).astype(np.float32)
COTANGENT = np.random.default_rng(1).normal(size=BATCH.shape).astype(np.float32)
EPSILON = 1e-3


def torch_batch_norm() -> tuple[torch.nn.BatchNorm2d, np.ndarray, np.ndarray]:
    """After one training step on BATCH: the module, its output, the gradient of its input."""
    norm = torch.nn.BatchNorm2d(3, eps=EPSILON).train()
    inputs = torch.from_numpy(BATCH).permute(0, 3, 1, 2).requires_grad_()
    output = norm(inputs)
    output.backward(torch.from_numpy(COTANGENT).permute(0, 3, 1, 2))
    return (
        norm,
        output.detach().permute(0, 2, 3, 1).numpy(),
        inputs.grad.permute(0, 2, 3, 1).numpy(),
    )


def padded(values: np.ndarray, rows: int) -> np.ndarray:
    """Padding is as wrong as can be: where it counted, everything would change."""
    padding = np.full((rows - len(values), *values.shape[1:]), 1e4, np.float32)
    return np.concatenate([values, padding])


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_batch_norm_over_shards_with_padding_is_pytorchs_over_the_batch(shards: int) -> None:
    """Five examples in eight places; of four shards one is half and one is nothing but padding."""
    norm = layers.BatchNorm(epsilon=EPSILON, affine=False, dtype=jnp.float32, axis_name="devices")
    shape = (shards, 8 // shards)
    features = padded(BATCH, 8).reshape(*shape, *BATCH.shape[1:])
    weights = np.repeat([1, 0], [5, 3]).astype(np.float32).reshape(shape)
    cotangent = padded(COTANGENT, 8).reshape(features.shape) * weights[..., None, None, None]
    variables = norm.init(jax.random.key(0), features[0])

    def step(x: jax.Array, w: jax.Array, c: jax.Array) -> tuple[Any, ...]:
        def loss(x: jax.Array) -> tuple[jax.Array, Any]:
            y, updates = norm.apply(variables, x, True, w, mutable=["batch_stats"])
            return jnp.sum(y * c), (y, updates)

        gradient, (y, updates) = jax.grad(loss, has_aux=True)(x)
        return y, gradient, updates["batch_stats"]

    sharded_step = quick_jit(jax.vmap(step, axis_name="devices"))
    outputs, gradients, stats = sharded_step(features, weights, cotangent)
    expected_norm, expected, expected_gradient = torch_batch_norm()

    # Numbers around 100 are rounded by 4e-6, a few of them, over a standard deviation of 3.
    np.testing.assert_allclose(
        outputs.reshape(8, *BATCH.shape[1:])[:5], expected, rtol=0, atol=2e-5
    )
    np.testing.assert_allclose(
        gradients.reshape(8, *BATCH.shape[1:])[:5], expected_gradient, rtol=0, atol=2e-5
    )
    assert np.isfinite(outputs).all()
    assert np.isfinite(gradients).all()
    for shard in range(shards):
        mean, variance = stats["mean"][shard], stats["var"][shard]
        np.testing.assert_allclose(mean, expected_norm.running_mean, rtol=1e-6)
        np.testing.assert_allclose(variance, expected_norm.running_var, rtol=1e-5)


def test_batch_norm_uses_running_statistics_at_inference() -> None:
    norm = layers.BatchNorm(epsilon=EPSILON, affine=True, dtype=jnp.float32, axis_name="devices")
    variables = norm.init(jax.random.key(0), BATCH)
    _, updates = layers.BatchNorm(EPSILON, True, jnp.float32).apply(
        variables, BATCH, True, mutable=["batch_stats"]
    )
    scale, bias = np.array([1, 2, 3], np.float32), np.array([0, 1, -1], np.float32)
    expected_norm, _, _ = torch_batch_norm()
    expected_norm.eval()
    with torch.no_grad():
        expected_norm.weight.copy_(torch.from_numpy(scale))
        expected_norm.bias.copy_(torch.from_numpy(bias))
        expected = expected_norm(torch.from_numpy(BATCH).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    # No axis of that name is bound here: inference must not need one.
    actual = norm.apply({"params": {"scale": scale, "bias": bias}, **updates}, BATCH)
    # After one step the running mean is 10 and the values some 70 × 3: four digits before the point.
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_batch_norm_of_nothing_but_padding_learns_nothing() -> None:
    norm = layers.BatchNorm(epsilon=EPSILON, affine=False, dtype=jnp.float32)
    variables = norm.init(jax.random.key(0), BATCH)
    outputs, updates = norm.apply(variables, BATCH, True, jnp.zeros((5,)), mutable=["batch_stats"])
    assert np.isfinite(outputs).all()
    jax.tree.map(np.testing.assert_array_equal, updates, {"batch_stats": variables["batch_stats"]})


@pytest.mark.parametrize("decoder", ["liif", "conv_unet"])
def test_batch_norm_model_ignores_padding(decoder: str) -> None:
    config = small_config(decoder=decoder, norm="batch", norm_affine=True)
    model, variables = initialised(config)
    images = random_images(3, 16, 16)

    @quick_jit
    def step(images: Any, weights: Any) -> tuple[jax.Array, Any]:
        return model.apply(
            variables,
            images,
            train=True,
            example_weights=weights,
            mutable=["batch_stats"],
        )

    expected, expected_stats = step(images, None)
    actual, stats = step(padded(images, 5), np.array([1, 1, 1, 0, 0], np.float32))
    # The same statistics summed in another order, through four to eleven norms; values of size one.
    np.testing.assert_allclose(actual[:3], expected, rtol=0, atol=2e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), stats, expected_stats
    )
    changed = jax.tree.map(
        lambda a, b: bool((a != b).any()), stats, {"batch_stats": variables["batch_stats"]}
    )
    assert all(jax.tree.leaves(changed))
