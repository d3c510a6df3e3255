"""A benchmark's results as Markdown; what was not measured says why."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fpliif_jax.experiments.benchmark.published_fps import DEVICE, SOURCE, paper_fps

_OURS = "JAX"
_MEBIBYTE = 2**20
_NOTHING = "–"
_NOT_MEASURED = "not measured"

Content = dict[str, Any]
Lines = list[str]


def to_markdown(content: Content) -> str:
    """All tables of a benchmark.

    Args:
      content: of benchmark.json; sections that are not there are left out.
    """
    blocks = [_head(content)]
    blocks += [
        block
        for make in (
            _latency, _throughput, _training, _one_face, _pipeline_and_loop, _starts, _compiling,
            _planned_memory, _peak_memory, _arithmetic, _fits, _not_measured,
        )
        if (block := make(content))
    ]  # fmt: skip
    return "\n\n".join("\n".join(block) for block in blocks)


def _head(content: Content) -> Lines:
    environment = content["environment"]
    versions = environment["versions"]
    facts = [
        f"{len(environment['devices'])} device(s), JAX backend {environment['backend']}",
        f"jax {versions.get('jax')}, Python {environment['python']}",
        f"{environment['cpu_count']} CPU cores ({environment['processor']})",
        f"XLA_FLAGS={environment['xla_flags'] or 'none'}",
        f"matrix precision {environment['matmul_precision']}",
        f"commit {environment['git_commit'] or 'unknown'}",
        environment["date"],
    ]
    if environment["torch"]:
        facts.insert(
            2, f"torch {environment['torch']['version']}, {environment['torch']['threads']} threads"
        )
    if runtime := environment.get("onnxruntime"):
        facts.insert(2, f"onnxruntime {runtime['version']}")
    own = content["settings"]
    lines = [
        f"# Speed of {content['config_name']} on {environment['device']}",
        "",
        "; ".join(facts) + ".",
        "",
        f"Medians of {own['rounds']} rounds of at least {own['seconds']:g} s each; ratios are taken round by round: "
        "median (quartiles), above 1 where JAX is faster.",
    ]
    if not content["finished"]:
        lines += ["", "**Not finished**: this is what was measured until it was interrupted."]
    return lines


def _latency(content: Content) -> Lines:
    def cell(entry: dict[str, Any]) -> str:
        return f"{_rate(entry)} ({1000 * entry['median_seconds']:.3g} ms)"

    return _forward(content, "latency", "Forward pass, one image at a time", cell)


def _throughput(content: Content) -> Lines:
    def cell(entry: dict[str, Any]) -> str:
        return f"{_rate(entry)}, batch {entry['batch']}"

    return _forward(content, "throughput", "Forward pass, the best batch of each", cell)


def _forward(
    content: Content, part: str, title: str, cell: Callable[[dict[str, Any]], str]
) -> Lines:
    """A line a type and output size, a column a candidate."""
    entries = [e for e in content.get("measurements", []) if e["part"] == part]
    if not entries:
        return []
    names = list(dict.fromkeys(entry["candidate"] for entry in entries))
    paper = paper_fps()
    header = ["type", "output", *(f"{name}, images/s" for name in names), f"the paper, {DEVICE}"]
    rows = []
    for dtype, size in dict.fromkeys((e["dtype"], e["output_size"]) for e in entries):
        own = {
            entry["candidate"]: entry
            for entry in entries
            if (entry["dtype"], entry["output_size"]) == (dtype, size)
        }
        row = [dtype, str(size), *(_with_ratio(content, own.get(name), cell) for name in names)]
        rows.append([*row, f"{paper[size]:g}" if size in paper else _NOTHING])
    notes = [f"The paper's: {SOURCE}."]
    notes += [
        f"Largest difference of logits between JAX and {entry.get('with', 'PyTorch')}, at "
        f"{entry['output_size']}² in float32: {entry['largest_difference']:.1e} (largest logit "
        f"{entry['largest_logit']:.2g})."
        for entry in content.get("agreement", [])
        if part == "latency"
    ]
    return [*_table(title, header, rows), "", *notes]


def _training(content: Content) -> Lines:
    names = {"step": "whole step, augmentation included", "gradient": "loss, gradients and Adam"}
    entries = [e for e in content.get("measurements", []) if e["part"] in names]
    rows = []
    for entry in entries:
        stage = f" ({entry['stage']})" if "stage" in entry else ""
        rows.append(
            [
                names[entry["part"]] + stage,
                entry["dtype"],
                str(entry["output_size"]),
                entry["candidate"],
                str(entry["batch"]),
                _with_ratio(content, entry, _rate),
            ]
        )
    header = ["what", "type", "size", "by", "batch", "images/s of a device"]
    return _table("Training step", header, rows)


def _one_face(content: Content) -> Lines:
    rows = []
    for face in content.get("one_face", []):
        height, width = face["photo"]
        for step in face["steps"]:
            taken = step["milliseconds"]
            rows.append(
                [
                    face["system"],
                    step["step"],
                    _NOT_MEASURED if taken is None else f"{taken:.1f}",
                    f"{height} × {width} on {face['canvas']}²",
                ]
            )
    return _table("One face", ["system", "step", "ms", "photo, canvas"], rows)


def _pipeline_and_loop(content: Content) -> Lines:
    rows = []
    for entry in content.get("measurements", []):
        if entry["part"] == "pipeline":
            value = _NOT_MEASURED
            if not entry["not_measured"]:
                value = f"{entry['images_per_second']:.0f} images/s"
            rows.append(["loader alone", value])
    for run in content.get("loop", []):
        rows.append(
            [
                "training loop, end to end",
                f"{run['images_per_second']:.1f} images/s over {run['steps']} steps, with "
                f"{len(run['seconds_of_each_checkpoint'])} checkpoints of "
                f"{np.mean(run['seconds_of_each_checkpoint']):.2f} s",
            ]
        )
        without = run["images_per_second_without_checkpoints"]
        rows.append(["the same without the time of checkpoints", f"{without:.1f} images/s"])
        for name, rate in run["bare_images_per_second"].items():
            rows.append(
                [
                    f"bare step, {name.replace('_', ' ')}",
                    f"{rate:.1f} images/s; the loop has {run['share'][name]:.1%} of it",
                ]
            )
    return _table("Input pipeline and training loop", ["what", "found"], rows)


def _starts(content: Content) -> Lines:
    names = {"forward": "label map of one image", "training": "a training step"}
    rows = []
    for start in content.get("starts", []):
        cells = [
            _spread([each["seconds_from_start"] for each in start[name]], "{:.1f}")
            for name in ("empty", "warm")
        ]
        imports = _spread([each["seconds_of_importing"] for each in start["warm"]], "{:.1f}")
        rows.append([names[start["what"]], start["dtype"], *cells, imports])
    header = ["first result", "type", "empty cache, s", "warm cache, s", "of it imports, s"]
    return _table("From the start of a process to its first result", header, rows)


def _compiling(content: Content) -> Lines:
    entries = [
        entry
        for entry in content.get("measurements", [])
        if entry["part"] in ("latency", "step", "gradient") and not entry["not_measured"]
    ]
    if not entries:
        return []
    names = list(dict.fromkeys(entry["candidate"] for entry in entries))
    cases = dict.fromkeys(
        (e["part"], e["dtype"], e["output_size"], e.get("stage")) for e in entries
    )
    rows = []
    for part, dtype, size, stage in cases:
        own = {
            entry["candidate"]: f"{entry['compile_seconds']:.2f}"
            for entry in entries
            if (entry["part"], entry["dtype"], entry["output_size"], entry.get("stage"))
            == (part, dtype, size, stage)
        }
        what = {"latency": "forward", "step": f"step ({stage})"}.get(part, part)
        rows.append([what, dtype, str(size), *(own.get(name, _NOTHING) for name in names)])
    header = ["what", "type", "size", *(f"{name}, s" for name in names)]
    return _table("Compiling (of PyTorch: the first call less the second)", header, rows)


def _planned_memory(content: Content) -> Lines:
    rows = []
    for entry in content.get("planned_memory", []):
        chunked, whole = entry["chunked"], entry["in_one"]
        if chunked is None:
            continue
        rows.append(
            [
                entry["dtype"],
                str(entry["output_size"]),
                _mebibytes(chunked["temporaries"]),
                _mebibytes(chunked["total"]),
                _mebibytes(whole["temporaries"]),
                _mebibytes(whole["total"]),
            ]
        )
    header = ["type", "output", "temporaries, MiB", "in all, MiB", "without chunks: temporaries", "in all"]  # fmt: skip
    return _table("Memory that XLA plans for one image", header, rows)


def _peak_memory(content: Content) -> Lines:
    rows = []
    for entry in content.get("peak_memory", []):
        case = [entry["what"], entry["dtype"], str(entry["output_size"]), str(entry["batch"])]
        if entry["not_measured"]:
            cells = [_NOT_MEASURED, _NOT_MEASURED]
        else:
            cells = [_mebibytes(entry[name]) for name in ("resident_bytes", "device_bytes")]
        rows.append([*case, entry["candidate"], *cells])
    header = ["what", "type", "size", "batch", "by", "process, MiB", "device, MiB"]
    return _table("Peak memory of a process that does it once, compiling included", header, rows)


def _arithmetic(content: Content) -> Lines:
    """Achieved rate of ours, and of the fastest of PyTorch's, beside that of a matrix product."""
    peaks = {
        (entry["framework"], entry["dtype"]): entry
        for entry in content.get("peak_arithmetic", [])
        if not entry["not_measured"]
    }
    operations = {
        entry["output_size"]: entry["multiply_accumulates"]
        for entry in content.get("operations", [])
    }
    rows = []
    for entry in _fastest_of_each_framework(content):
        framework = _OURS if entry["candidate"] == _OURS else "PyTorch"
        peak = peaks.get((framework, entry["dtype"]))
        count = operations.get(entry["output_size"])
        if peak is None or count is None:
            continue
        achieved = 2 * count * entry["images_per_second"]
        sheet = peak["data_sheet"]
        rows.append(
            [
                f"{entry['part']}, batch {entry['batch']}",
                entry["dtype"],
                str(entry["output_size"]),
                entry["candidate"],
                f"{count / 1e9:.4g}",
                _teraflops(achieved),
                f"{achieved / peak['flops_per_second']:.1%}",
                f"{achieved / sheet['flops_per_second']:.1%}" if sheet else _NOTHING,
                f"{1000 * 2 * count / peak['flops_per_second']:.3g}",
            ]
        )
    header = ["what", "type", "output", "by", "GMACs of an image", "achieved, TFLOP/s"]
    header += ["of a matrix product", "of the data sheet", "floor, ms an image"]
    lines = _table("Arithmetic", header, rows)
    if not lines:
        return []
    lines += ["", "Operations are those of the literal model, whatever is computed instead."]
    for (framework, dtype), peak in peaks.items():
        text = f"{peak['side']}² matrix product, {framework}, {dtype}: "
        text += f"{_teraflops(peak['flops_per_second'])} TFLOP/s"
        if sheet := peak["data_sheet"]:
            text += f"; {_teraflops(sheet['flops_per_second'])} by the {sheet['source']}"
        lines.append(f"{text}.")
    return lines


