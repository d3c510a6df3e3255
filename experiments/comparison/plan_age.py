"""Whether a plan is older than its runs: only then was it made without knowing their results."""

import datetime
from collections.abc import Mapping

from fpliif_jax.experiments.plans.committed_file import is_clean
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.plan_version import Moment, Version
from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.experiments.runs.value_types import is_moment


def age_note(plan: Version, runs: Mapping[str, Run]) -> str:
    """Whether a plan is older than its runs, in words, by the code that they ran and by the clock; '' without any run.

    Args:
      plan: as it was frozen first.
      runs: those that are finished, by the names that plans have for them.
    """
    finished = {name: runs[name] for name in plan.runs if name in runs}
    if not finished:
        return ""
    by_code = _by_code(plan.moment, finished)
    starts = {name: run.environment.started for name, run in finished.items()}
    return f"{by_code} {_by_clock(plan.moment, starts, bool(by_code))}".lstrip()


def _by_code(moment: Moment, runs: Mapping[str, Run]) -> str:
    """What the commits of runs tell, whose names no clock can change; '' where they tell nothing."""
    commit = moment.commit
    if moment.file is None or commit is None or not is_clean(commit):
        return ""
    others = [name for name, run in runs.items() if run.environment.commits != {commit}]
    count = len(runs) - len(others)
    if not count:
        return ""
    which = f"{count} of {len(runs)} finished runs"
    if not others:
        which = f"all {count} finished runs" if count > 1 else "its finished run"
    note = (
        f"The plan is older than {which}: its text is word for word that of {moment.file} in commit {commit[:12]}, "
        "the code that was run, without changes."
    )
    if others:
        note += f" Not of these, which ran other code: {shortened(others)}."
    return note


def _by_clock(moment: Moment, starts: Mapping[str, str | None], is_known: bool) -> str:
    """The date of a plan beside those of its runs.

    Args:
      moment: when the plan was frozen.
      starts: of all finished runs; None where it was not recorded.
      is_known: whether it is known from the code that some of the runs are younger.
    """
    frozen = moment.date
    whether = f"Whether {'clocks say so' if is_known else 'the plan is older than its runs'}"
    if not is_moment(frozen):
        return f"{whether} is not known: its date is {frozen[:40]!r}."
    dated = {name: started for name, started in starts.items() if started is not None}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    ahead = [name for name, started in dated.items() if started > now]
    if ahead or frozen > now:
        which = shortened(["the plan"] * (frozen > now) + ahead)
        return f"{whether} is not known: of {which} the date is still to come, so that a clock is or was wrong."
    undated = [name for name in starts if name not in dated]
    if not dated:
        return f"{whether} (frozen {_text(frozen)}) is not known: when they began is not recorded."
    first = min(dated.values())
    dates = f"(frozen {_text(frozen)}, first run began {_text(first)})"
    early = [name for name, started in dated.items() if started < frozen]
    if early:
        later = "It was frozen later than" if is_known else "The plan is not older than"
        note = f"{later} its first run {dates}: before it was frozen began {shortened(early)}."
    else:
        older = "By the clock, too, it is older than" if is_known else "The plan is older than"
        which = "the runs whose start is recorded" if undated else "its first run"
        note = f"{older} {which} {dates}."
    if undated:
        note += f" Of others it is not recorded when they began: {shortened(undated)}."
    return note


def _text(moment: str) -> str:
    """'2026-11-26, 21:03:05 UTC'."""
    return f"{datetime.datetime.fromisoformat(moment):%Y-%m-%d, %H:%M:%S} UTC"
