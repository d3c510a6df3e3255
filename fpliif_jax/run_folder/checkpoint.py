"""Checkpoints: the last and the best state of a run, written atomically by Orbax.

    <workdir>/checkpoints/last/<step>   state and progress; from here a run goes on
    <workdir>/checkpoints/best/<step>   the same at the best validation score of the stage
    <workdir>/checkpoints/after_<stage>/<step>   of a run of several stages: the networks alone, as
                                                 the next stage took them over

The state is a tree of arrays (tensorstore, never pickle); the progress is the checkpoint's JSON
metadata.

Orbax does not notice a changed byte, and prints pages about a file that is cut short. So the files are
compared with their digests before every reading (`checkpoint_files`). A run may be killed before these are written:
then what is read is compared with the digests of arrays and progress that are saved with the progress.
Checkpoints of earlier versions have no digests, and are believed.
"""

import contextlib
import json
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.devices import parallel
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import checkpoint_files, state_arrays
from fpliif_jax.run_folder.checkpoint_files import DamageError
from fpliif_jax.run_folder.quiet_orbax import quiet
from fpliif_jax.run_folder.run_config import config_fingerprint
from fpliif_jax.run_folder.state_arrays import ArrayTree, PyTree

if TYPE_CHECKING:
    from orbax.checkpoint import v1 as ocp

_DIGESTS = ("digest_of_arrays", "digest_of_progress")
_LONGEST_REASON = 200  # characters; tensorstore's own messages may repeat a whole file


class CheckpointError(UserError):
    """A checkpoint is missing, damaged or of another run; the message says what to do."""


def is_kind(which: str) -> bool:
    """Whether it is the name of a kind of checkpoint: 'last', 'best' or 'after_<stage>'."""
    return which in ("best", "last") or re.fullmatch(r"after_\w+", which) is not None


def directory(workdir: pathlib.Path | str, which: str) -> pathlib.Path:
    """Folder that holds a run's checkpoints of one kind: 'last', 'best' or 'after_<stage>'."""
    return expanded(workdir).absolute() / "checkpoints" / which


def saved_step(workdir: pathlib.Path | str, which: str) -> int | None:
    """Step of the newest complete checkpoint of that kind; None where there is none."""
    return max(checkpoint_files.steps(directory(workdir, which)), default=None)


def kinds_beside_last(workdir: pathlib.Path | str) -> list[str]:
    """The kinds of checkpoint but 'last' that a run has folders of: 'after_<stage>' and 'best', by name."""
    folders = directory(workdir, "last").parent.glob("*")
    return sorted(path.name for path in folders if path.name != "last" and is_kind(path.name))


def beside_last(workdir: pathlib.Path | str) -> Iterator[tuple[str, JsonObject]]:
    """The checkpoints but 'last' that a run has, as `kinds_beside_last` has them, and their progress."""
    for which in kinds_beside_last(workdir):
        progress = read_progress(workdir, which)
        if progress is not None:
            yield which, progress


def save(
    workdir: pathlib.Path | str, which: str, step: int, state: PyTree, progress: JsonObject
) -> None:
    """Writes a checkpoint and then drops the others of its kind. Call it in every process.

    A step that is already there is left alone: training is deterministic, so it is the same. One of a later step is of
    what a run did before it was killed; gone on with elsewhere, as on another device, it may do something else.

    Args:
      workdir: the run's folder.
      which: 'last', 'best' or 'after_<stage>'.
      step: training steps taken.
      state: tree of NumPy arrays.
      progress: JSON-ready; what else is needed to go on.

    Raises:
      CheckpointError: the disk is full or cannot be written, or another one of its kind is damaged;
        the other one stays.
    """
    folder = directory(workdir, which)
    # Elsewhere a network disk may show the folder as it was a moment ago, and all have to do the same.
    newest = parallel.of_main_process(saved_step(workdir, which))
    if newest == step:
        return
    try:
        _write(folder, step, state, progress, is_earlier=newest is not None and step < newest)
    except Exception as error:  # Orbax and tensorstore raise many kinds
        other = saved_step(workdir, which)
        remaining = "" if other is None else f"; that of step {other} is kept"
        raise CheckpointError(
            f"the checkpoint of step {step} cannot be written in {folder}{remaining}: {_in_short(error)}"
        ) from error


def _write(
    folder: pathlib.Path, step: int, state: PyTree, progress: JsonObject, is_earlier: bool
) -> None:
    # Here and not above: who labels photos with weights of the package need not wait for Orbax.
    from orbax.checkpoint import v1 as ocp

    policies = ocp.training.preservation_policies
    with (
        quiet(),
        ocp.training.Checkpointer(
            str(folder),
            # pyrefly: ignore[bad-argument-type] - Orbax's own, whose types are narrower than it declares
            preservation_policy=policies.PreserveAll() if is_earlier else policies.LatestN(1),
            cleanup_tmp_directories=True,
        ) as checkpointer,
    ):
        arrays, progress = state_arrays.of_state(state), json.loads(json.dumps(progress))
        is_saved = checkpointer.save_checkpointables(
            step,
            {"state": arrays},
            custom_metadata={**progress, **_digests(arrays, progress)},
            # Orbax takes no step before the newest one; one that a kill has left beside that is replaced.
            force=is_earlier,
            overwrite=is_earlier,
        )
    if not is_saved:
        raise RuntimeError("Orbax has not saved it")
    if jax.process_index() == 0:
        if is_earlier:
            checkpoint_files.drop_others(folder / str(step))
        checkpoint_files.write_digests(folder / str(step))
    if is_earlier:
        parallel.barrier(f"{folder.name} is replaced")


