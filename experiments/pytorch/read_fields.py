"""Which fields of a config the trainer in PyTorch reads; with any other that decides a run it would train something
else than JAX does, and not say so."""

import ml_collections

from fpliif_jax import systems
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.run_folder.run_config import flatten_config, json_config

# The trainer may do otherwise by these: the run is the same but for its last bits.
_NO_MATTER = (Role.ROUNDING, Role.RECORD, Role.DRAWING, Role.MARGIN)


def _is_decisive(field: str) -> bool:
    """Whether a run with another value of this field is another run."""
    return not (
        config_fields.changes_no_result(field) or config_fields.has_role(field, *_NO_MATTER)
    )


def check_read(config: ml_collections.ConfigDict) -> None:
    """Refuses a config of which the trainer would pass over a field: one that it does not read, and that has not the
    system's default, which is what it does.

    Raises:
      SettingsError: names the first such field.
    """
    default = flatten_config(json_config(systems.of(config).default_config()))
    for field, value in sorted(flatten_config(json_config(config)).items()):
        if field.startswith("augment.") and not config.augment.enabled:
            continue
        is_read = field in config_fields.FIELDS and config_fields.FIELDS[field].in_pytorch
        if _is_decisive(field) and not is_read and value != default.get(field):
            raise SettingsError(
                f"config.{field} is {value!r}: the trainer of PyTorch does not read it, and trains as with "
                f"{default.get(field)!r}; use python -m fpliif_jax.main"
            )
