"""Three sizes of every experiment: as published, small enough for a desk, and a smoke test.

paper   the published settings, on the real data
small   the same comparison with small networks on drawn faces in the data set's layout: minutes a run on two cores
smoke   seconds a run: shows that every command works; the scores mean nothing

Of plans of one's own 'paper' is the plan as it is written, and 'smoke' a few of its steps on its own data.
"""

import fractions
import functools
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import DataError, UserError
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.fields.json_types import Fields

if TYPE_CHECKING:
    import ml_collections

SCALES = ("smoke", "small", "paper")
DEFAULT_SEEDS = {"smoke": "0-1", "small": "0-4", "paper": "0-4"}
PAPER_SIZE = 256  # of FP-LIIF's images: its rows are named after sizes
_PAPER_EPOCHS = 400
_PAPER_BATCH = 64

_FP_LIIF_SMALL = "configs/synthetic.py"
_STN_SMALL = "configs/stn_icnn_synthetic.py"
# For each published experiment, the small file that stands for it and what that file lacks of it.
_SMALL: dict[str, tuple[str, Fields]] = {
    "configs/lapa.py": (_FP_LIIF_SMALL, {}),
    "configs/celebamask_hq.py": (
        _FP_LIIF_SMALL,
        {
            "data.name": "celebamask_hq",
            "data.builder_config": "official",
            "model.num_classes": 19,
            "loss.edge_weight": 10.0,
        },
    ),
    "configs/helen.py": (_FP_LIIF_SMALL, {"data.name": "helen"}),
    "configs/stn_icnn_helen.py": (_STN_SMALL, {}),
    "configs/stn_icnn_helen_official.py": (
        _STN_SMALL,
        {
            "model.variant": "official",
            "loss.segmentation": "cross_entropy",
            "loss.part_reduction": "sum",
            "train.frozen_batch_norm": "training",
            "train.end_to_end.coarse_learning_rate": 0.0,
            "train.end_to_end.localisation_learning_rate": 0.0,
        },
    ),
    "configs/stn_icnn_celebamask_hq.py": (
        _STN_SMALL,
        {"data.name": "celebamask_hq", "data.split": "random"},
    ),
    "configs/stn_icnn_celebamask_hq_finetune.py": (
        _STN_SMALL,
        {
            "data.name": "celebamask_hq",
            "data.split": "random",
            "data.train_subset": 100,
            "train.stages": ("localisation", "end_to_end"),
        },
    ),
}
_SMOKE_DATA = {
    "data.synthetic.num_train": 18,
    "data.synthetic.num_val": 6,
    "data.synthetic.num_test": 6,
    "data.synthetic.image_size": 64,
    "eval.batch_size": 6,
    "eval.num_pictures": 2,
    "train.epochs": 1,
    "train.log_every_steps": 1,
}
_SMOKE: dict[str, Fields] = {
    _FP_LIIF_SMALL: {
        "data.image_size": 32,
        "model.features": 8,
        "model.group_blocks": (1, 1, 1),
        "model.rcmlp_features": (8, 8),
        "model.mlp_features": (8, 8),
        "train.batch_size": 6,
        "eval.rows": ("32", "16->32"),
    },
    _STN_SMALL: {
        "data.image_size": 48,
        "model.coarse_size": 32,
        "model.crop_size": 13,
        "model.row_features": (3, 4),
        "model.interlinked_layers": 1,
        "model.localisation_features": (2, 3, 3, 4),
        "augment.copies": 1,
        "train.batch_size": 9,
        "train.localisation.epochs": 1,
        "train.fine.epochs": 1,
        "data.train_subset": 0,
    },
}
# Of plans of one's own, for which nothing small stands: a few steps of each variant.
_FEW_BATCHES = 3
_IMAGE_SIZE = {"smoke": 32, "small": 64, "paper": 256}  # of FP-LIIF
_EPOCHS = {"smoke": 1, "small": 10, "paper": 400}
_BATCH = {"smoke": 6, "small": 8, "paper": 64}  # of FP-LIIF
_COARSE_FACTOR = {"smoke": 0.5, "small": 0.5, "paper": 1.0}  # of K's input, 128 in the paper


def scaled(
    variant: Variant, scale: str, is_published: bool = True, given: Sequence[str] = ()
) -> tuple[str, Fields]:
    """The experiment file of a variant at a scale, and the fields that differ from it, in order.

    Args:
      variant: of a plan.
      scale: one of `SCALES`.
      is_published: whether the plan is a paper's: of one's own, whatever its experiments, a few steps are made.
      given: --config.FIELD=VALUE of the command, which say where the data are.

    Raises:
      UserError: the scale is unknown, or there is none such of the experiment.
    """
    if scale not in SCALES:
        raise UserError(f"--scale is {scale!r}; it must be one of {', '.join(SCALES)}")
    if scale == "small" and is_published and variant.config not in _SMALL:
        raise UserError(
            f"--scale=small: nothing small stands for {variant.config} yet; name what does in _SMALL of "
            "experiments/plans/scales.py, or give --scale=smoke for a few steps of it on its own data"
        )
    if scale != "paper" and not (is_published and variant.config in _SMALL):
        return variant.config, _few_steps(variant, scale, given)
    file, fields = variant.config, {}
    if scale != "paper":
        file, fields = _SMALL[variant.config]
        fields = dict(fields)
        if scale == "smoke":
            fields |= _SMOKE_DATA | _SMOKE.get(file, {})
    fields |= {field: _scaled_value(field, value, scale) for field, value in variant.overrides}
    if variant.rows is not None:
        fields["eval.rows"] = tuple(scaled_row(row, scale) for row in variant.rows)
    return file, fields


