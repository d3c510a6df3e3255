"""Checkpoints: the last and the best state of a run, written atomically by Orbax.

    <workdir>/checkpoints/last/<step>   state and progress; from here a run goes on
    <workdir>/checkpoints/best/<step>   the same at the best validation score of the stage
    <workdir>/checkpoints/after_<stage>/<step>   of a run of several stages: the networks alone, as
                                                 the next stage took them over

The state is a tree of arrays (tensorstore, never pickle); the progress is the checkpoint's JSON
metadata.

Orbax does not notice a changed byte. So digests of the arrays and of the progress are kept with the
progress and compared at every reading; before that those of the files, which lie in
<workdir>/checkpoints/<kind>.sha256.json, since Orbax prints pages about a file that is cut short.
Checkpoints of earlier versions have no digests, and are believed.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import logging
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import flax.serialization
import jax
import ml_collections
import numpy as np
from flax import traverse_util
from orbax.checkpoint import v1 as ocp

from fpliif_jax.data import sides
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.files import atomic_file
from fpliif_jax.run_folder import config_fields
from fpliif_jax.run_folder.config_fields import Role
from fpliif_jax.run_folder.setting_ranges import AUTO

PyTree = Any
# Of the fields that may change between two sessions of one run: they say where things lie, what is shown
# and what is evaluated, never what is learned.
_FREE = (Role.PLACE, Role.COST, Role.DISPLAY, Role.PROTOCOL, Role.SCORING)
_DIGESTS = ("digest_of_arrays", "digest_of_progress")
_LONGEST_REASON = 200  # characters; tensorstore's own messages may repeat a whole file
_OTHER_RUN = "give it the same value, use another --workdir, or delete this one to start afresh"


class CheckpointError(UserError):
    """A checkpoint is missing, damaged or of another run; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class InferenceCheckpoint:
    """What prediction and evaluation need of a run.

    Attributes:
      config: the run's settings.
      variables: {'params': …[, 'batch_stats': …]}, float32 NumPy arrays.
      class_names: names by label id.
      step: training step of the checkpoint.
      fingerprint: of the data it was trained on; None where that is not known.
      note: where it comes from, if not from a run.
      whose_left: what the run recorded of `sides.whose_left`; None where it is an earlier run or none.
    """

    config: ml_collections.ConfigDict
    variables: dict[str, PyTree]
    class_names: tuple[str, ...]
    step: int
    fingerprint: str | None
    note: str | None = None
    whose_left: str | None = None

    @property
    def sides_are_swapped(self) -> bool:
        """Whether left and right of its classes are the other way round than their names say."""
        return sides.are_swapped(self.config, self.class_names, self.whose_left)


def is_kind(which: str) -> bool:
    """Whether that is what a kind of checkpoint can be called."""
    return which in ("best", "last") or re.fullmatch(r"after_\w+", which) is not None


def directory(workdir: pathlib.Path | str, which: str) -> pathlib.Path:
    """Folder that holds a run's checkpoints of one kind: 'last', 'best' or 'after_<stage>'."""
    return pathlib.Path(workdir).absolute() / "checkpoints" / which


def saved_step(workdir: pathlib.Path | str, which: str) -> int | None:
    """Step of the newest complete checkpoint of that kind; None where there is none."""
    try:
        names = os.listdir(directory(workdir, which))
    except (FileNotFoundError, NotADirectoryError):
        return None
    # Orbax writes elsewhere and renames: what bears the name of a step alone is whole.
    return max((int(name) for name in names if re.fullmatch("[0-9]{1,18}", name)), default=None)


