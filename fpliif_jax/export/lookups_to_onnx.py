"""Primitives of JAX that look values up, compare and choose, as ONNX operators: what crops and maps of crops need.

The functions are each an `onnx_graph.Handler`, or what several have in common.
"""

from typing import Any

import jax
import numpy as np

from fpliif_jax.export.onnx_graph import Add, Handler, UnknownPrimitiveError, Value

_GatherMode = jax.lax.GatherScatterMode


def gather(add: Add, values: list[Value], equation: Any) -> Value:
    """Entries along one axis; of batches, those of one alone."""
    numbers, mode = equation.params["dimension_numbers"], equation.params["mode"]
    (operand, indices), result = (one.aval.shape for one in equation.invars), equation.outvars[0]
    axis = int(numbers.start_index_map[0])
    batches = tuple(map(int, numbers.operand_batching_dims))
    around = [other for other in range(len(operand)) if other not in (axis, *batches)]
    is_plain = (
        tuple(map(int, numbers.collapsed_slice_dims)) == tuple(numbers.start_index_map) == (axis,)
        and all(operand[batch] == 1 for batch in batches)
        and [int(size) for size in equation.params["slice_sizes"]]
        == [1 if other in (axis, *batches) else operand[other] for other in range(len(operand))]
        and list(map(int, numbers.offset_dims)) == around
        and np.prod(indices) == max(indices)
        and len(result.aval.shape) == len(operand)
    )
    if not is_plain:
        raise UnknownPrimitiveError("'gather' along several axes")
    size, count = operand[axis], max(indices)
    index = add("Reshape", values[1], np.array([count], np.int64))
    kind = equation.invars[1].aval.dtype
    clipped = index
    if mode != _GatherMode.PROMISE_IN_BOUNDS:
        clipped = add("Min", add("Max", index, np.zeros((), kind)), np.array(size - 1, kind))
    taken = add("Gather", values[0], clipped, axis=axis)
    if mode != _GatherMode.FILL_OR_DROP:
        return taken
    fill = equation.params["fill_value"]
    if fill is None:
        raise UnknownPrimitiveError("'gather' with a filling that is not said")
    along = [1] * len(operand)
    along[axis] = count
    is_inside = add("Reshape", add("Equal", index, clipped), np.array(along, np.int64))
    return add("Where", is_inside, taken, np.array(fill, result.aval.dtype))


def pad(add: Add, values: list[Value], equation: Any) -> Value:
    """Values around an array."""
    low, high, between = zip(*equation.params["padding_config"], strict=True)
    if any(between):
        raise UnknownPrimitiveError("'pad' between values")
    pads = np.array([*map(int, low), *map(int, high)], np.int64)
    return add("Pad", values[0], pads, values[1], mode="constant")


def select(add: Add, values: list[Value], equation: Any) -> Value:
    """One of two arrays by a truth value."""
    if len(values) != 3 or equation.invars[0].aval.dtype != bool:
        raise UnknownPrimitiveError("'select_n' of more than two")
    predicate, if_false, if_true = values
    return add("Where", predicate, if_true, if_false)


def logical(operator: str, name: str) -> Handler:
    """A handler of truth values, which JAX has for bits as well."""

    def handle(add: Add, values: list[Value], equation: Any) -> Value:
        if equation.invars[0].aval.dtype != bool:
            raise UnknownPrimitiveError(f"{name!r} of bits")
        return add(operator, *values)

    return handle


def not_equal(add: Add, values: list[Value], equation: Any) -> Value:
    """Where two arrays differ."""
    return add("Not", add("Equal", *values))


def is_finite(add: Add, values: list[Value], equation: Any) -> Value:
    """Where numbers are neither infinite nor none."""
    return add("Not", add("Or", add("IsInf", values[0]), add("IsNaN", values[0])))


def remainder(add: Add, values: list[Value], equation: Any) -> Value:
    """The remainder with the sign of the dividend."""
    return add("Mod", *values, fmod=1)


def maximum_of_axes(add: Add, values: list[Value], equation: Any) -> Value:
    """The largest entries along axes."""
    return add("ReduceMax", values[0], axes=list(equation.params["axes"]), keepdims=0)


def index_of_maximum(add: Add, values: list[Value], equation: Any) -> Value:
    """The index of the first largest entry along an axis."""
    (axis,) = equation.params["axes"]
    index = add("ArgMax", values[0], axis=int(axis), keepdims=0, select_last_index=0)
    return _cast(add, index, equation.params["index_dtype"])


def same(add: Add, values: list[Value], equation: Any) -> Value:
    """The value itself: the primitive says something to JAX's compiler or to derivatives alone."""
    (value,) = values
    return value


def _cast(add: Add, value: Value, dtype: np.dtype) -> Value:
    import onnx

    return add("Cast", value, to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


HANDLERS: dict[str, Handler] = {
    "and": logical("And", "and"),
    "argmax": index_of_maximum,
    "gather": gather,
    "is_finite": is_finite,
    "ne": not_equal,
    "not": logical("Not", "not"),
    "optimization_barrier": same,
    "or": logical("Or", "or"),
    "pad": pad,
    "reduce_max": maximum_of_axes,
    "rem": remainder,
    "select_n": select,
    "stop_gradient": same,
}
