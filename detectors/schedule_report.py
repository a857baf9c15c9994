"""The published result of a schedule: the report on all windows of one of its periods.

``version`` is raised when a field changes its meaning or is removed; readers must ignore fields
that they do not know.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from detectors.report import FeatureReport
from detectors.statistics_file import Statistics
from detectors.violation import Violation

SCHEDULE_REPORT_VERSION = 1
Status = Literal["Completed", "CompletedWithViolations", "NoData", "Incomplete", "Learning"]


class ScheduleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report on one period of a schedule: an execution, in the words of Model Monitor.

    The period ``[start_ms, end_ms)`` is judged by the merged counts of its panes, as one window.
    A repeat with a higher ``revision`` also counts late events.
    """

    version: int
    """The version of this schema."""
    id: str
    """``job/model/variant/start_ms/end_ms/schedule/baseline/revision``, then ``/generation`` if
    there is one; an id never has two contents.
    """
    job: str
    """The job."""
    model: str
    """The model."""
    variant: str
    """The variant."""
    schedule_ms: int
    """The length of the schedule's periods, in milliseconds."""
    start_ms: int
    """The start of the period, in milliseconds since 1970: a multiple of ``schedule_ms``."""
    end_ms: int
    """The end of the period: ``start_ms + schedule_ms``."""
    revision: int
    """0 for the first report of a period. A later one also counts late events, or begins anew after
    the baseline or the window length was changed.
    """
    status: Status
    """``Completed``, ``CompletedWithViolations``; ``NoData`` without rows, ``Incomplete`` where
    records are known to be missing, ``Learning`` while the baseline is not known.
    """
    rows: int
    """The number of rows in the period."""
    baseline: str
    """The fingerprint of the baseline."""
    limits: str = ""
    """The fingerprint of the limits in force."""
    features: tuple[FeatureReport, ...] = ()
    """The numbers of each feature; ``sagemaker`` holds those of SageMaker's own distance."""
    violations: tuple[Violation, ...] = ()
    """The constraints that the period violates, by the reading that ``rules.mode`` names."""
    rules: dict[str, float | int | str] = {}
    """The rules in force."""
    notes: tuple[str, ...] = ()
    """What limits the meaning of the numbers, in sentences."""
    statistics: Statistics | None = None
    """The content of ``statistics.json``; null without rows."""
    generation: str = ""
    """As in the report on a window."""
