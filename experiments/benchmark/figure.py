"""Frames per second against output size: ours, PyTorch's, and the paper's line."""

import pathlib
from typing import Any

from fpliif_jax.experiments.benchmark.published_fps import DEVICE, SOURCE, paper_fps
from fpliif_jax.experiments.runs.benchmark_results import Measurement, Results

# Okabe and Ito's colours, which most colour-blind people can tell apart; marks differ too.
_STYLES = {
    "JAX": ("#0072B2", "o"),
    "PyTorch eager": ("#E69F00", "s"),
    "PyTorch eager, channels last": ("#CC79A7", "D"),
    "torch.compile": ("#009E73", "^"),
    "torch.compile, channels last": ("#D55E00", "v"),
    "ONNX Runtime": ("#56B4E9", "P"),
}
_PAPER_COLOUR = "#444444"
_PANELS = {"latency": "one image at a time", "throughput": "best batch"}
_DASHES: dict[str | None, Any] = {"float32": "-", "bfloat16": (0, (4, 2))}
_FORMATS = ("png", "svg")


def write_figure(results: Results, folder: pathlib.Path) -> list[pathlib.Path]:
    """Draws fps.png and fps.svg: a panel a part, a line a candidate and type.

    Args:
      results: of a benchmark.
      folder: that the files go to.

    Returns:
      The files; none where no forward pass was measured.
    """
    measured = [one for one in results.measurements if one.part in _PANELS and not one.not_measured]
    parts = [part for part in _PANELS if any(one.part == part for one in measured)]
    if not parts:
        return []
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    with pyplot.rc_context({"font.size": 10, "svg.hashsalt": "fps", "svg.fonttype": "none"}):
        width = 4.6 * len(parts) + 2.6
        figure, row = pyplot.subplots(
            1, len(parts), figsize=(width, 4.6), sharey=True, squeeze=False, layout="constrained"
        )
        for axes, part in zip(row[0], parts, strict=True):
            _draw(axes, [one for one in measured if one.part == part])
            axes.set_title(_PANELS[part], fontsize=10)
            axes.set_xlabel("side of the output, pixels")
            sizes = sorted(
                {*paper_fps(), *(one.output_size for one in measured if one.output_size)}
            )
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [str(size) for size in sizes], fontsize=9)
            axes.xaxis.set_minor_locator(ticker.NullLocator())
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda rate, _: f"{rate:g}"))
            axes.yaxis.set_minor_formatter(ticker.NullFormatter())
            axes.grid(which="major", color="#cccccc", linewidth=0.6)
            axes.grid(which="minor", axis="y", color="#eeeeee", linewidth=0.4)
            axes.spines[["top", "right"]].set_visible(False)
        row[0][0].set_ylabel("images per second")
        handles: dict[str, Any] = {}
        for axes in row[0]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(
            handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9
        )
        figure.suptitle(f"{results.config_name} on {results.environment.device}", fontsize=11)
        paths = [folder / f"fps.{kind}" for kind in _FORMATS]
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=150, metadata=metadata)
        pyplot.close(figure)
    return paths


def _draw(axes: Any, measured: list[Measurement]) -> None:
    paper = paper_fps()
    axes.plot(
        list(paper), list(paper.values()), color=_PAPER_COLOUR, linestyle=":", marker="x",
        linewidth=1.6, label=f"the paper, on an {DEVICE}\n({SOURCE})",
    )  # fmt: skip
    for name, dtype in dict.fromkeys((one.candidate, one.dtype) for one in measured):
        own = sorted(
            (one for one in measured if (one.candidate, one.dtype) == (name, dtype)),
            key=lambda one: one.output_size or 0,
        )
        colour, mark = _STYLES.get(name, ("#000000", "."))
        axes.plot(
            [one.output_size for one in own],
            [one.images_per_second for one in own],
            color=colour, marker=mark, markersize=5, linewidth=1.8,
            linestyle=_DASHES.get(dtype, "-"),
            markerfacecolor=colour if dtype == "float32" else "white",
            label=f"{name}, {dtype}",
        )  # fmt: skip
