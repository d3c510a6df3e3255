"""Part 'memory': what XLA plans for a forward pass, and the peak of fresh processes that do one thing once."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from fpliif_jax import systems
from fpliif_jax.experiments.benchmark import children, jax_programs
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.experiments.benchmark.torch_programs import VARIANTS, TorchVariant

LARGE_SIZES = (1024, 2048)
_ALL_QUERIES = 10**9  # at once, the most that may be asked for: without chunking


def planned(plan: Plan, output_size: int, dtype: str) -> None:
    """Bytes that the compiled forward pass of one image reserves, as configured and without chunks.

    It is compiled, not run, up to the logits, which are the output and grow with it. They are
    decoded in chunks of `config.model.query_chunk` queries: what else grows with the output is
    for the table to show.
    """
    config = plan.with_dtype(dtype)
    whole = jax_programs.with_fields(config, model__query_chunk=_ALL_QUERIES)
    variables = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), plan.variables
    )
    (images,) = systems.of(config).input_shapes(config.model, config.data.image_size)
    plans = {}
    for name, own in (("chunked", config), ("in_one", whole)):
        plan.tell(f"compiling for {output_size}², {name}")
        _, plans[name] = jax_programs.compile_ahead(
            jax_programs.logits_of(own, output_size), variables, images
        )
    plan.record.add(
        "planned_memory", {"output_size": output_size, "dtype": dtype, "batch": 1, **plans}
    )


def measured(plan: Plan, what: str, output_size: int, dtype: str) -> None:
    """Peaks of fresh processes, one for each framework.

    Args:
      plan: what is measured.
      what: 'forward' or 'gradient'.
      output_size: of the forward pass.
      dtype: of activations.
    """
    own = plan.config
    batch = 1 if what == "forward" else own.train.batch_size
    for name, framework, variant in _frameworks(plan):
        plan.tell(f"{name}: peak of a process")
        task = {
            "what": what,
            "framework": framework,
            "variant": variant,
            "dtype": dtype,
            "output_size": output_size,
            "batch": batch,
            "config": own,
        }
        about: dict[str, Any] = {
            "part": "memory",
            "what": what,
            "output_size": output_size,
            "dtype": dtype,
            "batch": batch,
            "candidate": name,
        }
        try:
            answer = children.run(task)
        except NotMeasuredError as error:
            plan.record.add("peak_memory", {**about, "not_measured": str(error)})
            continue
        peaks = {field: answer[field] for field in ("resident_bytes", "device_bytes")}
        plan.record.add("peak_memory", {**about, **peaks, "not_measured": None})


def _frameworks(plan: Plan) -> Iterator[tuple[str, str, str | None]]:
    """JAX, and PyTorch's variants in the usual layout: (name, framework, key of the variant)."""
    yield jax_programs.NAME, "jax", None
    keys: dict[TorchVariant, str] = {variant: key for key, variant in VARIANTS.items()}
    for variant in plan.torch_variants:
        if not variant.channels_last:
            yield variant.name, "torch", keys[variant]
