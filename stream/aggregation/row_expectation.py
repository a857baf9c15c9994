"""The rows that are expected in a window, and what its first report adds to that expectation."""

from __future__ import annotations

from detectors.decisions.traffic import expected_rows, observed
from detectors.decisions.window_span import WindowSpan
from detectors.report import WindowReport
from stream.aggregation.state import KeyState


def expectation(state: KeyState, start_ms: int, end_ms: int, revision: int) -> float | None:
    """Return the rows that are expected in a window; a revision has those of its first report."""
    if revision:
        return state.expected_rows.get((end_ms - start_ms, end_ms))
    return expected_rows(state.traffic, start_ms, end_ms)


def learn(state: KeyState, report: WindowReport) -> None:
    """Learn from the rows of a window that is reported for the first time.

    An incomplete window, or one of a model that learns its baseline, has not all of its rows.
    """
    if report.revision or report.end_ms is None or report.state in ("incomplete", "learning"):
        return
    if report.expected_rows is not None:
        length_ms = report.end_ms - report.start_ms
        state.expected_rows[length_ms, report.end_ms] = report.expected_rows
    state.traffic = observed(state.traffic, report.start_ms, report.end_ms, report.rows)


def learn_silence(state: KeyState, span: WindowSpan) -> None:
    """Learn from a window without any event that is not reported."""
    if not span.incomplete and not span.learning:
        state.traffic = observed(state.traffic, span.start_ms, span.end_ms, 0)


def forget(state: KeyState, bound_ms: int) -> None:
    """Forget what was expected in windows that end at or before ``bound_ms``."""
    state.expected_rows = {
        (length_ms, end_ms): rows
        for (length_ms, end_ms), rows in state.expected_rows.items()
        if end_ms > bound_ms
    }
