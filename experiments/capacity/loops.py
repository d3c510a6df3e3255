"""How often a loop of HLO goes round."""

from fpliif_jax.experiments.capacity.hlo_text import Computation, Instruction, Program

_COPIES = {"bitcast", "convert", "copy"}


def trips(program: Program, computation: Computation, loop: Instruction) -> int | None:
    """Trips of a 'while', as XLA prints them, or as they follow from a counter; None where neither tells.

    A counter starts at a constant, grows by a constant and is compared with a constant, as those of `jax.lax.scan` and
    `fori_loop` are. XLA prints the number for GPUs and CPUs, not for TPUs.

    Args:
      program: of the loop.
      computation: the one that the loop is in.
      loop: the instruction.
    """
    if loop.trips is not None:
        return loop.trips
    (condition,) = (program.computations[name] for name in loop.called("condition"))
    (body,) = (program.computations[name] for name in loop.called("body"))
    test = condition.root
    if test.opcode != "compare" or test.attribute("direction") != "LT":
        return None
    counter, bound = condition.operands(test)
    place = _place(condition, counter)
    if place is None:
        return None
    (initial,) = computation.operands(loop)
    first = _carried_constant(computation, initial, place)
    last = _constant(condition, bound)
    if last is None and (kept := _place(condition, bound)) is not None and _is_kept(body, kept):
        last = _carried_constant(computation, initial, kept)
    step = _step(body, place)
    if first is None or last is None or not step:
        return None
    return max(0, -(-(last - first) // step))


def _behind_copies(computation: Computation, instruction: Instruction) -> Instruction:
    while instruction.opcode in _COPIES:
        (instruction,) = computation.operands(instruction)
    return instruction


def _place(computation: Computation, instruction: Instruction) -> int | None:
    """Index of the part of the loop's state that the instruction is; None if it is none."""
    source = _behind_copies(computation, instruction)
    if (
        source.opcode != "get-tuple-element"
        or computation.operands(source)[0].opcode != "parameter"
    ):
        return None
    # pyrefly: ignore[bad-argument-type] - a get-tuple-element has one
    return int(source.attribute("index"))


def _constant(computation: Computation, instruction: Instruction) -> int | None:
    source = _behind_copies(computation, instruction)
    if source.opcode != "constant" or not source.literal.lstrip("-").isdigit():
        return None
    return int(source.literal)


def _carried_constant(computation: Computation, initial: Instruction, place: int) -> int | None:
    """The whole number that a part of the loop's state begins with; None if it is no constant."""
    if initial.opcode != "tuple":
        return None
    return _constant(computation, computation.operands(initial)[place])


def _is_kept(body: Computation, place: int) -> bool:
    """Whether a trip leaves a part as it was."""
    return body.root.opcode == "tuple" and _place(body, body.operands(body.root)[place]) == place


def _step(body: Computation, place: int) -> int | None:
    """The whole number that a trip adds to a part of the loop's state; None if it is no constant."""
    if body.root.opcode != "tuple":
        return None
    grown = _behind_copies(body, body.operands(body.root)[place])
    if grown.opcode != "add":
        return None
    one, other = body.operands(grown)
    if _place(body, one) != place:
        one, other = other, one
    return _constant(body, other) if _place(body, one) == place else None
