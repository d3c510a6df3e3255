"""The option of commands that go by recorded scores where there are no confusion matrices; `scores_alone` has the rest.

It is a file of its own: a command's --help waits for no NumPy.
"""

import argparse

OPTION = "--without_matrices"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds the option, off by default."""
    parser.add_argument(
        OPTION,
        action="store_true",
        help="take the recorded scores of runs that have no confusion matrices",
    )
