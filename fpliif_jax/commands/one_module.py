"""Where configs, data_builders and experiments lie beside fpliif_jax, `configs` and `fpliif_jax.configs` are one.

Code of the package has them as parts of fpliif_jax, where they lie once installed. In a checkout a person may also have
them by the names of their folders, and gets the same modules: `except` for one of two copies of a class would not catch
the other, and TFDS would refuse to register a builder twice.
"""

import importlib
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

_BESIDE = ("configs", "data_builders", "experiments")


class Finder:  # importlib.abc.MetaPathFinder takes as long to import as all else here
    """Finds these three alone of what lies in a checkout, and the modules in them by either name."""

    def __init__(self, checkout: str) -> None:
        """Finds them in the folder `checkout`."""
        self._checkout = checkout

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        first, _, rest = fullname.partition(".")
        if first == "fpliif_jax" and rest in _BESIDE:
            return PathFinder.find_spec(fullname, [self._checkout], target)
        if not rest or first not in _BESIDE:
            return None
        package = sys.modules.get(f"fpliif_jax.{first}")
        if package is None or sys.modules.get(first) is not package:
            return None  # somebody else's `configs`
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _SameModule(fullname, spec.loader.path)
        return spec


class _SameModule(SourceFileLoader):
    """Loads data_builders.x as fpliif_jax.data_builders.x; gives `python -m data_builders.x` the file's code."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Puts the other module in the place of this empty one; importlib takes it from there."""
        be_one_module(module.__name__)


def be_one_module(name: str) -> None:
    """Makes `name` the other name of fpliif_jax's module; each of the three packages calls it with its `__name__`."""
    if name.partition(".")[0] in _BESIDE:
        sys.modules[name] = importlib.import_module(f"fpliif_jax.{name}")
