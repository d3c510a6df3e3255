"""What the JSON files of a run must contain for a study to use them: numbers are finite already."""

import re
from collections.abc import Callable
from typing import Any

from fpliif_jax.data_builders import class_names
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.config_check import check_names, check_types
from fpliif_jax.experiments.runs.evaluation import MEANS, Evaluation
from fpliif_jax.experiments.runs.json_values import (
    is_count,
    is_integer,
    is_measure,
    is_moment,
    is_number,
    is_object,
    is_share,
    is_text,
    longest_text,
)
from fpliif_jax.run_folder import config_fields
from fpliif_jax.run_folder.config_fields import Role
from fpliif_jax.run_folder.run_config import config_fingerprint, flatten_config
from fpliif_jax.run_folder.same_run import is_free

# What was started in a folder, and what was planned before: either makes it the folder of a study.
STUDY_FILES = ("study.json", "plan.json")
SEED_SOURCES = ("initialisation", "data_order", "augmentation")
# Model and framework of label maps that were made elsewhere and scored here (`experiments.score`): of their training
# nothing is known.
ELSEWHERE = "elsewhere"
# With which a run may have been trained, and their names for people. Older files do not say it: they are of JAX.
FRAMEWORKS = {"jax": "JAX", "pytorch": "PyTorch", ELSEWHERE: "another system"}

_SPLITS = ("train", "validation", "test")
# They become parts of file names.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Characters. A command may have several paths, of 4,096 each on Linux; names of processors and versions are short.
_LONGEST_TEXT, _LONGEST_NAME = 20_000, 1000
# Of environment.json.
_NAMES = (
    "python",
    "platform",
    "processor",
    "backend",
    "matmul_precision",
    "git_commit",
    "data_fingerprint",
)
_TEXTS = (*_NAMES, "command", "xla_flags")
# Of the fields that may have other values when a run is evaluated than when it was trained.
_LEAVE_THE_RUN = (
    Role.ROUNDING,
    Role.COST,
    Role.PROTOCOL,
    Role.RECORD,
    Role.DISPLAY,
    Role.PLACE,
    Role.DRAWING,
)


def check_config(config: Any, name: str = "config.json") -> None:
    """Refuses what is no config of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(isinstance(config, dict), name, "is not a JSON object")
    _check_lengths(config, name, _LONGEST_TEXT)
    _field(config, "seed", name, is_integer, "an integer")
    for group, text in (("data", "name"), ("model", "name"), ("train", None), ("eval", None)):
        _field(config, group, name, is_object, "an object")
        if text is not None:
            _field(config[group], text, f"{name}: {group}", is_text, "a text")
    synthetic = config["data"].get("synthetic", {})
    _require(is_object(synthetic), name, "data.synthetic is not an object")
    seeds = config.get("seeds", {})
    _require(is_object(seeds), name, "seeds is not an object")
    for source in SEED_SOURCES:
        seed = seeds.get(source)
        _require(seed is None or is_integer(seed), name, f"seeds.{source} is not an integer")
    study = config.get("study", {})
    _require(is_object(study), name, "study is not an object")
    margin = study.get("equivalence_margin", 1.0)
    _require(
        is_number(margin) and 0 < margin <= 100,
        name,
        "study.equivalence_margin is not a number of F1 points above 0",
    )
    if config["model"]["name"] == ELSEWHERE:
        _field(config["model"], "system", f"{name}: model", is_text, "a text")
        check_names(config, name)
        return
    size = config["data"].get("image_size")
    _require(is_count(size) and size > 0, name, "data.image_size is not a number of pixels")
    check_types(config, name)


def check_environment(environment: Any, name: str = "environment.json") -> None:
    """Refuses what is no environment of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(isinstance(environment, dict), name, "is not a JSON object")
    _check_lengths(environment, name, _LONGEST_TEXT)
    _require(_is_digest(environment.get("data_digest")), name, "data_digest is not a digest")
    _require(_is_flag(environment.get("data_drawn")), name, "data_drawn is not true or false")
    _check_sides(environment, name)
    counts = environment.get("data_counts", {})  # which older runs do not have
    fits = is_object(counts) and all(is_count(count) for count in counts.values())
    _require(fits, name, "data_counts is not an object of counts")
    drawing = environment.get("data_drawing")
    _require(drawing is None or is_object(drawing), name, "data_drawing is not an object")
    versions = environment.get("versions", {})
    fits = is_object(versions) and all(_is_text_or_none(text) for text in versions.values())
    _require(fits, name, "versions is not an object of texts")
    for field in _TEXTS:
        _require(_is_text_or_none(environment.get(field)), name, f"{field} is not a text")
    for field in ("cpu_count", "process_count"):
        _require(_is_count_or_none(environment.get(field)), name, f"{field} is not a count")
    devices = environment.get("devices", [])
    _require(_is_list_of_texts(devices), name, "devices is not a list of texts")
    for field in (*_NAMES, "versions"):
        _check_lengths(environment.get(field), f"{name}: {field}", _LONGEST_NAME)
    # The report names each kind once.
    _check_lengths(", ".join(set(devices)), f"{name}: devices", _LONGEST_NAME)
    started = environment.get("started")  # which older runs do not have
    fits = started is None or is_moment(started)
    _require(fits, name, "started is not a moment in UTC such as 2026-11-26T21:03:05+00:00")
    _check_framework(environment, name)


