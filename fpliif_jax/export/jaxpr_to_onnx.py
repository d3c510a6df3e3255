"""A function of JAX as an ONNX graph, for the primitives that the networks here are made of.

Sizes may be symbolic: each symbol is the size of an axis of an input, read there at run time. Products with a matrix
are made on two axes, so that onnxruntime fuses bias and ReLU with them.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import onnx
from jax.extend import core

from fpliif_jax.export import images_to_onnx, lookups_to_onnx
from fpliif_jax.export.images_to_onnx import check_dtypes
from fpliif_jax.export.onnx_graph import Graph, UnknownPrimitiveError, Value


@dataclasses.dataclass(frozen=True)
class _Flat:
    """A value [..., f] that is kept as [-1, f] until something needs its axes.

    Attributes:
      value: [-1, f].
      shape: of the value that is meant.
    """

    value: Value
    shape: tuple[Any, ...]


def to_onnx(
    function: Callable[..., Sequence[jax.Array]],
    inputs: Mapping[str, jax.ShapeDtypeStruct],
    outputs: Sequence[str],
    stores_float16: bool,
    **header: Any,
) -> onnx.ModelProto:
    """Converts a function.

    Args:
      function: of the inputs in their order; gives as many arrays as there are names of outputs.
      inputs: by name, dtype and shape, with symbolic sizes of `jax.export.symbolic_shape`.
      outputs: names.
      stores_float16: see `Graph`.
      **header: see `Graph.model`.

    Raises:
      UnknownPrimitiveError: it has a primitive that is not known here.
    """
    closed = jax.make_jaxpr(function)(*inputs.values())
    graph = Graph(stores_float16)
    sizes: dict[str, Value] = {}
    values: list[Any] = []
    for name, spec in inputs.items():
        shape = [size if isinstance(size, int) else str(size) for size in spec.shape]
        values.append(graph.input(name, spec.dtype, shape))
        for axis, size in enumerate(shape):
            if isinstance(size, str) and size not in sizes:
                sizes[size] = graph.add(
                    "Gather", graph.add("Shape", name), np.array([axis], np.int64), axis=0
                )
    conversion = _Conversion(graph, sizes)
    results = conversion.run(closed.jaxpr, [np.asarray(const) for const in closed.consts], values)
    described: dict[str, Any] = {}
    for name, result, spec in zip(outputs, results, closed.out_avals, strict=True):
        shape = [size if isinstance(size, int) else str(size) for size in spec.shape]
        described[name] = (conversion.whole(result), spec.dtype, shape)
    return graph.model(described, **header)


class _Conversion:
    """What handlers of primitives share: the graph, and the free sizes as values of it."""

    def __init__(self, graph: Graph, sizes: Mapping[str, Value]) -> None:
        self.add, self._sizes = graph.add, sizes

    def run(
        self, jaxpr: core.Jaxpr, consts: Sequence[np.ndarray], inputs: Sequence[Any]
    ) -> list[Any]:
        """Values of a jaxpr's outputs."""
        known: dict[Any, Any] = {}
        known.update(zip(jaxpr.constvars, consts, strict=True))
        known.update(zip(jaxpr.invars, inputs, strict=True))

        def value_of(atom: Any) -> Any:
            if isinstance(atom, core.Literal):
                # pyrefly: ignore[missing-attribute] - a literal is an array
                return np.asarray(atom.val, atom.aval.dtype)
            return known[atom]

        for equation in jaxpr.eqns:
            arguments = [value_of(atom) for atom in equation.invars]
            known.update(zip(equation.outvars, self._equation(equation, arguments), strict=True))
        return [value_of(atom) for atom in jaxpr.outvars]

    def whole(self, value: Any) -> Value:
        """A value with its axes."""
        return self.reshaped(value.value, value.shape) if isinstance(value, _Flat) else value

    def reshaped(self, value: Value, shape: Sequence[Any]) -> Value:
        """A value in another shape, one of whose sizes may be -1."""
        return self.add("Reshape", value, self._shape(shape))

    def _shape(self, shape: Sequence[Any]) -> Value:
        """int64 [rank]"""
        for size in shape:
            if not isinstance(size, int) and str(size) not in self._sizes:
                raise UnknownPrimitiveError(f"the size {size}, which no input has")
        parts = [
            np.array([size], np.int64) if isinstance(size, int) else self._sizes[str(size)]
            for size in shape
        ]
        return self.add("Concat", *parts, axis=0) if parts else np.zeros(0, np.int64)

    def _equation(self, equation: Any, arguments: list[Any]) -> list[Any]:
        name, parameters = equation.primitive.name, equation.params
        inner = parameters.get("call_jaxpr", parameters.get("jaxpr"))
        if name in _CALLS:
            if images_to_onnx.is_max_pool(equation):
                features = self.whole(arguments[0])
                return [images_to_onnx.max_pool_of_call(self.add, features, equation)]
            return self.run(inner.jaxpr, [np.asarray(const) for const in inner.consts], arguments)
        if name == "dot_general":
            return [self._dot_general(equation, arguments)]
        flat = self._on_two_axes(name, equation, arguments)
        if flat is not None:
            return [flat]
        values = [self.whole(value) for value in arguments]
        if name in _ELEMENTWISE:
            return [self.add(_ELEMENTWISE[name], *values)]
        for handlers in (images_to_onnx.HANDLERS, lookups_to_onnx.HANDLERS):
            if name in handlers:
                return [handlers[name](self.add, values, equation)]
        if name in _HANDLERS:
            return [_HANDLERS[name](self, values, equation)]
        if all(isinstance(value, np.ndarray) for value in values):
            results = equation.primitive.bind(*values, **parameters)
            results = results if equation.primitive.multiple_results else [results]
            return [np.asarray(result) for result in results]
        raise UnknownPrimitiveError(repr(name))

    def _on_two_axes(self, name: str, equation: Any, arguments: list[Any]) -> _Flat | None:
        """A bias, the same at all leading axes, or a ReLU of what is kept on two axes."""
        flats = [value for value in arguments if isinstance(value, _Flat)]
        others = [value for value in arguments if not isinstance(value, _Flat)]
        if len(flats) != 1 or len(others) != 1 or not isinstance(others[0], np.ndarray):
            return None
        flat, other = flats[0], others[0]
        if name == "max" and other.ndim == 0 and other == 0:
            return _Flat(self.add("Relu", flat.value), flat.shape)
        if name == "add" and other.size == flat.shape[-1] == other.shape[-1]:
            return _Flat(self.add("Add", flat.value, other.reshape(-1)), flat.shape)
        return None

    def _dot_general(self, equation: Any, arguments: list[Any]) -> Any:
        (left_axes, right_axes), batch = equation.params["dimension_numbers"]
        if batch != ((), ()) or len(left_axes) != 1:
            raise UnknownPrimitiveError("batches of products")
        check_dtypes(equation)
        (left_axis,), (right_axis,) = left_axes, right_axes
        left_shape, right_shape = (atom.aval.shape for atom in equation.invars)
        shape = equation.outvars[0].aval.shape
        left, right = arguments
        if not isinstance(left, _Flat) or left_axis != len(left_shape) - 1:
            left = self._on_front(self.whole(left), left_shape, left_axis, len(left_shape) - 1)
            left = _Flat(self.reshaped(left, (-1, left_shape[left_axis])), shape)
        right = self._on_front(self.whole(right), right_shape, right_axis, 0)
        if len(right_shape) != 2:
            right = self.reshaped(right, (right_shape[right_axis], -1))
        product = self.add("MatMul", left.value, right)
        return _Flat(product, shape) if len(right_shape) == 2 else self.reshaped(product, shape)

    def _on_front(self, value: Value, shape: Sequence[Any], axis: int, place: int) -> Value:
        """A value whose axis is moved to a place, ready to be reshaped: axes of size 1 need no moving."""
        order = [other for other in range(len(shape)) if other != axis]
        order.insert(place, axis)
        long = [other for other in order if shape[other] != 1]
        return value if long == sorted(long) else self.add("Transpose", value, perm=order)