def save(
    workdir: pathlib.Path | str, which: str, step: int, state: PyTree, progress: dict[str, Any]
) -> None:
    """Writes a checkpoint and then drops the older ones of its kind. Call it in every process.

    A step that is already there is left alone: training is deterministic, so it is the same.

    Args:
      workdir: the run's folder.
      which: 'last', 'best' or 'after_<stage>'.
      step: training steps taken.
      state: tree of NumPy arrays.
      progress: JSON-ready; what else is needed to go on.

    Raises:
      CheckpointError: the disk is full or cannot be written, or an older one of its kind is damaged;
        what was there is kept.
    """
    folder = directory(workdir, which)
    if saved_step(workdir, which) == step:
        return
    try:
        _write(folder, step, state, progress)
    except Exception as error:  # Orbax and tensorstore raise many kinds
        older = saved_step(workdir, which)
        kept = "" if older is None else f"; that of step {older} is kept"
        raise CheckpointError(
            f"the checkpoint of step {step} cannot be written in {folder}{kept}: {_in_short(error)}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Orbax from printing the stacks of its threads: what went wrong is raised as well."""
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _write(folder: pathlib.Path, step: int, state: PyTree, progress: dict[str, Any]) -> None:
    with (
        _quiet(),
        ocp.training.Checkpointer(
            folder,
            preservation_policy=ocp.training.preservation_policies.LatestN(1),
            cleanup_tmp_directories=True,
        ) as checkpointer,
    ):
        arrays, progress = _arrays(state), json.loads(json.dumps(progress))
        checkpointer.save_checkpointables(
            step, {"state": arrays}, custom_metadata={**progress, **_digests(arrays, progress)}
        )
    if jax.process_index() == 0:
        digests = {"step": step, "files": _file_digests(folder / str(step))}
        with atomic_file.replacing(_digest_file(folder)) as file:
            file.write(json.dumps(digests, indent=2).encode())


def restore(
    workdir: pathlib.Path | str, which: str, like: PyTree
) -> tuple[PyTree, dict[str, Any]] | None:
    """Reads the newest checkpoint into the structure of `like`.

    Returns:
      (state, progress), or None where there is no checkpoint.

    Raises:
      CheckpointError: an entry is missing, unknown or of another shape or dtype, or the files are
        damaged. The first difference is named.
    """
    found = _read(workdir, which)
    if found is None:
        return None
    arrays, progress = found
    check_same_arrays(arrays, _arrays(like), directory(workdir, which))
    state = flax.serialization.from_state_dict(like, _with_empty_nodes(arrays, like))
    return state, progress


def read_progress(workdir: pathlib.Path | str, which: str) -> dict[str, Any] | None:
    """The progress alone of the newest checkpoint; None where there is none."""
    found = _read(workdir, which)
    return None if found is None else found[1]


def check_same_run(
    progress: dict[str, Any], config: ml_collections.ConfigDict, fingerprint: str, workdir: object
) -> None:
    """Refuses to go on with a run whose settings or data are not those it was started with.

    Raises:
      CheckpointError: names the first field that differs, with both values.
    """
    names, whose_left = progress.get("class_names", ()), progress.get("whose_left")
    refuse_swapped_sides(sides.are_swapped(progress["config"], names, whose_left), workdir)
    fields = tuple(flatten_config(progress["config"]).keys() | flatten_config(json_config(config)))
    fields = tuple(field for field in fields if not is_free(field))
    before = flatten_config(progress["config"]) | progress.get("chosen", {})
    now = flatten_config(json_config(config))
    fields = tuple(
        field for field in fields if not goes_on_with(field, before.get(field), now.get(field))
    )
    check_same_fields(progress["config"], config, fields, workdir)
    if progress["fingerprint"] != fingerprint:
        raise CheckpointError(
            f"{workdir} holds a run on other data: fingerprint {progress['fingerprint'][:16]}… "
            f"then, {fingerprint[:16]}… now; {_OTHER_RUN}"
        )


def is_free(field: str) -> bool:
    """Whether a field of a config may change between two sessions of one run."""
    return config_fields.has_role(field, *_FREE)


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
    saved: dict[str, Any],
    config: ml_collections.ConfigDict,
    fields: tuple[str, ...],
    workdir: object,
) -> None:
    """Compares some fields of a run's config with those of another.

    Args:
      saved: the config kept with the run's checkpoint.
      config: the one given now.
      fields: their names, or those of groups of fields ('model').
      workdir: named in the error.

    Raises:
      CheckpointError: names the first field that differs, with both values.
    """
    before, now = flatten_config(saved), flatten_config(json_config(config))
    for field in sorted(before.keys() | now.keys()):
        if is_within(field, fields) and before.get(field) != now.get(field):
            raise CheckpointError(
                f"{workdir} holds a run with other settings: config.{field} was "
                f"{before.get(field)!r} and is now {now.get(field)!r}; {_OTHER_RUN}"
            )


