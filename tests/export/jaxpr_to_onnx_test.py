"""What has no ONNX operators here is refused in one line, never written as something else."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from needs_onnx import onnxruntime

from fpliif_jax.export.jaxpr_to_onnx import UnknownPrimitiveError, to_onnx

(ROWS,) = jax.export.symbolic_shape("h")
WINDOW, EVERY, NONE = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0),) * 4


def max_pool(
    images: jax.Array, window: tuple[int, ...] = WINDOW, **dilations: tuple[int, ...]
) -> jax.Array:
    return lax.reduce_window(images, -jnp.inf, lax.max, window, (1, 1, 1, 1), NONE, **dilations)


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
        (max_pool, np.random.default_rng(0).normal(size=(1, 6, 7, 2)).astype(np.float32)),
    ],
    ids=["round", "max_pool"],
)
def test_values_are_those_of_jax(function: Callable, array: np.ndarray) -> None:
    np.testing.assert_array_equal(onnx_values(function, array), function(array))


@pytest.mark.parametrize(
    ("function", "shape", "dtype"),
    [
        (lambda one: lax.round(one, lax.RoundingMethod.AWAY_FROM_ZERO), (3,), np.float32),
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
