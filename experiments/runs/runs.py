"""Finds runs and reads what they left; runs that differ in the seed alone make a group.

Files come from anywhere, so nothing in them is believed before it is checked, and whatever is wrong with a
run is told in a line of its own instead of stopping the reader.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fpliif_jax.data import sides
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.runs.bounded_files import (
    MEBIBYTE,
    ArrayFile,
    ArrayForm,
    UnreadableError,
    parse_json,
    read_bytes,
)
from fpliif_jax.experiments.runs.run_data import RunData
from fpliif_jax.experiments.runs.schema import (
    SEED_SOURCES,
    check_config,
    check_environment,
    check_record,
    check_results,
    check_same_settings,
)
from fpliif_jax.run_folder import config_fields
from fpliif_jax.run_folder.config_fields import Role
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.run_folder.setting_ranges import AUTO

_JSON_LIMIT = 16 * MEBIBYTE
_LOG_LIMIT = 16 * MEBIBYTE
_MATRICES_LIMIT = 128 * MEBIBYTE  # of CelebAMask-HQ's 30,000 images 83
_EXAMPLES_LIMIT = 512 * MEBIBYTE
_TEXTS_LIMIT = 8 * MEBIBYTE  # of an array of ids or names
_MOST_IMAGES = 10**6
_NOT_RUNS = ("checkpoints", "tensorboard", "evaluations")
# They do not change a run.
_LEFT_OUT = (Role.PLACE, Role.COST, Role.DISPLAY)
_FOLLOWS = "follows"
_SAME_SCORE = 1e-9
_DIGITS = re.compile(r"([0-9]+)")


class RunError(UserError):
    """Files of a run cannot be used; the message names the file and says why."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's folder.

    Attributes:
      path: the folder.
      name: its path relative to where runs were looked for, with '/'.
      status: 'finished' | 'unfinished' (it has no results.json) | 'broken'.
      problem: one line when it is not finished: what is missing or wrong, and how far it came.
      config: config.json, or that of results.json where the folder has none; checked. None if unusable.
      results: results.json, checked: every score is None or in [0, 1], and that of its matrices.
      environment: environment.json.
      metrics: the records of metrics.jsonl, checked: each with 'step' and 'split', steps in order.
    """

    path: pathlib.Path
    name: str
    status: str
    problem: str | None
    config: dict[str, Any] | None
    results: dict[str, Any] | None
    environment: dict[str, Any] | None
    metrics: tuple[dict[str, Any], ...]

    @property
    def seed(self) -> int | None:
        """config.seed."""
        return None if self.config is None else self.config["seed"]

    @property
    def framework(self) -> str:
        """'jax' or 'pytorch': what it was trained with."""
        return next(
            (framework for _, framework in _frameworks(self.results, self.environment)), "jax"
        )


@dataclasses.dataclass(frozen=True)
class Matrices:
    """What an evaluation counted in every image.

    Attributes:
      example_ids: N official ids, all different.
      confusion_matrices: int64 [N, C, C], rows truth, columns prediction.
      class_names: C names, the background first.
    """

    example_ids: tuple[str, ...]
    confusion_matrices: np.ndarray
    class_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Examples:
    """The examples of a run that people look at, from the worst to the best.

    Attributes:
      images: uint8 [K, H, W, 3].
      ids: K official ids.
      per_image_f1: float64 [K], fractions, by the first row.
      rank: int64 [K], 0 for the worst of the split.
      split_size: images in the split.
      split, checkpoint: what was predicted, and by which.
      rows: R names.
      truths, predictions: R arrays, uint8 [K, h, w]; truth may be 255 where nothing counts.
      class_names: C names, the background first.
    """

    images: np.ndarray
    ids: tuple[str, ...]
    per_image_f1: np.ndarray
    rank: np.ndarray
    split_size: int
    split: str
    checkpoint: str
    rows: tuple[str, ...]
    truths: tuple[np.ndarray, ...]
    predictions: tuple[np.ndarray, ...]
    class_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one experiment: the same config, data and framework, other seeds.

    Attributes:
      name: the longest folder that its runs have in common, or the run's own name.
      config: what they share: without the seed, without where data lie; each of seeds.* is 'follows' or the
        value that it is fixed at.
      framework: 'jax' or 'pytorch'.
      runs: all that belong to it, finished or not, in their order.
    """

    name: str
    config: dict[str, Any]
    framework: str
    runs: list[Run]

    @property
    def finished(self) -> list[Run]:
        """The runs with results: those that may be pooled."""
        return [run for run in self.runs if run.status == "finished"]

    @property
    def duplicates(self) -> tuple[int, ...]:
        """Seeds of more than one finished run: they are no independent values."""
        counts = Counter(run.seed for run in self.finished)
        return tuple(sorted(seed for seed, count in counts.items() if count > 1))


