"""What a person types here: the names of commands, and how to install what one needs."""

import os
import pathlib
import re
import sys

import fpliif_jax

# The commands that an installed package has by a name of their own, as in pyproject.toml.
SCRIPTS = {
    "fpliif_jax.main": "fpliif-train",
    "fpliif_jax.predict": "fpliif-predict",
    "fpliif_jax.interop": "fpliif-weights",
    "fpliif_jax.export": "fpliif-export",
    "fpliif_jax.demo": "fpliif-demo",
    "fpliif_jax.data_builders.prepare": "fpliif-prepare",
    "fpliif_jax.experiments.multi_seed": "fpliif-study",
    "fpliif_jax.experiments.reproduce": "fpliif-reproduce",
    "fpliif_jax.experiments.report": "fpliif-report",
}
# The packages that only some commands need, by the extra of pyproject.toml that has them.
EXTRAS = {
    "av": "video",
    "flatbuffers": "export",
    "jax_cuda13_plugin": "chips",
    "jinja2": "study",
    "libtpu": "chips",
    "matplotlib": "study",
    "msgspec": "study",
    "onnx": "export",
    "onnxruntime": "export",
    "pandas": "study",
    "pylatexenc": "study",
    "scipy": "study",
    "statsmodels": "study",
    "submitit": "study",
    "torch": "torch",
}


def _started() -> str:
    """The module that this process was started with, without the leading 'fpliif_jax.'."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    name = spec.name.removesuffix(".__main__") if spec is not None else ""
    if spec is None:
        script = pathlib.Path(sys.argv[0]).name
        name = next((module for module, known in SCRIPTS.items() if known == script), "")
    return name.removeprefix("fpliif_jax.")


def is_started(module: str) -> bool:
    """Whether this process was started as that command, and it is not called from Python; with fpliif_jax."""
    return _started() == module.removeprefix("fpliif_jax.")


def command_name(module: str) -> str:
    """What a person types to start a command: as this process was started, where it is that command.

    Args:
      module: of the command, with or without the leading 'fpliif_jax.'.
    """
    module = f"fpliif_jax.{module.removeprefix('fpliif_jax.')}"
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None and pathlib.Path(sys.argv[0]).name in SCRIPTS.values() and module in SCRIPTS:
        return SCRIPTS[module]
    started = spec.name.removesuffix(".__main__") if spec is not None else ""
    if module == f"fpliif_jax.{started.removeprefix('fpliif_jax.')}":
        return f"python -m {started}"
    beside = module.removeprefix("fpliif_jax.")
    is_beside = beside.startswith(("data_builders.", "experiments."))
    return f"python -m {beside if is_beside and _is_in_checkout() else module}"


def _is_in_checkout() -> bool:
    """Whether the working folder is the one that has the package, its requirements and what lies beside it."""
    if not fpliif_jax.IS_CHECKOUT:
        return False
    try:
        return os.path.samefile(".", pathlib.Path(fpliif_jax.__file__).parents[1])
    except OSError:  # a working folder that is gone
        return False


def with_command_names(text: str) -> str:
    """A text in which every `python -m MODULE` of this package is what a person types here."""
    return re.sub(
        r"python -m ((?:fpliif_jax|data_builders|experiments)\b[\w.]*\w)",
        lambda match: command_name(match[1]),
        text,
    )


def with_place_of_pages(text: str) -> str:
    """A text in which every docs/PAGE.md is said to be of the repository, where this is no clone that has it."""
    if fpliif_jax.IS_CHECKOUT:
        return text
    return re.sub(r"(?<![\w=/])docs/[\w/]+\.md", r"\g<0> of the repository", text)


def missing_package(what: str, package: str) -> str:
    """The message that one of `EXTRAS` is missing, and the command that installs it.

    Args:
      what: the command, option or file that needs it.
      package: by the name of its module.
    """
    place = "." if _is_in_checkout() else "fpliif_jax"
    return f'{what} needs {package}: pip install "{place}[{EXTRAS[package]}]"'
