"""Primitives of JAX on images, convolutions and pools, as ONNX operators, which have the channels first.

The functions are each an `onnx_graph.Handler`, or what several have in common.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fpliif_jax.export.onnx_graph import Add, Handler, UnknownPrimitiveError, Value
from fpliif_jax.nn.max_pool import PADDING, SIZE_OF_CALL


def check_dtypes(equation: Any) -> None:
    """Refuses products that are summed in another dtype than that of the factors."""
    if len({variable.aval.dtype for variable in (*equation.invars, *equation.outvars)}) != 1:
        raise UnknownPrimitiveError(f"{equation.primitive.name!r} of several dtypes")


def convolution(add: Add, values: list[Value], equation: Any) -> Value:
    """Convolution of images by a kernel."""
    parameters = equation.params
    numbers, padding = parameters["dimension_numbers"], parameters["padding"]
    is_plain = parameters["feature_group_count"] == parameters["batch_group_count"] == 1
    if not is_plain or set(parameters["lhs_dilation"]) != {1}:
        raise UnknownPrimitiveError("a convolution of groups or between pixels")
    check_dtypes(equation)
    images = add("Transpose", values[0], perm=list(numbers.lhs_spec))
    kernel = add("Transpose", values[1], perm=list(numbers.rhs_spec))
    result = add(
        "Conv",
        images,
        kernel,
        pads=[low for low, _ in padding] + [high for _, high in padding],
        strides=list(parameters["window_strides"]),
        dilations=list(parameters["rhs_dilation"]),
    )
    return add("Transpose", result, perm=np.argsort(numbers.out_spec).tolist())


def max_pool(add: Add, values: list[Value], equation: Any) -> Value:
    """The largest value of each window."""
    return _pool(add, "MaxPool", values[0], equation)


def is_max_pool(call: Any) -> bool:
    """Whether a call is of `nn.max_pool`, batched by `jax.vmap` or not, and shortens two axes."""
    lengths = call.invars[0].aval.shape if call.invars else ()
    is_known = all(isinstance(length, int) for length in lengths)
    return call.params.get("name") in SIZE_OF_CALL and is_known and len(_shortened(call)) == 2


def _shortened(call: Any) -> list[int]:
    """The axes that are pooled, wherever the batches stand; one that pooling leaves as long is 1 long."""
    before, after = call.invars[0].aval.shape, call.outvars[0].aval.shape
    return [axis for axis, length in enumerate(before) if length != after[axis]]


def max_pool_of_call(add: Add, features: Value, call: Any) -> Value:
    """What a call gives that `is_max_pool`."""
    size, pooled = SIZE_OF_CALL[call.params["name"]], _shortened(call)
    before, after = call.invars[0].aval.shape, call.outvars[0].aval.shape
    order = [axis for axis in range(len(before)) if axis not in pooled] + pooled
    images = add("Transpose", features, perm=order)
    if len(order) != 4:
        images = add("Reshape", images, np.array([1, -1, *(before[axis] for axis in pooled)]))
    result = add(
        "MaxPool", images, kernel_shape=[size] * 2, strides=[2] * 2, pads=[PADDING[size]] * 4
    )
    if len(order) != 4:
        result = add("Reshape", result, np.array([after[axis] for axis in order]))
    return add("Transpose", result, perm=np.argsort(order).tolist())


def sum_pool(add: Add, values: list[Value], equation: Any) -> Value:
    """The sum of each window."""
    mean = _pool(add, "AveragePool", values[0], equation, count_include_pad=1)
    count = np.prod(equation.params["window_dimensions"])
    return add("Mul", mean, np.array(count, equation.outvars[0].aval.dtype))


def _pool(add: Add, operator: str, images: Value, equation: Any, **attributes: Any) -> Value:
    """Pooling of images [B, H, W, c]."""
    parameters = equation.params
    window, strides = parameters["window_dimensions"], parameters["window_strides"]
    padding = parameters["padding"][1:3]
    if not _is_of_images(parameters):
        raise UnknownPrimitiveError("pools over other axes than the second and third of four")
    if set(parameters["base_dilation"] + parameters["window_dilation"]) != {1}:
        raise UnknownPrimitiveError("pools between pixels")
    pooled = add(
        operator,
        add("Transpose", images, perm=[0, 3, 1, 2]),
        kernel_shape=list(window[1:3]),
        strides=list(strides[1:3]),
        pads=[low for low, _ in padding] + [high for _, high in padding],
        **attributes,
    )
    return add("Transpose", pooled, perm=[0, 2, 3, 1])


def _is_of_images(window: Mapping[str, Any]) -> bool:
    """Whether a window lies on the second and third of four axes."""
    sides, strides, padding = (
        window[name] for name in ("window_dimensions", "window_strides", "padding")
    )
    if len(sides) != 4:
        return False
    return all((sides[axis], strides[axis], *padding[axis]) == (1, 1, 0, 0) for axis in (0, 3))


HANDLERS: dict[str, Handler] = {
    "conv_general_dilated": convolution,
    "reduce_window_max": max_pool,
    "reduce_window_sum": sum_pool,
}