def read_runs(root: pathlib.Path | str) -> list[Run]:
    """Reads every folder under root, itself included, that has config.json or results.json.

    Folders that are links are not followed, but told where they hold a run. Broken runs are part of the list.

    Raises:
      RunError: root is not a folder.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise RunError(f"{root} is not a folder; give the one that holds the runs")
    found = []
    for folder, problem in _run_folders(root):
        inside = root.resolve().name if folder == root else folder.relative_to(root).as_posix()
        name = _printable(inside)
        found.append(_read_run(folder, name) if problem is None else _broken(folder, name, problem))
    return sorted(found, key=lambda run: _natural(run.name))


def load_matrices(run: Run, evaluation: dict[str, Any]) -> Matrices:
    """Reads the confusion matrices of one of the evaluations in run.results.

    Raises:
      RunError: the file is missing or damaged, or its scores are not those of the evaluation.
    """
    name = "{split}-{checkpoint}-{row}.npz".format(**evaluation)
    count, num_classes = evaluation["images"], len(evaluation["class_f1"]) + 1
    most = min(_MATRICES_LIMIT // np.dtype(np.int64).itemsize, _MOST_IMAGES * num_classes**2)
    if count * num_classes**2 > most:
        raise RunError(
            f"{run.name}: results.json says that evaluations/{name} has {count} images of {num_classes} classes: "
            "too many to be read"
        )
    forms = {
        "example_ids": ArrayForm("U", (count,), _TEXTS_LIMIT),
        "class_names": ArrayForm("U", (num_classes,), _TEXTS_LIMIT),
        "confusion_matrices": ArrayForm("iu", (count, num_classes, num_classes)),
    }
    try:
        with _telling_of(run):
            path = run.path / "evaluations" / name
            arrays = ArrayFile(path, run.path, _MATRICES_LIMIT).read(forms)
    except FileNotFoundError:
        raise RunError(
            f"{run.name}: evaluations/{name} is missing; evaluate the run again"
        ) from None

    def require(fits: bool, problem: str) -> None:
        if not fits:
            raise RunError(f"{run.name}: evaluations/{name}: {problem}")

    ids, class_names = (_texts(arrays[key]) for key in ("example_ids", "class_names"))
    counted = arrays["confusion_matrices"]
    require(ids is not None, "example_ids are not a list of different texts")
    require(class_names is not None, "class_names are not a list of different texts")
    # The largest sum over images that float64 holds exactly.
    most = min(2**40, 2**53 // max(1, len(ids)))
    is_count = not counted.size or (counted.min() >= 0 and counted.max() < most)
    require(bool(is_count), "confusion_matrices have values that are no counts")
    counted = counted.astype(np.int64)
    scores = metrics.scores(counted, class_names)
    different = "results.json has {} {}, these matrices {}: they are of different evaluations; evaluate the run again"
    for field, computed in scores.items():
        stated = evaluation[field]
        if not isinstance(computed, dict):
            require(_same(stated, computed), different.format(field, stated, computed))
            continue
        what = {"class_f1": "classes", "group_f1": "groups"}[field]
        text = different.format(what, list(stated), list(computed))
        require(list(stated) == list(computed), text)
        for label in stated:
            text = different.format(f"F1 of {label}", stated[label], computed[label])
            require(_same(stated[label], computed[label]), text)
    return Matrices(ids, counted, class_names)


def load_examples(run: Run) -> Examples | None:
    """Reads examples.npz; None where the run has none.

    Raises:
      RunError: the file is damaged, or its arrays do not fit together.
    """
    file = pathlib.Path("examples.npz")
    texts = {key: ArrayForm("U", (None,), _TEXTS_LIMIT) for key in ("ids", "rows", "class_names")}
    try:
        with _telling_of(run):
            array_file = ArrayFile(run.path / file, run.path, _EXAMPLES_LIMIT)
            named = array_file.read(texts)
    except FileNotFoundError:
        return None

    def require(fits: bool, problem: str) -> None:
        if not fits:
            raise RunError(f"{run.name}: {file}: {problem}")

    ids, rows, class_names = (_texts(array) for array in named.values())
    for key, names in zip(texts, (ids, rows, class_names), strict=True):
        require(bool(names), f"{key} are not a list of different texts")
    count = len(ids)
    labels = ArrayForm("u", (count, None, None))
    forms = {
        "images": ArrayForm("u", (count, None, None, 3)),
        "per_image_f1": ArrayForm("f", (count,)),
        "rank": ArrayForm("iu", (count,)),
        "split_size": ArrayForm("iu", ()),
        "split": ArrayForm("U", (), _TEXTS_LIMIT),
        "checkpoint": ArrayForm("U", (), _TEXTS_LIMIT),
    }
    for index in range(len(rows)):
        forms |= {f"truth_{index}": labels, f"prediction_{index}": labels}
    with _telling_of(run):
        arrays = array_file.read(forms)
    images, f1, rank = arrays["images"], arrays["per_image_f1"].astype(np.float64), arrays["rank"]
    require(images.dtype == np.uint8, "images are not uint8")
    require(images.size > 0, "images are empty")
    require(bool(((f1 >= 0) & (f1 <= 1)).all()), "per_image_f1 is not between 0 and 1")
    size = int(arrays["split_size"])
    fits = len(set(rank.tolist())) == len(rank) and rank.min() >= 0 and rank.max() < size
    require(bool(fits), "rank is not a place in the split")
    truths, predictions = [], []
    for index in range(len(rows)):
        truth, prediction = arrays[f"truth_{index}"], arrays[f"prediction_{index}"]
        for key, array in (("truth", truth), ("prediction", prediction)):
            fits = array.dtype == np.uint8 and array.shape == truth.shape and array.size > 0
            require(fits, f"{key}_{index} is not uint8 [K, h, w]")
            known = array < len(class_names)
            if key == "truth":
                known |= array == 255
            require(bool(known.all()), f"{key}_{index} has classes without a name")
        truths.append(truth)
        predictions.append(prediction)
    split, checkpoint = (str(arrays[key]) for key in ("split", "checkpoint"))
    order = np.argsort(rank)
    # As they are written; then nothing is copied.
    is_sorted = bool((order == np.arange(len(order))).all())

    def in_order(array: np.ndarray) -> np.ndarray:
        return array if is_sorted else array[order]

    return Examples(
        in_order(images),
        tuple(ids[index] for index in order),
        in_order(f1),
        in_order(rank).astype(np.int64),
        size,
        split,
        checkpoint,
        rows,
        tuple(map(in_order, truths)),
        tuple(map(in_order, predictions)),
        class_names,
    )


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Puts together the runs of one experiment, in the order of their first runs.

    Two runs belong together if their configs differ in nothing but the seed, what follows it, where data lie,
    the number of threads and of pictures, and a number where the other leaves it to the program; and if they were
    trained in the same framework, trained and evaluated on the same data (by fingerprint, by whose left its classes
    mean, and by digest where both have it) and have as many parameters. A run without a digest joins those with one,
    and an unfinished run the finished ones, where there is only one such group. Broken runs are in no group.
    """
    by_config: dict[str, list[Run]] = {}
    for run in runs:
        if run.status != "broken":
            key = json.dumps(_without_numbers(_without_seeds(run.config)), sort_keys=True)
            by_config.setdefault(key, []).append(run)
    grouped = []
    for same in itertools.chain.from_iterable(map(_by_numbers, by_config.values())):
        sources = _seed_sources(same)
        by_sources: dict[tuple, list[Run]] = {}
        for run in same:
            by_sources.setdefault((sources[run.path], run.framework), []).append(run)
        for (pattern, _), members in by_sources.items():
            config = _without_seeds(members[0].config) | {
                "seeds": dict(zip(SEED_SOURCES, pattern, strict=True))
            }
            grouped += [(config, part) for part in _same_data(members)]
    order = {run.path: index for index, run in enumerate(runs)}
    grouped.sort(key=lambda pair: order[pair[1][0].path])
    return [
        Group(_common_name(members), config, members[0].framework, members)
        for config, members in grouped
    ]