def check_results(results: Any, name: str = "results.json") -> None:
    """Refuses what is no results of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(isinstance(results, dict), name, "is not a JSON object")
    _check_lengths(results, name, _LONGEST_TEXT)
    _field(results, "seed", name, is_integer, "an integer")
    _field(results, "model", name, is_text, "a text")
    of_elsewhere = results["model"] == ELSEWHERE
    is_number_of = _is_count_or_none if of_elsewhere else is_count
    _field(results, "parameters", name, is_number_of, "a count")
    _field(results, "dataset", name, is_object, "an object")
    _check_dataset(results["dataset"], f"{name}: dataset")
    check_config(results.get("config"), f"{name}: config")
    _check_config_is_of(results, name)
    _check_follows_seed(results, name)
    _require(_is_list_of_texts(results.get("notes")), name, "notes is not a list of texts")
    train = results.get("train")
    fits = train is None or (is_object(train) and _holds_measures(train))
    _require(fits, name, "train is not an object of numbers")
    _check_framework(results, name)
    fits = of_elsewhere == (results.get("framework") == ELSEWHERE)
    _require(fits, name, f"model and framework are not both {ELSEWHERE!r}")
    evaluations = results.get("evaluations")
    fits = isinstance(evaluations, list) and bool(evaluations)
    _require(fits, name, "evaluations is not a list with at least one evaluation")
    seen = set()
    for index, evaluation in enumerate(evaluations):
        where = f"{name}: evaluations[{index}]"
        _check_evaluation(evaluation, where)
        place = Evaluation.of(evaluation).place
        _require(place not in seen, where, f"is a second one of {' '.join(place)}")
        seen.add(place)


def check_record(record: Any, name: str = "metrics.jsonl") -> None:
    """Refuses what is no line of metrics.jsonl.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(is_object(record), name, "is not a JSON object")
    _field(record, "step", name, is_count, "a count")
    _field(record, "split", name, lambda value: value in _SPLITS, f"one of {_SPLITS}")
    stage = record.get("stage", "")
    _require(stage == "" or _is_safe_name(stage), name, "'stage' is not a short name")
    _require(_is_count_or_none(record.get("epoch")), name, "'epoch' is not a count")
    _require(_is_score(record.get("mean_f1")), name, "'mean_f1' is not a number from 0 to 1")
    _require(_is_measure_or_none(record.get("loss")), name, "'loss' is not a number")
    errors = record.get("window_error", {})
    _require(is_object(errors), name, "'window_error' is not an object")
    for field, value in record.items():
        if field not in ("split", "stage"):
            _require(_holds_measures(value), name, f"{field[:100]!r} is not a number")


def check_same_settings(config: dict[str, Any], results: dict[str, Any]) -> None:
    """Refuses results whose config is not the one that the run was trained with.

    Args:
      config: of config.json, checked.
      results: of results.json, checked.

    Raises:
      UnreadableError: names the first field that differs, of those that both have and that change what is learnt.
    """
    trained, stated = (flatten_config(one) for one in (config, results["config"]))
    for field in sorted(trained.keys() & stated.keys()):
        if config_fields.has_role(field, *_LEAVE_THE_RUN) or is_free(field):
            continue
        if trained[field] == stated[field]:
            continue
        raise UnreadableError(
            f"config.json has {field} {trained[field]!r}, results.json {stated[field]!r}: they are of different "
            "runs; evaluate this one with its own settings"
        )


def _check_config_is_of(results: dict[str, Any], name: str) -> None:
    """What results.json says twice must be the same."""
    config = results["config"]
    for field, stated in (
        ("seed", config["seed"]),
        ("model", config["model"]["name"]),
        ("dataset.name", config["eval"].get("dataset") or config["data"]["name"]),
    ):
        own = results["dataset"]["name"] if field == "dataset.name" else results[field]
        _require(own == stated, name, f"{field} is {own!r}, its config has {stated!r}")
    fingerprint = results.get("config_fingerprint")
    same = fingerprint in (None, config_fingerprint(config))
    _require(same, name, "config is not the one of its config_fingerprint")


