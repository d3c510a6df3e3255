"""Compiles training, evaluation and prediction for a chip that is not here, and tells what they take there.

    python -m experiments.capacity --config=lapa --chip=h100
    python -m experiments.capacity --config=configs/stn_icnn_helen.py --chip=v5e --devices=4 --output=v5e.json

Peak memory and whether it fits, what 'auto' chooses, kernels, traffic, arithmetic by type, and the ceiling: the rate
that the compiled program cannot exceed by the chip's data sheet, and what sets it. Nothing is run and no chip is
needed, nor any data; a program takes minutes to compile. docs/capacity.md says how each number is made.
"""

import json
import sys

from absl import flags, logging

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded

_CONFIG = command_line.define_config_flag()
_CHIP = flags.DEFINE_string(
    "chip", None, "What to compile for: h100, a100, l4, rtx4090, v5e, v6e …"
)
_DEVICES = flags.DEFINE_integer("devices", 1, "Devices of one program.")
_PROGRAMS = flags.DEFINE_list(
    "programs", ["training", "evaluation", "prediction"], "Which of these to compile."
)
_FORMAT = flags.DEFINE_enum("format", "text", ["text", "json"], "How to print.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file to write as well.")


def _work() -> None:
    from fpliif_jax.experiments.capacity import before_jax, chips

    if _CHIP.value is None:
        raise UserError(f"--chip is missing; give one of {', '.join(chips.all_chips())}")
    chip, count, config = chips.chip_named(_CHIP.value), _DEVICES.value, _CONFIG.value
    before_jax.check_devices(chip, count)
    before_jax.check_compiler(chip)
    before_jax.prepare_jax()

    import jax

    from fpliif_jax.experiments.capacity import programs, report, topology
    from fpliif_jax.run_folder.run_record import write_json
    from fpliif_jax.training import preflight

    logging.set_verbosity(logging.WARNING)  # JAX tells which backends there are not
    if unknown := [name for name in _PROGRAMS.value if name not in programs.PROGRAMS]:
        raise UserError(f"--programs={unknown[0]}: give some of {', '.join(programs.PROGRAMS)}")
    output = expanded(_OUTPUT.value) if _OUTPUT.value else None
    if output is not None and not output.parent.is_dir():
        raise UserError(f"--output={_OUTPUT.value}: there is no folder for it; make it first")
    preflight.apply_to_jax(config)
    # What is compiled for a chip that is not here can be kept, but not read again.
    jax.config.update("jax_enable_compilation_cache", False)
    preflight.check_settings(config)
    absent = topology.absent_devices(chip, count)
    result = report.Report(config, command_line.config_name(), chip, count)

    def tell(name: str) -> None:
        print(f"compiling {name} for {chip.title}", file=sys.stderr)

    for compiled in programs.compile_all(config, absent, tuple(_PROGRAMS.value), tell):
        result = result.with_program(compiled)
        if output is not None:  # minutes each: what there is stays
            write_json(output, result.as_json())
    if _FORMAT.value == "json":
        print(json.dumps(result.as_json(), indent=2, ensure_ascii=False))
    else:
        print(result.as_text())


if __name__ == "__main__":
    command_line.run_with_flags("experiments.capacity", __doc__, _work)
