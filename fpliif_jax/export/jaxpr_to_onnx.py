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

from fpliif_jax.export import arrays_to_onnx, images_to_onnx, lookups_to_onnx
from fpliif_jax.export.images_to_onnx import check_dtypes
from fpliif_jax.export.onnx_graph import Graph, UnknownPrimitiveError, Value

_CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call")
_HANDLERS = arrays_to_onnx.HANDLERS | images_to_onnx.HANDLERS | lookups_to_onnx.HANDLERS


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
        if name == "reshape":
            return [self.reshaped(values[0], equation.outvars[0].aval.shape)]
        if name == "broadcast_in_dim":
            return [self._broadcast(values[0], equation)]
        if name in _HANDLERS:
            return [_HANDLERS[name](self.add, values, equation)]
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

    def _broadcast(self, value: Value, equation: Any) -> Value:
        before = equation.invars[0].aval.shape
        after, axes = equation.outvars[0].aval.shape, equation.params["broadcast_dimensions"]
        new = [axis for axis in range(len(after)) if axis not in axes]
        value = self.add("Unsqueeze", value, np.array(new, np.int64)) if new else value
        kept = dict(zip(axes, before, strict=True))
        if all(kept.get(axis, 1) == size for axis, size in enumerate(after)):
            return value
        return self.add("Expand", value, self._shape(after))

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
