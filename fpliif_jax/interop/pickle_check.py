"""What a pickle of weights would do, read from its opcodes before any of them is carried out.

`torch.load(weights_only=True)` executes no code of a file, but some hundred bytes can still have it ask for
gigabytes (a byte array, a storage that is not in the file) or never end (tuples of tuples as a key, whose hash
visits every path to the innermost). So only what weights are made of is let through: tensors whose numbers are in
the file, ordered dicts, lists, tuples and scalars, with keys that are text or numbers.
"""

import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

_ORDERED_DICT, _ENCODE = "collections.OrderedDict", "_codecs.encode"
_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_NUMBERS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_GLOBALS = {
    _ORDERED_DICT,
    *_TENSORS,
    "torch._utils._rebuild_parameter",
    "torch.Size",
    *(f"torch.{kind}Storage" for kind in (*_NUMBERS, "ComplexFloat", "ComplexDouble")),
    "torch.storage.UntypedStorage",
    # Scalars of NumPy 1 and 2.
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    _ENCODE,
}
_MOST_OPCODES = 5_000_000  # a state dict has some fifty a tensor
_MOST_AXES = 64
_LONGEST_LINE = 4_096  # bytes; of the names in a pickle


class ForbiddenPickleError(Exception):
    """A pickle does more than hold weights, or is damaged; the message says what."""


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    count: int


class _Mark:
    """Where the elements of a tuple, list or dict begin on the stack."""


_MARK = _Mark()


class _Machine:
    """A pickle's stack and memo, with what matters of the values: text, numbers, tuples, storages."""

    def __init__(self, largest: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.largest = largest

    def pop_to_mark(self) -> list[Any]:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def push_global(self, name: str) -> None:
        if name not in _GLOBALS:
            raise ForbiddenPickleError(f"it names {name[:80]!r}, which is not of weights")
        self.stack.append(_Global(name))

    def push_stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.push_global(f"{module}.{name}")

    def push_tuple(self, size: int) -> None:
        values = [self.pop() for _ in range(size)]
        self.stack.append(tuple(values[::-1]))

    def set_items(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise IndexError
        for key in pairs[::2]:
            if not isinstance(key, str | bytes | int | float):
                raise ForbiddenPickleError("a key of a dict is neither text nor a number")
        self.stack[-1]  # the dict

    def push_storage(self) -> None:
        """('storage', type, key, location, number of elements, …) stands for a storage of the file."""
        identity = self.pop()
        if not isinstance(identity, tuple) or len(identity) < 5 or type(identity[4]) is not int:
            raise ForbiddenPickleError("it refers to something that is no storage of numbers")
        if not 0 <= identity[4] <= self.largest:
            raise ForbiddenPickleError(f"a storage of {identity[4]} numbers is not in the file")
        self.stack.append(_Storage(identity[4]))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise ForbiddenPickleError("it calls something that is no function of weights")
        if function.name == _ORDERED_DICT and arguments:
            raise ForbiddenPickleError("an ordered dict is made of something else than its items")
        if function.name == _ENCODE and arguments[1:] not in ((), ("latin1",)):
            raise ForbiddenPickleError("it encodes text otherwise than bytes are stored")
        if function.name in _TENSORS:
            _check_tensor(*arguments[:4])
        self.stack.append(None)


def check_pickle(file: BinaryIO, largest: int) -> Any:
    """Follows one pickle from where the file stands to its end.

    Args:
      file: at the start of a pickle; afterwards behind it.
      largest: numbers that a storage of the file can have at most.

    Returns:
      the value where it is text or a number; else something without meaning.

    Raises:
      ForbiddenPickleError: it holds anything but weights, or is damaged.
    """
    machine = _Machine(largest)
    try:
        # pyrefly: ignore[bad-argument-type] - it reads bytes and lines, no more
        for count, (opcode, argument, _) in enumerate(pickletools.genops(_ShortLines(file))):
            if opcode.name == "STOP":
                return machine.pop()
            if opcode.name not in _STEPS or count > _MOST_OPCODES:
                raise ForbiddenPickleError(f"it does what weights do not need ({opcode.name})")
            _STEPS[opcode.name](machine, argument)
    except ForbiddenPickleError:
        raise
    except (LookupError, ValueError, TypeError, ArithmeticError, pickle.UnpicklingError) as error:
        raise ForbiddenPickleError(f"its pickle is damaged ({type(error).__name__})") from error
    raise ForbiddenPickleError("its pickle has no end")


def _check_tensor(storage: Any, offset: Any, size: Any, strides: Any) -> None:
    """PyTorch would enlarge a storage that is too small for its tensor."""
    if len(size) > _MOST_AXES:
        raise ForbiddenPickleError(f"a tensor has {len(size)} axes")
    numbers = (offset, *size, *strides)
    if not isinstance(storage, _Storage) or len(size) != len(strides):
        raise ForbiddenPickleError("a tensor has no storage of numbers")
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ForbiddenPickleError("a tensor has a size that is no number")
    last = offset + sum((n - 1) * stride for n, stride in zip(size, strides, strict=True))
    if math.prod(size) > max(storage.count, 1) or (math.prod(size) and last >= storage.count):
        raise ForbiddenPickleError(f"a tensor {list(size)} is larger than its storage")


class _ShortLines:
    """A file whose lines are short: names of functions, not all of the file."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self._readline = file.read, file.readline
        self.tell = file.tell

    def readline(self) -> bytes:
        return self._readline(_LONGEST_LINE)


Step = Callable[[_Machine, Any], Any]


def _constant(value: Any) -> Step:
    return lambda machine, _: machine.stack.append(value)


def _argument(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _put(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else int(argument)] = machine.stack[-1]


def _add_to_last(count_from_mark: bool) -> Step:
    def step(machine: _Machine, _: Any) -> None:
        machine.pop_to_mark() if count_from_mark else machine.pop()
        machine.stack[-1]  # what it is added to

    return step


_STEPS: dict[str, Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
    "MARK": _constant(_MARK),
    "EMPTY_TUPLE": _constant(()),
    **dict.fromkeys(("EMPTY_DICT", "EMPTY_LIST", "NONE", "NEWTRUE", "NEWFALSE"), _constant(None)),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"), _argument),
    **dict.fromkeys(("FLOAT", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES"), _argument),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE"), _argument),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _argument),
    "GLOBAL": lambda machine, names: machine.push_global(names.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.push_stack_global(),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    **dict.fromkeys(("APPEND", "BUILD"), _add_to_last(False)),
    "APPENDS": _add_to_last(True),
    "REDUCE": lambda machine, _: machine.call(),
    "BINPERSID": lambda machine, _: machine.push_storage(),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"),
        lambda machine, argument: machine.stack.append(machine.memo[int(argument)]),
    ),
}
