"""Primitives of JAX that compute value by value, sum, or move values, as ONNX operators.

The functions are each an `onnx_graph.Handler`, or what several have in common.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import onnx

from fpliif_jax.export.onnx_graph import Add, Handler, UnknownPrimitiveError, Value


def _ints(values: Sequence[Any]) -> np.ndarray:
    """int64 [n]; UnknownPrimitiveError where one depends on a free size."""
    for value in values:
        if not isinstance(value, int | np.integer):
            raise UnknownPrimitiveError(f"the free size {value} as a value")
    return np.array(values, np.int64)


def _convert(add: Add, values: list[Value], equation: Any) -> Value:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(equation.params["new_dtype"]))
    if equation.invars[0].aval.dtype == equation.params["new_dtype"]:
        return values[0]
    return add("Cast", values[0], to=kind)


def _maximum(add: Add, values: list[Value], equation: Any) -> Value:
    is_number = isinstance(values[1], np.ndarray) and values[1].ndim == 0
    if is_number and values[1] == 0 and values[1].dtype == np.float32:
        return add("Relu", values[0])
    return add("Max", *values)


def _square(add: Add, values: list[Value], equation: Any) -> Value:
    return add("Mul", values[0], values[0])


def _reciprocal_root(add: Add, values: list[Value], equation: Any) -> Value:
    return add("Reciprocal", add("Sqrt", values[0]))


def _sum(add: Add, values: list[Value], equation: Any) -> Value:
    return add("ReduceSum", values[0], _ints(equation.params["axes"]), keepdims=0)


def _squeeze(add: Add, values: list[Value], equation: Any) -> Value:
    return add("Squeeze", values[0], _ints(equation.params["dimensions"]))


def _transpose(add: Add, values: list[Value], equation: Any) -> Value:
    return add("Transpose", values[0], perm=list(equation.params["permutation"]))


def _slice(add: Add, values: list[Value], equation: Any) -> Value:
    shape, parameters = equation.invars[0].aval.shape, equation.params
    starts, limits = parameters["start_indices"], parameters["limit_indices"]
    cut = [
        axis
        for axis, size in enumerate(shape)
        if not (isinstance(starts[axis], int) and starts[axis] == 0 and limits[axis] == size)
    ]
    steps = parameters["strides"] or (1,) * len(shape)
    bounds = (_ints([column[axis] for axis in cut]) for column in (starts, limits))
    return add("Slice", values[0], *bounds, _ints(cut), _ints([steps[a] for a in cut]))


def _reverse(add: Add, values: list[Value], equation: Any) -> Value:
    value = values[0]
    for axis in equation.params["dimensions"]:
        (size,) = _ints([equation.invars[0].aval.shape[axis]])
        backwards = np.arange(size - 1, -1, -1)
        value = add("Gather", value, backwards, axis=axis)
    return value


def _stack(add: Add, values: list[Value], equation: Any) -> Value:
    axis = equation.params["axis"]
    parts = [add("Unsqueeze", value, _ints([axis])) for value in values]
    return add("Concat", *parts, axis=axis)


def _concatenate(add: Add, values: list[Value], equation: Any) -> Value:
    return add("Concat", *values, axis=equation.params["dimension"])


def _iota(add: Add, values: list[Value], equation: Any) -> Value:
    parameters = equation.params
    shape = _ints(parameters["shape"])
    axes = [1] * len(shape)
    axes[parameters["dimension"]] = -1
    counted = np.arange(shape[parameters["dimension"]]).reshape(axes)
    return np.broadcast_to(counted, shape).astype(parameters["dtype"])


def _round(add: Add, values: list[Value], equation: Any) -> Value:
    method = equation.params["rounding_method"]
    if method != jax.lax.RoundingMethod.TO_NEAREST_EVEN:  # which is ONNX's
        raise UnknownPrimitiveError(f"'round' {method.name}")
    return add("Round", values[0])


def _elementwise(operator: str) -> Handler:
    return lambda add, values, equation: add(operator, *values)


_ELEMENTWISE = {
    "abs": "Abs", "add": "Add", "div": "Div", "eq": "Equal", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual",
    "gt": "Greater", "le": "LessOrEqual", "lt": "Less", "min": "Min", "mul": "Mul", "neg": "Neg", "sign": "Sign",
    "sub": "Sub", "tanh": "Tanh",
}  # fmt: skip
HANDLERS: dict[str, Handler] = {
    **{name: _elementwise(operator) for name, operator in _ELEMENTWISE.items()},
    "concatenate": _concatenate,
    "convert_element_type": _convert,
    "iota": _iota,
    "max": _maximum,
    "reduce_sum": _sum,
    "rev": _reverse,
    "round": _round,
    "rsqrt": _reciprocal_root,
    "slice": _slice,
    "square": _square,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
}
