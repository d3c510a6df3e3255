"""A benchmark's results as Markdown; what was not measured says why."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.benchmark.published_fps import DEVICE, SOURCE, paper_fps
from fpliif_jax.experiments.runs.benchmark_results import Measurement, Results, about

_OURS = "JAX"
_MEBIBYTE = 2**20
_NOTHING = "–"
_NOT_MEASURED = "not measured"

Lines = list[str]
Cell = str | int | float | None


def to_markdown(results: Results) -> str:
    """All tables of a benchmark; those without rows are left out."""
    blocks = [_head(results)]
    blocks += [
        block
        for make in (
            _latency, _throughput, _training, _one_face, _pipeline_and_loop, _starts, _compiling,
            _planned_memory, _peak_memory, _arithmetic, _fits, _not_measured,
        )
        if (block := make(results))
    ]  # fmt: skip
    return "\n\n".join("\n".join(block) for block in blocks)


def _head(results: Results) -> Lines:
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


def _latency(results: Results) -> Lines:
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


def _throughput(results: Results) -> Lines:
    def cell(one: Measurement) -> str:
        return f"{_rate(one)}, batch {one.batch:g}"

    return _forward(results, "throughput", "Forward pass, the best batch of each", cell)


def _forward(results: Results, part: str, title: str, cell: Callable[[Measurement], str]) -> Lines:
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
    return [*_table(title, header, rows), "", f"The paper's: {SOURCE}."]


def _training(results: Results) -> Lines:
    names = {"step": "whole step, augmentation included", "gradient": "loss, gradients and Adam"}
    rows = []
    for one in results.measurements:
        if one.part in names:
            what = names[one.part] + (f" ({one.stage})" if one.stage else "")
            rate = _with_ratio(results, one, _rate)
            rows.append([what, one.dtype, one.output_size, one.candidate, f"{one.batch:g}", rate])
    header = ["what", "type", "size", "by", "batch", "images/s of a device"]
    return _table("Training step", header, rows)


def _one_face(results: Results) -> Lines:
    rows = []
    for face in results.one_face:
        height, width = face.photo
        for step in face.steps:
            taken = step.milliseconds
            shown = _NOT_MEASURED if taken is None else f"{taken:.1f}"
            where = f"{height} × {width} on {face.canvas}²"
            rows.append([face.system, step.step, shown, where])
    return _table("One face", ["system", "step", "ms", "photo, canvas"], rows)


def _pipeline_and_loop(results: Results) -> Lines:
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
    return _table("Input pipeline and training loop", ["what", "found"], rows)


def _starts(results: Results) -> Lines:
    names = {"forward": "label map of one image", "training": "a training step"}
    rows = []
    for one in results.starts:
        empty, warm = ([each.seconds_from_start for each in part] for part in (one.empty, one.warm))
        imports = [each.seconds_of_importing for each in one.warm]
        rows.append([names[one.what], one.dtype, *map(_spread, (empty, warm, imports))])
    header = ["first result", "type", "empty cache, s", "warm cache, s", "of it imports, s"]
    return _table("From the start of a process to its first result", header, rows)


def _compiling(results: Results) -> Lines:
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
    return _table("Compiling (of PyTorch: the first call less the second)", header, rows)


def _planned_memory(results: Results) -> Lines:
    rows = []
    for one in results.planned_memory:
        if one.chunked is not None and one.in_one is not None:
            sizes = [(own.temporaries, own.total) for own in (one.chunked, one.in_one)]
            rows.append([one.dtype, one.output_size, *map(_mebibytes, sum(sizes, ()))])
    header = ["type", "output", "temporaries, MiB", "in all, MiB", "without chunks: temporaries", "in all"]  # fmt: skip
    return _table("Memory that XLA plans for one image", header, rows)


def _peak_memory(results: Results) -> Lines:
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
    return _table(
        "Peak memory of a process that does it once, compiling included where it was not before",
        header,
        rows,
    )


def _arithmetic(results: Results) -> Lines:
    """Achieved rate of ours, and of the fastest of PyTorch's, beside that of a matrix product."""
    peaks = {
        (one.framework, one.dtype): (one.side, one.flops_per_second, one.data_sheet)
        for one in results.peak_arithmetic
        if one.flops_per_second is not None
    }
    operations = {one.output_size: one.multiply_accumulates for one in results.operations}
    rows = []
    for images_per_second, one in _fastest_of_each_framework(results):
        key = (_OURS if one.candidate == _OURS else "PyTorch", one.dtype or "")
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
    lines = _table("Arithmetic", header, rows)
    if not lines:
        return []
    lines += ["", "Operations are those of the literal model, whatever is computed instead."]
    for (framework, dtype), (side, peak, sheet) in peaks.items():
        text = f"{side}² matrix product, {framework}, {dtype}: {_teraflops(peak)} TFLOP/s"
        if sheet:
            text += f"; {_teraflops(sheet.flops_per_second)} by the {sheet.source}"
        lines.append(f"{text}.")
    return lines


def _fastest_of_each_framework(results: Results) -> list[tuple[float, Measurement]]:
    """Forward passes with their images per second, for each part, type and size: JAX's, and PyTorch's fastest."""
    fastest: dict[tuple, tuple[float, Measurement]] = {}
    for one in results.measurements:
        rate = one.images_per_second
        if one.part in ("latency", "throughput") and rate is not None:
            case = (one.part, one.dtype, one.output_size, one.candidate == _OURS)
            if case not in fastest or rate > fastest[case][0]:
                fastest[case] = (rate, one)
    return list(fastest.values())


def _fits(results: Results) -> Lines:
    units = {"output pixels": ("ns", 1e9), "batch": ("ms", 1e3), "images": ("ms", 1e3)}
    rows = []
    for fit in results.fits:
        unit, factor = units[fit.of]
        each, at_zero = f"{factor * fit.slope:.3g} {unit}", f"{1000 * fit.intercept:.3g}"
        places = ", ".join(f"{place:g}" for place, _ in fit.points)
        size = fit.output_size or "all"
        rows.append([fit.of, fit.dtype, size, each, at_zero, f"{fit.r_squared:.4f}", places])
    header = ["seconds against", "type", "output", "each more", "at zero, ms", "R²", "at"]
    return _table("Straight lines through JAX's forward pass", header, rows)


def _not_measured(results: Results) -> Lines:
    tried = (*results.measurements, *results.peak_memory, *results.peak_arithmetic)
    rows = [[about(one), one.not_measured] for one in tried if one.not_measured]
    rows += [[about(one), one.reason] for one in results.not_measured]
    return _table("Not measured", ["what", "why"], rows)


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


def _teraflops(rate: float) -> str:
    return f"{rate / 1e12:.3g}"


def _spread(seconds: Sequence[float]) -> str:
    middle = f"{np.median(seconds):.1f}"
    return middle if len(seconds) == 1 else f"{middle} ({min(seconds):.1f}–{max(seconds):.1f})"


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Lines:
    """Empty without rows."""
    lines = [f"| {' | '.join(map(_escaped, row))} |" for row in rows]
    if not lines:
        return []
    return [f"## {title}", "", f"| {' | '.join(header)} |", "|" + "---|" * len(header), *lines]


def _escaped(cell: Cell) -> str:
    return _NOTHING if cell is None else str(cell).replace("|", "\\|").replace("\n", " ")