def _by_numbers(runs: list[Run]) -> list[list[Run]]:
    """Runs that differ in nothing but numbers that may be left to the program, by these numbers.

    Where one says 'auto' the others are earlier runs of the same experiment, unless a seed comes twice.
    """
    numbers = [
        tuple(
            (field, value)
            for field, value in sorted(flatten_config(run.config).items())
            if config_fields.may_be_auto(field)
        )
        for run in runs
    ]
    has_auto = any(value == AUTO for values in numbers for _, value in values)
    seeds = {
        json.dumps([run.framework, run.config["seed"], run.config.get("seeds")], sort_keys=True)
        for run in runs
    }
    if has_auto and len(seeds) == len(runs):
        return [runs]
    parts: dict[tuple, list[Run]] = {}
    for run, values in zip(runs, numbers, strict=True):
        parts.setdefault(values, []).append(run)
    return list(parts.values())


def _without_numbers(config: dict[str, Any]) -> dict[str, Any]:
    return {
        field: value
        for field, value in flatten_config(config).items()
        if not config_fields.may_be_auto(field)
    }


def _without_seeds(config: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in ("seed", "seeds")}
    for section, group in kept.items():
        if isinstance(group, dict):
            kept[section] = {
                name: value
                for name, value in group.items()
                if not config_fields.has_role(f"{section}.{name}", *_LEFT_OUT)
            }
    start = kept["train"].get("init_from")
    if isinstance(start, str):  # a run that goes on from another one goes on from that of its seed
        own = re.sub(rf"\bseed{config['seed']}\b", "seed*", start)
        kept["train"] = {**kept["train"], "init_from": own}
    return kept


