"""Finds runs and reads what they left.

Files come from anywhere, so nothing in them is believed before it is checked, and whatever is wrong with a
run is a line of its own instead of an end of the reading.
"""

import dataclasses
import functools
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.runs import run_log, scores_alone
from fpliif_jax.experiments.runs.arrays import checked_matrices
from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.environment import Environment
from fpliif_jax.experiments.runs.log_record import LogRecord
from fpliif_jax.experiments.runs.results import Results, check_same_settings
from fpliif_jax.experiments.runs.run import (
    STUDY_FILES,
    FinishedRun,
    Run,
    RunError,
    SoundRun,
    printable,
)
from fpliif_jax.run_folder import earlier_results, evaluation_files

_JSON_LIMIT = 16 * MEBIBYTE
_LOG_LIMIT = 16 * MEBIBYTE
_LONGEST_TEXT = 20_000  # characters: a command may have several paths, of 4,096 each on Linux
_NOT_RUNS = ("checkpoints", "tensorboard", evaluation_files.FOLDER, earlier_results.FOLDER)
_DIGITS = re.compile(r"([0-9]+)")
Kind = TypeVar("Kind")


def read_runs(
    root: pathlib.Path | str,
    keep_matrices: bool = False,
    without_matrices: bool = False,
    levels: float = math.inf,
) -> list[Run]:
    """Reads every folder under root, itself included, that has config.json or results.json.

    Folders that are links are not followed, but listed where they hold a run. Broken runs are part of the list.

    Args:
      root: where to look.
      keep_matrices: for who needs those of all finished runs: each is read to be checked.
      without_matrices: whether a run that has its scores and not one of its confusion matrices is finished too.
      levels: of folders below root that are looked into.

    Raises:
      RunError: root is not a folder.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise RunError(f"{root} is not a folder; give the one that holds the runs")
    read_run = functools.partial(
        _read_run, keep_matrices=keep_matrices, without_matrices=without_matrices
    )
    read = []
    for folder, problem in _run_folders(root, levels):
        inside = root.resolve().name if folder == root else folder.relative_to(root).as_posix()
        name = printable(inside)
        run = _broken(folder, name, [problem], _Files()) if problem else read_run(folder, name)
        read.append(dataclasses.replace(run, study=_study_folder(folder, root)))
    return sorted(read, key=lambda run: _natural(run.name))


def _run_folders(root: pathlib.Path, levels: float) -> Iterator[tuple[pathlib.Path, str | None]]:
    """Folders of runs, and of those that cannot be looked into why."""
    waiting = [(root, levels)]
    while waiting:
        folder, below = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            yield folder, f"the folder cannot be read: {error.strerror or error}"
            continue
        if any(entry.name in ("config.json", "results.json") for entry in entries):
            yield folder, None
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name in _NOT_RUNS:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting += [(path, below - 1)] if below else []
            elif entry.is_symlink() and _holds_run(path):
                yield path, "the folder is a link, which is not followed; copy or mount it instead"


def _study_folder(folder: pathlib.Path, root: pathlib.Path) -> pathlib.Path | None:
    """The innermost folder of a study that a run's folder lies in, or is."""
    levels = (folder, *folder.parents)[: len(folder.relative_to(root).parts) + 1]
    studies = (one for one in levels if any(os.path.isfile(one / name) for name in STUDY_FILES))
    return next(studies, None)


def _holds_run(path: pathlib.Path) -> bool:
    return any(os.path.lexists(path / name) for name in ("config.json", "results.json"))


class _Files(NamedTuple):
    """What the files of a run's folder say, in the order that `Run` has it; None and nothing where they do not."""

    config: RunConfig | None = None
    results: Results | None = None
    environment: Environment = Environment()
    records: tuple[LogRecord, ...] = ()


def _broken(
    folder: pathlib.Path,
    name: str,
    problems: Sequence[str],
    files: _Files,
    has_matrices: bool = True,
) -> Run:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Run(folder, name, "broken", problems[0] + more, *files, has_matrices=has_matrices)


def _read_run(folder: pathlib.Path, name: str, keep_matrices: bool, without_matrices: bool) -> Run:
    files, problems = _read_files(folder)
    problems += _contradictions(files)
    has_matrices = not (without_matrices and scores_alone.has_no_matrices(folder))
    config, results, environment, records = files
    if problems or config is None:
        gone = "config.json has gone since the folder was listed"
        return _broken(folder, name, problems or [gone], files, has_matrices)
    if results is None or results.unfinished is not None:
        far = _how_far(folder, files)
        sound = (folder, name, "unfinished", far, config, results, environment, records)
        return SoundRun(*sound, has_matrices=has_matrices)
    finished = (folder, name, "finished", None, config, results, environment, records)
    try:
        return _checked(FinishedRun(*finished, has_matrices=has_matrices), keep_matrices)
    except (UnreadableError, RunError) as error:
        problem = printable(error).removeprefix(f"{name}: ")
        return _broken(folder, name, [problem], files, has_matrices)


