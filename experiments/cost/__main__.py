"""What a model costs: parameters, and multiply-accumulates by part for the paper's output sizes.

    python -m experiments.cost --config=celebamask_hq
    python -m experiments.cost --config=lapa --config.model.ensemble=none --format=json

Counted for one image and the literal form of the model (see `multiply_accumulates`), beside what the
paper prints where the model is the paper's: FP-LIIF's Table 6 is about 19 classes. STN-iCNN's paper prints
no operations; they are not counted, and there are no rows. JSON on stdout is

    {"parameters": int, "published_parameters": float or null (in millions),
     "rows": [{"output_size": int, "gmacs": float, "published_gmacs": float or null,
               "parts": {part: GMACs}}]}
"""

import dataclasses
import json

from absl import flags, logging

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.host.home_folder import expanded

_CONFIG = command_line.define_config_flag()
_FORMAT = flags.DEFINE_enum("format", "text", ["text", "json"], "How to print.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file to write as well, with the config.")


def _work() -> None:
    from fpliif_jax.experiments.cost import model_cost
    from fpliif_jax.run_folder.run_config import json_config
    from fpliif_jax.run_folder.run_record import write_json

    logging.set_verbosity(logging.WARNING)  # JAX tells which backends there are not
    config = _CONFIG.value
    costs = model_cost.cost(config)
    as_json = dataclasses.asdict(costs)
    if _OUTPUT.value:
        content = {"config": json_config(config), **as_json}
        write_json(expanded(_OUTPUT.value), content)
    if _FORMAT.value == "json":
        print(json.dumps(as_json, indent=2))
    else:
        print(model_cost.to_text(costs, config))


if __name__ == "__main__":
    command_line.run_with_flags("experiments.cost", __doc__, _work)