def restore(workdir: pathlib.Path | str, which: str, like: PyTree) -> tuple[PyTree, JsonObject]:
    """Reads the newest checkpoint into the structure of `like`.

    Returns:
      (state, progress).

    Raises:
      CheckpointError: there is none, an entry is missing, unknown or of another shape or dtype, or the files are
        damaged. The first difference is named.
    """
    saved = read(workdir, which)
    if saved is None:
        raise CheckpointError(
            f"the {which!r} checkpoint of {workdir} has gone since the run began; start it again"
        )
    arrays, progress = saved
    check_same_arrays(arrays, state_arrays.of_state(like), directory(workdir, which))
    return state_arrays.as_state(arrays, like), progress


def read_progress(workdir: pathlib.Path | str, which: str) -> JsonObject | None:
    """The progress alone of the newest checkpoint; None where there is none.

    Raises:
      CheckpointError: the files are damaged.
    """
    return _read(workdir, which, _read_progress)


def read(workdir: pathlib.Path | str, which: str) -> tuple[PyTree, JsonObject] | None:
    """The newest checkpoint as nested dicts of arrays, and its progress; None where there is none.

    Raises:
      CheckpointError: the files are damaged.
    """
    return _read(workdir, which, _read_step)


def _read(
    workdir: pathlib.Path | str, which: str, read_step: Callable[[pathlib.Path], Any]
) -> Any | None:
    step = saved_step(workdir, which)
    if step is None:
        return None
    folder = directory(workdir, which) / str(step)
    try:
        return read_step(folder)
    except DamageError as damage:
        raise CheckpointError(
            f"{folder} is damaged: {damage}; {_offer(workdir, which)}"
        ) from damage


def _read_progress(folder: pathlib.Path) -> JsonObject:
    """The progress in files that are as they were saved; others are read whole, to be compared.

    Of several processes all read it whole: Orbax waits for each of them there, and they may not see the same files yet.
    """
    if jax.process_count() > 1 or not checkpoint_files.are_as_saved(folder):
        return _read_step(folder)[1]
    with _reading(folder) as checkpointer:
        metadata = checkpointer.checkpointables_metadata(int(folder.name))
    return _without_digests(metadata.custom_metadata)[0]


def _read_step(folder: pathlib.Path) -> tuple[PyTree, JsonObject]:
    are_compared = checkpoint_files.are_as_saved(folder)
    with _reading(folder) as checkpointer:
        step = int(folder.name)
        metadata = checkpointer.checkpointables_metadata(step)
        like = jax.tree.map(lambda leaf: np.zeros((), leaf.dtype), metadata.metadata["state"])
        arrays = checkpointer.load_checkpointables(step, {"state": like})["state"]
    progress, saved = _without_digests(metadata.custom_metadata)
    if not are_compared and any(digest is not None for digest in saved.values()):
        for name, digest in _digests(arrays, progress).items():
            if saved[name] != digest:
                part = name.removeprefix("digest_of_")
                raise DamageError(f"its {part} are not what was saved")
    return arrays, progress


@contextlib.contextmanager
def _reading(folder: pathlib.Path) -> Iterator["ocp.training.Checkpointer"]:
    """Orbax's reader of a checkpoint; whatever it raises is damage."""
    from orbax.checkpoint import v1 as ocp

    try:
        with quiet(), ocp.training.Checkpointer(str(folder.parent)) as checkpointer:
            yield checkpointer
    except Exception as error:  # Orbax and tensorstore raise many kinds for damaged files
        raise DamageError(_in_short(error)) from error


def _without_digests(metadata: object) -> tuple[JsonObject, dict[str, str | None]]:
    if not isinstance(metadata, dict) or not metadata:
        raise DamageError("it does not say how far the run was")
    progress = dict(metadata)
    return progress, {name: progress.pop(name, None) for name in _DIGESTS}


def _in_short(error: Exception) -> str:
    if "No space left on device" in str(error):
        return "the disk is full"
    text = " ".join(str(error).split())
    text = f"{text[:_LONGEST_REASON]}…" if len(text) > _LONGEST_REASON else text
    return f"{type(error).__name__}: {text}"


def _digests(arrays: ArrayTree, progress: JsonObject) -> dict[str, str]:
    digests = (state_arrays.digest(arrays), config_fingerprint(progress))
    return dict(zip(_DIGESTS, digests, strict=True))


def _offer(workdir: pathlib.Path | str, which: str) -> str:
    """The end of the message about a damaged checkpoint: what can be done without it."""
    folder = directory(workdir, which).parent
    anew = f"to train again from the start use another --workdir, or delete all of {folder}"
    for other in ("best", "last"):
        step = None if other == which else saved_step(workdir, other)
        if step is None:
            continue
        try:
            _read_step(directory(workdir, other) / str(step))
        except DamageError:
            continue
        return (
            f"the {other!r} checkpoint of step {step} is whole: prediction takes it with "
            f"--checkpoint={other}, evaluation with \"--config.eval.checkpoints=('{other}',)\"; {anew}"
        )
    return f"there is no other one that is whole; {anew}"


def check_same_arrays(
    arrays: PyTree, expected: PyTree, folder: pathlib.Path | str, other: str = "another --workdir"
) -> None:
    """Compares names, shapes and dtypes of two trees of arrays.

    Args:
      arrays: nested dicts from a checkpoint.
      expected: nested dicts of the config's model, or of their shapes.
      folder: named in the error, with what else can be given instead of it: `other`.

    Raises:
      CheckpointError: names the first difference.
    """
    problem = state_arrays.first_difference(arrays, expected)
    if problem is not None:
        raise CheckpointError(
            f"{folder} does not fit the config: {problem}; use the config it was trained with, or {other}"
        )
