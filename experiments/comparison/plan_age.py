"""Whether a plan is older than its runs: only then was it made without knowing their results."""

import datetime
from collections.abc import Mapping

from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.plan_version import Version
from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.experiments.runs.value_types import is_moment


def age_note(plan: Version, runs: Mapping[str, Run]) -> str:
    """The date of a plan beside those of its runs, in words; '' without any run of it.

    Args:
      plan: as it was frozen first.
      runs: those that are finished, by the names that plans have for them.
    """
    starts = {name: runs[name].environment.started for name in plan.runs if name in runs}
    if not starts:
        return ""
    frozen = plan.moment.date
    if not is_moment(frozen):
        return f"Whether the plan is older than its runs is not known: its date is {frozen[:40]!r}."
    dated = {name: started for name, started in starts.items() if started is not None}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    ahead = [name for name, started in dated.items() if started > now]
    if ahead or frozen > now:
        which = shortened(["the plan"] * (frozen > now) + ahead)
        return (
            f"Whether the plan is older than its runs is not known: of {which} the date is still to come, so that a "
            "clock is or was wrong."
        )
    undated = [name for name in starts if name not in dated]
    if not dated:
        return (
            f"Whether the plan is older than its runs (frozen {_text(frozen)}) is not known: when they began is not "
            "recorded."
        )
    first = min(dated.values())
    dates = f"(frozen {_text(frozen)}, first run began {_text(first)})"
    early = [name for name, started in dated.items() if started < frozen]
    if early:
        note = f"The plan is not older than its first run {dates}: before it was frozen began {shortened(early)}."
    elif undated:
        note = f"The plan is older than the runs whose start is recorded {dates}."
    else:
        note = f"The plan is older than its first run {dates}."
    if undated:
        note += f" Of others it is not recorded when they began: {shortened(undated)}."
    return note


def _text(moment: str) -> str:
    """'2026-11-26, 21:03:05 UTC'."""
    return f"{datetime.datetime.fromisoformat(moment):%Y-%m-%d, %H:%M:%S} UTC"
