"""Floating point operations of HLO instructions, by kind: what multiplies matrices, in which type, and the rest."""

import collections
import json
import math
import re

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
    """Of one launch of an instruction, with all that is fused into it; a multiply-add is two.

    Products are those of matrices and of convolutions, counted for every position of the window, padding included.
    """
    opcode = instruction.opcode
    if opcode in ("fusion", "call"):
        found: Flops = collections.Counter()
        for name in instruction.called("calls", "to_apply"):
            inner = program.computations[name]
            for one in inner.instructions:
                for kind, count in flops(program, inner, one).items():
                    found[kind] += count
        return dict(found)
    operands = [array for one in computation.operands(instruction) for array in one.results]
    if opcode == "dot":
        contracted = instruction.attribute("lhs_contracting_dims") or ""
        return _product(instruction, operands, _dot_flops(instruction, operands[0], contracted))
    if opcode == "convolution":
        inserted = math.prod(_window(instruction).get("lhs_dilate", (1,)))  # zeros between inputs
        count = _convolution_flops(instruction, instruction.results[0], operands[1])
        return _product(instruction, operands, count // inserted)
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
        numbers = json.loads(config[1])["gemm_backend_config"]["dot_dimension_numbers"]
        contracted = ",".join(numbers["lhs_contracting_dimensions"])
        return _product(instruction, operands, _dot_flops(instruction, operands[0], contracted))
    if not target.startswith(_CUDNN):
        return {}
    result = instruction.results[0]
    # Each is the forward convolution with another array in the place of the result.
    if target.endswith("convBackwardFilter"):
        outputs, kernel = operands[1], result
    elif target.endswith("convBackwardInput"):
        outputs, kernel = operands[0], operands[1]
    else:
        outputs, kernel = result, operands[1]
    return _product(instruction, operands, _convolution_flops(instruction, outputs, kernel))


def _dot_flops(instruction: Instruction, left: Array, contracted: str) -> int:
    sizes = [left.dims[int(axis)] for axis in contracted.split(",") if axis.strip()]
    return 2 * instruction.results[0].size * math.prod(sizes)


def _convolution_flops(instruction: Instruction, outputs: Array, kernel: Array) -> int:
    """Every output channel of every output position is a sum over the kernel's window and input channels."""
    labels = instruction.attribute("dim_labels")
    kernel_labels = re.split(r"_|->", labels)[1]
    output_channels = kernel.dims[kernel_labels.index("o")]
    return 2 * outputs.size * kernel.size // output_channels


def _product(instruction: Instruction, operands: list[Array], count: int) -> Flops:
    dtype = operands[0].dtype
    if dtype in ("bf16", "f16"):
        return {KINDS[0]: count}
    if dtype != "f32":
        return {}
    return {KINDS[2] if _HIGHEST.search(instruction.attributes) else KINDS[1]: count}


def _window(instruction: Instruction) -> dict[str, tuple[int, ...]]:
    """Sizes, strides and dilations of a window: 'size=3x3 stride=2x2' -> {'size': (3, 3), 'stride': (2, 2)}."""
    text = instruction.attribute("window") or ""
    fields = dict(part.split("=") for part in text.split())
    return {
        name: tuple(int(size) for size in value.split("x"))
        for name, value in fields.items()
        if re.fullmatch(r"[\dx]+", value)
    }
