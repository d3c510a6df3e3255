"""XLA's flags in tests: those that the person set, e.g. another instruction set, and virtual devices."""

import importlib.metadata
import os

_DEVICES = "--xla_force_host_platform_device_count="
_QUICK = ["--xla_llvm_disable_expensive_passes=true", "--xla_backend_optimization_level=0"]
if importlib.metadata.version("jaxlib").startswith(
    "0.10."
):  # later ones end at a flag that they do not know
    _QUICK += ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]


def xla_flags(devices: int | None = None) -> str:
    """Value of XLA_FLAGS for a process with that many virtual devices, None for the one there is.

    Tests compile large programs and call them a few times. So LLVM optimises nothing, and XLA writes its code without
    MLIR, which takes a fifth of the time, and in one piece, as several tests share the cores; unless the person says
    something else of it.
    """
    flags = [
        flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_DEVICES)
    ]
    for quick in _QUICK:
        if not any(flag.startswith(quick.partition("=")[0] + "=") for flag in flags):
            flags.append(quick)
    return " ".join(flags if devices is None else [*flags, f"{_DEVICES}{devices}"])
