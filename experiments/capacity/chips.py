"""Chips that programs can be compiled for without having one: data sheets, and what XLA's compiler has to know."""

import csv
import dataclasses
import functools
import pathlib

from fpliif_jax.data_builders.errors import UserError

_TABLE = pathlib.Path(__file__).parent / "chips.csv"
_TPU_TOPOLOGY_CHIPS = 4  # of every TPU topology in the table
_RESERVED_SHARED_BYTES = 1024  # of a multiprocessor's shared memory, which no block gets
# Products of float32 on a matrix unit that multiplies bfloat16: passes of `matmul_precision` default and highest.
_TPU_HIGHEST_PASSES = 6

MATRIX_UNITS, CUDA_CORES = "matrix units", "CUDA cores"


@dataclasses.dataclass(frozen=True)
class Rate:
    """How fast a kind of arithmetic is at best.

    Attributes:
      unit: what does it: kinds of the same unit take turns.
      flops_per_second: of the data sheet, dense.
      title: what the kind becomes on this chip, 'TF32'.
    """

    unit: str
    flops_per_second: float
    title: str


@dataclasses.dataclass(frozen=True)
class Target:
    """What XLA has to know of a GPU beside its data sheet.

    Attributes:
      compute_capability: '9.0'.
      multiprocessors: of the chip.
      lanes: float32 units of each.
      clock_ghz: at best.
      l2_bytes: of the L2 cache.
      shared_bytes: of a multiprocessor's shared memory.
      threads: of a multiprocessor.
    """

    compute_capability: str
    multiprocessors: int
    lanes: int
    clock_ghz: float
    l2_bytes: int
    shared_bytes: int
    threads: int


@dataclasses.dataclass(frozen=True)
class _Chip:
    """An accelerator by its data sheet: a `Gpu` or a `Tpu`.

    Attributes:
      name: of --chip.
      title: for the eye.
      backend: of JAX, 'gpu' or 'tpu'.
      memory_bytes: of one device: what its driver tells where that is known, else of the data sheet.
      memory_share: of it, what JAX takes for itself by default.
      bytes_per_second: of the memory.
      bfloat16, tf32, float32: FLOP/s, dense; the last is of CUDA cores. None where there is no such thing.
      source: of all these.
      topology: libtpu's name for the smallest part of a TPU pod that can be compiled for; None for GPUs.
      target: of GPUs; None for TPUs.
    """

    name: str
    title: str
    backend: str
    memory_bytes: int
    memory_share: float
    bytes_per_second: float
    bfloat16: float
    tf32: float | None
    float32: float | None
    source: str
    topology: str | None
    target: Target | None

    @property
    def usable_bytes(self) -> int:
        """What JAX may use of a device's memory, by default."""
        return int(self.memory_bytes * self.memory_share)

    @property
    def most_devices(self) -> int | None:
        """The most devices of one program; None: any number."""
        return _TPU_TOPOLOGY_CHIPS if self.topology else None


@dataclasses.dataclass(frozen=True)
class Tpu(_Chip):
    """A TPU."""

    topology: str

    @property
    def rates(self) -> dict[str, Rate]:
        """Rates by kind of arithmetic, see `hlo.KINDS`; one that is missing has no published rate."""
        bfloat16 = Rate(MATRIX_UNITS, self.bfloat16, "bfloat16")
        # JAX's default precision multiplies float32 in one pass of bfloat16.
        passes = f"float32 in {_TPU_HIGHEST_PASSES} passes of bfloat16"
        highest = Rate(MATRIX_UNITS, self.bfloat16 / _TPU_HIGHEST_PASSES, passes)
        return {
            "bfloat16 products": bfloat16,
            "float32 products": bfloat16,
            "float32 products, highest": highest,
        }


@dataclasses.dataclass(frozen=True)
class Gpu(_Chip):
    """A GPU."""

    tf32: float
    float32: float
    target: Target

    @property
    def rates(self) -> dict[str, Rate]:
        """Rates by kind of arithmetic, as those of a `Tpu`."""
        float32 = Rate(CUDA_CORES, self.float32, "float32")
        return {
            "bfloat16 products": Rate(MATRIX_UNITS, self.bfloat16, "bfloat16"),
            "float32 products": Rate(MATRIX_UNITS, self.tf32, "TF32"),
            "float32 products, highest": float32,
            "elementwise": float32,
        }

    def target_config(self) -> str:
        """XLA's GpuTargetConfigProto, as text."""
        own = self.target
        major, minor = own.compute_capability.split(".")
        device = {
            "threads_per_block_limit": 1024,
            "threads_per_warp": 32,
            "shared_memory_per_block": 49152,
            "shared_memory_per_core": own.shared_bytes,
            "shared_memory_per_block_optin": own.shared_bytes - _RESERVED_SHARED_BYTES,
            "threads_per_core_limit": own.threads,
            "core_count": own.multiprocessors,
            "fpus_per_core": own.lanes,
            "clock_rate_ghz": own.clock_ghz,
            "block_dim_limit_x": 2**31 - 1,
            "block_dim_limit_y": 2**16 - 1,
            "block_dim_limit_z": 2**16 - 1,
            "thread_dim_limit_x": 1024,
            "thread_dim_limit_y": 1024,
            "thread_dim_limit_z": 64,
            "registers_per_core_limit": 65536,
            "registers_per_block_limit": 65536,
            "memory_bandwidth": int(self.bytes_per_second),
            "l2_cache_size": own.l2_bytes,
            "device_memory_size": self.memory_bytes,
        }
        fields = "\n".join(f"  {name}: {value}" for name, value in device.items())
        return (
            f"gpu_device_info {{\n{fields}\n  cuda_compute_capability {{ major: {major} minor: {minor} }}\n}}\n"
            'platform_name: "CUDA"\n'
            "dnn_version_info { major: 9 minor: 10 patch: 0 }\n"
            "runtime_version { major: 13 minor: 0 patch: 0 }\n"
            f'device_description_str: "{self.title}"\n'
        )


Chip = Gpu | Tpu


@functools.cache
def all_chips() -> dict[str, Chip]:
    """Every chip of the table, by name."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        chips = [_chip(row) for row in csv.DictReader(file)]
    return {chip.name: chip for chip in chips}


def chip_named(name: str) -> Chip:
    """The chip of that name.

    Raises:
      UserError: there is none; the message lists all.
    """
    chips = all_chips()
    if name not in chips:
        raise UserError(f"--chip={name}: there is no such chip; give one of {', '.join(chips)}")
    return chips[name]


def _chip(row: dict[str, str]) -> Chip:
    """A row of the table; what a chip does not have is empty there."""
    names, source = (row["name"], row["title"], row["backend"]), row["source"]
    memory = int(row["memory_bytes"]), float(row["memory_share"]), float(row["bytes_per_second"])
    bfloat16 = float(row["bfloat16"])
    if row["backend"] == "tpu":
        return Tpu(*names, *memory, bfloat16, None, None, source, row["topology"], None)
    target = Target(
        compute_capability=row["compute_capability"],
        multiprocessors=int(row["multiprocessors"]),
        lanes=int(row["lanes"]),
        clock_ghz=float(row["clock_ghz"]),
        l2_bytes=int(row["l2_bytes"]),
        shared_bytes=int(row["shared_bytes"]),
        threads=int(row["threads"]),
    )
    rates = bfloat16, float(row["tf32"]), float(row["float32"])
    return Gpu(*names, *memory, *rates, source, None, target)