def load_for_inference(workdir: pathlib.Path | str, which: str = "best") -> InferenceCheckpoint:
    """Reads the model of a run.

    Args:
      workdir: a run's folder.
      which: 'best', 'last' or 'after_<stage>'.

    Raises:
      CheckpointError: there is no such checkpoint, or it is damaged.
    """
    if not is_kind(which):
        raise CheckpointError(
            f"checkpoint is {which!r}; it must be 'best', 'last' or 'after_STAGE'"
        )
    found = _read(workdir, which)
    if found is None:
        kinds = [kind for kind in ("best", "last") if saved_step(workdir, kind) is not None]
        hint = f"; there is a {kinds[0]!r} one" if kinds else "; train first, or check --workdir"
        raise CheckpointError(f"no {which!r} checkpoint in {workdir}{hint}")
    state, progress = found
    try:
        variables = {"params": state["params"]}
        if state.get("batch_stats"):
            variables["batch_stats"] = state["batch_stats"]
        config = ml_collections.ConfigDict(_lists_to_tuples(progress["config"]))
        return InferenceCheckpoint(
            config.lock(),
            variables,
            tuple(progress["class_names"]),
            int(progress["step"]),
            progress["fingerprint"],
            progress.get("note"),
            progress.get("whose_left"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{directory(workdir, which)}: not a checkpoint of this program ({error!r})"
        ) from error


def json_config(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """A config as JSON-ready nested dicts: references resolved, tuples as lists."""
    return json.loads(config.to_json())


def config_fingerprint(config: dict[str, Any]) -> str:
    """SHA-256 of a config as JSON, whatever the order of its fields: equal for equal settings alone."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def flatten_config(config: dict[str, Any]) -> dict[str, Any]:
    """{'a': {'b': 1}} -> {'a.b': 1}."""
    return traverse_util.flatten_dict(config, sep=".")


def is_within(field: str, groups: Sequence[str]) -> bool:
    """Whether a field of a config ('model.norm') is one of these, or of one of these groups ('model')."""
    return any(field == group or field.startswith(f"{group}.") for group in groups)


def _read(workdir: pathlib.Path | str, which: str) -> tuple[PyTree, dict[str, Any]] | None:
    step = saved_step(workdir, which)
    if step is None:
        return None
    folder = directory(workdir, which) / str(step)
    try:
        return _read_step(folder)
    except _DamageError as damage:
        raise CheckpointError(
            f"{folder} is damaged: {damage}; {_offer(workdir, which)}"
        ) from damage


class _DamageError(Exception):
    """A checkpoint is not what was saved; the message says how that shows."""


def _read_step(folder: pathlib.Path) -> tuple[PyTree, dict[str, Any]]:
    step = int(folder.name)
    _check_files(folder)
    try:
        with _quiet(), ocp.training.Checkpointer(folder.parent) as checkpointer:
            metadata = checkpointer.checkpointables_metadata(step)
            like = jax.tree.map(lambda leaf: np.zeros((), leaf.dtype), metadata.metadata["state"])
            arrays = checkpointer.load_checkpointables(step, {"state": like})["state"]
        progress = dict(metadata.custom_metadata)
    except Exception as error:  # Orbax and tensorstore raise many kinds for damaged files
        raise _DamageError(_in_short(error)) from error
    saved = {name: progress.pop(name, None) for name in _DIGESTS}
    if any(digest is not None for digest in saved.values()):
        for name, digest in _digests(arrays, progress).items():
            if saved[name] != digest:
                part = name.removeprefix("digest_of_")
                raise _DamageError(f"its {part} are not what was saved")
    return arrays, progress


def _in_short(error: Exception) -> str:
    if "No space left on device" in str(error):
        return "the disk is full"
    text = " ".join(str(error).split())
    text = f"{text[:_LONGEST_REASON]}…" if len(text) > _LONGEST_REASON else text
    return f"{type(error).__name__}: {text}"


def _check_files(folder: pathlib.Path) -> None:
    """Compares a checkpoint's files with their digests, where these are of this checkpoint."""
    try:
        saved = json.loads(_digest_file(folder.parent).read_text(encoding="utf-8"))
        step, files = saved["step"], dict(saved["files"])
    except (OSError, ValueError, KeyError, TypeError):
        # Of an earlier version, of a run killed before they were written, or damaged themselves:
        # then the digests of arrays and progress speak.
        return
    if step != int(folder.name):
        return
    found = _file_digests(folder)
    for name in sorted(files.keys() | found.keys()):
        if files.get(name) != found.get(name):
            problem = "is missing" if name not in found else "is not what was saved"
            raise _DamageError(f"its file {name} {problem}")


def _digest_file(folder: pathlib.Path) -> pathlib.Path:
    return folder.parent / f"{folder.name}.sha256.json"


def _file_digests(folder: pathlib.Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[path.relative_to(folder).as_posix()] = digest
    return digests


def _digests(arrays: dict[str, Any], progress: dict[str, Any]) -> dict[str, str]:
    digest = hashlib.sha256()
    for name, array in sorted(traverse_util.flatten_dict(arrays, sep="/").items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.asarray(array).tobytes())
    return dict(zip(_DIGESTS, (digest.hexdigest(), config_fingerprint(progress)), strict=True))


def _offer(workdir: pathlib.Path | str, which: str) -> str:
    """What can be done without a checkpoint that is damaged."""
    for other in ("best", "last"):
        step = None if other == which else saved_step(workdir, other)
        if step is None:
            continue
        try:
            _read_step(directory(workdir, other) / str(step))
        except _DamageError:
            continue
        return (
            f"the {other!r} checkpoint of step {step} is whole: prediction takes it with "
            f"--checkpoint={other}, evaluation with \"--config.eval.checkpoints=('{other}',)\"; to train "
            "again, delete the damaged one"
        )
    return "there is no other one that is whole; delete it to train again"


def _arrays(state: PyTree) -> dict[str, Any]:
    """Nested dicts of arrays alone: named tuples become dicts, empty nodes go."""
    flat = traverse_util.flatten_dict(flax.serialization.to_state_dict(state))
    return traverse_util.unflatten_dict({path: np.asarray(leaf) for path, leaf in flat.items()})


def _with_empty_nodes(arrays: dict[str, Any], like: PyTree) -> dict[str, Any]:
    """Puts back the empty nodes that `_arrays` drops, where `like` has them."""
    template = traverse_util.flatten_dict(
        flax.serialization.to_state_dict(like), keep_empty_nodes=True
    )
    flat = traverse_util.flatten_dict(arrays)
    return traverse_util.unflatten_dict(
        {
            path: node if node is traverse_util.empty_node else flat[path]
            for path, node in template.items()
        }
    )


def check_same_arrays(found: PyTree, wanted: PyTree, folder: pathlib.Path) -> None:
    """Compares names, shapes and dtypes of two trees of arrays.

    Args:
      found: nested dicts from a checkpoint.
      wanted: nested dicts that the config asks for.
      folder: named in the error.

    Raises:
      CheckpointError: names the first difference.
    """
    found, wanted = (traverse_util.flatten_dict(tree, sep="/") for tree in (found, wanted))
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            problem = f"{name} is missing"
        elif name not in wanted:
            problem = f"{name} is in the checkpoint, not in the model of this config"
        elif found[name].shape != wanted[name].shape or found[name].dtype != wanted[name].dtype:
            problem = (
                f"{name} is {found[name].dtype}{list(found[name].shape)} in the checkpoint, "
                f"{wanted[name].dtype}{list(wanted[name].shape)} for this config"
            )
        else:
            continue
        raise CheckpointError(
            f"{folder} does not fit the config: {problem}; "
            "use the config it was trained with, or another --workdir"
        )


def _lists_to_tuples(node: Any) -> Any:
    """JSON has no tuples; configs have no lists."""
    if isinstance(node, dict):
        return {key: _lists_to_tuples(value) for key, value in node.items()}
    if isinstance(node, list):
        return tuple(_lists_to_tuples(value) for value in node)
    return node
