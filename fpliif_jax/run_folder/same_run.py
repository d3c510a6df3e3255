"""Whether a run goes on, or is scored, as what it was begun as: config, data, classes, and sides of the face."""

import itertools
import pathlib
from collections.abc import Collection, Sequence
from typing import Any

import ml_collections

from fpliif_jax.data import sides
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.fields.json_types import Fields, JsonObject
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.run_folder.run_config import flatten_config, is_within, json_config

# Of the fields that may change between two sessions of one run: they say where things lie, what is shown
# and what is evaluated, never what is learned.
_FREE = (Role.PLACE, Role.COST, Role.DISPLAY, Role.PROTOCOL, Role.SCORING)
# Of the others those that may be given where a finished run is scored again.
_SCORED_WITH = (Role.ROUNDING, Role.RECORD, Role.DRAWING)
_OTHER_RUN = "give it the same value, use another --workdir, or delete this one to start afresh"


def check_same_run(
    progress: JsonObject, config: ml_collections.ConfigDict, fingerprint: str, workdir: object
) -> None:
    """Refuses to go on with a run whose settings or data are not those it was started with.

    Raises:
      CheckpointError: names the first field that differs, with both values.
    """
    names, whose_left = progress.get("class_names", ()), progress.get("whose_left")
    refuse_swapped_sides(sides.are_swapped(progress["config"], names, whose_left), workdir)
    fields = tuple(flatten_config(progress["config"]).keys() | flatten_config(json_config(config)))
    fields = tuple(field for field in fields if not is_free(field))
    now = flatten_config(json_config(config))
    before = config_fields.with_earlier(flatten_config(progress["config"]), now)
    before |= progress.get("chosen", {})
    fields = tuple(
        field for field in fields if not goes_on_with(field, before.get(field), now.get(field))
    )
    check_same_fields(progress["config"], config, fields, workdir)
    if progress["fingerprint"] != fingerprint:
        raise CheckpointError(
            f"{workdir} holds a run on other data: fingerprint {progress['fingerprint'][:16]}… "
            f"then, {fingerprint[:16]}… now; {_OTHER_RUN}"
        )


def check_may_begin(
    config: ml_collections.ConfigDict, fingerprint: str, epochs: int, workdir: pathlib.Path
) -> None:
    """Refuses to begin a run, in a folder without a 'last' checkpoint, where it would replace others.

    Those of a run that was killed before it had saved a 'last' one are made again.

    Args:
      config: of the run.
      fingerprint: of its data.
      epochs: after which a 'last' checkpoint is saved, at the latest.
      workdir: the run's folder.

    Raises:
      CheckpointError: there are weights from elsewhere, or checkpoints of another run or of more epochs.
    """
    for which, earlier in checkpoint.beside_last(workdir):
        if earlier.get("fingerprint") is None:
            raise CheckpointError(
                f"{workdir} holds weights that no run trained there, and training would replace them; use another "
                f"--workdir, and start from them with --config.train.init_from={workdir}"
            )
        try:
            stage, step = earlier.get("stage", 0), earlier["step"]
            is_later = stage > 0 or earlier["train"]["epochs"] > epochs
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{workdir}: its {which!r} checkpoint does not say how far it is ({error!r}); use another --workdir"
            ) from error
        if is_later:
            raise CheckpointError(
                f"{workdir} has a {which!r} checkpoint, of step {step}, and no 'last' one to go on from: "
                "training would begin anew and replace it; use another --workdir, or delete all of "
                f"{checkpoint.directory(workdir, which).parent}"
            )
        check_same_run(earlier, config, fingerprint, workdir)


def is_free(field: str) -> bool:
    """Whether a field of a config may change between two sessions of one run."""
    return config_fields.has_role(field, *_FREE)


def may_be_scored_with(field: str) -> bool:
    """Whether a field of a config may be another where a run is scored than where it was trained."""
    return is_free(field) or config_fields.has_role(field, *_SCORED_WITH)


def trained_otherwise(trained: Fields, now: Fields) -> list[str]:
    """Fields that two flat configs of one run both have, that differ, and that scoring may not change, by name."""
    return [
        field
        for field in sorted(trained.keys() & now.keys())
        if trained[field] != now[field] and not may_be_scored_with(field)
    ]


def check_scored_as_trained(
    saved: JsonObject,
    config: ml_collections.ConfigDict,
    workdir: object,
    fields: Collection[str] | None = None,
) -> None:
    """Refuses to score a run under settings that it was not trained with: its results would state them.

    Args:
      saved: the run's config.
      config: to score it with.
      workdir: of the run, named in the error.
      fields: those to compare; None: all that both have.

    Raises:
      SettingsError: names the first that differs and is none of `may_be_scored_with`.
    """
    now = flatten_config(json_config(config))
    own = config_fields.with_earlier(flatten_config(saved), now)
    for field in trained_otherwise(own, now):
        if fields is None or field in fields:
            raise SettingsError(
                f"config.{field} is {now[field]!r}, and the run in {workdir} was trained with {own[field]!r}: to "
                f"score that run give its own --config, and leave --config.{field} out"
            )


def goes_on_with(field: str, before: Any, now: Any) -> bool:
    """Whether a run whose field has the value `before` may go on under a config where it is `now`.

    It may where they are equal, and where it is 'auto' now: that is whatever the run began with.
    """
    return before == now or (config_fields.may_be_auto(field) and now == AUTO)


def refuse_swapped_sides(are_swapped: bool, origin: object) -> None:
    """Refuses to train on, or to score, what has left and right the other way round than the data.

    Args:
      are_swapped: see `sides.are_swapped`.
      origin: the run's folder, named in the error.

    Raises:
      CheckpointError: they are swapped.
    """
    if are_swapped:
        raise CheckpointError(f"{sides.explanation(origin)}. Train it again, in another --workdir")


def check_same_classes(trained: Sequence[str], data: Sequence[str], origin: object) -> None:
    """Refuses to score a run on data whose ids mean other classes.

    Args:
      trained, data: names of the classes, index = id.
      origin: the run's folder or file.

    Raises:
      CheckpointError: names the first id whose classes differ.
    """
    for index, (then, now) in enumerate(itertools.zip_longest(trained, data, fillvalue="none")):
        if then != now:
            raise CheckpointError(
                f"{origin} was trained on other classes: id {index} was {then!r} and is {now!r} in the data now"
            )


def check_same_fields(
    saved: JsonObject,
    config: ml_collections.ConfigDict,
    fields: tuple[str, ...],
    workdir: object,
) -> None:
    """Compares some fields of a run's config with those of another.

    Args:
      saved: the config in the run's checkpoint.
      config: of this session.
      fields: their names, or those of groups of fields ('model').
      workdir: named in the error.

    Raises:
      CheckpointError: names the first field that differs, with both values.
    """
    now = flatten_config(json_config(config))
    before = config_fields.with_earlier(flatten_config(saved), now)
    for field in sorted(before.keys() | now.keys()):
        if is_within(field, fields) and before.get(field) != now.get(field):
            raise CheckpointError(
                f"{workdir} holds a run with other settings: config.{field} was "
                f"{before.get(field)!r} and is now {now.get(field)!r}; {_OTHER_RUN}"
            )
