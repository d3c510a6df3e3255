"""Tests of docs/speed.md: what it says of compiled programs is in the committed JSON."""

import json
import pathlib
import re
from typing import Any

import numpy as np

from fpliif_jax.experiments.benchmark import first_step, growth

_ROOT = pathlib.Path(__file__).parents[1]
_COMPILED = _ROOT / "experiments" / "results" / "compiled-not-run"
_PAGE = " ".join((_ROOT / "docs" / "speed.md").read_text("utf-8").split())


def _step(name: str) -> dict[str, Any]:
    kept = json.loads((_COMPILED / f"{name}-h100.json").read_text("utf-8"))
    (program,) = kept["programs"]
    assert (kept["was_run"], program["name"]) == (False, "training: parsing")
    return program


def _times_as_fast(rounds: dict[str, np.ndarray], name: str) -> str:
    """How many times as fast as this JAX is: the median over rounds, and the quartiles."""
    low, middle, high = np.quantile(rounds[name] / rounds["JAX"], (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def test_steps_in_microbatches_are_those_compiled() -> None:
    names = (*(f"lapa-training-of-{size}" for size in (4, 8, 16)), "lapa-bfloat16-training-of-4")
    steps = [_step(name) for name in names]
    assert [step["chosen"]["train.microbatch"] for step in steps] == [4, 8, 16, 4]
    kernels = [f"{step['kernels']:,}" for step in steps]
    traffic = [f"{step['bytes'] / step['images'] / 1e9:.2f}" for step in steps]
    for of_all, unit in ((kernels, "kernels"), (traffic, "GB")):
        assert f"{', '.join(of_all[:-1])} and {of_all[-1]} {unit}" in _PAGE
    gib = [f"{step['planned_bytes']['total'] / 2**30:.2f} GiB" for step in steps]
    (of_pmap,) = re.findall(r"copies the moments of Adam once more, (\d+) kernels", _PAGE)
    fewer = [f"{step['kernels'] - int(of_pmap):,}" for step in steps]
    of_4, of_8, of_16, in_bfloat16 = (
        f"{memory}, {count}, {read} GB |"
        for memory, count, read in zip(gib, fewer, traffic, strict=True)
    )
    assert f"microbatch 8; 16 | – | {of_8[:-2]}; {of_16}" in _PAGE
    for kind, after in (("float32", of_4), ("bfloat16", in_bfloat16)):
        assert re.search(rf"microbatch 4, {kind} \| [^|]* \| {re.escape(after)}", _PAGE)


def test_growth_is_that_measured() -> None:
    path = _COMPILED.parent / "amd-epyc-2-cores-growth" / "growth.json"
    lines: list[growth.Growth] = []
    for kept in (path, path.with_name("drawing.json")):
        own = [growth.Growth(**step) for step in json.loads(kept.read_text("utf-8"))["steps"]]
        assert " ".join(growth.table(own).split()) in _PAGE
        lines += own
    assert max(max(line.exponent, line.last_exponent) for line in lines) < 1.1
    least = min(peak for line in lines for peak in line.peak_bytes) / 2**20
    assert "Nothing grows faster than its count." in _PAGE
    assert f"Of memory, {least:.0f} MiB, the least peak, are mostly imports." in _PAGE
    assert f"{path.parent.name}/growth.json" in _PAGE


def test_forward_passes_are_those_measured() -> None:
    folder = _COMPILED.parent / "amd-epyc-2-cores-latency"
    kept = json.loads((folder / "benchmark.json").read_text("utf-8"))
    others = ("PyTorch eager", "torch.compile", "ONNX Runtime")
    readme = (_ROOT / "README.md").read_text("utf-8")
    shown = {}
    for size in (64, 128, 256):
        rounds = {
            one["candidate"]: np.array(one["seconds"])
            for one in kept["measurements"]
            if (one["part"], one["output_size"], one["batch"]) == ("latency", size, 1)
        }
        cells = [f"{1000 * np.median(rounds[name]):,.0f}" for name in ("JAX", *others)]
        for name in others:
            cells.append(_times_as_fast(rounds, name))
            shown[size, name] = cells[-1].split()[0].lstrip("0")
        assert f"| {size}² | {' | '.join(cells)} |" in _PAGE
        shown[size, "JAX"] = f"{np.median(rounds['JAX']):.2f}".lstrip("0")
    compiled = "torch.compile"
    row = f"{shown[256, 'JAX']}; {shown[64, 'JAX']} s | {shown[256, compiled]}; {shown[64, compiled]} times as fast"
    assert row in readme


def test_one_face_of_stn_icnn_is_that_measured() -> None:
    path = _COMPILED.parent / "amd-epyc-2-cores-stn-icnn" / "benchmark.json"
    rows = []
    for face in json.loads(path.read_text("utf-8"))["one_face"]:
        assert (face["photo"], face["canvas"]) == ([512, 512], 1024)
        whole, *_ = milliseconds = [f"{step['milliseconds']:.1f}" for step in face["steps"]]
        rows.append(f"{whole} | {' | '.join(milliseconds[1:])} |")
    stn_icnn, baseline = rows
    assert f"| STN-iCNN | {stn_icnn}" in _PAGE
    assert f"| baseline with the centroid cropper | {baseline}" in _PAGE
    assert f"| 80 ms (GTX 1080 Ti) | {stn_icnn.split()[0]} ms |" in (_ROOT / "README.md").read_text(
        "utf-8"
    )


def test_the_training_step_is_that_measured() -> None:
    path = _COMPILED.parent / "amd-epyc-2-cores-training" / "benchmark.json"
    measurements = json.loads(path.read_text("utf-8"))["measurements"]
    rounds = {
        one["candidate"]: np.array(one["seconds"])
        for one in measurements
        if one["part"] == "gradient"
    }
    times = [f"{1000 * np.median(one):,.0f}" for one in rounds.values()]
    ratios = [_times_as_fast(rounds, name) for name in ("PyTorch eager", "torch.compile")]
    row = f"| {' | '.join(times)} | – | {' | '.join(ratios)} | – |"
    assert f"| loss, gradients and Adam, 256², one image {row}" in _PAGE
    readme = (_ROOT / "README.md").read_text("utf-8")
    assert f"{np.median(rounds['JAX']):.2f} s | {ratios[1][:4]} times as fast" in readme


def test_memory_is_that_measured() -> None:
    path = _COMPILED.parent / "amd-epyc-2-cores-memory" / "benchmark.json"
    kept = json.loads(path.read_text("utf-8"))
    mebibytes: dict[tuple[str, int], list[int]] = {}
    for name, what, size in (
        ("forward pass, 64²", "forward", 64),
        ("forward pass", "forward", 256),
        ("loss, gradients and Adam, one image", "gradient", 256),
    ):
        rounds = [
            [round(one / 2**20) for one in sorted(peak["rounds"])]
            for peak in kept["peak_memory"]
            if (peak["what"], peak["output_size"]) == (what, size)
        ]
        cells = [f"{middle:,} ({least:,}–{most:,})" for least, middle, most in rounds]
        assert f"| {name} | {' | '.join(cells)} |" in _PAGE
        mebibytes[what, size] = [middle for _, middle, _ in rounds]
    _, ours, theirs = mebibytes["forward", 256]
    readme = (_ROOT / "README.md").read_text("utf-8")
    assert f"| {ours} MiB | {ours / theirs:.2f} times as much |" in readme
    planned = {one["output_size"]: one for one in kept["planned_memory"]}
    chunks = [round(planned[size]["chunked"]["total"] / 2**20) for size in (256, 1024, 2048)]
    whole = [planned[size]["in_one"]["total"] / 2**30 for size in (1024, 2048)]
    temporaries = round(planned[256]["chunked"]["temporaries"] / 2**20)
    assert f"XLA plans {chunks[0]} MiB of the {ours}; {temporaries} of them" in _PAGE
    said = f"{chunks[1]} and {chunks[2]} MiB in chunks of queries; without chunks it would be"
    assert f"{said} {whole[0]:.1f} and {whole[1]:.1f} GiB." in _PAGE


def test_the_first_step_comes_as_soon_as_measured() -> None:
    path = _COMPILED.parent / "amd-epyc-2-cores-first-step" / "first_step.json"
    kept = json.loads(path.read_text("utf-8"))
    seconds = [kept["first_start"], *kept["later_starts"]]
    assert " ".join(first_step.table(seconds).split()) in _PAGE
    assert max(kept["load"]) < 2
