"""Tests of fpliif_jax.nn.layers."""

import subprocess
import sys

# In a process of its own, because without the memory JAX may end the process.
_DRAWS_TOO_MUCH = """
import resource
import jax
from fpliif_jax.nn.layers import kernel_initializer
key = jax.random.key(0)
draw = kernel_initializer("pytorch")
draw(key, (3, 3, 8, 8))
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, resource.RLIM_INFINITY))
try:
    draw(key, (1, 1, 2**14, 2**15))
except jax.errors.JaxRuntimeError as error:
    print(error)
"""


def test_weights_that_there_is_no_memory_for_are_an_error_and_no_crash() -> None:
    result = subprocess.run([sys.executable, "-c", _DRAWS_TOO_MUCH], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Out of memory" in result.stdout
