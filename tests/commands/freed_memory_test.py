"""Tests of fpliif_jax/commands/freed_memory.py: what is free when a program was compiled is no longer resident."""

import ctypes
import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
_MEBIBYTES = 64
_CODE = f"""
import ctypes, pathlib, sys
import jax
from fpliif_jax.commands import freed_memory

def resident():
    lines = pathlib.Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024

calls, library = [], ctypes.CDLL(None)
library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
trim = library.malloc_trim
library.malloc_trim = lambda padding: calls.append(trim(padding))
ctypes.CDLL = lambda name: library
for _ in range(int(sys.argv[1])):
    freed_memory.give_back()
jax.jit(lambda x: x + 1)(1.0)  # what is imported and made once, is
calls.clear()
pieces = [library.malloc(2000) for _ in range({_MEBIBYTES} * 2**20 // 2000)]
for piece in pieces:
    ctypes.memset(piece, 1, 2000)
for piece in pieces[:-1]:  # the last one keeps glibc from giving back the rest by itself
    library.free(piece)
before = resident()
jax.jit(lambda x: x + 2)(1.0)
print(round(before - resident()), len(calls))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="no glibc"
)
@pytest.mark.parametrize("asked", [0, 1, 2])
def test_what_is_free_is_given_back_once_a_program_is_compiled(asked: int) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _CODE, str(asked)], capture_output=True, text=True, check=True, cwd=_ROOT
    )  # fmt: skip
    given_back, calls = map(int, answer.stdout.split())
    assert (given_back > 0.75 * _MEBIBYTES) == (asked > 0)
    assert calls == min(asked, 1)
