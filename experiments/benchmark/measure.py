"""Measures what training and inference cost: what `python -m experiments.benchmark` does."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import jax
from absl import flags, logging
from tqdm import tqdm

from fpliif_jax import systems
from fpliif_jax.commands import command_line, command_names
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.experiments.benchmark import (
    figure,
    machine,
    onnx_programs,
    tables,
    tasks,
    torch_programs,
)
from fpliif_jax.experiments.benchmark.choices import DTYPES, PARTS
from fpliif_jax.experiments.benchmark.plan import FILE_NAME, Plan, Record
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.run_record import write_text
from fpliif_jax.systems.protocol import Protocol
from fpliif_jax.training import preflight

_LENGTHS: dict[str, dict[str, Any]] = {
    "full": {
        "sizes": (64, 96, 128, 192, 256, 512), "dtypes": DTYPES, "rounds": 7, "seconds": 0.5,
        "loop_seconds": 60.0, "max_batch": 256,
    },
    "quick": {
        "sizes": (64, 256), "dtypes": ("float32",), "rounds": 3, "seconds": 0.2,
        "loop_seconds": 10.0, "max_batch": 8,
    },
}  # fmt: skip


def main() -> None:
    """Measures and prints what the flags of `python -m experiments.benchmark` say.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    logging.set_verbosity(logging.WARNING)
    config = flags.FLAGS.config
    with _surroundings():
        preflight.apply_to_jax(config)
        # What compiling takes is measured: nothing may be ready beforehand.
        jax.config.update("jax_enable_compilation_cache", False)
        preflight.check_settings(config)
        plan = _plan()
        if tasks.needs_data(plan):
            _ = plan.train_split  # a folder without data is an error before anything long begins
        run(plan)


def run(plan: Plan) -> None:
    """Measures all of a plan, prints the tables, and writes the files."""
    record = plan.record
    todo = tasks.make_tasks(plan, _value("loop_seconds"))
    with tqdm(todo, unit="task", smoothing=0.1) as bar:
        plan.tell = bar.set_postfix_str
        for task in bar:
            bar.set_description(str(task))
            tasks.run_task(plan, task)
    tasks.fit_lines(plan)
    if flags.FLAGS.profile:
        tasks.trace(plan, expanded(flags.FLAGS.profile))
    results = record.finish()
    text = tables.to_markdown(results)
    print(text)
    if record.folder is None:
        name = machine.slug(f"{results.environment.device}-{results.config_name}")
        print(f"\nTo keep this: --output=experiments/results/{name}")
        return
    write_text(record.folder / "benchmark.md", text + "\n")
    drawn = figure.write_figure(results, record.folder)
    print("\n".join(str(path) for path in (record.folder / FILE_NAME, *drawn)))


def _plan() -> Plan:
    config = flags.FLAGS.config
    variants: tuple[torch_programs.TorchVariant, ...] = ()
    if flags.FLAGS.torch:
        system = systems.of(config)
        if not system.has_torch_twin:
            raise SettingsError(f"--torch: there is no PyTorch {system.title} here")
        if not torch_programs.is_installed():
            raise SettingsError(command_names.missing_package("--torch", "torch"))
        torch_programs.prepare(config)
        variants = tuple(
            torch_programs.VARIANTS[name] for name in dict.fromkeys(flags.FLAGS.torch_variants)
        )
    if flags.FLAGS.onnx:
        if not systems.of(config).inference.decodes_any_size:
            raise SettingsError("--onnx is for forward passes of FP-LIIF")
        if not onnx_programs.is_installed():
            raise SettingsError(command_names.missing_package("--onnx", "onnxruntime"))
    plan_fields = {
        "parts": _chosen("parts", flags.FLAGS.parts, PARTS),
        "sizes": _sizes(),
        "dtypes": _chosen("dtypes", _value("dtypes"), DTYPES),
        "rounds": _value("rounds"),
        "seconds": _value("seconds"),
        "max_batch": _value("max_batch"),
    }
    folder = None
    if flags.FLAGS.output:
        import matplotlib  # noqa: F401 - the figure comes last, and must not fail then

        folder = expanded(flags.FLAGS.output)
        folder.mkdir(parents=True, exist_ok=True)
    head = {
        "schema": 1,
        "finished": False,
        "config_name": command_line.config_name(),
        "config": json_config(config),
        "environment": machine.environment(bool(variants), flags.FLAGS.onnx),
        "settings": {
            **plan_fields,
            "torch_variants": [variant.name for variant in variants],
            "onnx": flags.FLAGS.onnx,
            "quick": flags.FLAGS.quick,
        },
    }
    return Plan(
        config=config,
        torch_variants=variants,
        has_onnx=flags.FLAGS.onnx,
        record=Record(head, folder),
        **plan_fields,
    )


def _value(name: str) -> Any:
    """The value of a flag, or the default of this length of benchmark."""
    return (
        _LENGTHS["quick" if flags.FLAGS.quick else "full"][name]
        if flags.FLAGS[name].value is None
        else flags.FLAGS[name].value
    )


def _chosen(flag: str, names: Any, choices: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in choices:
            raise SettingsError(f"--{flag} has {name!r}; it must be of {', '.join(choices)}")
    return tuple(choice for choice in choices if choice in names)


def _sizes() -> tuple[int, ...]:
    texts = _value("sizes")
    if list(texts) == ["rows"]:
        texts = [Protocol.parse(text).output_size for text in flags.FLAGS.config.eval.rows]
    try:
        sizes = sorted({int(size) for size in texts})
    except ValueError:
        sizes = [0]
    if not sizes or sizes[0] < 1:
        raise SettingsError(
            f"--sizes is {','.join(map(str, texts))!r}; it must be sizes such as 64,256, or 'rows'"
        )
    return tuple(sizes)


@contextlib.contextmanager
def _surroundings() -> Iterator[None]:
    """Both frameworks share the memory of one GPU, and take nothing that was compiled before."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with tempfile.TemporaryDirectory(
        prefix="benchmark-torch-", ignore_cleanup_errors=True
    ) as cache:
        # Not switched off: the same graph in another part would be compiled again, a minute each.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        yield
