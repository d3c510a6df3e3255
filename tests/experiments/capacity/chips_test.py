"""The table of chips, and the ceiling that is made of it."""

import dataclasses

import pytest

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark.parts.arithmetic import DATA_SHEETS
from fpliif_jax.experiments.capacity import chips, hlo
from fpliif_jax.experiments.capacity.ceiling import Ceiling, ceiling
from fpliif_jax.experiments.capacity.hlo import Kernel

GIB = 2**30


def test_every_chip_says_where_its_numbers_are_from() -> None:
    found = chips.all_chips()
    assert {"h100", "a100", "l4", "rtx4090", "v5e", "v6e"} <= set(found)
    for chip in found.values():
        assert chip.source and chip.title
        assert 15 * GIB < chip.usable_bytes <= chip.memory_bytes < 150 * GIB
        assert set(chip.rates) <= set(hlo.KINDS)
        assert (chip.backend == "tpu") == bool(chip.topology)


def test_nvidia_s_rates_stand_in_their_order() -> None:
    """float32 on CUDA cores, TF32, bfloat16: twice as fast from the second to the third on every card."""
    for chip in chips.all_chips().values():
        if chip.backend == "gpu":
            assert chip.float32 <= chip.tf32
            assert chip.bfloat16 / chip.tf32 == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(("name", "device"), [("h100", "H100"), ("a100", "A100"), ("h200", "H200")])
def test_rates_are_those_that_the_benchmark_compares_with(name: str, device: str) -> None:
    sheets = {title: teraflops for title, teraflops, _ in DATA_SHEETS}
    assert chips.chip_named(name).bfloat16 / 1e12 == pytest.approx(sheets[device], rel=1e-3)


def test_peaks_follow_from_cores_and_clocks() -> None:
    """Each float32 unit does a multiply-add a clock; boost clocks are rounded in data sheets."""
    for chip in chips.all_chips().values():
        if chip.backend == "gpu":
            own = chip.target
            peak = own.multiprocessors * own.lanes * 2 * own.clock_ghz * 1e9
            assert peak == pytest.approx(chip.float32, rel=0.04)


def test_an_unknown_chip_is_told_which_there_are() -> None:
    with pytest.raises(UserError, match=r"^--chip=h1000: .* one of h100, .*v6e$"):
        chips.chip_named("h1000")


def test_the_compiler_is_told_of_the_chip() -> None:
    text = chips.chip_named("rtx4090").target_config()
    assert "cuda_compute_capability { major: 8 minor: 9 }" in text
    assert "core_count: 128" in text and "device_memory_size: 24000000000" in text


CHIP = dataclasses.replace(
    chips.chip_named("h100"), bytes_per_second=100.0, bfloat16=50.0, tf32=20.0, float32=10.0
)


def _kernel(launches: int, num_bytes: int, **flops: int) -> Kernel:
    kinds = {
        "bf16": hlo.KINDS[0],
        "tf32": hlo.KINDS[1],
        "highest": hlo.KINDS[2],
        "rest": hlo.KINDS[3],
    }
    return Kernel("k", launches, num_bytes, {kinds[name]: count for name, count in flops.items()})


def test_the_slowest_part_of_each_kernel_sets_its_time() -> None:
    found = ceiling(
        [
            _kernel(3, 200, tf32=20),  # 2 s of memory, 1 s of products
            _kernel(1, 100, tf32=80, bf16=50),  # 1 s of memory, 4 + 1 s of products on one unit
            _kernel(2, 100, highest=10, rest=20),  # 1 s of memory, 1 + 2 s on CUDA cores
        ],
        CHIP,
    )
    assert found.seconds == 3 * 2 + 5 + 2 * 3
    assert found.shares == {
        "memory": pytest.approx(6 / 17),
        "matrix units": pytest.approx(5 / 17),
        "CUDA cores": pytest.approx(6 / 17),
    }


def test_nothing_takes_no_time() -> None:
    assert ceiling([], CHIP) == Ceiling(0, {})


def test_arithmetic_without_a_published_rate_sets_nothing() -> None:
    tpu = dataclasses.replace(chips.chip_named("v5e"), bytes_per_second=100.0, bfloat16=60.0)
    assert ceiling([_kernel(1, 100, rest=10**9)], tpu).seconds == 1
    assert ceiling([_kernel(1, 0, tf32=60)], tpu).seconds == 1  # float32 in one pass of bfloat16
    assert ceiling([_kernel(1, 0, highest=60)], tpu).seconds == 6
