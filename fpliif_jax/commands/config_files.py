"""Finds the file of an experiment, loads it, and says what is wrong with it."""

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import sys
import traceback
import types

import ml_collections

from fpliif_jax import configs
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded

_CONFIGS = pathlib.Path(configs.__file__).parent
_MODULE = "config_file"
_GROUPS = ("data", "eval", "model", "train")  # that every experiment has


def config_names() -> list[str]:
    """The experiments that the package has, for --config=NAME."""
    return sorted(
        path.stem for path in _CONFIGS.glob("[!_]*.py") if path.stem != "shared"
    )  # which has no model


def config_file(value: str) -> str:
    """The file that --config=VALUE means: the package's for the name of an experiment, else VALUE itself.

    Raises:
      UserError: there is no such experiment, or no such file.
    """
    path, colon, argument = value.partition(":")
    names = config_names()
    known = f"give a file, or one of {', '.join(names)}"
    if re.fullmatch(r"\w+", path):
        if path not in names:
            raise UserError(f"--config={value}: there is no experiment of this name; {known}")
        return f"{_CONFIGS / path}.py{colon}{argument}"
    path = str(expanded(path)) if path else path
    if path and not pathlib.Path(path).exists():
        name = pathlib.Path(path).stem
        remedy = f"the package's own is --config={name}" if name in names else known
        raise UserError(f"--config={value}: there is no such file; {remedy}")
    return f"{path}{colon}{argument}"


def load(value: str, given: str) -> ml_collections.ConfigDict:
    """What the `get_config` of a config file returns, locked.

    Args:
      value: path of the file; what follows a colon is handed to `get_config`.
      given: the argument of --config, for the messages.

    Raises:
      UserError: the file cannot be read, is no Python, has no fitting `get_config`, or a setting was refused; or the
        config lacks what every experiment has.
      SystemExit: with the traceback of any other error of the file's code, from that file on.
    """
    path, *arguments = value.split(":", 1)
    try:
        config = _config(path, arguments)
    except Exception as error:  # whatever a person's own code raises
        raise _as_told(error, given, os.path.abspath(path)) from None
    return config.lock()


def _config(path: str, arguments: list[str]) -> ml_collections.ConfigDict:
    get_config = getattr(_module(path), "get_config", None)
    wanted = "the experiment's ml_collections.ConfigDict"
    if not callable(get_config):
        raise UserError(f"the file has no function get_config(); write one that returns {wanted}")
    config = get_config(*arguments)
    if not isinstance(config, ml_collections.ConfigDict):
        kind = "nothing" if config is None else f"a {type(config).__name__}"
        raise UserError(f"get_config() returns {kind}; it must return {wanted}")
    missing = [name for name in _GROUPS if name not in config] or ["model.name"]
    if missing != ["model.name"] or "name" not in config.model:
        raise UserError(
            f"the config that get_config() returns lacks {', '.join(missing)}: begin with that of an experiment, "
            "config = fp_liif.get_config() of fpliif_jax.configs, and change its fields"
        )
    return config


def _module(path: str) -> types.ModuleType:
    loader = importlib.machinery.SourceFileLoader(_MODULE, path)
    # pyrefly: ignore[bad-argument-type] - a loader has a spec
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(_MODULE, loader))
    sys.modules[_MODULE] = module  # where dataclasses look for their types
    loader.exec_module(module)
    return module


def _as_told(error: Exception, given: str, path: str) -> UserError | SystemExit:
    def is_here(file: str | None) -> bool:
        return os.path.abspath(file or "") == path

    if isinstance(error, SyntaxError) and is_here(error.filename):
        return UserError(f"--config={given}: {error}: {(error.text or '').strip()}")
    frames = error.__traceback__
    while frames and not is_here(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    if frames is None or isinstance(error, UserError):
        return UserError(f"--config={given}: {error}")
    return SystemExit("".join(traceback.format_exception(type(error), error, frames)).rstrip())
