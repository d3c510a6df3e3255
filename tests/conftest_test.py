"""What conftest.py sets for all tests and for the commands that they start."""

import os
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import pytest

ROOT = pathlib.Path(__file__).parents[1]
ADDED = {
    "types": "jnp.ones(2, jnp.int32) + jnp.ones(2, jnp.float32)",
    "ranks": "jnp.ones((2, 2)) + jnp.ones(2)",
}
# As a process of pytest: it loads the file, and calls this at its end.
SESSION = """
import os, pathlib
import conftest
folder = pathlib.Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
print(folder, folder.is_dir())
conftest.pytest_unconfigure()
"""


def _python(code: str, **environment: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
def test_nothing_is_promoted_silently(added: str) -> None:
    with pytest.raises((TypeError, ValueError), match="promotion"):
        eval(added, {"jnp": jnp})


def test_nothing_is_promoted_silently_in_a_command_that_a_test_starts() -> None:
    codes = "".join(
        f"try: {added}\nexcept (TypeError, ValueError): print('refused')\n"
        for added in ADDED.values()
    )
    child = _python(f"import jax.numpy as jnp\n{codes}", **os.environ)
    assert child.stdout.split() == ["refused"] * len(ADDED), child.stderr


def test_what_a_session_compiled_goes_with_it() -> None:
    folder, existed = _python(SESSION).stdout.split()
    assert existed == "True" and not pathlib.Path(folder).exists()


def test_a_folder_that_is_named_is_shared_and_stays(tmp_path: pathlib.Path) -> None:
    """So xdist's processes have the folder of the one that started them, and a person one to keep."""
    child = _python(SESSION, JAX_COMPILATION_CACHE_DIR=str(tmp_path))
    assert child.stdout.split() == [str(tmp_path), "True"], child.stderr
    assert tmp_path.is_dir()
