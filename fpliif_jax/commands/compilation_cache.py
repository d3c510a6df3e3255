"""Keeps compiled functions on the disk, so that a second start of any command need not compile again."""

import hashlib
import os
import pathlib
import platform

import jax

from fpliif_jax.commands import processor
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.data_builders.host.home_folder import expanded

# Seconds of compilation. A start compiles a hundred small functions too, a second of processor time together.
_WORTH_KEEPING = 0.0


def enable() -> None:
    """Sets JAX's persistent compilation cache, unless the person has set or disabled it.

    The folder is `$XDG_CACHE_HOME/fpliif_jax/compiled/<processor>`, by default under ~/.cache. JAX's own variables
    have precedence: JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE=false turns the
    cache off. The key of an entry is made of the program, its shapes and constants, the versions, flags and devices; it
    may be deleted at any time. Call it before anything is compiled.
    """
    # pyrefly: ignore[missing-attribute] - JAX makes its options at run time
    if jax.config.jax_compilation_cache_dir is None:
        try:
            jax.config.update("jax_compilation_cache_dir", str(folder()))
        except SettingsError:  # a container may have users without a name, and so without a home
            if "XDG_CACHE_HOME" in os.environ:
                raise
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _WORTH_KEEPING)


def folder() -> pathlib.Path:
    """The folder of compiled functions.

    The name ends in a digest of the processor's features: JAX's keys do not contain them, and code compiled for
    one machine of a cluster with a common home may use instructions that another lacks.
    """
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    features = hashlib.sha256(processor.features().encode()).hexdigest()[:12]
    name = f"{platform.machine() or 'unknown'}-{features}"
    return expanded(home) / "fpliif_jax" / "compiled" / name
