"""What the JSON files of a run must contain for a study to use them: numbers are finite already."""

import re
from collections.abc import Callable
from typing import Any

from data_builders import class_names
from experiments.study.bounded_files import UnreadableError

SEED_SOURCES = ("initialisation", "data_order", "augmentation")
# With which a run may have been trained, and their names for people. Older files do not say it: they are of JAX.
FRAMEWORKS = {"jax": "JAX", "pytorch": "PyTorch"}

_SPLITS = ("train", "validation", "test")
# They become parts of file names.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCORES = ("mean_f1", "miou", "miou_with_background", "per_image_mean_f1")


def check_config(config: Any, name: str = "config.json") -> None:
    """Refuses what is no config of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(isinstance(config, dict), name, "is not a JSON object")
    _field(config, "seed", name, _is_integer, "an integer")
    for group, text in (("data", "name"), ("model", "name"), ("train", None), ("eval", None)):
        _field(config, group, name, _is_object, "an object")
        if text is not None:
            _field(config[group], text, f"{name}: {group}", _is_text, "a text")
    synthetic = config["data"].get("synthetic", {})
    _require(_is_object(synthetic), name, "data.synthetic is not an object")
    seeds = config.get("seeds", {})
    _require(_is_object(seeds), name, "seeds is not an object")
    for source in SEED_SOURCES:
        seed = seeds.get(source)
        _require(seed is None or _is_integer(seed), name, f"seeds.{source} is not an integer")
    study = config.get("study", {})
    _require(_is_object(study), name, "study is not an object")
    margin = study.get("equivalence_margin", 1.0)
    _require(
        is_number(margin) and 0 < margin <= 100,
        name,
        "study.equivalence_margin is not a number of F1 points above 0",
    )


def check_environment(environment: Any, name: str = "environment.json") -> None:
    """Refuses what is no environment of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(isinstance(environment, dict), name, "is not a JSON object")
    fingerprint = environment.get("data_fingerprint")
    _require(_is_text_or_none(fingerprint), name, "data_fingerprint is not a text")
    _require(_is_digest(environment.get("data_digest")), name, "data_digest is not a digest")
    _require(_is_flag(environment.get("data_drawn")), name, "data_drawn is not true or false")
    _check_sides(environment, name)
    versions = environment.get("versions", {})
    fits = _is_object(versions) and all(_is_text_or_none(text) for text in versions.values())
    _require(fits, name, "versions is not an object of texts")
    _check_framework(environment, name)


def check_results(results: Any, name: str = "results.json") -> None:
    """Refuses what is no results of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    _require(isinstance(results, dict), name, "is not a JSON object")
    _field(results, "seed", name, _is_integer, "an integer")
    _field(results, "model", name, _is_text, "a text")
    _field(results, "parameters", name, _is_count, "a count")
    _field(results, "dataset", name, _is_object, "an object")
    _check_dataset(results["dataset"], f"{name}: dataset")
    check_config(results.get("config"), f"{name}: config")
    notes = results.get("notes")
    fits = isinstance(notes, list) and all(_is_text(note) for note in notes)
    _require(fits, name, "notes is not a list of texts")
    train = results.get("train")
    _require(train is None or _is_object(train), name, "train is not an object")
    _check_framework(results, name)
    evaluations = results.get("evaluations")
    fits = isinstance(evaluations, list) and bool(evaluations)
    _require(fits, name, "evaluations is not a list with at least one evaluation")
    seen = set()
    for index, evaluation in enumerate(evaluations):
        where = f"{name}: evaluations[{index}]"
        _check_evaluation(evaluation, where)
        key = tuple(evaluation[part] for part in ("split", "checkpoint", "row"))
        _require(key not in seen, where, f"is a second one of {' '.join(key)}")
        seen.add(key)


def check_record(record: Any) -> bool:
    """Whether a line of metrics.jsonl is a record: an object with 'step' and 'split'."""
    return _is_object(record) and _is_count(record.get("step")) and _is_text(record.get("split"))


def _check_sides(content: dict[str, Any], name: str) -> None:
    known = (class_names.PICTURE, class_names.PERSON)
    whose_left = content.get("whose_left")  # which files of older runs do not have
    _require(whose_left in (None, *known), name, f"whose_left is not one of {', '.join(known)}")


def _check_framework(content: dict[str, Any], name: str) -> None:
    framework = content.get("framework", "jax")
    known = _is_text(framework) and framework in FRAMEWORKS
    _require(known, name, f"'framework' is not one of {', '.join(FRAMEWORKS)}")


def _check_dataset(dataset: dict[str, Any], name: str) -> None:
    _field(dataset, "name", name, _is_text, "a text")
    _field(dataset, "complete", name, lambda value: isinstance(value, bool), "true or false")
    _field(dataset, "counts", name, _is_object, "an object")
    fits = all(_is_count(count) for count in dataset["counts"].values())
    _require(fits, name, "counts has something other than counts")
    _check_sides(dataset, name)
    for text in ("builder_config", "fingerprint"):
        _require(_is_text_or_none(dataset.get(text)), name, f"{text} is not a text")
    for flag in ("drawn", "official_ids"):
        _require(_is_flag(dataset.get(flag)), name, f"{flag} is not true, false or null")
    drawing = dataset.get("drawing")
    _require(drawing is None or _is_object(drawing), name, "drawing is not an object")
    digest = dataset.get("digest")
    if digest is not None:
        _require(_is_object(digest), name, "digest is not an object")
        for what in ("ids", "labels"):
            _field(digest, what, f"{name}: digest", _is_digests, "digests of splits and of 'all'")


def _check_evaluation(evaluation: Any, name: str) -> None:
    _require(_is_object(evaluation), name, "is not an object")
    _field(evaluation, "split", name, lambda value: value in _SPLITS, f"one of {_SPLITS}")
    for part in ("checkpoint", "row"):
        _field(evaluation, part, name, _is_safe_name, "a short name of letters and digits")
    step = evaluation.get("step")
    _require(step is None or _is_count(step), name, "step is not a count")
    _field(evaluation, "images", name, _is_count, "a count")
    score = "a number from 0 to 1, or null"
    for part in _SCORES:
        _field(evaluation, part, name, _is_score, score)
    for part in ("class_f1", "group_f1"):
        _field(evaluation, part, name, _is_object, "an object")
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


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number; true and false are none."""
    return _is_integer(value) or isinstance(value, float)


def _is_score(value: Any) -> bool:
    return value is None or (is_number(value) and 0 <= value <= 1)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_digest(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _DIGEST.fullmatch(value) is not None)


def _is_digests(value: Any) -> bool:
    places = {*_SPLITS, "all"}
    return _is_object(value) and value.keys() == places and all(map(_is_digest, value.values()))


def _is_safe_name(value: Any) -> bool:
    return isinstance(value, str) and _SAFE_NAME.fullmatch(value) is not None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
