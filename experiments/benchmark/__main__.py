"""Measures what training and inference cost here, and PyTorch in the same rounds if asked to.

    python -m experiments.benchmark --config=configs/celebamask_hq.py --parts=latency,throughput,memory,starts
    python -m experiments.benchmark --config=configs/synthetic.py --torch --output=experiments/results/my-machine
    python -m experiments.benchmark --config=configs/stn_icnn_helen.py --config.data.manual_dir=DOWNLOADS

Parts: latency (one image at a time; for STN-iCNN one face, by step), throughput (the best batch), training (the step
of every stage; FP-LIIF's without augmentation beside PyTorch's), memory, starts (with an empty and a warm compilation
cache), pipeline (the loader alone) and loop (the training loop against the bare step). Only the last two, and latency
of STN-iCNN, need data. Weights are untrained: they do not change the work.

With --output the folder gets benchmark.json, benchmark.md, fps.png and fps.svg; until all is measured, what there
is stands in benchmark-unfinished.json. docs/speed.md says how each number is made.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import jax
from absl import app, flags, logging
from ml_collections import config_flags
from tqdm import tqdm

from fpliif_jax import preflight, systems
from fpliif_jax.data_builders import standard_streams
from fpliif_jax.data_builders.errors import USER_ERRORS, error_line
from fpliif_jax.experiments.benchmark import figure, machine, tables, tasks, torch_programs
from fpliif_jax.experiments.benchmark.plan import FILE_NAME, PARTS, Plan, Record
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.run_record import write_text
from fpliif_jax.systems.protocol import Protocol

_DTYPES = ("float32", "bfloat16")
_CONFIG = preflight.define_config_flag()
_OUTPUT = flags.DEFINE_string("output", None, "Folder for JSON, tables and plot; none: print only.")
_TORCH = flags.DEFINE_bool("torch", False, "Measure PyTorch too, in the same rounds.")
_VARIANTS = flags.DEFINE_multi_enum(
    "torch_variants", list(torch_programs.VARIANTS), list(torch_programs.VARIANTS),
    "PyTorch's ways of running; give the flag once for each.",
)  # fmt: skip
_PARTS = flags.DEFINE_list("parts", list(PARTS), f"What to measure, of {', '.join(PARTS)}.")
_SIZES = flags.DEFINE_list(
    "sizes", None, "Output sizes (64,96,128,192,256,512), or 'rows': those of config.eval.rows."
)
_SEEN_DTYPES = flags.DEFINE_list("dtypes", None, "Types of activations (float32,bfloat16).")
_ROUNDS = flags.DEFINE_integer("rounds", None, "How often each is timed (7).", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", None, "Of a round of one candidate (0.5).", lower_bound=0)
_LOOP_SECONDS = flags.DEFINE_float("loop_seconds", None, "Of the training loop (60).")
_MAX_BATCH = flags.DEFINE_integer("max_batch", None, "Largest that is tried (256).", lower_bound=1)
_QUICK = flags.DEFINE_bool("quick", False, "Fewer and shorter: a look, not a result.")
_PROFILE = flags.DEFINE_string("profile", None, "Folder for a trace of a few forward passes.")

_LENGTHS: dict[str, dict[str, Any]] = {
    "full": {
        "sizes": (64, 96, 128, 192, 256, 512), "dtypes": _DTYPES, "rounds": 7, "seconds": 0.5,
        "loop_seconds": 60.0, "max_batch": 256,
    },
    "quick": {
        "sizes": (64, 256), "dtypes": ("float32",), "rounds": 3, "seconds": 0.2,
        "loop_seconds": 10.0, "max_batch": 8,
    },
}  # fmt: skip


def main(argv: list[str]) -> None:
    """Measures and prints; errors a person can mend are one line and exit code 1."""
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]!r}; settings are --config.FIELD=VALUE")
    logging.set_verbosity(logging.WARNING)
    config = _CONFIG.value
    try:
        with _surroundings():
            preflight.apply_to_jax(config)
            # What compiling takes is measured: nothing may be ready beforehand.
            jax.config.update("jax_enable_compilation_cache", False)
            preflight.check_settings(config)
            plan = _plan()
            if tasks.needs_data(plan):
                _ = plan.train_split  # a folder without data is told before anything long begins
            run(plan)
    except USER_ERRORS as error:
        sys.exit(error_line(error))


def run(plan: Plan) -> None:
    """Measures all of a plan, prints the tables, and writes the files."""
    record = plan.record
    todo = tasks.make_tasks(plan, _value("loop_seconds", _LOOP_SECONDS))
    with tqdm(todo, unit="task", smoothing=0.1) as bar:
        plan.tell = bar.set_postfix_str
        for task in bar:
            bar.set_description(str(task))
            tasks.run_task(plan, task)
    tasks.fit_lines(plan)
    if _PROFILE.value:
        tasks.trace(plan, pathlib.Path(_PROFILE.value).expanduser())
    record.finish()
    text = tables.to_markdown(record.content)
    print(text)
    if record.folder is None:
        name = machine.slug(f"{record.content['environment']['device']}-{_config_name()}")
        print(f"\nTo keep this: --output=experiments/results/{name}")
        return
    write_text(record.folder / "benchmark.md", text + "\n")
    drawn = figure.write_figure(record.content, record.folder)
    print("\n".join(str(path) for path in (record.folder / FILE_NAME, *drawn)))


def _plan() -> Plan:
    config = _CONFIG.value
    variants: tuple[torch_programs.TorchVariant, ...] = ()
    if _TORCH.value:
        system = systems.of(config)
        if not system.has_torch_twin:
            raise preflight.SettingsError(f"--torch: there is no PyTorch {system.title} here")
        if not torch_programs.is_installed():
            raise preflight.SettingsError(
                "--torch: PyTorch is not installed: pip install -r requirements-test.txt"
            )
        torch_programs.prepare(config)
        variants = tuple(torch_programs.VARIANTS[name] for name in dict.fromkeys(_VARIANTS.value))
    plan_fields = {
        "parts": _chosen("parts", _PARTS.value, PARTS),
        "sizes": _sizes(),
        "dtypes": _chosen("dtypes", _value("dtypes", _SEEN_DTYPES), _DTYPES),
        "rounds": _value("rounds", _ROUNDS),
        "seconds": _value("seconds", _SECONDS),
        "max_batch": _value("max_batch", _MAX_BATCH),
    }
    folder = None
    if _OUTPUT.value:
        folder = pathlib.Path(_OUTPUT.value).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "finished": False,
        "config_name": _config_name(),
        "config": json_config(config),
        "environment": machine.environment(bool(variants)),
        "settings": {
            **plan_fields,
            "torch_variants": [variant.name for variant in variants],
            "quick": _QUICK.value,
        },
    }
    return Plan(
        config=config, torch_variants=variants, record=Record(content, folder), **plan_fields
    )


def _value(name: str, flag: flags.FlagHolder) -> Any:
    """What was given, or what is usual for the length."""
    return _LENGTHS["quick" if _QUICK.value else "full"][name] if flag.value is None else flag.value


def _chosen(flag: str, given: Any, choices: tuple[str, ...]) -> tuple[str, ...]:
    for name in given:
        if name not in choices:
            raise preflight.SettingsError(
                f"--{flag} has {name!r}; it must be of {', '.join(choices)}"
            )
    return tuple(choice for choice in choices if choice in given)


def _sizes() -> tuple[int, ...]:
    given = _value("sizes", _SIZES)
    if list(given) == ["rows"]:
        given = [Protocol.parse(text).output_size for text in _CONFIG.value.eval.rows]
    try:
        sizes = sorted({int(size) for size in given})
    except ValueError:
        sizes = [0]
    if not sizes or sizes[0] < 1:
        raise preflight.SettingsError(
            f"--sizes is {','.join(map(str, given))!r}; it must be sizes such as 64,256, or 'rows'"
        )
    return tuple(sizes)


def _config_name() -> str:
    return pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem


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


if __name__ == "__main__":
    standard_streams.outlive_readers()
    app.run(main, flags_parser=preflight.parse_flags)
