"""The words for the quality of a window in a cell of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from detectors.phrases import distinguishable, percent
from detectors.quality_report import QualityReport
from detectors.violation import Violation
from stream.telemetry.terminal_text import printable

CELL_WIDTH: Final = 24
"""The largest width of the text."""
NARROW: Final = 110
"""Terminals of fewer columns get narrow cells."""


def cell_width(console: Console) -> int:
    """The width of the cells on a terminal."""
    return 14 if console.is_terminal and console.width < NARROW else CELL_WIDTH


def quality_cell(report: QualityReport | None, width: int = CELL_WIDTH) -> str:
    """The verdict on the quality of a window; empty without a report.

    ``awaiting labels`` and ``ok`` with the share of the predictions that have a label, otherwise
    the worst metric.
    """
    if report is None:
        return ""
    coverage = "" if report.coverage is None else f" {percent(report.coverage)}"
    if report.violations:
        return _violated(report.violations, width)
    state = "awaiting" if report.state == "awaiting labels" else report.state
    return f"{state}{coverage}"[:width]


def _violated(violations: Sequence[Violation], width: int) -> str:
    """The violation with the strongest evidence, and the number of the others."""
    worst = max(violations, key=lambda violation: violation.overwhelming)
    sign = ">" if worst.value > worst.limit else "<"
    value, limit = distinguishable(worst.value, worst.limit)
    others = f", +{len(violations) - 1}" if len(violations) > 1 else ""
    numbers = f" {value} {sign} {limit}{others}"
    return printable(worst.feature[: max(width - len(numbers), 0)] + numbers)[:width]
