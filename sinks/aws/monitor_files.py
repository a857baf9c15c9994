"""The files that a run of SageMaker Model Monitor leaves, from the report on a period."""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.sagemaker.constraints import constraints
from detectors.schedule_report import ScheduleReport
from detectors.violation import Violation
from sinks.aws.object_names import part, utc
from sinks.base import line_of

OWN_REPORT: Final = "driftline-report.json"
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
JUDGED: Final = ("Completed", "CompletedWithViolations")


class ViolatedConstraint(msgspec.Struct, frozen=True):
    """An entry of ``constraint_violations.json``."""

    feature_name: str
    constraint_check_type: str
    description: str


class ConstraintViolations(msgspec.Struct, frozen=True):
    """The content of ``constraint_violations.json``."""

    violations: list[ViolatedConstraint]


def run_folder(report: ScheduleReport, endpoint: str, schedule: str) -> str:
    """Return the folder of a run below the prefix: ``endpoint/schedule/yyyy/mm/dd/hh/``.

    The hour is that in which Model Monitor starts the run: the end of the period. A variant other
    than ``AllTraffic`` is a folder below the schedule. Periods of other than whole hours add the
    minute.
    """
    run = utc(report.end_ms)
    variant = "" if report.variant == "AllTraffic" else f"{part(report.variant)}/"
    within = ""
    if report.schedule_ms % HOUR_MS:
        within = f"{run:%M}/" if report.schedule_ms % MINUTE_MS == 0 else f"{run:%M-%S}/"
    return f"{part(endpoint)}/{part(schedule)}/{variant}{run:%Y/%m/%d/%H}/{within}"


def run_files(report: ScheduleReport) -> dict[str, bytes]:
    """Return the files of a run by name, in the order in which they are put.

    The report comes last, so that where it is, the others are. A period without rows has only the
    report. What was not judged has ``constraint_violations.json`` only if it has violations.
    """
    files = {}
    if report.statistics is not None:
        files["statistics.json"] = _encoded(report.statistics)
        files["constraints.json"] = _encoded(constraints(report.statistics))
    if report.status in JUDGED or report.violations:
        files["constraint_violations.json"] = _encoded(violations_file(report.violations))
    files[OWN_REPORT] = _encoded(line_of(report))
    return files


def violations_file(violations: tuple[Violation, ...]) -> ConstraintViolations:
    """Return the content of ``constraint_violations.json``, in the sentences of Model Monitor."""
    return ConstraintViolations(
        [
            ViolatedConstraint(violation.feature, violation.check, violation.description)
            for violation in violations
        ]
    )


def _encoded(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
