"""The rate that no program of these kernels can exceed on a chip, by its data sheet, and what sets it."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from fpliif_jax.experiments.capacity.chips import Chip
from fpliif_jax.experiments.capacity.hlo import Kernel

MEMORY = "memory"


@dataclasses.dataclass(frozen=True)
class Ceiling:
    """The least time that a program takes.

    Attributes:
      seconds: of one call.
      shares: of these seconds, by what the kernels that take them wait for: 'memory', 'matrix units', 'CUDA cores'.
    """

    seconds: float
    shares: Mapping[str, float]


def ceiling(kernels: Iterable[Kernel], chip: Chip) -> Ceiling:
    """One kernel after the other, each as long as the slowest of what it does.

    A kernel's bytes take as long as the memory needs for them, its arithmetic as long as the unit that does it needs at
    the data sheet's rate; these overlap. Nothing is counted for starting kernels, for communication, for what a cache
    spares, or for arithmetic whose rate the data sheet does not give.
    """
    seconds: dict[str, float] = collections.defaultdict(float)
    for kernel in kernels:
        times = _seconds(kernel, chip)
        slowest = max(times, key=lambda what: times[what])
        seconds[slowest] += kernel.launches * times[slowest]
    total = sum(seconds.values())
    shares = {what: part / total for what, part in seconds.items() if part} if total else {}
    return Ceiling(total, shares)


def _seconds(kernel: Kernel, chip: Chip) -> dict[str, float]:
    """Seconds of one launch, by what it waits for."""
    times: dict[str, float] = collections.defaultdict(float)
    times[MEMORY] = kernel.bytes / chip.bytes_per_second
    rates = chip.rates
    for kind, flops in kernel.flops.items():
        if kind in rates:
            times[rates[kind].unit] += flops / rates[kind].flops_per_second
    return times
