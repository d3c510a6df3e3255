"""A benchmark's results as Markdown; what was not measured says why."""

from collections.abc import Callable, Sequence

import numpy as np

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.benchmark.markdown import section
from fpliif_jax.experiments.benchmark.parts import arithmetic
from fpliif_jax.experiments.benchmark.published_fps import DEVICE, SOURCE, paper_fps
from fpliif_jax.experiments.runs.benchmark_results import Measurement, Results, about

_MEBIBYTE = 2**20
_NOT_MEASURED = "not measured"


def to_markdown(results: Results) -> str:
    """All tables of a benchmark; those without rows are left out."""
    blocks = [_head(results)]
    blocks += [
        block
        for make in (
            _latency, _throughput, _training, _one_face, _pipeline_and_loop, _starts, _compiling,
            _planned_memory, _peak_memory, arithmetic.table, _fits, _not_measured,
        )
        if (block := make(results))
    ]  # fmt: skip
    return "\n\n".join("\n".join(block) for block in blocks)


def _head(results: Results) -> list[str]:
    own, settings = results.environment, results.settings
    others = []
    if own.onnxruntime:
        others.append(f"onnxruntime {own.onnxruntime.version}")
    if own.torch:
        others.append(f"torch {own.torch.version}, {own.torch.threads} threads")
    facts = [
        f"{len(own.devices)} device(s), JAX backend {own.backend}",
        f"jax {own.versions.get('jax')}, Python {own.python}",
        *others,
        f"{own.cpu_count} CPU cores ({own.processor})",
        f"XLA_FLAGS={own.xla_flags or 'none'}",
        f"matrix precision {own.matmul_precision}",
        f"commit {own.git_commit or 'unknown'}",
        own.date,
    ]
    lines = [
        f"# Speed of {results.config_name} on {own.device}",
        "",
        "; ".join(facts) + ".",
        "",
        f"Medians of {settings.rounds} rounds of at least {settings.seconds:g} s each; ratios are taken round by "
        "round: median (quartiles), above 1 where JAX is faster.",
    ]
    if not results.finished:
        lines += ["", "**Not finished**: this is what was measured until it was interrupted."]
    return lines


def _latency(results: Results) -> list[str]:
    def cell(one: Measurement) -> str:
        return f"{_rate(one)} ({1000 * np.median(one.seconds):.3g} ms)"

    lines = _forward(results, "latency", "Forward pass, one image at a time", cell)
    return lines and [
        *lines,
        *(
            f"Largest difference of logits between JAX and {one.with_}, at {one.output_size}² in float32: "
            f"{one.largest_difference:.1e} (largest logit {one.largest_logit:.2g})."
            for one in results.agreement
        ),
    ]


def _throughput(results: Results) -> list[str]:
    def cell(one: Measurement) -> str:
        return f"{_rate(one)}, batch {one.batch:g}"

    return _forward(results, "throughput", "Forward pass, the best batch of each", cell)


def _forward(
    results: Results, part: str, title: str, cell: Callable[[Measurement], str]
) -> list[str]:
    """A line a type and output size, a column a candidate."""
    measured = {
        (one.dtype, one.output_size, one.candidate): one
        for one in results.measurements
        if one.part == part
    }
    if not measured:
        return []
    names = list(dict.fromkeys(name for _, _, name in measured))
    paper = paper_fps()
    rows = []
    for dtype, size in dict.fromkeys((dtype, size) for dtype, size, _ in measured):
        own = [measured.get((dtype, size, name)) for name in names]
        published = f"{paper[size]:g}" if size in paper else None
        rows.append([dtype, size, *(_with_ratio(results, one, cell) for one in own), published])
    header = ["type", "output", *(f"{name}, images/s" for name in names), f"the paper, {DEVICE}"]
    return [*section(title, header, rows), "", f"The paper's: {SOURCE}."]


def _training(results: Results) -> list[str]:
    names = {"step": "whole step, augmentation included", "gradient": "loss, gradients and Adam"}
    rows = []
    for one in results.measurements:
        if one.part in names:
            what = names[one.part] + (f" ({one.stage})" if one.stage else "")
            rate = _with_ratio(results, one, _rate)
            rows.append([what, one.dtype, one.output_size, one.candidate, f"{one.batch:g}", rate])
    header = ["what", "type", "size", "by", "batch", "images/s of a device"]
    return section("Training step", header, rows)


def _one_face(results: Results) -> list[str]:
    rows = []
    for face in results.one_face:
        height, width = face.photo
        for step in face.steps:
            taken = step.milliseconds
            shown = _NOT_MEASURED if taken is None else f"{taken:.1f}"
            where = f"{height} × {width} on {face.canvas}²"
            rows.append([face.system, step.step, shown, where])
    return section("One face", ["system", "step", "ms", "photo, canvas"], rows)


def _pipeline_and_loop(results: Results) -> list[str]:
    rows = []
    for one in results.measurements:
        if one.part == "pipeline":
            rate = _NOT_MEASURED if one.not_measured else f"{one.images_per_second:.0f} images/s"
            rows.append(["loader alone", rate])
    for run in results.loop:
        saving = run.seconds_of_each_checkpoint
        rate_text = f"{run.images_per_second:.1f} images/s over {counted(run.steps, 'step')}, with "
        rate_text += f"{counted(len(saving), 'checkpoint')} of {np.mean(saving):.2f} s"
        rows.append(["training loop, end to end", rate_text])
        without = f"{run.images_per_second_without_checkpoints:.1f} images/s"
        rows.append(["the same without the time of checkpoints", without])
        for name, rate in run.bare_images_per_second.items():
            rate_text = f"{rate:.1f} images/s; the loop has {run.share[name]:.1%} of it"
            rows.append([f"bare step, {name.replace('_', ' ')}", rate_text])
    return section("Input pipeline and training loop", ["what", "found"], rows)