def _fastest_of_each_framework(content: Content) -> list[dict[str, Any]]:
    """Forward passes, for each part, type and size: JAX's, and the fastest of PyTorch's."""
    fastest: dict[tuple, dict[str, Any]] = {}
    for entry in content.get("measurements", []):
        if entry["part"] not in ("latency", "throughput") or entry["not_measured"]:
            continue
        is_ours = entry["candidate"] == _OURS
        case = (entry["part"], entry["dtype"], entry["output_size"], is_ours)
        before = fastest.get(case)
        if before is None or entry["images_per_second"] > before["images_per_second"]:
            fastest[case] = entry
    return list(fastest.values())


def _fits(content: Content) -> Lines:
    units = {"output pixels": ("ns", 1e9), "batch": ("ms", 1e3), "images": ("ms", 1e3)}
    rows = []
    for fit in content.get("fits", []):
        unit, factor = units[fit["of"]]
        size = fit.get("output_size")
        rows.append(
            [
                fit["of"],
                fit["dtype"],
                str(size) if size else "all",
                f"{factor * fit['slope']:.3g} {unit}",
                f"{1000 * fit['intercept']:.3g}",
                f"{fit['r_squared']:.4f}",
                ", ".join(f"{place:g}" for place, _ in fit["points"]),
            ]
        )
    header = ["seconds against", "type", "output", "each more", "at zero, ms", "R²", "at"]
    return _table("Straight lines through JAX's forward pass", header, rows)


