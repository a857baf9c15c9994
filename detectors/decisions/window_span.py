"""A window of a model: its span, facts other than its counts, and the state that they give it."""

from __future__ import annotations

import msgspec

from detectors.decisions.checks.base import CheckedWindow
from detectors.report import State
from detectors.schedule_report import Status


class WindowSpan(msgspec.Struct, frozen=True, kw_only=True):
    """The window ``[start_ms, end_ms)`` of a model, its revision, and facts other than counts.

    ``incomplete``: a gap or a change of layout lies in it. ``learning``: the model has no full
    baseline yet. ``too_narrow`` and ``too_wide``: records with too few or too many columns.
    ``expected_rows``: the rows that such a window usually has, ``None`` if that is not known.
    ``notes`` are passed on to the report.
    """

    model: str
    variant: str
    start_ms: int
    end_ms: int
    revision: int = 0
    incomplete: bool = False
    learning: bool = False
    too_narrow: int = 0
    too_wide: int = 0
    notes: tuple[str, ...] = ()
    expected_rows: float | None = None


def state_of(
    span: WindowSpan, window: CheckedWindow, *, violates: bool, is_met: bool = False
) -> State:
    """The state of a window; ``is_met``: one of the conditions, which ask for no least rows."""
    if span.incomplete:
        return "incomplete"
    if span.learning:
        return "learning"
    own_reading = not window.rules.is_sagemaker
    lost_inputs = window.pair.window.without_inputs and not window.pair.baseline.without_inputs
    if lost_inputs and own_reading:
        return "no inputs"
    too_few = window.rows + span.too_narrow + span.too_wide < window.rules.least_rows
    if too_few and not is_met:
        return "insufficient"
    return "violations" if violates else "ok"


def status_of(span: WindowSpan, empty: bool, *, violates: bool) -> Status:
    """The status of a period; an ``empty`` one has no records."""
    if span.incomplete:
        return "Incomplete"
    if empty:
        return "NoData"
    if span.learning:
        return "Learning"
    return "CompletedWithViolations" if violates else "Completed"
