"""Renders a study (see `experiments.comparison.analysis`) as report.md, report.html, figures, CSV and LaTeX tables."""

from typing import TYPE_CHECKING

from fpliif_jax.commands.lazy_exports import lazy_exports

_MODULES = {
    "ReportError": "fpliif_jax.experiments.report.write",
    "write_report": "fpliif_jax.experiments.report.write",
}
if TYPE_CHECKING:
    from fpliif_jax.experiments.report.write import ReportError, write_report
else:
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = ["ReportError", "write_report"]