def scaled_row(row: str, scale: str) -> str:
    """The row that stands for one of the paper's: at a quarter of the size '192->256' is '48->64'.

    Rows that are not named after sizes are the same at every scale.
    """
    # Here: a command's --help must not wait for JAX.
    from fpliif_jax.systems.protocol import Protocol

    share = fractions.Fraction(_IMAGE_SIZE[scale], PAPER_SIZE)
    return Protocol.of_key(row).scaled(share).text


def is_of_package(file: str) -> bool:
    """Whether it stands for an experiment of the package: 'configs/NAME.py'; './configs/NAME.py' is one's own."""
    return re.fullmatch(r"configs/\w+\.py", file) is not None


def as_arguments(file: str, fields: Fields) -> tuple[str, ...]:
    """Command-line arguments: --config=NAME --config.FIELD=VALUE …; the package's own files work in any folder."""
    return (
        f"--config={pathlib.PurePath(file).stem if is_of_package(file) else file}",
        *(f"--config.{name}={_text(fields[name])}" for name in fields),
    )


def replaced(arguments: Sequence[str], *given: Sequence[str]) -> tuple[str, ...]:
    """Arguments of `arguments` and `given`, of which each replaces the fields before it that it sets."""
    for own in given:
        fields = {argument.partition("=")[0] for argument in own}
        kept = (argument for argument in arguments if argument.partition("=")[0] not in fields)
        arguments = (*kept, *own)
    return tuple(arguments)


def _few_steps(variant: Variant, scale: str, given: Sequence[str]) -> Fields:
    """The fields that make a few steps of a variant of a plan of one's own.

    Raises:
      UserError: another scale than 'smoke' is asked for.
    """
    if scale != "smoke":
        raise UserError(
            f"--scale={scale}: a plan of your own has no small version; leave --scale out to run {variant.name} as it "
            "is planned, or give --scale=smoke for a few steps"
        )
    fields = dict(variant.overrides)
    if variant.rows is not None:
        fields["eval.rows"] = variant.rows
    from fpliif_jax.run_folder.run_config import flatten_config  # here: it must not wait for JAX

    arguments = replaced(as_arguments(variant.config, fields), given)
    whole = command_line.config_of(arguments)
    config = flatten_config(whole.to_dict())
    # One epoch in each stage of those that have a number of their own.
    fields |= {field: 1 for field in config if field.endswith(".epochs") and config[field]}
    few, drawn = _FEW_BATCHES * whole.train.batch_size, whole.data.synthetic
    if drawn.num_train > few:
        fields["data.synthetic.num_train"] = drawn.num_train = few
    # No more than are planned, and than there are.
    images = filter(None, (few, whole.data.train_subset, _training_images(whole.data)))
    return fields | {
        "data.train_subset": min(images),
        "train.log_every_steps": 1,
        "eval.num_pictures": 2,
    }


def _training_images(data: "ml_collections.ConfigDict") -> int | None:
    """How many config.data has, whatever its subset; None where that is not known yet."""
    from fpliif_jax.data import splits  # here: it must not wait for JAX

    drawn = data.synthetic
    official: Mapping[str, int] | None
    if drawn.num_train:
        official = dict(train=drawn.num_train, validation=drawn.num_val, test=drawn.num_test)
    else:
        official = _counts(data.name, data.builder_config, data.manual_dir, data.data_dir)
    return None if official is None else splits.counts(data, official, subset=False)["train"]


@functools.cache  # a large download is listed once, and not for every run
def _counts(
    name: str, builder_config: str, manual_dir: str | None, data_dir: str | None
) -> Mapping[str, int] | None:
    from fpliif_jax.data_builders import prepare

    try:
        return prepare.counts(
            name,
            builder_config=None if builder_config == "default" else builder_config,
            manual_dir=manual_dir or None,
            data_dir=data_dir or None,
        )
    except DataError:  # whoever starts the runs is told it when they are prepared
        return None


def _scaled_value(field: str, value: Any, scale: str) -> Any:
    """Epochs, batches and sizes of the paper shrink with the scale."""
    if field == "train.decay_every_epochs":
        return max(1, round(value * _EPOCHS[scale] / _PAPER_EPOCHS))
    if field == "train.batch_size":
        return max(1, round(value * _BATCH[scale] / _PAPER_BATCH))
    if field == "model.coarse_size":
        return int(value * _COARSE_FACTOR[scale])
    return value


def _text(value: Any) -> str:
    """A value as the flags read it: tuples as Python writes them, without spaces."""
    return repr(value).replace(" ", "") if isinstance(value, tuple) else str(value)