def _read_files(folder: pathlib.Path) -> tuple[_Files, list[str]]:
    """What its files say, and what is wrong with those that cannot be read."""
    problems: list[str] = []

    def tried(read: Callable[[], Kind]) -> Kind | None:
        try:
            return read()
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            problems.append(printable(error))
            return None

    config = tried(lambda: RunConfig.of(_read_json(folder, "config.json")))
    results = tried(lambda: Results.of(_read_json(folder, "results.json")))
    environment = tried(lambda: Environment.of(_read_json(folder, "environment.json")))
    records = tried(lambda: _read_records(folder))
    if config is None and results is not None:
        config = results.config  # evaluated without being trained here
    return _Files(config, results, environment or Environment(), records or ()), problems


def _contradictions(files: _Files) -> Iterator[str]:
    """What two files of a run say, and not the same."""
    config, results, environment, _ = files
    if config is not None and results is not None and config.seed != results.seed:
        yield (
            f"config.json has seed {config.seed}, results.json seed {results.seed}: "
            "they are of different runs"
        )
    stated = results and results.framework, environment.framework
    if None not in stated and len(set(stated)) > 1:
        yield f"the framework is not clear: results.json has {stated[0]}, environment.json has {stated[1]}"
    problem = config and config.problem_of_seeds(environment.follows_seed or ())
    if problem:
        yield f"environment.json: {problem}"


def _checked(run: FinishedRun, keep_matrices: bool) -> FinishedRun:
    """The run once its scores are what its config and its confusion matrices say, with these where they are kept.

    Raises:
      UnreadableError, RunError: they are not.
    """
    check_same_settings(run.config, run.results.config)
    if not run.has_matrices:
        scores_alone.check(run)
        return run
    kept = {place: one for place, one in checked_matrices(run) if keep_matrices}
    return dataclasses.replace(run, matrices=kept)


def _read_json(folder: pathlib.Path, name: str) -> Any:
    content = parse_json(read_bytes(folder / name, folder, _JSON_LIMIT), name)
    _check_lengths(content, name)
    return content


def _check_lengths(content: Any, name: str) -> None:
    """Refuses parsed JSON with a text, or the name of a field, that is too long."""
    if isinstance(content, dict):
        content = [*content, *content.values()]
    for one in content if isinstance(content, list) else ():
        _check_lengths(one, name)
    if isinstance(content, str) and len(content) > _LONGEST_TEXT:
        raise UnreadableError(f"{name}: has a text of more than {_LONGEST_TEXT:,} characters")


def _read_records(folder: pathlib.Path) -> tuple[LogRecord, ...]:
    """The records of metrics.jsonl, but for a last line that a kill cut off."""
    try:
        content = read_bytes(folder / "metrics.jsonl", folder, _LOG_LIMIT)
    except FileNotFoundError:
        return ()
    records: list[LogRecord] = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        name = f"metrics.jsonl: line {number}"
        record = LogRecord.of(parse_json(line, name), name)
        if records and record.step < records[-1].step:
            raise UnreadableError(f"{name} is of an earlier step than the line before it")
        records.append(record)
    return tuple(records)


def _how_far(folder: pathlib.Path, files: _Files) -> str:
    config, results, _, records = files
    if results is not None:
        return printable(f"results.json: {results.unfinished}")
    parts = ["no results.json: not finished"]
    if records:
        last = max(records, key=lambda record: record.step)
        total = _total_steps(config, records)
        place = f"step {last.step}" + (f" of {total}" if total else "")
        stage = "" if last.stage is None else f", stage {last.stage}"
        parts.append(f"came to {place}{stage}")
    else:
        parts.append("no step recorded")
    error = run_log.last_error(folder / "run.log")
    if error:
        parts.append(f"run.log has '{error}'")
    return printable("; ".join(parts))


def _total_steps(config: RunConfig | None, records: Sequence[LogRecord]) -> int | None:
    """Steps of a run of one stage, from the first validation, which ends an epoch; None if unknown."""
    train = {} if config is None else config.flat
    stages, epochs = train.get("train.stages"), train.get("train.epochs")
    if not (isinstance(stages, list) and len(stages) == 1 and isinstance(epochs, int)):
        return None
    for record in records:
        if record.split == "validation" and record.epoch:
            return record.step * epochs // record.epoch
    return None


def _natural(name: str) -> list[str | int]:
    """seed2 before seed10. Texts and numbers alternate, so that they are never compared."""
    return [int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(name))]
