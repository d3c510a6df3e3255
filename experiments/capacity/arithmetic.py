"""Floating point operations of HLO instructions, by kind: what multiplies matrices, in which type, and the rest."""

import collections
import functools
import json
import math
import re

import numpy as np

from fpliif_jax.experiments.capacity.hlo_text import Array, Computation, Instruction, Program

_ELEMENTWISE_KIND = "elementwise"
KINDS = (
    "bfloat16 products",
    "float32 products",
    "float32 products, highest",
    _ELEMENTWISE_KIND,
)
# One operation an element of the result, on floating point; copies, comparisons and choices are none.
_ELEMENTWISE = {
    "abs", "add", "atan2", "cbrt", "ceil", "clamp", "cosine", "divide", "erf", "exponential",
    "exponential-minus-one", "floor", "log", "log-plus-one", "logistic", "maximum", "minimum", "multiply",
    "negate", "power", "remainder", "round-nearest-afz", "round-nearest-even", "rsqrt", "sine", "sqrt",
    "subtract", "tan", "tanh",
}  # fmt: skip
# As an attribute of HLO's own instructions, or in the configuration of a library's call.
_HIGHEST = re.compile(r'operand_precision=\{highest|"operand_precision":\["HIGHEST"')
_CUDNN = "__cudnn$conv"
_CUBLAS = "__cublas$"

Flops = dict[str, int]


def flops(program: Program, computation: Computation, instruction: Instruction) -> Flops:
    """FLOPs of one launch of an instruction, with all that is fused into it; a multiply-add is two.

    Products are those of matrices and of convolutions; those with zeros of the padding are none.
    """
    opcode = instruction.opcode
    if opcode in ("fusion", "call"):
        sums: Flops = collections.Counter()
        for name in instruction.called("calls", "to_apply"):
            inner = program.computations[name]
            for one in inner.instructions:
                for kind, count in flops(program, inner, one).items():
                    sums[kind] += count
        return dict(sums)
    operands = [array for one in computation.operands(instruction) for array in one.results]
    if opcode == "dot":
        contracted = instruction.attribute("lhs_contracting_dims") or ""
        return _product(instruction, operands, _dot_flops(instruction, operands[0], contracted))
    if opcode == "convolution":
        count = _convolution_flops(instruction, operands[0], operands[1], instruction.results[0])
        return _product(instruction, operands, count)
    if opcode == "custom-call":
        return _library_flops(instruction, operands)
    return _simple_flops(instruction, operands)


def _simple_flops(instruction: Instruction, operands: list[Array]) -> Flops:
    if not instruction.results or not instruction.results[0].is_float:
        return {}
    if instruction.opcode in _ELEMENTWISE:
        return {_ELEMENTWISE_KIND: instruction.results[0].size}
    if instruction.opcode == "reduce":  # operands: arrays, then their initial values
        arrays = operands[: len(operands) // 2]
        return {_ELEMENTWISE_KIND: sum(array.size for array in arrays if array.is_float)}
    if instruction.opcode == "reduce-window":
        window = math.prod(_window(instruction)["size"])
        return {_ELEMENTWISE_KIND: instruction.results[0].size * window}
    return {}


def _library_flops(instruction: Instruction, operands: list[Array]) -> Flops:
    target = (instruction.attribute("custom_call_target") or "").strip('"')
    if target.startswith(_CUBLAS):
        config = re.search(r"backend_config=(\{.*\})", instruction.attributes)
        # pyrefly: ignore[unsupported-operation] - a call of cuBLAS has one
        numbers = json.loads(config[1])["gemm_backend_config"]["dot_dimension_numbers"]
        contracted = ",".join(numbers["lhs_contracting_dimensions"])
        return _product(instruction, operands, _dot_flops(instruction, operands[0], contracted))
    if not target.startswith(_CUDNN):
        return {}
    result = instruction.results[0]
    # Each is the forward convolution with another of its arrays as the result.
    if target.endswith("convBackwardFilter"):
        inputs, kernel, outputs = operands[0], result, operands[1]
    elif target.endswith("convBackwardInput"):
        inputs, kernel, outputs = result, operands[1], operands[0]
    else:
        inputs, kernel, outputs = *operands[:2], result
    count = _convolution_flops(instruction, inputs, kernel, outputs)
    return _product(instruction, operands, count)


def _dot_flops(instruction: Instruction, left: Array, contracted: str) -> int:
    sizes = [left.dims[int(axis)] for axis in contracted.split(",") if axis.strip()]
    return 2 * instruction.results[0].size * math.prod(sizes)


def _convolution_flops(
    instruction: Instruction, inputs: Array, kernel: Array, outputs: Array
) -> int:
    """Every output is a sum over input channels and over what the window covers of the inputs.

    XLA writes other products as convolutions too, whose window mostly covers padding: only what is covered counts.
    """
    # pyrefly: ignore[no-matching-overload] - a convolution has them
    of_inputs, of_kernel, of_outputs = re.split(r"_|->", instruction.attribute("dim_labels"))
    arrays = {
        "input": (of_inputs, inputs),
        "kernel": (of_kernel, kernel),
        "output": (of_outputs, outputs),
    }

    def size(of: str, label: str) -> int:
        own, array = arrays[of]
        return array.dims[own.index(label)]

    window = _window(instruction)
    covered = 1
    for axis in range(len(window.get("size", ()))):

        def field(name: str, default: int, axis: int = axis) -> int:
            return window[name][axis] if name in window else default

        covered *= _covered(
            size("input", str(axis)),
            size("output", str(axis)),
            window["size"][axis],
            stride=field("stride", 1),
            before=field("pad", 0),
            input_dilation=field("lhs_dilate", 1),
            window_dilation=field("rhs_dilate", 1),
        )
    return 2 * size("output", "b") * size("output", "f") * size("kernel", "i") * covered


@functools.cache
def _covered(
    inputs: int,
    outputs: int,
    window: int,
    *,
    stride: int,
    before: int,
    input_dilation: int,
    window_dilation: int,
) -> int:
    """Pairs of an output and a place of the window that meet an input, along one axis.

    Args:
      inputs: along the axis.
      outputs: along it.
      window: places.
      stride: inputs, with the zeros between them, from an output to the next.
      before: padding before the first input.
      input_dilation: 1 and the zeros between two inputs.
      window_dilation: 1 and the gap between two places of the window.
    """
    places = np.arange(outputs)[:, None] * stride + np.arange(window) * window_dilation - before
    met = (places >= 0) & (places % input_dilation == 0) & (places // input_dilation < inputs)
    return int(met.sum())


def _product(instruction: Instruction, operands: list[Array], count: int) -> Flops:
    dtype = operands[0].dtype
    if dtype in ("bf16", "f16"):
        return {KINDS[0]: count}
    if dtype != "f32":
        return {}
    return {KINDS[2] if _HIGHEST.search(instruction.attributes) else KINDS[1]: count}


def _window(instruction: Instruction) -> dict[str, tuple[int, ...]]:
    """Fields of a window by axis, of the padding that before: 'size=3x3 pad=1_2x0_1' -> size (3, 3), pad (1, 0)."""
    fields = dict(part.split("=") for part in (instruction.attribute("window") or "").split())
    return {
        name: tuple(int(number.partition("_")[0]) for number in value.split("x"))
        for name, value in fields.items()
    }
