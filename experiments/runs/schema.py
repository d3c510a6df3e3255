"""What config.json, environment.json and a line of metrics.jsonl must contain for a study to use a run.

That of results.json is in `results_schema`. Numbers are finite already.
"""

from typing import Any

from fpliif_jax.data_builders import class_names
from fpliif_jax.experiments.runs.config_check import check_names, check_types
from fpliif_jax.experiments.runs.field_checks import (
    check_field,
    check_lengths,
    check_seeded_object,
    require,
)
from fpliif_jax.experiments.runs.json_values import (
    holds_measures,
    is_count,
    is_count_or_none,
    is_digest,
    is_flag,
    is_integer,
    is_list_of_texts,
    is_measure_or_none,
    is_moment,
    is_number,
    is_object,
    is_safe_name,
    is_score,
    is_text,
    is_text_or_none,
)
from fpliif_jax.files.json_types import JsonObject

# What was started in a folder, and what was planned before: either makes it the folder of a study.
STUDY_FILES = ("study.json", "plan.json")
SEED_SOURCES = ("initialisation", "data_order", "augmentation")
# Model and framework of label maps that were made elsewhere and scored here (`experiments.score`): of their training
# nothing is known.
ELSEWHERE = "elsewhere"
# With which a run may have been trained, and their names for people. Older files do not say it: they are of JAX.
FRAMEWORKS = {"jax": "JAX", "pytorch": "PyTorch", ELSEWHERE: "another system"}

SPLITS = ("train", "validation", "test")
# Characters. A command may have several paths, of 4,096 each on Linux; names of processors and versions are short.
LONGEST_TEXT, _LONGEST_NAME = 20_000, 1000
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


def check_config(config: Any, name: str = "config.json") -> None:
    """Refuses what is no config of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    check_seeded_object(config, name, LONGEST_TEXT)
    for group, text in (("data", "name"), ("model", "name"), ("train", None), ("eval", None)):
        check_field(config, group, name, is_object, "an object")
        if text is not None:
            check_field(config[group], text, f"{name}: {group}", is_text, "a text")
    synthetic = config["data"].get("synthetic", {})
    require(is_object(synthetic), name, "data.synthetic is not an object")
    seeds = config.get("seeds", {})
    require(is_object(seeds), name, "seeds is not an object")
    for source in SEED_SOURCES:
        seed = seeds.get(source)
        require(seed is None or is_integer(seed), name, f"seeds.{source} is not an integer")
    study = config.get("study", {})
    require(is_object(study), name, "study is not an object")
    margin = study.get("equivalence_margin", 1.0)
    require(
        is_number(margin) and 0 < margin <= 100,
        name,
        "study.equivalence_margin is not a number of F1 points above 0",
    )
    if config["model"]["name"] == ELSEWHERE:
        check_field(config["model"], "system", f"{name}: model", is_text, "a text")
        check_names(config, name)
        return
    size = config["data"].get("image_size")
    require(is_count(size) and size > 0, name, "data.image_size is not a number of pixels")
    check_types(config, name)


def check_environment(environment: Any, name: str = "environment.json") -> None:
    """Refuses what is no environment of a run.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    require(isinstance(environment, dict), name, "is not a JSON object")
    check_lengths(environment, name, LONGEST_TEXT)
    require(is_digest(environment.get("data_digest")), name, "data_digest is not a digest")
    require(is_flag(environment.get("data_drawn")), name, "data_drawn is not true or false")
    check_sides(environment, name)
    counts = environment.get("data_counts", {})  # which older runs do not have
    fits = is_object(counts) and all(is_count(count) for count in counts.values())
    require(fits, name, "data_counts is not an object of counts")
    drawing = environment.get("data_drawing")
    require(drawing is None or is_object(drawing), name, "data_drawing is not an object")
    versions = environment.get("versions", {})
    fits = is_object(versions) and all(is_text_or_none(text) for text in versions.values())
    require(fits, name, "versions is not an object of texts")
    for field in _TEXTS:
        require(is_text_or_none(environment.get(field)), name, f"{field} is not a text")
    for field in ("cpu_count", "process_count"):
        require(is_count_or_none(environment.get(field)), name, f"{field} is not a count")
    devices = environment.get("devices", [])
    require(is_list_of_texts(devices), name, "devices is not a list of texts")
    for field in (*_NAMES, "versions"):
        check_lengths(environment.get(field), f"{name}: {field}", _LONGEST_NAME)
    # The report names each kind once.
    check_lengths(", ".join(set(devices)), f"{name}: devices", _LONGEST_NAME)
    started = environment.get("started")  # which older runs do not have
    fits = started is None or is_moment(started)
    require(fits, name, "started is not a moment in UTC such as 2026-11-26T21:03:05+00:00")
    check_framework(environment, name)
    check_sources(environment, name)


def check_record(record: Any, name: str = "metrics.jsonl") -> None:
    """Refuses what is no line of metrics.jsonl.

    Raises:
      UnreadableError: names the first field that is missing or impossible.
    """
    require(is_object(record), name, "is not a JSON object")
    check_field(record, "step", name, is_count, "a count")
    check_field(record, "split", name, lambda value: value in SPLITS, f"one of {SPLITS}")
    stage = record.get("stage", "")
    require(stage == "" or is_safe_name(stage), name, "'stage' is not a short name")
    require(is_count_or_none(record.get("epoch")), name, "'epoch' is not a count")
    require(is_score(record.get("mean_f1")), name, "'mean_f1' is not a number from 0 to 1")
    require(is_measure_or_none(record.get("loss")), name, "'loss' is not a number")
    errors = record.get("window_error", {})
    require(is_object(errors), name, "'window_error' is not an object")
    for field, value in record.items():
        if field not in ("split", "stage"):
            require(holds_measures(value), name, f"{field[:100]!r} is not a number")


def check_sides(content: JsonObject, name: str) -> None:
    """Refuses a `whose_left` that is no side."""
    known = (class_names.PICTURE, class_names.PERSON)
    whose_left = content.get("whose_left")  # which files of older runs do not have
    require(whose_left in (None, *known), name, f"whose_left is not one of {', '.join(known)}")


def check_sources(content: JsonObject, name: str) -> None:
    """Refuses a `follows_seed` that is no list of sources of variation."""
    sources = content.get("follows_seed", [])  # which older runs do not have
    fits = is_list_of_texts(sources) and set(sources) <= set(SEED_SOURCES)
    require(fits, name, f"follows_seed is not a list of {', '.join(SEED_SOURCES)}")


def check_framework(content: JsonObject, name: str) -> None:
    """Refuses a `framework` that no run is trained with."""
    framework = content.get("framework", "jax")
    known = is_text(framework) and framework in FRAMEWORKS
    require(known, name, f"'framework' is not one of {', '.join(FRAMEWORKS)}")
