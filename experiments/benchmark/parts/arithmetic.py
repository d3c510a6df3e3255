"""How much of the device's arithmetic is used: operations of the model beside a large matrix product."""

from typing import Any

import jax
import jax.numpy as jnp

from fpliif_jax.experiments.benchmark import jax_programs, timing, torch_programs
from fpliif_jax.experiments.benchmark.markdown import section
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import Program
from fpliif_jax.experiments.runs.benchmark_results import (
    DataSheet,
    Measurement,
    Operations,
    PeakArithmetic,
    Results,
)
from fpliif_jax.systems import multiply_accumulates

# Dense bfloat16 of NVIDIA's data sheets, in TFLOP/s (half of the rate "with sparsity"); longest names first.
DATA_SHEETS = (
    ("H100 PCIe", 756.0, "NVIDIA H100 PCIe data sheet"),
    ("H200", 989.0, "NVIDIA H200 data sheet (SXM)"),
    ("H100", 989.0, "NVIDIA H100 data sheet (SXM)"),
    ("A100", 312.0, "NVIDIA A100 data sheet"),
)
_SIDES = {"cpu": 2048, "gpu": 8192}  # of the matrices: large enough, and no more


def peak(plan: Plan, dtype: str) -> None:
    """Rate of a large matrix product, of JAX and PyTorch in turn."""
    side = _SIDES.get(jax.default_backend(), _SIDES["gpu"])
    candidates = [timing.Candidate("JAX", lambda: _jax_product(side, dtype))]
    if plan.torch_variants:
        candidates.append(timing.Candidate("PyTorch", lambda: _torch_product(side, dtype)))
    timings = timing.measure_in_turn(
        candidates, rounds=plan.rounds, seconds=plan.seconds, pipelined=True, tell=plan.tell
    )
    sheet = data_sheet(jax.local_devices()[0].device_kind)
    for timed in timings:
        seconds = () if timed.problem else tuple(timed.seconds)
        plan.record.add(
            PeakArithmetic(
                framework=timed.name,
                dtype=dtype,
                side=side,
                seconds=seconds,
                # A peak: what the device can do when nothing disturbs it.
                flops_per_second=2 * side**3 / min(seconds) if seconds else None,
                data_sheet=sheet if dtype == "bfloat16" else None,
                not_measured=timed.problem or None,
            )
        )


def operations(plan: Plan) -> None:
    """Multiply-accumulates of one image at each output size, of the literal model, where its system counts them."""
    config = plan.config
    for size in sorted({*plan.sizes, config.data.image_size}):
        parts = multiply_accumulates.count(config.model, config.data.image_size, size)
        if parts:
            plan.record.add(Operations(size, sum(parts.values())))


def data_sheet(device_kind: str) -> DataSheet | None:
    """FLOP/s in bfloat16 that the maker gives for a device, with the source; None where unknown."""
    for name, teraflops, source in DATA_SHEETS:
        if name.lower() in device_kind.lower():
            return DataSheet(teraflops * 1e12, source)
    return None


def table(results: Results) -> list[str]:
    """Lines of Markdown: achieved rate of ours, and of the fastest of PyTorch's, beside that of a matrix product."""
    peaks = {
        (one.framework, one.dtype): (one.side, one.flops_per_second, one.data_sheet)
        for one in results.peak_arithmetic
        if one.flops_per_second is not None
    }
    operations = {one.output_size: one.multiply_accumulates for one in results.operations}
    rows = []
    for images_per_second, one in _fastest_of_each_framework(results):
        key = (
            jax_programs.NAME if one.candidate == jax_programs.NAME else torch_programs.NAME,
            one.dtype or "",
        )
        size = one.output_size or 0
        if key not in peaks or size not in operations:
            continue
        (_, peak, sheet), count = peaks[key], operations[size]
        achieved = 2 * count * images_per_second
        case = [f"{one.part}, batch {one.batch:g}", one.dtype, size, one.candidate]
        share = f"{achieved / peak:.1%}"
        share_of_sheet = f"{achieved / sheet.flops_per_second:.1%}" if sheet else None
        floor = f"{1000 * 2 * count / peak:.3g}"
        gmacs = f"{count / 1e9:.4g}"
        rows.append([*case, gmacs, _teraflops(achieved), share, share_of_sheet, floor])
    header = ["what", "type", "output", "by", "GMACs of an image", "achieved, TFLOP/s"]
    header += ["of a matrix product", "of the data sheet", "floor, ms an image"]
    lines = section("Arithmetic", header, rows)
    if not lines:
        return []
    lines += ["", "Operations are those of the literal model, whatever is computed instead."]
    for (framework, dtype), (side, peak, sheet) in peaks.items():
        text = f"{side}² matrix product, {framework}, {dtype}: {_teraflops(peak)} TFLOP/s"
        if sheet:
            text += f"; {_teraflops(sheet.flops_per_second)} by the {sheet.source}"
        lines.append(f"{text}.")
    return lines


def _jax_product(side: int, dtype: str) -> Program:
    matrix = jax.random.normal(jax.random.key(0), (side, side), jnp.dtype(dtype))
    product = jax.jit(jnp.matmul)
    return Program(lambda: product(matrix, matrix), jax.block_until_ready, images=1)


def _torch_product(side: int, dtype: str) -> Program:
    import torch

    device = torch_programs.device_name()
    matrix = torch.randn(side, side, device=device).to(getattr(torch, dtype))

    def wait(product: Any) -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    return Program(lambda: matrix @ matrix, wait, images=1)


def _fastest_of_each_framework(results: Results) -> list[tuple[float, Measurement]]:
    """Forward passes with their images per second, for each part, type and size: JAX's, and PyTorch's fastest."""
    fastest: dict[tuple, tuple[float, Measurement]] = {}
    for one in results.measurements:
        rate = one.images_per_second
        if one.part in ("latency", "throughput") and rate is not None:
            case = (one.part, one.dtype, one.output_size, one.candidate == jax_programs.NAME)
            if case not in fastest or rate > fastest[case][0]:
                fastest[case] = (rate, one)
    return list(fastest.values())


def _teraflops(rate: float) -> str:
    return f"{rate / 1e12:.3g}"