def _check_follows_seed(results: dict[str, Any], name: str) -> None:
    sources = results.get("follows_seed", [])  # which older runs do not have
    fits = _is_list_of_texts(sources) and set(sources) <= set(SEED_SOURCES)
    _require(fits, name, f"follows_seed is not a list of {', '.join(SEED_SOURCES)}")
    seeds = results["config"].get("seeds", {})
    for source in sources:
        same = seeds.get(source) == results["seed"]
        _require(same, name, f"follows_seed has {source}, whose seed is not the run's")


def _check_sides(content: dict[str, Any], name: str) -> None:
    known = (class_names.PICTURE, class_names.PERSON)
    whose_left = content.get("whose_left")  # which files of older runs do not have
    _require(whose_left in (None, *known), name, f"whose_left is not one of {', '.join(known)}")


def _check_framework(content: dict[str, Any], name: str) -> None:
    framework = content.get("framework", "jax")
    known = is_text(framework) and framework in FRAMEWORKS
    _require(known, name, f"'framework' is not one of {', '.join(FRAMEWORKS)}")


def _check_dataset(dataset: dict[str, Any], name: str) -> None:
    _field(dataset, "name", name, is_text, "a text")
    _field(dataset, "complete", name, lambda value: isinstance(value, bool), "true or false")
    _field(dataset, "counts", name, is_object, "an object")
    fits = all(is_count(count) for count in dataset["counts"].values())
    _require(fits, name, "counts has something other than counts")
    _check_sides(dataset, name)
    for text in ("builder_config", "fingerprint"):
        _require(_is_text_or_none(dataset.get(text)), name, f"{text} is not a text")
    for flag in ("drawn", "official_ids"):
        _require(_is_flag(dataset.get(flag)), name, f"{flag} is not true, false or null")
    drawing = dataset.get("drawing")
    _require(drawing is None or is_object(drawing), name, "drawing is not an object")
    digest = dataset.get("digest")
    if digest is not None:
        _require(is_object(digest), name, "digest is not an object")
        for what in ("ids", "labels"):
            _field(digest, what, f"{name}: digest", _is_digests, "digests of splits and of 'all'")


def _check_evaluation(evaluation: Any, name: str) -> None:
    _require(is_object(evaluation), name, "is not an object")
    _field(evaluation, "split", name, lambda value: value in _SPLITS, f"one of {_SPLITS}")
    for part in ("checkpoint", "row"):
        _field(evaluation, part, name, _is_safe_name, "a short name of letters and digits")
    step = evaluation.get("step")
    _require(step is None or is_count(step), name, "step is not a count")
    _field(evaluation, "images", name, is_count, "a count")
    score = "a number from 0 to 1, or null"
    for part in MEANS:
        _field(evaluation, part, name, _is_score, score)
    for part in ("class_f1", "group_f1"):
        _field(evaluation, part, name, is_object, "an object")
        for label in evaluation[part]:
            _field(evaluation[part], label, f"{name}: {part}", _is_score, score)


def _field(
    content: dict[str, Any], field: str, name: str, fits: Callable[[Any], bool], wanted: str
) -> None:
    _require(field in content, name, f"has no {field!r}")
    _require(fits(content[field]), name, f"{field!r} is not {wanted}")


def _require(fits: bool, name: str, problem: str) -> None:
    if not fits:
        raise UnreadableError(f"{name}: {problem}")


def _check_lengths(content: Any, name: str, most: int) -> None:
    _require(longest_text(content) <= most, name, f"has a text of more than {most:,} characters")


def _is_score(value: Any) -> bool:
    return value is None or is_share(value)


def _is_text_or_none(value: Any) -> bool:
    return value is None or is_text(value)


def _is_measure_or_none(value: Any) -> bool:
    return value is None or is_measure(value)


def _is_count_or_none(value: Any) -> bool:
    return value is None or is_count(value)


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_digest(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _DIGEST.fullmatch(value) is not None)


def _is_digests(value: Any) -> bool:
    places = {*_SPLITS, "all"}
    return is_object(value) and value.keys() == places and all(map(_is_digest, value.values()))


def _is_safe_name(value: Any) -> bool:
    return isinstance(value, str) and _SAFE_NAME.fullmatch(value) is not None


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(is_text(one) for one in value)


def _holds_measures(value: Any) -> bool:
    """Whether it is a number, null, or an object of these."""
    if is_object(value):
        return all(_holds_measures(one) for one in value.values())
    return _is_measure_or_none(value)
