"""What a compiled program does, read from its optimised HLO: the kernels it starts, their bytes and their arithmetic.

Each kernel is one of XLA's: a fusion, a call of a library, or an instruction that stands alone. A library may start
more than one for a call, so the number of kernels is the least.
"""

import collections
import dataclasses
from collections.abc import Iterator, Mapping

from fpliif_jax.experiments.capacity import arithmetic, loops
from fpliif_jax.experiments.capacity.hlo_text import Computation, Instruction, Program

KINDS = arithmetic.KINDS
# Instructions that start nothing: names, views and ends of what began earlier.
_NOTHING = {
    "add-dependency",
    "after-all",
    "bitcast",
    "constant",
    "domain",
    "get-tuple-element",
    "opt-barrier",
    "parameter",
    "partition-id",
    "replica-id",
    "tuple",
}
_NOTHING_CALLS = {"AllocateBuffer", "ConcatBitcast", "Sharding"}  # custom-call targets
_COLLECTIVES = (
    "all-gather",
    "all-reduce",
    "all-to-all",
    "collective-permute",
    "reduce-scatter",
)
# Of an array that only these use, what they take is read, not the whole.
_TAKE_PARTS = {"dynamic-slice", "gather", "slice"}
_VIEWS = {"bitcast", "get-tuple-element", "reshape"}
# Sums whose order is not fixed on a GPU: XLA writes them with atomic additions.
_UNORDERED = {"scatter", "select-and-scatter"}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel that a program starts.

    Attributes:
      name: in the HLO.
      launches: how often, over all trips of the loops around it.
      bytes: read and written in main memory by one launch.
      flops: of one launch, by kind of arithmetic, see `arithmetic.KINDS`.
      is_collective: whether it talks to other devices; `bytes` are then those of this device's memory.
    """

    name: str
    launches: int
    bytes: int
    flops: Mapping[str, int]
    is_collective: bool = False


@dataclasses.dataclass(frozen=True)
class Totals:
    """Sums over all launches of a program's kernels.

    Attributes:
      launches: kernels started.
      bytes: read and written.
      flops: by kind of arithmetic.
      collectives: launches of those that talk to other devices.
    """

    launches: int
    bytes: int
    flops: Mapping[str, int]
    collectives: int


def kernels(program: Program) -> list[Kernel]:
    """All kernels of one call of a program.

    A loop's body counts as often as it goes round, once where that is not known (see `unknown_loops`); of a
    conditional's branches the one with the most bytes counts.
    """
    return list(_kernels(program, program.computations[program.entry], 1))


def totals(launched: list[Kernel]) -> Totals:
    """Sums over the kernels that are launched."""
    flops: dict[str, int] = collections.Counter()
    for kernel in launched:
        for kind, count in kernel.flops.items():
            flops[kind] += kernel.launches * count
    return Totals(
        launches=sum(kernel.launches for kernel in launched),
        bytes=sum(kernel.launches * kernel.bytes for kernel in launched),
        flops=dict(flops),
        collectives=sum(kernel.launches for kernel in launched if kernel.is_collective),
    )


def unknown_loops(program: Program) -> int:
    """Loops whose number of trips is not known."""
    return sum(
        instruction.opcode == "while" and loops.trips(program, computation, instruction) is None
        for computation in program.computations.values()
        for instruction in computation.instructions
    )


def unordered_sums(program: Program) -> list[str]:
    """Instructions whose result on a GPU may differ from call to call, also those within fusions."""
    return [
        instruction.name
        for computation in program.computations.values()
        for instruction in computation.instructions
        if instruction.opcode in _UNORDERED
    ]


def _kernels(program: Program, computation: Computation, launches: int) -> Iterator[Kernel]:
    for instruction in computation.instructions:
        opcode = instruction.opcode
        if opcode == "while":
            trips = loops.trips(program, computation, instruction)
            for name in instruction.called("body"):
                body = program.computations[name]
                yield from _kernels(program, body, launches * (1 if trips is None else trips))
        elif opcode == "conditional":
            branches = [
                list(_kernels(program, program.computations[name], launches))
                for name in instruction.branches
            ]
            yield from max(branches, key=lambda branch: totals(branch).bytes)
        elif opcode in ("call", "async-start"):
            for name in instruction.called("to_apply", "calls"):
                yield from _kernels(program, program.computations[name], launches)
        elif not _starts_nothing(instruction):
            yield Kernel(
                name=instruction.name,
                launches=launches,
                bytes=_bytes(program, computation, instruction),
                flops=arithmetic.flops(program, computation, instruction),
                is_collective=opcode.startswith(_COLLECTIVES),
            )


def _starts_nothing(instruction: Instruction) -> bool:
    opcode = instruction.opcode
    if opcode == "custom-call":
        target = (instruction.attribute("custom_call_target") or "").strip('"')
        return target in _NOTHING_CALLS
    return opcode in _NOTHING or opcode.endswith(("-done", "-update"))


# Of these the result begins with the operands, of others (copies) with what is written.
_OPERANDS_FIRST = ("all-gather-start", "collective-permute-start")


def _bytes(program: Program, computation: Computation, instruction: Instruction) -> int:
    """Bytes that one launch reads and writes."""
    operands = [computation[name] for name in dict.fromkeys(instruction.operands)]
    opcode = instruction.opcode
    if opcode == "fusion":
        (called,) = instruction.called("calls")
        return _fusion_bytes(program, instruction, operands, program.computations[called])
    if opcode in _TAKE_PARTS:
        return 2 * instruction.result_bytes
    if opcode == "dynamic-update-slice":
        return 2 * computation.operands(instruction)[1].result_bytes
    read = sum(operand.result_bytes for operand in operands)
    if opcode == "all-reduce-start":
        return read + sum(array.bytes for array in instruction.results)
    if opcode.endswith("-start"):  # its result has the operands in it, and a handle
        count = len(instruction.operands)
        first = count if opcode in _OPERANDS_FIRST else 0
        return read + sum(array.bytes for array in instruction.results[first : first + count])
    return read + instruction.result_bytes


def _fusion_bytes(
    program: Program,
    fusion: Instruction,
    operands: list[Instruction],
    called: Computation,
) -> int:
    read = {}
    for parameter, name in zip(called.parameters, fusion.operands, strict=True):
        read[name] = read.get(name, 0) + _read(program, called, parameter)
    # An operand that is given twice is not read more than once as a whole.
    total = sum(min(read[operand.name], operand.result_bytes) for operand in operands)
    return total + _written(called, called.root)


def _read(program: Program, computation: Computation, source: Instruction) -> int:
    """Bytes of an array in a fused computation that its users take."""
    whole, taken = source.result_bytes, 0
    if source.is_root:
        return whole
    for user in computation.users(source.name):
        first = user.operands[0] == source.name and source.name not in user.operands[1:]
        if user.opcode in _TAKE_PARTS and first:
            taken += user.result_bytes
        elif user.opcode == "dynamic-update-slice" and first:
            continue  # updated in place
        elif user.opcode in _VIEWS:
            taken += _read(program, computation, user)
        elif user.opcode == "fusion":
            (called,) = user.called("calls")
            inner = program.computations[called]
            for parameter, name in zip(inner.parameters, user.operands, strict=True):
                if name == source.name:
                    taken += _read(program, inner, parameter)
        else:
            return whole
    return min(whole, taken)


def _written(computation: Computation, result: Instruction) -> int:
    """Bytes of a fused computation's result; of one that is updated in place, those of the update."""
    if result.opcode == "tuple":
        return sum(_written(computation, part) for part in computation.operands(result))
    if result.opcode == "dynamic-update-slice":
        return computation.operands(result)[1].result_bytes
    if result.opcode in ("bitcast", "reshape"):
        return _written(computation, computation.operands(result)[0])
    return result.result_bytes
