"""An ONNX graph as it is built, node by node; what depends on constants alone is computed at once."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from fpliif_jax.data_builders.errors import UserError

OPSET = 13  # the lowest with axes of Squeeze, Unsqueeze and ReduceSum as inputs
_IR_VERSION = 8

# The value of a node, or a constant.
Value = str | np.ndarray
Add = Callable[..., Value]  # of `Graph.add`
# What writes a primitive: from what adds an operator, the values, and JAX's equation.
Handler = Callable[[Add, list[Value], Any], Value]


class UnknownPrimitiveError(UserError):
    """A network computes something that this export has no ONNX operators for.

    Args:
      what: it is.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this network cannot be written as ONNX: it uses {what}; --format=stablehlo has no such limit"
        )


class Graph:
    """Nodes, constants and inputs of a graph of the opset `OPSET`.

    Attributes:
      stores_float16: whether float32 constants that float16 holds exactly are stored so, and cast where they are used.
    """

    def __init__(self, stores_float16: bool = False) -> None:
        self.stores_float16 = stores_float16
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._computed: dict[tuple[Any, ...], str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: np.dtype, shape: Sequence[int | str]) -> str:
        """An input of the graph; names of axes stand for their free sizes."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def add(self, operator: str, *inputs: Value, **attributes: Any) -> Value:
        """The value of an operator: a constant where all inputs are, and the same node for the same inputs."""
        if all(isinstance(value, np.ndarray) for value in inputs):
            # pyrefly: ignore[bad-argument-type] - all are arrays
            return _evaluate(operator, inputs, attributes)
        names = [self._name(value) for value in inputs]
        key = (operator, *names, repr(sorted(attributes.items())))
        if key not in self._computed:
            self._computed[key] = f"v{len(self._nodes)}"
            node = helper.make_node(operator, names, [self._computed[key]], **attributes)
            self._nodes.append(node)
        return self._computed[key]

    def model(
        self, outputs: dict[str, tuple[Value, np.dtype, Sequence[int | str]]], **header: Any
    ) -> onnx.ModelProto:
        """The graph as a model, checked.

        Args:
          outputs: by name, value, dtype and shape.
          **header: fields of the model, as producer_name.
        """
        infos = []
        for name, (value, dtype, shape) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [self._name(value)], [name]))
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            infos.append(helper.make_tensor_value_info(name, kind, list(shape)))
        graph = helper.make_graph(
            self._nodes, "fpliif_jax", self._inputs, infos, list(self._constants.values())
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, **header)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _name(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest()
        key = (str(value.dtype), value.shape, digest)
        if key not in self._names:
            name = f"c{len(self._names)}"
            half = _half(value) if self.stores_float16 else None
            if half is not None:
                self._constants[f"{name}_float16"] = numpy_helper.from_array(
                    half, f"{name}_float16"
                )
                self._nodes.append(
                    helper.make_node("Cast", [f"{name}_float16"], [name], to=onnx.TensorProto.FLOAT)
                )
            else:
                self._constants[name] = numpy_helper.from_array(value, name)
            self._names[key] = name
        return self._names[key]


def _half(value: np.ndarray) -> np.ndarray | None:
    """Values of float32 as float16, where that holds them exactly."""
    if value.dtype != np.float32:
        return None
    with np.errstate(over="ignore"):  # then they are not equal
        half = value.astype(np.float16)
    return half if (half == value).all() else None


def _evaluate(
    operator: str, inputs: Sequence[np.ndarray], attributes: dict[str, Any]
) -> np.ndarray:
    names = [f"x{number}" for number in range(len(inputs))]
    node = helper.make_node(operator, names, ["y"], **attributes)
    opsets = [helper.make_opsetid("", OPSET)]
    function = helper.make_function("fpliif_jax", "constant", names, ["y"], [node], opsets)
    feeds = dict(zip(names, inputs, strict=True))
    # pyrefly: ignore[bad-index] - without a name, outputs are a list
    return np.asarray(ReferenceEvaluator(function).run(None, feeds, attributes={})[0])
