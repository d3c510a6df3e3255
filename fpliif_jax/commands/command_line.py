"""How every command begins and ends: its --help, its config, and its errors in one line.

A command's file has its arguments and imports what does the work only in the function that does it, so that --help and
a misspelt argument need not wait for JAX.

Arguments are argparse's, by `CommandParser`; but those of a command that has a config of its own are absl's flags, by
`run_with_flags`: ml_collections makes --config.FIELD flags of absl alone. Who only hands a config on, as
`experiments.multi_seed`, has argparse, and asks `config_of`.
"""

import argparse
import contextlib
import gc
import logging
import pathlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import ml_collections
from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

from fpliif_jax.commands import (
    command_names,
    config_files,
    interruption,
    strict_options,
    unknown_field,
    unset_fields,
)
from fpliif_jax.commands.memory import is_out_of_memory
from fpliif_jax.data_builders.errors import USER_ERRORS, UserError, error_line, one_line
from fpliif_jax.data_builders.host import standard_streams
from fpliif_jax.data_builders.host.home_folder import expanded

# The garbage collector looks for cycles after this many new objects, not Python's 700: importing and tracing make
# half a million that stay, and every search passes over them.
_NEW_OBJECTS = 50_000
_WARNING = "%(levelname)s: %(message)s"
_DEFAULT_CONFIG = "synthetic"
_HELP_FLAGS = {"-h", "-help", "--help", "-helpshort", "--helpshort"}
ExitCode = TypeVar("ExitCode", bound=int | None)


def user_error_line(error: Exception) -> str:
    """The line that one of `USER_ERRORS` ends a command with."""
    line = command_names.with_command_names(one_line(error_line(error)))
    return command_names.with_place_of_pages(line)


