"""All plans that the package has, by name: the tables of both papers, and the plans beside this file."""

import difflib
import pathlib

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.experiments.plans import fp_liif_tables, plan_file, stn_icnn_tables
from fpliif_jax.experiments.plans.variant import Table

TABLES = fp_liif_tables.TABLES + stn_icnn_tables.TABLES
_FOLDER = pathlib.Path(__file__).parent


def own_plans() -> tuple[Table, ...]:
    """The plans of no paper that the package has."""
    return tuple(
        plan_file.read_plan(path)[0] for path in sorted(_FOLDER.glob(f"*{plan_file.SUFFIX}"))
    )


def plan_and_text(name: str) -> tuple[Table, str | None]:
    """The plan of that name or in that file, and the text of its file; None of a table of a paper.

    Raises:
      UserError: there is none, and the message lists them; or the file is no plan.
    """
    of_papers = [table for table in TABLES if table.name == name]
    if of_papers:
        return of_papers[0], None
    if name.endswith(plan_file.SUFFIX):
        return plan_file.read_plan(expanded(name))
    names = [table.name for table in TABLES]
    names += sorted(path.stem for path in _FOLDER.glob(f"*{plan_file.SUFFIX}"))
    if name in names:
        return plan_file.read_plan(_FOLDER / f"{name}{plan_file.SUFFIX}")
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? There" if close else "there"
    raise UserError(
        f"there is no table {name!r}; {hint} are {', '.join(names)}; a plan of your own is FILE{plan_file.SUFFIX}"
    )