def _starts(results: Results) -> list[str]:
    names = {"forward": "label map of one image", "training": "a training step"}
    rows = []
    for one in results.starts:
        empty, warm = ([each.seconds_from_start for each in part] for part in (one.empty, one.warm))
        imports = [each.seconds_of_importing for each in one.warm]
        rows.append([names[one.what], one.dtype, *map(_spread, (empty, warm, imports))])
    header = ["first result", "type", "empty cache, s", "warm cache, s", "of it imports, s"]
    return section("From the start of a process to its first result", header, rows)


def _compiling(results: Results) -> list[str]:
    measured = {
        (one.part, one.dtype, one.output_size, one.stage, one.candidate): one
        for one in results.measurements
        if one.part in ("latency", "step", "gradient") and not one.not_measured
    }
    names = list(dict.fromkeys(name for *_, name in measured))
    rows = []
    for part, dtype, size, stage in dict.fromkeys(case[:-1] for case in measured):
        what = {"latency": "forward", "step": f"step ({stage})"}.get(part, part)
        own = [measured.get((part, dtype, size, stage, name)) for name in names]
        seconds = [f"{one.compile_seconds:.2f}" if one else None for one in own]
        rows.append([what, dtype, size, *seconds])
    header = ["what", "type", "size", *(f"{name}, s" for name in names)]
    return section("Compiling (of PyTorch: the first call less the second)", header, rows)


def _planned_memory(results: Results) -> list[str]:
    rows = []
    for one in results.planned_memory:
        if one.chunked is not None and one.in_one is not None:
            sizes = [(own.temporaries, own.total) for own in (one.chunked, one.in_one)]
            rows.append([one.dtype, one.output_size, *map(_mebibytes, sum(sizes, ()))])
    header = ["type", "output", "temporaries, MiB", "in all, MiB", "without chunks: temporaries", "in all"]  # fmt: skip
    return section("Memory that XLA plans for one image", header, rows)


def _peak_memory(results: Results) -> list[str]:
    rows = []
    for one in results.peak_memory:
        process, device = _mebibytes(one.resident_bytes), _mebibytes(one.device_bytes)
        known = [count for count in one.rounds if count is not None]
        if one.not_measured:
            process = device = _NOT_MEASURED
        elif len(known) == len(one.rounds) > 1:
            process = f"{process} ({_mebibytes(min(known))}–{_mebibytes(max(known))})"
        case = [one.what, one.dtype, one.output_size, one.batch, one.candidate]
        rows.append([*case, process, device])
    header = ["what", "type", "size", "batch", "by", "process, MiB", "device, MiB"]
    return section(
        "Peak memory of a process that does it once, compiling included where it was not before",
        header,
        rows,
    )


def _fits(results: Results) -> list[str]:
    units = {"output pixels": ("ns", 1e9), "batch": ("ms", 1e3), "images": ("ms", 1e3)}
    rows = []
    for fit in results.fits:
        unit, factor = units[fit.of]
        each, at_zero = f"{factor * fit.slope:.3g} {unit}", f"{1000 * fit.intercept:.3g}"
        places = ", ".join(f"{place:g}" for place, _ in fit.points)
        size = fit.output_size or "all"
        rows.append([fit.of, fit.dtype, size, each, at_zero, f"{fit.r_squared:.4f}", places])
    header = ["seconds against", "type", "output", "each more", "at zero, ms", "R²", "at"]
    return section("Straight lines through JAX's forward pass", header, rows)


def _not_measured(results: Results) -> list[str]:
    tried = (*results.measurements, *results.peak_memory, *results.peak_arithmetic)
    rows = [[about(one), one.not_measured] for one in tried if one.not_measured]
    rows += [[about(one), one.reason] for one in results.not_measured]
    return section("Not measured", ["what", "why"], rows)


def _with_ratio(
    results: Results, one: Measurement | None, cell: Callable[[Measurement], str]
) -> str | None:
    """A rate, and of another framework's how many times it is ours."""
    if one is None:
        return None
    if one.not_measured:
        return _NOT_MEASURED
    case = (one.part, one.dtype, one.output_size, one.candidate)
    for ratio in results.ratios:
        if (ratio.part, ratio.dtype, ratio.output_size, ratio.against) == case:
            low, high = ratio.lower_quartile, ratio.upper_quartile
            return f"{cell(one)}; JAX {ratio.median:.2f} × ({low:.2f}–{high:.2f})"
    return cell(one)


def _rate(one: Measurement) -> str:
    rate = one.images_per_second
    # pyrefly: ignore[unsupported-operation] - asked of what was measured
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def _mebibytes(count: int | None) -> str | None:
    return None if count is None else f"{count / _MEBIBYTE:,.0f}"


def _spread(seconds: Sequence[float]) -> str:
    middle = f"{np.median(seconds):.1f}"
    return middle if len(seconds) == 1 else f"{middle} ({min(seconds):.1f}–{max(seconds):.1f})"