def run(
    command: str,
    work: Callable[..., ExitCode],
    *arguments: object,
    interrupted: str = "interrupted",
) -> ExitCode:
    """Does a command's work; ends the process with one line and exit code 1 at an error that a person can mend.

    These are `USER_ERRORS`, a missing package of `command_names.EXTRAS`, and memory, of the host or a device, that is
    full. Ctrl-C is one line and exit code 130, SIGTERM the same and 143, SIGHUP 129, where `work` does not handle them
    itself.

    Args:
      command: module of the command, see `command_names.command_name`.
      work: the work, which returns the exit code.
      *arguments: for it.
      interrupted: the line that these end with.
    """
    gc.set_threshold(_NEW_OBJECTS)
    # Of a command with absl's flags absl's handler prints the warnings, of others one that is made here.
    logging.basicConfig(format=_WARNING)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter(_WARNING))
    try:
        with interruption.as_exceptions():
            return work(*arguments)
    except USER_ERRORS as error:
        sys.exit(user_error_line(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in command_names.EXTRAS:
            raise
        name = command_names.command_name(command)
        sys.exit(f"error: {command_names.missing_package(name, package)}")
    except KeyboardInterrupt as error:
        print(interrupted, file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, interruption.Ended) else 130)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        first_line = (str(error).splitlines() or ["no more can be had"])[0].rstrip(".")
        page = command_names.with_place_of_pages("docs/training.md")
        sys.exit(
            f"error: out of memory: {first_line}; take a smaller batch or size ({page}, Memory)"
        )


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose help opens with what the command does, and that takes an option of one value once."""

    def __init__(self, command: str, documentation: str | None) -> None:
        """Makes a parser without options.

        Args:
          command: module of the command, see `command_names.command_name`.
          documentation: what it does and two examples, each as `python -m MODULE …`; None where Python left
            docstrings out (-OO).
        """
        if command_names.is_started(command):
            standard_streams.outlive_readers()
        super().__init__(
            prog=command_names.command_name(command),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._documentation = documentation or ""
        for action in (None, "store"):
            self.register("action", action, strict_options.StoreOnce)
        self.register("type", pathlib.Path, _path)

    # pyrefly: ignore[bad-override] - argparse has overloads, for namespaces of other types
    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parses like argparse, except that an empty option ends the process."""
        try:
            strict_options.refuse_empty(sys.argv[1:] if args is None else args)
        except UserError as error:
            self.error(str(error))
        # pyrefly: ignore[bad-return] - makes a namespace where there is none
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        """The documentation, then usage and options."""
        documentation = command_names.with_command_names(self._documentation).strip()
        documentation = command_names.with_place_of_pages(documentation)
        return f"{documentation}\n\n{super().format_help()}".lstrip()


def _path(text: str) -> pathlib.Path:
    """The value of an option of the type pathlib.Path."""
    try:
        return expanded(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run_with_flags(
    command: str, documentation: str | None, work: Callable[[], int | None]
) -> NoReturn:
    """Runs a command whose arguments are absl's flags, those of the module that defines `work`.

    Args:
      command: module of the command, see `command_names.command_name`.
      documentation: what --help opens with, as `CommandParser` has it.
      work: returns the exit code, see `run`.
    """

    standard_streams.outlive_readers()

    def parse(argv: list[str]) -> list[str]:
        if _HELP_FLAGS & set(argv[1:]):
            _flags_parser(command, documentation, work.__module__).print_help()
            sys.exit(0)
        rest = parse_flags(argv)
        if len(rest) > 1:
            sys.exit(f"error: unexpected argument {rest[1]!r}; see --help")
        return rest

    app.run(lambda argv: run(command, work), flags_parser=parse)


def _flags_parser(command: str, documentation: str | None, module: str) -> CommandParser:
    """A parser with the absl flags that a module defines, for its help alone."""
    parser = CommandParser(command, documentation)
    defined = flags.FLAGS.flags_by_module_dict()
    module = sys.argv[0] if module == "__main__" else module
    for flag in (*defined.get(__name__, ()), *defined.get(module, ())):
        default = "" if flag.default in (None, False) else f" (default: {flag.default_as_str})"
        text = f"{flag.help}{default}".replace("%", "%%")
        if flag.boolean:
            parser.add_argument(f"--{flag.name}", action="store_true", help=text)
        else:
            parser.add_argument(f"--{flag.name}", help=text)
    return parser


class _ConfigParser(flags.ArgumentParser):
    """The parser of --config: an experiment of the package by its name, or a file."""

    def parse(self, argument: str) -> ml_collections.ConfigDict:
        return config_files.load(config_files.config_file(argument), argument)

    def flag_type(self) -> str:
        return "config object"


def define_config_flag() -> flags.FlagHolder[ml_collections.ConfigDict]:
    """Defines --config and, for every field of it, --config.FIELD; default: the synthetic faces.

    Fields of the command line are looked up in the default already here, so a misspelt one
    is one line and exit code 1 here as in `parse_flags`.
    """
    with _exit_with_one_line(sys.argv):
        return _define_config_flag(flags.FLAGS, None)


def _define_config_flag(
    values: flags.FlagValues, command: list[str] | None
) -> flags.FlagHolder[ml_collections.ConfigDict]:
    text = "Experiment: a name, as lapa, or a file; --config.FIELD=VALUE sets a field of it."
    default = config_files.config_file(_DEFAULT_CONFIG)
    holder = config_flags.DEFINE_config_file(
        "config", default, text, flag_values=values, sys_argv=command
    )
    values["config"].default_as_str = _DEFAULT_CONFIG
    values["config"].parser = _ConfigParser()
    return holder


def config_name() -> str:
    """Name of the experiment that --config gave: 'lapa' of configs/lapa.py."""
    return pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem


def given_fields() -> tuple[str, ...]:
    """Fields of the config that the command line gave by name: ('seed', 'eval.rows')."""
    return tuple(config_flags.get_override_values(flags.FLAGS["config"]))


def config_of(arguments: Sequence[str]) -> ml_collections.ConfigDict:
    """The config that the command gets from these arguments: --config=NAME or FILE, --config.FIELD=VALUE.

    A misspelt field or an unreadable file is one line and exit code 1, as in `parse_flags`.
    """
    values, command = flags.FlagValues(), ["", *arguments]
    with _exit_with_one_line(command):
        _define_config_flag(values, command)
        kept, unset = unset_fields.taken_out(command)
        values(kept)
        strict_options.refuse_repeated(values)
        unset_fields.unset(values, unset)
        # pyrefly: ignore[bad-return] - there is one once it is parsed
        return values["config"].value


def parse_flags(argv: list[str]) -> list[str]:
    """Parses absl's flags; a misspelt field or an unreadable config file is one line and exit code 1."""
    with _exit_with_one_line(argv):
        strict_options.refuse_empty(argv[1:])
        kept, unset = unset_fields.taken_out(argv)
        try:
            rest = flags.FLAGS(kept)
        except flags.Error as error:
            sys.exit(f"error: {one_line(error)}; see --help")
        strict_options.refuse_repeated(flags.FLAGS)
        unset_fields.unset(flags.FLAGS, unset)
        return rest


@contextlib.contextmanager
def _exit_with_one_line(command: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        sys.exit(user_error_line(error))
    except (AttributeError, KeyError, TypeError, ValueError, OSError, flags.Error) as error:
        chain = [error, error.__context__, getattr(error.__context__, "__context__", None)]
        messages = [_message(link) for link in chain if link is not None]
        shown = next((text for text in messages if "Did you mean" in text), messages[0])
        lines = [line.strip() for line in shown.splitlines()]
        if re.fullmatch(r"'\w+'", lines[0]):  # all that a KeyError says
            lines = unknown_field.sentences(
                lines[0].strip("'"), lines[1:], command, _DEFAULT_CONFIG
            )
        sys.exit("error: --config: " + "; ".join(lines))


def _message(error: BaseException) -> Any:
    """A KeyError's text is the repr of its message, and such texts are nested."""
    message = error.args[0] if error.args else error
    return _message(message) if isinstance(message, BaseException) else str(message)
