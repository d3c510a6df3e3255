"""What has no ONNX operators here is refused in one line, never written as something else."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from needs_onnx import onnxruntime

from fpliif_jax.export.jaxpr_to_onnx import to_onnx
from fpliif_jax.export.onnx_graph import UnknownPrimitiveError
from fpliif_jax.nn import max_pool as named

(ROWS,) = jax.export.symbolic_shape("h")
IMAGES = np.random.default_rng(0).normal(size=(1, 6, 7, 2)).astype(np.float32)
INDICES = np.int32([-9, -1, 0, 3, 5, 6, 99])
WINDOW, EVERY, NONE = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0),) * 4


def max_pool(
    images: jax.Array, window: tuple[int, ...] = WINDOW, **dilations: tuple[int, ...]
) -> jax.Array:
    return lax.reduce_window(images, -jnp.inf, lax.max, window, (1, 1, 1, 1), NONE, **dilations)


def sum_pool(images: jax.Array) -> jax.Array:
    padding = ((0, 0), (1, 0), (0, 2), (0, 0))
    # Whole numbers: sums without rounding, means of nine with a little.
    sums = lax.reduce_window(jnp.round(4 * images), 0.0, lax.add, WINDOW, EVERY, padding)
    return jnp.round(sums)


def taken(indices: jax.Array, mode: str) -> jax.Array:
    rows = jnp.arange(24, dtype=jnp.float32).reshape(1, 2, 6, 2) + indices[0].astype(jnp.float32)
    by_axis = jnp.take(rows, indices, axis=2, mode=mode)
    take_each = jax.vmap(lambda one, index: jnp.take(one, index, axis=1, mode=mode))
    return by_axis + take_each(rows, indices[None])


def onnx_values(function: Callable, array: np.ndarray, shape: tuple | None = None) -> np.ndarray:
    """A function's values of an array, in onnxruntime."""
    spec = jax.ShapeDtypeStruct(shape or array.shape, array.dtype)
    model = to_onnx(lambda one: [function(one)], {"one": spec}, ("result",), False)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"one": array})[0]


@pytest.mark.parametrize(
    ("function", "array"),
    [
        (
            lambda one: lax.round(one, lax.RoundingMethod.TO_NEAREST_EVEN),
            np.float32([0.5, 1.5, -2.5]),
        ),
        (max_pool, IMAGES),
        (sum_pool, IMAGES),
        (lambda one: jnp.pad(one, ((0, 0), (2, 1), (0, 3), (0, 0)), constant_values=-jnp.inf), IMAGES),
        (lambda one: jnp.argmax(jnp.round(one), axis=2), IMAGES),
        (lambda one: jnp.max(one, axis=(1, 3)), IMAGES),
        (lambda one: jnp.where((one > 0) | (one <= -1), one, -1), IMAGES),
        (lambda one: jnp.isfinite(1 / one) & ~(one == 1), np.float32([0, np.inf, np.nan, 1, -1])),
        (lambda one: one // 3, np.int32([-7, -6, -1, 0, 1, 5, 6])),
        (lambda one: jnp.maximum(one, 0), np.int32([-7, 0, 3])),
        (lambda one: taken(one, mode="clip"), INDICES),
        (lambda one: taken(one, mode="fill"), INDICES),
        (lambda one: taken(one, mode="wrap"), INDICES),
        (lambda one: jnp.arange(9).at[2].set(5) + one, np.int32([1])),
    ],
    ids=["round", "max_pool", "sum_pool", "pad", "argmax", "max", "where", "isfinite", "floor division", "integers",
         "clip", "fill", "wrap", "constants"],
)  # fmt: skip
def test_values_are_those_of_jax(function: Callable, array: np.ndarray) -> None:
    np.testing.assert_array_equal(onnx_values(function, array), function(array))


@pytest.mark.parametrize(
    ("function", "shape", "dtype"),
    [
        (lambda one: lax.round(one, lax.RoundingMethod.AWAY_FROM_ZERO), (3,), np.float32),
        (lambda one: lax.pad(one, 0.0, [(0, 0, 1)]), (3,), np.float32),
        (lambda one: one & 1, (3,), np.int32),
        (lambda one: one[jnp.array([0, 1]), jnp.array([1, 2])], (3, 3), np.float32),
        (lambda one: lax.select_n(one, one, one, one), (3,), np.int32),
        (lambda one: lax.sort(one), (3,), np.float32),
        (lambda one: max_pool(one, window_dilation=EVERY), (1, 9, 9, 2), np.float32),
        (lambda one: max_pool(one, base_dilation=EVERY), (1, 9, 9, 2), np.float32),
        (lambda one: max_pool(one, window=(1, 3, 3, 2)), (1, 9, 9, 2), np.float32),
        (lambda one: max_pool(one, window=(2, 3, 3, 1)), (2, 9, 9, 2), np.float32),
        (lambda one: jnp.concatenate([one, one]) + jnp.ones(2 * ROWS), (ROWS,), np.float32),
        (lambda one: one.reshape(-1), (ROWS, 2), np.float32),
        (lambda one: one + jnp.arange(ROWS), (ROWS,), np.int32),
        (lambda one: lax.slice(one, (1,), (ROWS,)), (ROWS,), np.float32),
        (lambda one: lax.rev(one, (0,)), (ROWS,), np.float32),
        (lambda one: jnp.dot(one, one, preferred_element_type=jnp.int32), (2, 2), np.uint8),
    ],
)
def test_what_onnx_does_otherwise_is_refused(
    function: Callable, shape: tuple, dtype: np.dtype
) -> None:
    spec = jax.ShapeDtypeStruct(shape, dtype)
    with pytest.raises(UnknownPrimitiveError, match=r"cannot be written as ONNX.*stablehlo") as e:
        to_onnx(lambda one: [function(one)], {"one": spec}, ("result",), False)
    assert "\n" not in str(e.value)


def test_free_sizes_that_are_symbols_are_kept() -> None:
    array = np.float32([[1, 2], [3, 4], [5, 6]])
    result = onnx_values(lambda one: lax.slice(one, (0, 1), (ROWS, 2)) + one, array, (ROWS, 2))
    np.testing.assert_array_equal(result, array[:, 1:] + array)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    ("shape", "batches"),
    [((2, 7, 8, 3), ()), ((2, 7, 8, 5, 3), (3,)), ((7, 2, 6, 8, 4, 3), (0, 4)), ((2, 8, 5, 3, 4), (-1,))],
    ids=["plain", "vmap", "two vmaps", "last"],
)  # fmt: skip
def test_a_pool_of_slices_is_a_max_pool(
    shape: tuple[int, ...], batches: tuple[int, ...], size: int
) -> None:
    """Batches stand before, between and behind the axes of the images."""

    def pool(images: jax.Array) -> jax.Array:
        return named.max_pool(images, size)

    for axis in batches:
        pool = jax.vmap(pool, in_axes=axis)
    array = np.random.default_rng(1).normal(size=shape).astype(np.float32) - 9
    np.testing.assert_array_equal(onnx_values(pool, array), pool(array))
    spec = jax.ShapeDtypeStruct(shape, jnp.float32)
    model = to_onnx(lambda one: [pool(one)], {"one": spec}, ("result",), False)
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("MaxPool") == 1 and "Slice" not in operators


def test_a_pool_of_one_axis_is_right_too() -> None:
    array = np.random.default_rng(1).normal(size=(2, 1, 8, 3)).astype(np.float32)
    expected = named.max_pool(array, 3)
    np.testing.assert_array_equal(onnx_values(lambda one: named.max_pool(one, 3), array), expected)
