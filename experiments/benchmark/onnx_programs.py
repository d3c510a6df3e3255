"""FP-LIIF in ONNX Runtime on a CPU, from a graph as `fpliif_jax.export` writes them."""

import importlib.util
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError, Program
from fpliif_jax.nn import grid_sampling
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems import create_model
from fpliif_jax.systems.fp_liif.model import FPLIIF

NAME = "ONNX Runtime"


def is_installed() -> bool:
    """Whether what makes such graphs and runs them is here."""
    return all(importlib.util.find_spec(package) for package in ("onnx", "onnxruntime"))


def facts() -> dict[str, Any]:
    """What a reader of the results needs to know of it."""
    import onnxruntime

    return {"version": onnxruntime.__version__}


def forward(config: ConfigDict, variables: Variables, output_size: int, batch: int) -> Program:
    """A forward pass from normalised images to label maps; threads are ONNX Runtime's own choice.

    Args:
      config: of FP-LIIF.
      variables: of the Flax model, on the host.
      output_size: side of the label maps.
      batch: images in a call.

    Raises:
      NotMeasuredError: JAX runs on something else than a CPU, or the type is not float32.
    """
    session = _session(config, variables, batch)
    inputs = _inputs(jax_programs.random_images(config, batch), output_size)
    return Program(
        start=lambda: session.run(["labels"], inputs), wait=lambda labels: labels, images=batch
    )


def logits(
    config: ConfigDict, variables: Variables, images: np.ndarray, output_size: int
) -> np.ndarray:
    """Logits of normalised images [B, H, W, 3]: float32 [B, h, w, C]."""
    session = _session(config, variables, len(images))
    return session.run(["logits"], _inputs(images, output_size))[0]


def _inputs(images: np.ndarray, output_size: int) -> dict[str, np.ndarray]:
    centres = grid_sampling.cell_centres(output_size).astype(np.float32)
    return {"images": np.asarray(images, np.float32), "y": centres, "x": centres}


def _session(config: ConfigDict, variables: Variables, batch: int) -> Any:
    import onnx
    import onnxruntime

    from fpliif_jax.export.jaxpr_to_onnx import to_onnx

    if jax.default_backend() != "cpu":
        raise NotMeasuredError(f"JAX runs on {jax.default_backend()}, ONNX Runtime on a CPU")
    if config.dtype != "float32":
        raise NotMeasuredError(f"the graphs are float32, not {config.dtype}")
    network = Applied(create_model(config.model), variables)
    side = config.data.image_size

    def call(images: jax.Array, y: jax.Array, x: jax.Array) -> list[jax.Array]:
        return [network(FPLIIF.decode_on_axes, network(FPLIIF.encode, images), y, x)]

    rows, columns = jax.export.symbolic_shape("h, w")
    inputs = {
        "images": jax.ShapeDtypeStruct((batch, side, side, 3), jnp.float32),
        "y": jax.ShapeDtypeStruct((rows,), jnp.float32),
        "x": jax.ShapeDtypeStruct((columns,), jnp.float32),
    }
    graph = to_onnx(call, inputs, ("logits",), stores_float16=False)
    graph.graph.node.append(
        onnx.helper.make_node("ArgMax", ["logits"], ["labels"], axis=-1, keepdims=0)
    )
    shape = (batch, "h", "w")
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info("labels", onnx.TensorProto.INT64, shape)
    )
    onnxruntime.set_default_logger_severity(3)  # errors
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
