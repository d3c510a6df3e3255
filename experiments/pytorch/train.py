"""Trains FP-LIIF in PyTorch and evaluates it.

    python -m experiments.pytorch.train --config=lapa --config.data.manual_dir=DOWNLOADS
    python -m experiments.pytorch.train --config=synthetic --workdir=runs/pytorch --device=cpu

The config, the batches and their order, what is drawn for each augmentation and the initial weights are those of
`python -m fpliif_jax.main`, and so are the files that the run leaves but for the checkpoints; results.json has
"framework": "pytorch".
"""

from absl import flags

from fpliif_jax.commands import command_line

_CONFIG = command_line.define_config_flag()
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run's folder; none: runs/<config>-pytorch/seed<seed>."
)
_DEVICE = flags.DEFINE_string("device", None, "'cpu' or 'cuda[:N]'; none: cuda if there is one.")


def _work() -> int:
    from fpliif_jax.experiments.pytorch import train_and_evaluate

    return train_and_evaluate.main(
        _CONFIG.value, command_line.config_name(), _WORKDIR.value, _DEVICE.value
    )


if __name__ == "__main__":
    command_line.run_with_flags("experiments.pytorch.train", __doc__, _work)
