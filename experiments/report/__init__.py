"""Renders a study (see `experiments.comparison.analysis`) as report.md, report.html, figures, CSV and LaTeX tables."""

from fpliif_jax.experiments.report.write import ReportError, write_report

__all__ = ["ReportError", "write_report"]
