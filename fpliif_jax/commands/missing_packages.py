"""A command that finds what it needs not installed says so in one line, also where its first imports fail."""

import os
import sys
import types

# What pip calls the packages that all commands need, by the names that are imported.
NEEDED = {
    "absl": "absl-py",
    "array_record": "array_record",
    "etils": "etils",
    "flax": "flax",
    "grain": "grain",
    "importlib_resources": "importlib_resources",
    "jax": "jax",
    "ml_collections": "ml-collections",
    "numpy": "numpy",
    "optax": "optax",
    "orbax": "orbax-checkpoint",
    "PIL": "pillow",
    "safetensors": "safetensors",
    "tensorboardX": "tensorboardX",
    "tensorflow_datasets": "tensorflow-datasets",
    "tqdm": "tqdm",
}
_REQUIREMENTS = "requirements.txt"


def tell() -> None:
    """Makes one line of a missing package of `NEEDED` that nobody handles, from now on; the exit code stays 1.

    Call it in a command, before anything else is imported: `command_line.run` cannot be there yet.
    """
    show = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: types.TracebackType | None
    ) -> None:
        package = (getattr(error, "name", None) or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and package in NEEDED:
            print(_line(NEEDED[package]), file=sys.stderr)
        else:
            show(kind, error, traceback)

    sys.excepthook = hook


def _line(name: str) -> str:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    requirements = os.path.join(root, _REQUIREMENTS)
    install = name
    if os.path.isfile(requirements):  # of a clone
        is_here = os.path.realpath(root) == os.path.realpath(os.curdir)
        install = f"-r {_REQUIREMENTS if is_here else requirements}"
    return (
        f"error: {name} is not installed for {sys.executable}: activate the environment that has it, or "
        f"pip install {install}"
    )