def _seed_sources(runs: list[Run]) -> dict[pathlib.Path, tuple]:
    """For each run (by path) and source of variation: 'follows' the seed, or the value it is fixed at.

    A single run cannot tell: with seed 0 and a source at 0, both are possible. So of what is possible each takes
    what most other runs can share, first those beside it, then all; and 'follows' where that is equal.
    """
    possible = {}
    for run in runs:
        seeds = run.config.get("seeds", {})
        choices = []
        for source in SEED_SOURCES:
            value = seeds.get(source)
            if value is None:  # a run made before sources could be fixed
                choices.append((_FOLLOWS,))
            else:
                choices.append((_FOLLOWS, value) if value == run.seed else (value,))
        possible[run.path] = list(itertools.product(*choices))
    everywhere = Counter(itertools.chain.from_iterable(possible.values()))
    beside: dict[pathlib.Path, Counter] = {}
    for path, patterns in possible.items():
        beside.setdefault(path.parent, Counter()).update(patterns)
    return {
        path: max(
            patterns,
            key=lambda pattern, near=beside[path.parent]: (
                near[pattern],
                everywhere[pattern],
                pattern.count(_FOLLOWS),
            ),
        )
        for path, patterns in possible.items()
    }


def _same_data(runs: list[Run]) -> list[list[Run]]:
    finished: dict[tuple[RunData, int], list[Run]] = {}
    others: dict[tuple[str | None, str | None, str], list[Run]] = {}
    recorded = {
        run.path: RunData.of(run.config, run.results, run.environment)
        for run in runs
        if run.status == "finished"
    }
    # Those that recorded most come first: a group is what they tell.
    for run in sorted(runs, key=lambda run: run.path in recorded and recorded[run.path].unknowns):
        if run.status == "finished":
            key = (recorded[run.path], run.results["parameters"])
            fitting = [one for one in finished if one[1] == key[1] and one[0].fits(key[0])]
            finished.setdefault(fitting[0] if len(fitting) == 1 else key, []).append(run)
        else:
            environment = run.environment or {}
            left = sides.whose_left(run.config, environment.get("whose_left"))
            trained = (environment.get("data_fingerprint"), environment.get("data_digest"), left)
            others.setdefault(trained, []).append(run)
    parts = list(finished.values())
    for (trained, digest, left), unfinished in others.items():
        same_files = [
            (data.digests[0], part)
            for (data, _), part in finished.items()
            if trained is None or (trained, left) == (data.fingerprints[0], data.whose_left)
        ]
        same_labels = [part for labels, part in same_files if labels == digest]
        fitting = same_labels or [part for labels, part in same_files if None in (labels, digest)]
        if len(fitting) == 1:
            fitting[0].extend(unfinished)
        else:
            parts.append(unfinished)
    order = {run.path: index for index, run in enumerate(runs)}
    return [sorted(part, key=lambda run: order[run.path]) for part in parts]


