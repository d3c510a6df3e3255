"""The values of a network in float64, by the steps of its float32: what rounding alone does to the latter."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core


def exact_values(
    function: Callable[..., Sequence[jax.Array]], inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """A function's outputs where every float32 that it computes with, weights too, is a float64 instead.

    Where a position is rounded to the nearest of some pixels, it may be another one than in float32.
    """
    closed = jax.make_jaxpr(function)(*inputs)
    with jax.enable_x64(True):
        return [np.asarray(value) for value in _run(closed.jaxpr, closed.consts, inputs)]


def _run(jaxpr: core.Jaxpr, consts: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    known: dict[Any, Any] = {}
    known.update(zip(jaxpr.constvars, map(_wide, consts), strict=True))
    known.update(zip(jaxpr.invars, map(_wide, inputs), strict=True))

    def value_of(atom: Any) -> Any:
        if isinstance(atom, core.Literal):
            # pyrefly: ignore[missing-attribute] - a literal is an array
            return _wide(np.asarray(atom.val, atom.aval.dtype))
        return known[atom]

    for equation in jaxpr.eqns:
        arguments = [value_of(atom) for atom in equation.invars]
        inner = equation.params.get("call_jaxpr", equation.params.get("jaxpr"))
        if inner is not None:
            results = _run(inner.jaxpr, inner.consts, arguments)
        else:
            parameters = {name: _wide_dtype(value) for name, value in equation.params.items()}
            results = equation.primitive.bind(*map(jax.numpy.asarray, arguments), **parameters)
            results = results if equation.primitive.multiple_results else [results]
        known.update(zip(equation.outvars, results, strict=True))
    return [value_of(atom) for atom in jaxpr.outvars]


def _wide(value: Any) -> Any:
    return np.asarray(value, np.float64) if value.dtype == np.float32 else value


def _wide_dtype(parameter: Any) -> Any:
    """A parameter of a primitive, with float64 where it is the dtype float32."""
    is_dtype = isinstance(parameter, np.dtype | type) and parameter in (np.float32, np.dtype("f4"))
    return np.dtype(np.float64) if is_dtype else parameter