def _ints(values: Sequence[Any]) -> np.ndarray:
    """int64 [n]; UnknownPrimitiveError where one depends on a free size."""
    for value in values:
        if not isinstance(value, int | np.integer):
            raise UnknownPrimitiveError(f"the free size {value} as a value")
    return np.array(values, np.int64)


def _convert(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(equation.params["new_dtype"]))
    if equation.invars[0].aval.dtype == equation.params["new_dtype"]:
        return values[0]
    return conversion.add("Cast", values[0], to=kind)


def _maximum(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    is_number = isinstance(values[1], np.ndarray) and values[1].ndim == 0
    if is_number and values[1] == 0 and values[1].dtype == np.float32:
        return conversion.add("Relu", values[0])
    return conversion.add("Max", *values)


def _square(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.add("Mul", values[0], values[0])


def _reciprocal_root(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.add("Reciprocal", conversion.add("Sqrt", values[0]))


def _sum(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.add("ReduceSum", values[0], _ints(equation.params["axes"]), keepdims=0)


def _broadcast(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    before = equation.invars[0].aval.shape
    after, axes = equation.outvars[0].aval.shape, equation.params["broadcast_dimensions"]
    new = [axis for axis in range(len(after)) if axis not in axes]
    value = conversion.add("Unsqueeze", values[0], _ints(new)) if new else values[0]
    kept = dict(zip(axes, before, strict=True))
    if all(kept.get(axis, 1) == size for axis, size in enumerate(after)):
        return value
    return conversion.add("Expand", value, conversion._shape(after))


def _reshape(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.reshaped(values[0], equation.outvars[0].aval.shape)


def _squeeze(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.add("Squeeze", values[0], _ints(equation.params["dimensions"]))


def _transpose(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.add("Transpose", values[0], perm=list(equation.params["permutation"]))


def _slice(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    shape, parameters = equation.invars[0].aval.shape, equation.params
    starts, limits = parameters["start_indices"], parameters["limit_indices"]
    cut = [
        axis
        for axis, size in enumerate(shape)
        if not (isinstance(starts[axis], int) and starts[axis] == 0 and limits[axis] == size)
    ]
    steps = parameters["strides"] or (1,) * len(shape)
    bounds = (_ints([column[axis] for axis in cut]) for column in (starts, limits))
    return conversion.add("Slice", values[0], *bounds, _ints(cut), _ints([steps[a] for a in cut]))


def _reverse(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    value = values[0]
    for axis in equation.params["dimensions"]:
        (size,) = _ints([equation.invars[0].aval.shape[axis]])
        backwards = np.arange(size - 1, -1, -1)
        value = conversion.add("Gather", value, backwards, axis=axis)
    return value


def _stack(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    axis = equation.params["axis"]
    parts = [conversion.add("Unsqueeze", value, _ints([axis])) for value in values]
    return conversion.add("Concat", *parts, axis=axis)


def _concatenate(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    return conversion.add("Concat", *values, axis=equation.params["dimension"])


def _iota(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    parameters = equation.params
    shape = _ints(parameters["shape"])
    axes = [1] * len(shape)
    axes[parameters["dimension"]] = -1
    counted = np.arange(shape[parameters["dimension"]]).reshape(axes)
    return np.broadcast_to(counted, shape).astype(parameters["dtype"])


def _round(conversion: _Conversion, values: list[Value], equation: Any) -> Value:
    method = equation.params["rounding_method"]
    if method != jax.lax.RoundingMethod.TO_NEAREST_EVEN:  # which is ONNX's
        raise UnknownPrimitiveError(f"'round' {method.name}")
    return conversion.add("Round", values[0])


_CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call")
_ELEMENTWISE = {
    "abs": "Abs", "add": "Add", "div": "Div", "eq": "Equal", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual",
    "gt": "Greater", "le": "LessOrEqual", "lt": "Less", "min": "Min", "mul": "Mul", "neg": "Neg", "sign": "Sign",
    "sub": "Sub", "tanh": "Tanh",
}  # fmt: skip
_HANDLERS: dict[str, Callable[[_Conversion, list[Value], Any], Value]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "convert_element_type": _convert,
    "iota": _iota,
    "max": _maximum,
    "reduce_sum": _sum,
    "reshape": _reshape,
    "rev": _reverse,
    "round": _round,
    "rsqrt": _reciprocal_root,
    "slice": _slice,
    "square": _square,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
}