def _common_name(runs: list[Run]) -> str:
    if len(runs) == 1:
        return runs[0].name
    parts = [run.name.split("/") for run in runs]
    shared = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return "/".join(level[0] for level in shared) or runs[0].path.parent.resolve().name


def _run_folders(root: pathlib.Path) -> Iterator[tuple[pathlib.Path, str | None]]:
    """Folders of runs, and of those that cannot be looked into why."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
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
                waiting.append(path)
            elif entry.is_symlink() and _holds_run(path):
                yield path, "the folder is a link, which is not followed; copy or mount it instead"


def _holds_run(path: pathlib.Path) -> bool:
    return any(os.path.lexists(path / name) for name in ("config.json", "results.json"))


def _broken(folder: pathlib.Path, name: str, problem: str) -> Run:
    return Run(folder, name, "broken", problem, None, None, None, ())


def _read_run(folder: pathlib.Path, name: str) -> Run:
    problems: list[str] = []

    def read(file_name: str, check: Callable[[Any], None]) -> dict[str, Any] | None:
        try:
            content = parse_json(read_bytes(folder / file_name, folder, _JSON_LIMIT), file_name)
            check(content)
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            problems.append(_printable(error))
            return None
        return content

    config = read("config.json", check_config)
    results = read("results.json", check_results)
    environment = read("environment.json", check_environment)
    records: tuple[dict[str, Any], ...] = ()
    try:
        records = _read_records(folder)
    except UnreadableError as error:
        problems.append(_printable(error))
    if config is None and results is not None:
        config = results["config"]  # evaluated without being trained here
    if config is not None and results is not None and config["seed"] != results["seed"]:
        problems.append(
            f"config.json has seed {config['seed']}, results.json seed {results['seed']}: "
            "they are of different runs"
        )
    stated = _frameworks(results, environment)
    if len({framework for _, framework in stated}) > 1:
        told = ", ".join(f"{file_name} has {framework}" for file_name, framework in stated)
        problems.append(f"the framework is not clear: {told}")
    run = Run(folder, name, "finished", None, config, results, environment, records)
    if results is not None and not problems:
        try:
            check_same_settings(config, results)
            _check_evaluations(run)
        except (UnreadableError, RunError) as error:
            problems.append(_printable(error).removeprefix(f"{name}: "))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        status, problem = "broken", problems[0] + more
    elif results is None:
        status, problem = "unfinished", _how_far(folder, config, records)
    else:
        return run
    return dataclasses.replace(run, status=status, problem=problem)


def _check_evaluations(run: Run) -> None:
    """Refuses scores that do not follow from the matrices of the images, and examples that are of other images.

    Raises:
      RunError: names the file and what is wrong with it.
    """
    examples = load_examples(run)
    for evaluation in run.results["evaluations"]:
        matrices = load_matrices(run, evaluation)
        place = (evaluation["split"], evaluation["checkpoint"], evaluation["row"])
        if examples is not None and place == (
            examples.split,
            examples.checkpoint,
            examples.rows[0],
        ):
            _check_examples(run, examples, matrices)


def _check_examples(run: Run, examples: Examples, matrices: Matrices) -> None:
    index = {example: place for place, example in enumerate(matrices.example_ids)}
    fits = examples.split_size == len(index) and all(one in index for one in examples.ids)
    if not fits or examples.class_names != matrices.class_names:
        raise RunError(
            f"{run.name}: examples.npz: its images or classes are not those of the evaluation"
        )
    for example, f1 in zip(examples.ids, examples.per_image_f1, strict=True):
        computed = metrics.mean_f1(matrices.confusion_matrices[index[example]])
        if abs(f1 - np.nan_to_num(computed)) > _SAME_SCORE:
            raise RunError(
                f"{run.name}: examples.npz has per_image_f1 {f1} of {example!r}, its matrix {computed}"
            )


def _frameworks(
    results: dict[str, Any] | None, environment: dict[str, Any] | None
) -> list[tuple[str, str]]:
    """What the files of a run that say it say of their framework: (file, framework)."""
    files = (("results.json", results), ("environment.json", environment))
    return [
        (name, content["framework"])
        for name, content in files
        if content and "framework" in content
    ]


def _read_records(folder: pathlib.Path) -> tuple[dict[str, Any], ...]:
    """The records of metrics.jsonl, but for a last line that a kill cut off."""
    try:
        content = read_bytes(folder / "metrics.jsonl", folder, _LOG_LIMIT)
    except FileNotFoundError:
        return ()
    records: list[dict[str, Any]] = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        name = f"metrics.jsonl: line {number}"
        record = parse_json(line, name)
        check_record(record, name)
        if records and record["step"] < records[-1]["step"]:
            raise UnreadableError(f"{name} is of an earlier step than the line before it")
        records.append(record)
    return tuple(records)


def _how_far(
    folder: pathlib.Path, config: dict[str, Any] | None, records: Sequence[dict[str, Any]]
) -> str:
    parts = ["no results.json: not finished"]
    if records:
        last = max(records, key=lambda record: record["step"])
        total = _total_steps(config, records)
        place = f"step {last['step']}" + (f" of {total}" if total else "")
        stage = last.get("stage")
        parts.append(f"came to {place}" + (f", stage {stage}" if isinstance(stage, str) else ""))
    else:
        parts.append("no step recorded")
    error = _last_error(folder)
    if error:
        parts.append(f"run.log ends with '{error}'")
    return _printable("; ".join(parts))


def _total_steps(config: dict[str, Any] | None, records: Sequence[dict[str, Any]]) -> int | None:
    """Steps of a run of one stage, from the first validation, which ends an epoch; None if unknown."""
    train = (config or {}).get("train", {})
    stages, epochs = train.get("stages"), train.get("epochs")
    if not (isinstance(stages, list) and len(stages) == 1 and isinstance(epochs, int)):
        return None
    for record in records:
        epoch = record.get("epoch")
        if record["split"] == "validation" and isinstance(epoch, int) and epoch > 0:
            return record["step"] * epochs // epoch
    return None


def _last_error(folder: pathlib.Path) -> str | None:
    try:
        content = read_bytes(folder / "run.log", folder, _LOG_LIMIT)
    except (FileNotFoundError, UnreadableError):
        return None  # a log is a help, never a must
    lines = content[-8192:].decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines and lines[-1].startswith("error: ") else None


@contextlib.contextmanager
def _telling_of(run: Run) -> Iterator[None]:
    """Makes a RunError, which names the run, of what is wrong with a file of it."""
    try:
        yield
    except UnreadableError as error:
        raise RunError(_printable(f"{run.name}: {error}")) from error


def _texts(array: np.ndarray) -> tuple[str, ...] | None:
    """None if it is not a list of texts, each different; half of a surrogate pair is no text."""
    if array.ndim != 1 or array.dtype.kind != "U":
        return None
    texts = tuple(array.tolist())
    is_utf8 = not any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)
    return texts if is_utf8 and len(set(texts)) == len(texts) else None


def _same(told: float | None, computed: float | None) -> bool:
    if told is None or computed is None:
        return told is computed
    return abs(told - computed) <= _SAME_SCORE


def _natural(name: str) -> list[str | int]:
    """seed2 before seed10. Texts and numbers alternate, so that they are never compared."""
    return [int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(name))]


def _printable(text: object) -> str:
    """One line of UTF-8: names of files may hold anything."""
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in whole)
