"""All tables of both papers, by name."""

import difflib

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.plans import fp_liif_tables, stn_icnn_tables
from fpliif_jax.experiments.plans.variant import Table

TABLES = fp_liif_tables.TABLES + stn_icnn_tables.TABLES


def table_named(name: str) -> Table:
    """The table of that name.

    Raises:
      UserError: there is none; the message lists them.
    """
    found = [table for table in TABLES if table.name == name]
    if not found:
        names = [table.name for table in TABLES]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? There" if close else "there"
        raise UserError(f"there is no table {name!r}; {hint} are {', '.join(names)}")
    return found[0]
