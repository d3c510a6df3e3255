"""Renders a study (see `experiments.study.analysis`) as report.md, report.html, figures, CSV and LaTeX tables."""

from experiments.report.study_checks import ReportError
from experiments.report.write import write_report

__all__ = ["ReportError", "write_report"]
