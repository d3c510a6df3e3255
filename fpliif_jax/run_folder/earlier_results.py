"""Keeps the scores of a run that are about to be replaced by others."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from absl import logging

from fpliif_jax.data_builders.errors import naming_instead
from fpliif_jax.data_builders.host import atomic_file, atomic_folder
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.run_folder import evaluation_files
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.run_folder.same_run import may_be_scored_with

FOLDER = "earlier_results"  # of a run
_LARGEST = 1024 * MEBIBYTE  # of a file that is kept


def keep(workdir: pathlib.Path, new: Mapping[str, Any] | None) -> pathlib.Path | None:
    """Copies results.json, its matrices and its pictures to earlier_results/N, where something of it would be lost.

    The copy is there when it is whole. Nothing is copied where every evaluation of it is among the new ones (the same
    place, step, data, settings and scores), or where it is kept already. A results.json that is damaged is kept as it
    is. One line says where.

    Args:
      workdir: the run's folder.
      new: the results that will replace it; None where there are none yet.

    Returns:
      The folder of the copy, also of one that was there; None where nothing would be lost.

    Raises:
      OSError: it cannot be read, or the copy cannot be written.
    """
    path = workdir / "results.json"
    if not os.path.lexists(path):
        return None
    content = read_regular(path, _LARGEST)
    try:
        old = json.loads(content)
        named = {
            evaluation_files.evaluation_file(one["split"], one["checkpoint"], one["row"]).name
            for one in old["evaluations"]
        }
        is_lost = new is None or not _evaluations(old) <= _evaluations(new)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        named, is_lost = None, True
    copies = list((workdir / FOLDER).glob("[0-9]*"))
    if not is_lost:
        return None
    for copy in copies:
        if _has(copy / path.name, content):
            return copy
    number = 1 + max((int(copy.name) for copy in copies if copy.name.isdecimal()), default=0)
    kept = workdir / FOLDER / str(number)
    contents = {path.name: content}
    for file in (workdir / evaluation_files.FOLDER).glob(f"*{evaluation_files.SUFFIX}"):
        if named is None or file.name in named:
            contents[f"{evaluation_files.FOLDER}/{file.name}"] = read_regular(file, _LARGEST)
    for name in (evaluation_files.EXAMPLES, evaluation_files.SHEET):
        if os.path.lexists(workdir / name):
            contents[name] = read_regular(workdir / name, _LARGEST)
    kept.parent.mkdir(exist_ok=True)
    with atomic_folder.replacing(kept) as folder, naming_instead(kept):
        (folder / evaluation_files.FOLDER).mkdir()
        for name, content in contents.items():
            with atomic_file.replacing(folder / name) as copy:  # waits until it is on the disk
                copy.write(content)
    logging.warning("the run's earlier scores are kept in %s", kept)
    return kept


def _has(path: pathlib.Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _decides_scores(field: str) -> bool:
    """Whether scores under another value of this field are others; what is scored an evaluation says itself."""
    if may_be_scored_with(field):
        return config_fields.has_role(field, Role.SCORING)
    return not config_fields.has_role(field, Role.MARGIN)


def _evaluations(results: Mapping[str, Any]) -> set[str]:
    """What each evaluation of results.json is of, and what it has found."""
    dataset, config = results["dataset"], flatten_config(results["config"])
    settings = {
        field: value
        for field, value in config_fields.without_earlier(config).items()
        if _decides_scores(field)
    }
    found = set()
    for one in results["evaluations"]:
        split, digest = one["split"], dataset.get("digest")
        of_split = digest and [digest[what][split] for what in ("ids", "labels")]
        # Notes alone tell weights that no run trained from others.
        weights = results["notes"] if one["checkpoint"] == "given" else None
        data = [dataset["name"], of_split or dataset.get("fingerprint")]
        found.add(json.dumps([one, weights, data, settings], sort_keys=True))
    return found
