"""Network functions as files, and files as functions of NumPy arrays again."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

import fpliif_jax
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.export.exact_values import exact_values
from fpliif_jax.interop.safetensors_files import METADATA_KEY
from fpliif_jax.systems.network_function import NetworkFunction

PLATFORMS = ("cpu", "cuda", "tpu")
# Of logits up to _USUAL, in proportion of larger ones: float32 rounds each of some twenty layers by 1e-7 of them.
TOLERANCE, _USUAL = 1e-4, 10.0
# STN-iCNN's windows are known to some 1e-6 of a canvas, a thousandth of a pixel, and what its networks make of pixels
# there is a matter of their weights. So a file that is farther than TOLERANCE is believed where rounding takes JAX
# itself as far from the exact values, but for a factor. No network may be more inexact than _MOST_ROUNDING.
_AS_FAR, _MOST_ROUNDING = 4.0, 1e-2
# Of the positions of an output that takes nearest values, how many may take another: places are pixels of a thousand,
# rounded by 1e-7 of that, and a window has some 160 rows and columns, each a row of pixels of its part.
_MOST_OTHERS = 1e-3
# They have the values of a position beside them, but where several windows overlap and only one takes another: of all
# positions, so many may have values that no position beside them has; and these say nothing of JAX's own rounding.
_MOST_STRANGE, _MOST_OF_WINDOWS = 1e-5, 1e-4
Call = Callable[..., list[np.ndarray]]


class Differences(NamedTuple):
    """How far a file is from JAX.

    Attributes:
      largest: of all outputs, but for positions that take another of the nearest values.
      differing: number of positions where another entry of the last axis is the largest.
      positions: number of all positions.
      others: number of positions that take another of the nearest values, see `NetworkFunction.takes_nearest`.
      rounding: how far JAX is from float64, where that was asked because a file is farther from JAX than usual, else 0.
    """

    largest: float
    differing: int
    positions: int
    others: int = 0
    rounding: float = 0.0


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
        # pyrefly: ignore[bad-return] - the networks give arrays
        return session.run(None, dict(zip(names, inputs, strict=True)))

    return call


def stablehlo_bytes(network: NetworkFunction) -> bytes:
    """What `jax.export.deserialize` reads, for all of `PLATFORMS`."""
    import flatbuffers  # noqa: F401 - what `serialize` needs is of the extra 'export'

    # pyrefly: ignore[missing-attribute] - JAX makes its options at run time
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


def tolerance(values: np.ndarray) -> float:
    """How far a file's values may be from JAX's anyway."""
    return TOLERANCE * max(1.0, float(np.abs(values).max()) / _USUAL)


def differences(network: NetworkFunction, call: Call, name: str) -> Differences:
    """Compares a file's function with JAX at all examples; labels are of the first output.

    Values may be `tolerance` away from JAX's; where they are farther, as far as rounding takes JAX's own: `_AS_FAR`
    times as far as these are from float64's, at any example.

    Raises:
      ExportError: an output has another shape or dtype, or is farther away, but for few positions that take the
        nearest of some values, and take their neighbour's.
    """
    reference = jax.jit(network.call)
    largest, differing, labels, others, rounding = 0.0, 0, 0, 0, 0.0
    own: list[float] | None = None
    for example in network.examples:
        outputs, expected = call(*example), list(map(np.asarray, reference(*example)))
        for index, (array, right) in enumerate(zip(outputs, expected, strict=True)):
            sizes = " × ".join(map(str, right.shape))
            if array.shape != right.shape or array.dtype != right.dtype:
                raise ExportError(f"{name} gives {array.dtype} {array.shape} where JAX has {sizes}")
            allowed, takes_nearest = tolerance(right), network.takes_nearest and index == 0
            distance, is_other = _distances(array, right, allowed, takes_nearest)
            if not _is_near(distance, is_other, allowed, takes_nearest):
                own = own or _own_rounding(network, reference)
                rounding = max(rounding, own[index])
                allowed = max(allowed, _AS_FAR * min(own[index], _MOST_ROUNDING))
                distance, is_other = _distances(array, right, allowed, takes_nearest)
            if not _is_near(distance, is_other, allowed, takes_nearest):
                raise ExportError(
                    f"{name} is {distance.max():.1e} away from JAX at {sizes}, too far: nothing was written"
                )
            if index == 0:
                others += int((distance > allowed).sum())
                differing += int((array.argmax(axis=-1) != right.argmax(axis=-1)).sum())
                labels += distance.size
            largest = max(largest, float(distance[distance <= allowed].max(initial=0.0)))
    return Differences(largest, differing, labels, others, rounding)


def _distances(
    array: np.ndarray, right: np.ndarray, allowed: float, takes_nearest: bool
) -> tuple[np.ndarray, np.ndarray]:
    """How far positions are from JAX's, and which are too far but have the values of a position beside: [...] each."""
    distance = np.abs(array - right).max(axis=-1)
    is_other = np.zeros(distance.shape, bool)
    if takes_nearest:
        rows, columns = np.nonzero(distance > allowed)
        for down, across in itertools.product((-1, 0, 1), repeat=2):
            beside = right[
                np.clip(rows + down, 0, len(right) - 1),
                np.clip(columns + across, 0, right.shape[1] - 1),
            ]
            is_like = np.abs(array[rows, columns] - beside).max(axis=-1) <= allowed
            is_other[rows[is_like], columns[is_like]] = True
    return distance, is_other


def _is_near(
    distance: np.ndarray, is_other: np.ndarray, allowed: float, takes_nearest: bool
) -> bool:
    is_far = ~(distance <= allowed)  # NaN is far
    if not takes_nearest:
        return not is_far.any()
    return bool(is_far.mean() <= _MOST_OTHERS and (is_far & ~is_other).mean() <= _MOST_STRANGE)


def _own_rounding(network: NetworkFunction, reference: Callable[..., list]) -> list[float]:
    """How far rounding takes JAX from float64, of each output: at one example that is chance, so at the worst."""

    def of(example: tuple[np.ndarray, ...]) -> list[float]:
        expected = map(np.asarray, reference(*example))
        pairs = enumerate(zip(expected, exact_values(network.call, example), strict=True))
        return [
            _rounding(right, exact, tolerance(right), network.takes_nearest and output == 0)
            for output, (right, exact) in pairs
        ]

    return np.max([of(example) for example in network.examples], axis=0).tolist()


def _rounding(right: np.ndarray, exact: np.ndarray, allowed: float, takes_nearest: bool) -> float:
    """How far JAX is from float64, but for positions that take another of the nearest values."""
    distance, is_other = _distances(right, exact, allowed, takes_nearest)
    if not takes_nearest:
        return float(distance.max())
    return float(np.quantile(distance[~is_other], 1 - _MOST_OF_WINDOWS, method="lower"))
