"""Network functions as files, and files as functions of NumPy arrays again."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

import fpliif_jax
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.interop.safetensors_files import METADATA_KEY
from fpliif_jax.systems.network_function import NetworkFunction

PLATFORMS = ("cpu", "cuda", "tpu")
# Of logits up to _USUAL, in proportion of larger ones: float32 rounds each of some twenty layers by 1e-7 of them.
TOLERANCE, _USUAL = 1e-4, 10.0
# Of the positions of an output that takes nearest values, how many may take another: places are pixels of a thousand,
# rounded by 1e-7 of that, and a window has some 160 rows and columns, each a row of pixels of its part.
_MOST_OTHERS = 1e-3
Call = Callable[..., list[np.ndarray]]


class Differences(NamedTuple):
    """How far a file is from JAX.

    Attributes:
      largest: of all outputs, but for positions that take another of the nearest values.
      differing: number of positions where another entry of the last axis is the largest.
      positions: number of all positions.
      others: number of positions that take another of the nearest values, see `NetworkFunction.takes_nearest`.
    """

    largest: float
    differing: int
    positions: int
    others: int = 0


class ExportError(UserError):
    """A model cannot be exported as asked for, or the export differs from it."""


def onnx_bytes(network: NetworkFunction, metadata: str, stores_float16: bool = False) -> bytes:
    """An ONNX file of a network; metadata under the key of our safetensors files.

    Raises:
      UnknownPrimitiveError: it computes something that has no ONNX operators here.
    """
    from fpliif_jax.export.jaxpr_to_onnx import to_onnx  # needs the extra 'export'

    model = to_onnx(
        network.call,
        network.inputs,
        network.outputs,
        stores_float16,
        producer_name="fpliif_jax",
        producer_version=fpliif_jax.__version__,
    )
    model.metadata_props.add(key=METADATA_KEY, value=metadata)
    return model.SerializeToString(deterministic=True)


def onnx_call(content: bytes) -> Call:
    """The function in an ONNX file, in onnxruntime on one thread."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # errors
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def call(*inputs: np.ndarray) -> list[np.ndarray]:
        return session.run(None, dict(zip(names, inputs, strict=True)))

    return call


def stablehlo_bytes(network: NetworkFunction) -> bytes:
    """What `jax.export.deserialize` reads, for all of `PLATFORMS`."""
    import flatbuffers  # noqa: F401 - what `serialize` needs is of the extra 'export'

    before = jax.config.jax_traceback_in_locations_limit
    jax.config.update("jax_traceback_in_locations_limit", 0)  # places of this machine's files
    try:
        exported = jax.export.export(jax.jit(network.call), platforms=PLATFORMS)(
            *network.inputs.values()
        )
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)
    return bytes(exported.serialize())


def stablehlo_call(content: bytes) -> Call:
    """The function in what `stablehlo_bytes` gives."""
    exported = jax.export.deserialize(bytearray(content))

    def call(*inputs: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(array) for array in exported.call(*inputs)]

    return call


def rounded_to_float16(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Weights that float16 holds, as float32.

    Raises:
      ExportError: some are beyond its range.
    """
    with np.errstate(over="ignore"):  # infinities are refused below
        rounded = jax.tree.map(
            lambda array: np.asarray(array).astype(np.float16).astype(np.float32), dict(variables)
        )
    if not all(np.isfinite(array).all() for array in jax.tree.leaves(rounded)):
        raise ExportError("--float16: some weights are beyond its range of ±65504; leave it out")
    return rounded


def differences(network: NetworkFunction, call: Call, name: str) -> Differences:
    """Compares a file's function with JAX at all examples.

    Raises:
      ExportError: an output has another shape or dtype, or is farther away than `TOLERANCE`, where it takes nearest
        values at more positions than one in a thousand.
    """
    reference = jax.jit(network.call)
    largest, differing, labels, others = 0.0, 0, 0, 0
    for example in network.examples:
        for array, right in zip(call(*example), map(np.asarray, reference(*example)), strict=True):
            sizes = " × ".join(map(str, right.shape))
            if array.shape != right.shape or array.dtype != right.dtype:
                raise ExportError(f"{name} gives {array.dtype} {array.shape} where JAX has {sizes}")
            distance = np.abs(array - right)
            tolerance = TOLERANCE * max(1.0, float(np.abs(right).max()) / _USUAL)
            if network.takes_nearest:
                is_other = (distance > tolerance).any(axis=-1)
                others += int(is_other.sum())
                if is_other.mean() <= _MOST_OTHERS:
                    distance = distance[~is_other]
            difference = float(distance.max())
            if not difference <= tolerance:
                raise ExportError(
                    f"{name} is {difference:.1e} away from JAX at {sizes}, too far: nothing was written"
                )
            largest = max(largest, difference)
            differing += int((array.argmax(axis=-1) != right.argmax(axis=-1)).sum())
            labels += array[..., 0].size
    return Differences(largest, differing, labels, others)
