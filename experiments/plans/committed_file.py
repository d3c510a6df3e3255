"""Whether a plan is, word for word, a file of the commit that freezes it: then it is older than that code's runs."""

import pathlib
import subprocess

from fpliif_jax.experiments.plans.plan_file import SUFFIX

_FOLDER = pathlib.Path(__file__).parent


def path_of(name: str) -> str:
    """Where a commit of this project has the plan of a name."""
    return f"experiments/plans/{name}{SUFFIX}"


def file_of(name: str, text: str | None, commit: str | None) -> str | None:
    """`path_of` a plan; None where the commit has no such file, or one of another text.

    Args:
      name: of the plan.
      text: of its file; None of a table of a paper.
      commit: of `run_record.git_commit`; with changes, no file is known to be the commit's.
    """
    if text is None or commit is None or not is_clean(commit):
        return None
    command = ["git", "-C", str(_FOLDER), "show", f"{commit}:./{name}{SUFFIX}"]
    try:
        content = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return path_of(name) if content == text.encode("utf-8") else None


def is_clean(commit: str) -> bool:
    """Whether a commit of `run_record.git_commit` is all of the code."""
    return commit.isalnum()  # 'c0946e8…+changes' is not
