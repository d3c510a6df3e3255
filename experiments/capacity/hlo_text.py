"""Optimised HLO, the text that XLA prints of a compiled program, as computations and their instructions.

The format is XLA's own and not specified; what is read here is what jax 0.10 and 0.11 print for GPUs, TPUs and CPUs.
"""

import dataclasses
import math
import re
from collections.abc import Mapping

_ITEM_BITS = {"pred": 8, "token": 0, "opaque": 0}  # of types whose name has no number of bits
_ARRAY = re.compile(r"([a-z]+\d*\w*)\[([\d,<= ]*)\](?:\{([^{}]*)\})?")
_HEADER = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .*\{$")
_ASSIGNMENT = re.compile(r"\s*(ROOT )?%?([\w.\-]+) = ")
_OPCODE = re.compile(r"([a-z][\w\-]*)\(")
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(r"\b(calls|to_apply|body|condition|\w+_computation)=%([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


@dataclasses.dataclass(frozen=True)
class Array:
    """One array of an instruction's result.

    Attributes:
      dtype: as HLO has it, 'f32', 'bf16', 'pred'.
      dims: its shape.
      is_in_main_memory: not in a TPU's on-chip memory.
    """

    dtype: str
    dims: tuple[int, ...]
    is_in_main_memory: bool = True

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.dims)

    @property
    def bytes(self) -> int:
        """Bytes of main memory that the array takes."""
        if not self.is_in_main_memory:
            return 0
        digits = re.search(r"\d+", self.dtype)
        bits = int(digits[0]) if digits else _ITEM_BITS.get(self.dtype, 0)
        return -(-self.size * bits // 8)

    @property
    def is_float(self) -> bool:
        """Whether arithmetic on it counts as floating point."""
        return self.dtype.startswith(("f", "bf"))


@dataclasses.dataclass(frozen=True)
class Instruction:
    """A line of a computation.

    Attributes:
      name: unique in its computation.
      opcode: 'fusion', 'dot', 'while', …
      results: its arrays; of a tuple, those of all its parts.
      operands: names of instructions of the same computation.
      attributes: the rest of the line.
      is_root: whether it is what the computation returns.
      literal: the number of a parameter, the value of a constant.
    """

    name: str
    opcode: str
    results: tuple[Array, ...]
    operands: tuple[str, ...]
    attributes: str
    is_root: bool = False
    literal: str = ""

    @property
    def result_bytes(self) -> int:
        """Bytes of main memory that all arrays of the result take."""
        return sum(array.bytes for array in self.results)

    def called(self, *kinds: str) -> list[str]:
        """Computations that it calls as 'calls', 'to_apply', 'body', 'condition'."""
        return [name for kind, name in _CALLED.findall(self.attributes) if kind in kinds]

    @property
    def branches(self) -> list[str]:
        """Computations of a 'conditional'."""
        listed = _BRANCHES.search(self.attributes)
        if listed:
            return _NAME.findall(listed[1])
        return self.called("true_computation", "false_computation")

    @property
    def trips(self) -> int | None:
        """How often a 'while' goes round; None where XLA does not print it, see `loops.trips`."""
        printed = _TRIPS.search(self.attributes)
        return int(printed[1]) if printed else None

    def attribute(self, name: str) -> str | None:
        """The value of an attribute, without its braces: 'lhs_contracting_dims' -> '1'; None where it has none."""
        match = re.search(rf"\b{name}=(?:\{{([^{{}}]*)\}}|([^\s,]+))", self.attributes)
        return None if match is None else match[1] if match[1] is not None else match[2]


class Computation:
    """Instructions in their order."""

    def __init__(self, name: str, instructions: list[Instruction]) -> None:
        self.name = name
        self.instructions = instructions
        self._by_name = {instruction.name: instruction for instruction in instructions}
        self._users: dict[str, list[Instruction]] = {}
        for instruction in instructions:
            for operand in dict.fromkeys(instruction.operands):
                self._users.setdefault(operand, []).append(instruction)

    def __getitem__(self, name: str) -> Instruction:
        return self._by_name[name]

    def users(self, name: str) -> list[Instruction]:
        """Instructions that an instruction is an operand of."""
        return self._users.get(name, [])

    def operands(self, instruction: Instruction) -> list[Instruction]:
        """Operands of an instruction, each as often as it is one."""
        return [self._by_name[name] for name in instruction.operands]

    @property
    def root(self) -> Instruction:
        """The instruction whose result the computation returns."""
        roots = [one for one in self.instructions if one.is_root]
        return roots[-1] if roots else self.instructions[-1]

    @property
    def parameters(self) -> list[Instruction]:
        """Parameters in the order of their numbers."""
        parameters = [one for one in self.instructions if one.opcode == "parameter"]
        return sorted(parameters, key=lambda one: int(one.literal))


@dataclasses.dataclass(frozen=True)
class Program:
    """All computations of a module.

    Attributes:
      computations: by name.
      entry: name of the one that it begins with.
    """

    computations: Mapping[str, Computation]
    entry: str


def parse(text: str) -> Program:
    """Reads what `compiled.as_text()` gives.

    Raises:
      ValueError: there is no entry computation, or a line is none of an instruction.
    """
    computations, entry, name, lines = {}, None, None, []
    for line in text.splitlines():
        if name is None:
            header = _HEADER.match(line)
            if header:
                name, lines = header[2], []
                entry = name if header[1] else entry
        elif line.startswith("}"):
            computations[name] = Computation(name, lines)
            name = None
        elif line.strip():
            lines.append(_instruction(line))
    if entry is None:
        raise ValueError("no ENTRY computation: not the HLO of a program")
    return Program(computations, entry)


def _instruction(line: str) -> Instruction:
    assigned = _ASSIGNMENT.match(line)
    if assigned is None:
        raise ValueError(f"not an instruction of HLO: {line.strip()[:80]!r}")
    start = assigned.end()
    end = _after_parenthesis(line, start) if line[start] == "(" else line.index(" ", start)
    opcode = _OPCODE.search(line, end)
    if opcode is None:
        raise ValueError(f"not an instruction of HLO: {line.strip()[:80]!r}")
    last = _after_parenthesis(line, opcode.end() - 1)
    inside = line[opcode.end() : last - 1]
    is_parameter, is_constant = opcode[1] == "parameter", opcode[1] == "constant"
    return Instruction(
        name=assigned[2],
        opcode=opcode[1],
        results=tuple(_array(*parts) for parts in _ARRAY.findall(line[start:end])),
        operands=() if is_parameter or is_constant else tuple(_NAME.findall(inside)),
        attributes=line[last:],
        is_root=bool(assigned[1]),
        literal=inside if is_parameter or is_constant else "",
    )


def _after_parenthesis(line: str, start: int) -> int:
    """The place behind the parenthesis that closes the one at `start`."""
    depth = 0
    for place in range(start, len(line)):
        if line[place] == "(":
            depth += 1
        elif line[place] == ")":
            depth -= 1
            if depth == 0:
                return place + 1
    raise ValueError(f"not an instruction of HLO: {line.strip()[:80]!r}")


def _array(dtype: str, dims: str, layout: str) -> Array:
    sizes = tuple(int(size.strip().removeprefix("<=")) for size in dims.split(",") if size.strip())
    space = re.search(r"S\((\d+)\)", layout)
    return Array(dtype, sizes, space is None or space[1] == "0")
