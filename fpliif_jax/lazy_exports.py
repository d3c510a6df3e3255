"""Names of a package that are imported when they are asked for (PEP 562): a command's --help must not wait for JAX."""

import importlib
from collections.abc import Callable, Mapping


def lazy_exports(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__`.

    Args:
      package: its `__name__`.
      modules: by exported name, the module that defines it; no module of the package may have the same name.
    """

    def __getattr__(name: str) -> object:  # noqa: N807 - what Python calls it
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(modules[name]), name)

    return __getattr__