def _not_measured(content: Content) -> Lines:
    reasons = [
        (_case(entry), entry["not_measured"])
        for section in ("measurements", "peak_memory", "peak_arithmetic")
        for entry in content.get(section, [])
        if entry["not_measured"]
    ]
    reasons += [(_case(entry), entry["reason"]) for entry in content.get("not_measured", [])]
    return _table("Not measured", ["what", "why"], [list(reason) for reason in reasons])


def _case(entry: dict[str, Any]) -> str:
    names = ("part", "what", "stage", "output_size", "dtype", "candidate", "framework")
    return ", ".join(str(entry[name]) for name in names if entry.get(name) is not None)


def _with_ratio(
    content: Content, entry: dict[str, Any] | None, cell: Callable[[dict[str, Any]], str]
) -> str:
    """A rate, and of another framework's how many times it is ours."""
    if entry is None:
        return _NOTHING
    if entry["not_measured"]:
        return _NOT_MEASURED
    case = (entry["part"], entry["dtype"], entry["output_size"], entry["candidate"])
    for ratio in content.get("ratios", []):
        if (ratio["part"], ratio["dtype"], ratio["output_size"], ratio["against"]) == case:
            low, high = ratio["lower_quartile"], ratio["upper_quartile"]
            return f"{cell(entry)}; JAX {ratio['median']:.2f} × ({low:.2f}–{high:.2f})"
    return cell(entry)


def _rate(entry: dict[str, Any]) -> str:
    rate = entry["images_per_second"]
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def _mebibytes(count: int | None) -> str:
    return _NOTHING if count is None else f"{count / _MEBIBYTE:,.0f}"


def _teraflops(rate: float) -> str:
    return f"{rate / 1e12:.3g}"


def _spread(values: Sequence[float], pattern: str) -> str:
    middle = pattern.format(np.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({pattern.format(min(values))}–{pattern.format(max(values))})"


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    """Empty without rows."""
    lines = [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
    if not lines:
        return []
    return [f"## {title}", "", f"| {' | '.join(header)} |", "|" + "---|" * len(header), *lines]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
