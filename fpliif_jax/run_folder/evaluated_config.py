"""The config that a run is scored with: its own, but for what may be another when it is scored again."""

import contextlib
import copy
import functools
import operator
import pathlib
from collections.abc import Sequence

import ml_collections
from flax import traverse_util

from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder.run_config import (
    config_of_json,
    flatten_config,
    is_within,
    json_config,
)
from fpliif_jax.run_folder.run_record import RunRecordError, read_record
from fpliif_jax.run_folder.same_run import check_scored_as_trained, is_free, may_be_scored_with


def of_run(
    config: ml_collections.ConfigDict,
    given: Sequence[str],
    workdir: pathlib.Path,
    is_chosen: bool = True,
) -> ml_collections.ConfigDict:
    """What a run is scored with under the config of a command line.

    The command line says what is scored, how, and where things lie (`is_free`), and what else `may_be_scored_with`
    allows where it is given there by name. Everything else is the run's own, whatever the config's file has.

    Args:
      config: of the command line; stays what it is.
      given: fields of it, or groups of them, that were given there by name ('train.epochs').
      workdir: the run's folder; where it has no config.json, the config is taken as it is.
      is_chosen: whether the config's file was; of the one that is taken where none is, what was given alone counts.

    Raises:
      SettingsError: a field was given that is not the run's and may not be another, or the system is not the run's.
      RunRecordError: config.json cannot be read.
    """
    path = workdir / "config.json"
    try:
        saved = read_record(path)
    except (OSError, ValueError) as error:
        raise RunRecordError(
            f"{path} cannot be read: {error}; the settings of the run are in it"
        ) from error
    if saved is None:
        return config
    fields = flatten_config(json_config(config))
    own = config_fields.with_earlier(flatten_config(saved), fields)
    own = flatten_config(config_of_json(traverse_util.unflatten_dict(own, sep=".")).to_dict())
    named = {field for field in fields if is_within(field, given)}
    check_scored_as_trained(saved, config, workdir, {*named, "model.name"})
    scored = copy.deepcopy(config)  # its references are its own
    fixed = _fixed_seeds(workdir, config)
    with scored.ignore_type(), scored.unlocked():
        for field in sorted(own.keys() & fields.keys()):  # 'seed' before those that follow it
            if (is_chosen and is_free(field)) or (field in named and may_be_scored_with(field)):
                continue
            now = functools.reduce(operator.getitem, field.split("."), scored)
            if now != own[field] or field in fixed:
                scored.update_from_flattened_dict({field: own[field]})
    return scored


def _fixed_seeds(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> set[str]:
    """Fields of config.seeds that were given a value, which the value alone does not show.

    The run's earlier results say it, or what was recorded when it was trained.
    """
    for name in ("results.json", "environment.json"):
        record = None
        # A damaged file tells nothing, and is no reason not to score again.
        with contextlib.suppress(OSError, ValueError):
            record = read_record(workdir / name)
        follows = (record or {}).get("follows_seed")
        if isinstance(follows, list):
            return {
                f"seeds.{source}" for source in config.get("seeds") or {} if source not in follows
            }
    return set()  # an older run
