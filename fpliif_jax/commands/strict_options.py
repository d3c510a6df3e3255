"""Refuses an option of one value that is given again, and what is empty.

Argparse and absl keep the last of several values and say nothing. An empty one is mostly a variable of the shell that
is not set: `--workdir=$RUN` would mean the default folder.
"""

import argparse
import itertools
import re
from collections.abc import Sequence
from typing import Any

from absl import flags

from fpliif_jax.data_builders.errors import UserError

_EMPTY = re.compile(r"--(?!config\.)([\w.]+)=")


class StoreOnce(argparse.Action):
    """Argparse's action 'store', but for an option that is given again."""

    _filled: argparse.Namespace | None = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keeps the value.

        Raises:
          argparse.ArgumentError: the same command line gave it before.
        """
        if option_string is not None and self._filled is namespace:
            wanted = f": {self.help}" if self.help else ""
            raise argparse.ArgumentError(self, f"given more than once; give it once{wanted}")
        self._filled = namespace
        setattr(namespace, self.dest, values)


def refuse_empty(arguments: Sequence[str]) -> None:
    """Refuses options without a value, and empty arguments: a folder '' would be the working folder.

    A field of a config may be empty.

    Raises:
      UserError: names the first.
    """
    for before, argument in itertools.pairwise(["", *arguments]):
        is_field = before.startswith("--config.") and "=" not in before
        if not argument and not is_field:
            behind = f" behind {before}" if before else ""
            raise UserError(
                f"an argument{behind} is empty: leave it out, or give its value (is a variable of the shell not set?)"
            )
        if empty := _EMPTY.fullmatch(argument):
            raise UserError(
                f"--{empty[1]}= is empty: leave it out, or give its value (is a variable of the shell not set?)"
            )


def refuse_repeated(values: flags.FlagValues) -> None:
    """Refuses a parsed command line that gives a flag of absl again; flags that collect values are free to.

    Raises:
      UserError: names the flag, and says how it takes several values.
    """
    for name in values:
        flag = values[name]
        if flag.present > 1 and not isinstance(flag, flags.MultiFlag):
            is_list = isinstance(flag.parser, flags.ListParser)
            how = f", with commas: --{name}=A,B" if is_list else ""
            raise UserError(f"--{name} is given {flag.present} times; give it once{how}")
