"""What results.json must contain for a study to use it, and that it is of the run beside whose config it lies."""

from typing import Any

from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.evaluation import MEANS, Evaluation
from fpliif_jax.experiments.runs.field_checks import check_field, check_seeded_object, require
from fpliif_jax.experiments.runs.json_values import (
    holds_measures,
    is_count,
    is_count_or_none,
    is_digest,
    is_flag,
    is_list_of_texts,
    is_object,
    is_safe_name,
    is_score,
    is_text,
    is_text_or_none,
)
from fpliif_jax.experiments.runs.schema import (
    ELSEWHERE,
    LONGEST_TEXT,
    SPLITS,
    check_config,
    check_framework,
    check_sides,
    check_sources,
)
from fpliif_jax.files.json_types import JsonObject
from fpliif_jax.run_folder.run_config import config_fingerprint
from fpliif_jax.run_folder.same_run import trained_otherwise


def check_results(results: Any, name: str = "results.json") -> None:
    """Refuses what is no results of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    check_seeded_object(results, name, LONGEST_TEXT)
    check_field(results, "model", name, is_text, "a text")
    of_elsewhere = results["model"] == ELSEWHERE
    is_number_of = is_count_or_none if of_elsewhere else is_count
    check_field(results, "parameters", name, is_number_of, "a count")
    check_field(results, "dataset", name, is_object, "an object")
    _check_dataset(results["dataset"], f"{name}: dataset")
    check_config(results.get("config"), f"{name}: config")
    _check_config_is_of(results, name)
    _check_follows_seed(results, name)
    require(is_list_of_texts(results.get("notes")), name, "notes is not a list of texts")
    train = results.get("train")
    fits = train is None or (is_object(train) and holds_measures(train))
    require(fits, name, "train is not an object of numbers")
    check_framework(results, name)
    fits = of_elsewhere == (results.get("framework") == ELSEWHERE)
    require(fits, name, f"model and framework are not both {ELSEWHERE!r}")
    evaluations = results.get("evaluations")
    fits = isinstance(evaluations, list) and bool(evaluations)
    require(fits, name, "evaluations is not a list with at least one evaluation")
    seen = set()
    for index, evaluation in enumerate(evaluations):
        where = f"{name}: evaluations[{index}]"
        _check_evaluation(evaluation, where)
        place = Evaluation.of(evaluation).place
        require(place not in seen, where, f"is a second one of {' '.join(place)}")
        seen.add(place)


def check_same_settings(config: RunConfig, evaluated: RunConfig) -> None:
    """Refuses results whose config is not the one that the run was trained with.

    Args:
      config: of config.json.
      evaluated: of results.json.

    Raises:
      UnreadableError: names the first field that differs, of those that both have and that change what is learnt.
    """
    trained, stated = config.flat, evaluated.flat
    for field in trained_otherwise(trained, stated):
        raise UnreadableError(
            f"config.json has {field} {trained[field]!r}, results.json {stated[field]!r}: they are of different "
            "runs; evaluate this one with its own settings"
        )


def _check_config_is_of(results: JsonObject, name: str) -> None:
    """What results.json says twice must be the same."""
    config = RunConfig.of(results["config"])
    for field, own, stated in (
        ("seed", results["seed"], config.seed),
        ("model", results["model"], config.model),
        ("dataset.name", results["dataset"]["name"], config.eval_dataset or config.data_name),
    ):
        require(own == stated, name, f"{field} is {own!r}, its config has {stated!r}")
    fingerprint = results.get("config_fingerprint")
    same = fingerprint in (None, config_fingerprint(config.content))
    require(same, name, "config is not the one of its config_fingerprint")


def _check_follows_seed(results: JsonObject, name: str) -> None:
    check_sources(results, name)
    seeds = results["config"].get("seeds", {})
    for source in results.get("follows_seed", []):
        same = seeds.get(source) == results["seed"]
        require(same, name, f"follows_seed has {source}, whose seed is not the run's")


def _check_dataset(dataset: JsonObject, name: str) -> None:
    check_field(dataset, "name", name, is_text, "a text")
    check_field(dataset, "complete", name, lambda value: isinstance(value, bool), "true or false")
    check_field(dataset, "counts", name, is_object, "an object")
    fits = all(is_count(count) for count in dataset["counts"].values())
    require(fits, name, "counts has something other than counts")
    check_sides(dataset, name)
    for text in ("builder_config", "fingerprint"):
        require(is_text_or_none(dataset.get(text)), name, f"{text} is not a text")
    for flag in ("drawn", "official_ids"):
        require(is_flag(dataset.get(flag)), name, f"{flag} is not true, false or null")
    drawing = dataset.get("drawing")
    require(drawing is None or is_object(drawing), name, "drawing is not an object")
    digest = dataset.get("digest")
    if digest is not None:
        require(is_object(digest), name, "digest is not an object")
        for what in ("ids", "labels"):
            check_field(
                digest, what, f"{name}: digest", _is_digests, "digests of splits and of 'all'"
            )


def _check_evaluation(evaluation: Any, name: str) -> None:
    require(is_object(evaluation), name, "is not an object")
    check_field(evaluation, "split", name, lambda value: value in SPLITS, f"one of {SPLITS}")
    for part in ("checkpoint", "row"):
        check_field(evaluation, part, name, is_safe_name, "a short name of letters and digits")
    step = evaluation.get("step")
    require(step is None or is_count(step), name, "step is not a count")
    check_field(evaluation, "images", name, is_count, "a count")
    score = "a number from 0 to 1, or null"
    for part in MEANS:
        check_field(evaluation, part, name, is_score, score)
    for part in ("class_f1", "group_f1"):
        check_field(evaluation, part, name, is_object, "an object")
        for label in evaluation[part]:
            check_field(evaluation[part], label, f"{name}: {part}", is_score, score)


def _is_digests(value: Any) -> bool:
    places = {*SPLITS, "all"}
    return is_object(value) and value.keys() == places and all(map(is_digest, value.values()))
