"""Trains and evaluates the face parser that an experiment describes.

    python -m fpliif_jax.main
    python -m fpliif_jax.main --config=lapa --config.data.manual_dir=DOWNLOADS --config.seed=1

The first draws faces and trains a small FP-LIIF on them. Every setting is a field of the experiment:
--config.train.epochs=2; --fields lists them, with what each may be. The same command goes on with what was interrupted;
results.json is in the run's folder when it is finished, or scored before with --mode=eval.
"""

import shutil

from absl import flags

from fpliif_jax.commands import command_line, large_pages
from fpliif_jax.fields import listing
from fpliif_jax.weights import shipped

_CONFIG = command_line.define_config_flag()
_WORKDIR = flags.DEFINE_string("workdir", None, "Run's folder; none: runs/<config>/seed<seed>.")
_MODE = flags.DEFINE_enum(
    "mode", "train_and_eval", ["train", "eval", "train_and_eval"], "What to do."
)
_FIELDS = flags.DEFINE_bool(
    "fields", False, "List the experiment's fields, and what each may be; do nothing else."
)
_TORCH = flags.DEFINE_string("torch_checkpoint", None, "File of weights to evaluate.")
_WEIGHTS = flags.DEFINE_string(
    "weights", None, f"Weights of the package to evaluate: {', '.join(shipped.NAMES)}."
)
_DISTRIBUTED = flags.DEFINE_enum(
    "distributed",
    "auto",
    ["auto", "off"],
    "auto: joins the processes that Slurm, MPI, Kubernetes or Cloud TPU has started; off: a run of its own.",
)
_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "host:port of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Processes of a multi-host run.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Index of this process, from 0.")


def _work() -> int:
    if _FIELDS.value:
        print(listing.listing(_CONFIG.value, shutil.get_terminal_size().columns))
        return 0
    large_pages.restart_with("fpliif_jax.main")
    from fpliif_jax.interop import given_weights
    from fpliif_jax.training import train_and_evaluate

    return train_and_evaluate.main(
        _CONFIG.value,
        command_line.config_name(),
        workdir=_WORKDIR.value,
        mode=_MODE.value,
        weights=given_weights.of_flags(_TORCH.value, _WEIGHTS.value),
        processes=(
            _DISTRIBUTED.value,
            _COORDINATOR.value,
            _NUM_PROCESSES.value,
            _PROCESS_ID.value,
        ),
        given=command_line.given_fields(),
        is_chosen=bool(flags.FLAGS["config"].present),
    )


def command() -> None:
    """Runs the command."""
    command_line.run_with_flags("fpliif_jax.main", __doc__, _work)


if __name__ == "__main__":
    command()
