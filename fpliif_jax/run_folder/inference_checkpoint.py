"""A trained model as prediction and evaluation take it, from a run's checkpoint or from elsewhere."""

import dataclasses
import pathlib

import ml_collections

from fpliif_jax.data import sides
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.run_folder.run_config import config_of_json


@dataclasses.dataclass(frozen=True)
class InferenceCheckpoint:
    """A checkpoint with all that prediction and evaluation need of its run.

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
    variables: Variables
    class_names: tuple[str, ...]
    step: int
    fingerprint: str | None
    note: str | None = None
    whose_left: str | None = None

    @property
    def sides_are_swapped(self) -> bool:
        """Whether left and right of its classes are the other way round than their names say."""
        return sides.are_swapped(self.config, self.class_names, self.whose_left)


def load_for_inference(workdir: pathlib.Path | str, which: str = "best") -> InferenceCheckpoint:
    """Reads the model of a run.

    Args:
      workdir: a run's folder.
      which: 'best', 'last' or 'after_<stage>'.

    Raises:
      CheckpointError: there is no such checkpoint, or it is damaged.
    """
    if not checkpoint.is_kind(which):
        raise CheckpointError(
            f"checkpoint is {which!r}; it must be 'best', 'last' or 'after_STAGE'"
        )
    saved = checkpoint.read(workdir, which)
    if saved is None:
        kinds = [
            kind for kind in ("best", "last") if checkpoint.saved_step(workdir, kind) is not None
        ]
        hint = f"; there is a {kinds[0]!r} one" if kinds else "; train first, or check the folder"
        raise CheckpointError(f"no {which!r} checkpoint in {workdir}{hint}")
    state, progress = saved
    try:
        variables = {"params": state["params"]}
        if state.get("batch_stats"):
            variables["batch_stats"] = state["batch_stats"]
        return InferenceCheckpoint(
            config_of_json(progress["config"]).lock(),
            variables,
            tuple(progress["class_names"]),
            int(progress["step"]),
            progress["fingerprint"],
            progress.get("note"),
            progress.get("whose_left"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{checkpoint.directory(workdir, which)}: not a checkpoint of this program ({error!r})"
        ) from error
