"""Where compiled functions are kept, and that a second start takes them from there."""

import os
import pathlib
import subprocess
import sys

import jax
import pytest

from fpliif_jax.commands import compilation_cache, processor

_COMPILES = """
import jax, jax.numpy as jnp
from fpliif_jax.commands import compilation_cache
compilation_cache.enable()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((7, 5))).block_until_ready()
print(jax.config.jax_compilation_cache_dir, hits.count("/jax/compilation_cache/cache_hits"))
"""


def _start(**changes: str) -> tuple[str, int]:
    """In a process of its own: JAX's settings are those of a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = {**kept, "JAX_PLATFORMS": "cpu", **changes}
    answer = subprocess.run(
        [sys.executable, "-c", _COMPILES], env=environment, capture_output=True, text=True,
        check=True, cwd=pathlib.Path(__file__).parents[2],
    )  # fmt: skip
    folder, hits = answer.stdout.split()
    return folder, int(hits)


def test_the_second_start_takes_what_the_first_compiled(tmp_path: pathlib.Path) -> None:
    folder, hits = _start(XDG_CACHE_HOME=str(tmp_path))
    assert pathlib.Path(folder).is_relative_to(tmp_path) and hits == 0
    assert list(pathlib.Path(folder).iterdir())
    again, hits = _start(XDG_CACHE_HOME=str(tmp_path))
    assert again == folder and hits > 0


def test_the_persons_own_folder_has_precedence(tmp_path: pathlib.Path) -> None:
    own = tmp_path / "own"
    folder, _ = _start(XDG_CACHE_HOME=str(tmp_path / "home"), JAX_COMPILATION_CACHE_DIR=str(own))
    assert folder == str(own) and list(own.iterdir())
    assert not (tmp_path / "home").exists()


def test_another_processor_has_a_folder_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = compilation_cache.folder()
    assert here == compilation_cache.folder()
    monkeypatch.setattr(processor, "features", lambda: "flags : sse2")
    assert compilation_cache.folder() != here


def test_a_user_without_a_home_compiles_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is run under a number of a user that it does not know."""

    def unknown(self: pathlib.Path) -> pathlib.Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "expanduser", unknown)
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        compilation_cache.enable()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
