"""Finds the report and the feature that the arguments of ``driftline explain`` name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Final

from detectors.decisions.evidence.joint_evidence import JOINT
from detectors.phrases import in_segment
from detectors.quality_report import QualityReport
from detectors.report import WindowReport
from detectors.violation import Violation
from stream.commands.report_files import FoundReport, ReportFiles
from stream.commands.usage import wrong_option, wrong_usage
from stream.commands.window_text import span_text, worst_first
from stream.config.faults import unknown_name
from stream.errors import DataError

TARGETS: Final = (
    "Give a report or signal id with a feature, MODEL TIME FEATURE, or --last. `driftline reports`"
    " lists the windows."
)
TIME_OF_DAY: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
DATE: Final = re.compile(r"\d{4}-?\d{2}-?\d{2}([T ].*)?")
MILLISECONDS: Final = re.compile(r"\d{12,14}")


def find_target(
    arguments: Sequence[str], files: ReportFiles, *, last: bool = False
) -> tuple[WindowReport, str]:
    """Return the report, and the name of the feature in it.

    ``arguments`` are the id of a report or signal, or model and time; and the feature. Without a
    feature it is the worst one of the window. With ``last`` there is at most the feature, and the
    window is the newest one with violations, or the newest one that was judged.

    Raises ``click.UsageError`` for another number of arguments or a time that cannot be read, and
    :class:`~stream.errors.DataError` if there is no such report.
    """
    if last:
        if len(arguments) > 1:
            raise wrong_usage("--last takes at most the name of a feature.")
        report, feature = _last(files, *arguments), arguments[0] if arguments else ""
    elif len(arguments) == 2 and _is_time(arguments[1]):
        report, feature = _by_time(files, *arguments), ""
    elif len(arguments) in (1, 2):
        report, feature = _by_id(files, arguments[0], arguments[1] if arguments[1:] else "")
    elif len(arguments) == 3:
        report, feature = _by_time(files, arguments[0], arguments[1]), arguments[2]
    else:
        raise wrong_usage(TARGETS)
    return report, of_all_rows(report, feature) or worst_feature(report)


def of_all_rows(report: WindowReport, name: str) -> str:
    """The feature of a name that may be one in a segment, as signals have it: ``area where ...``.

    A name that is none in a segment of the report's columns stays as it is.
    """
    if name in {feature.name for feature in report.features}:
        return name
    columns = {each.by for each in report.segments}
    for feature in report.features:
        starts = (in_segment(feature.name, by) for by in columns)
        if any(name.startswith((f"{start} = ", f"{start}: ")) for start in starts):
            return feature.name
    return name


def find_quality(arguments: Sequence[str], files: ReportFiles) -> QualityReport | None:
    """Return the quality report that is named by its id, or by the id of a signal about it.

    MODEL TIME and a metric of the quality name it too. ``None`` if the arguments name anything
    else.
    """
    if len(arguments) == 3:
        quality = files.quality_of(_by_time(files, arguments[0], arguments[1]))
        named = quality is not None and arguments[2] in {each.name for each in quality.metrics}
        return quality if named else None
    if len(arguments) != 1:
        return None
    signal = files.signal(arguments[0])
    if signal is None:
        return files.quality_report(arguments[0])
    return files.quality_report(signal.report) if signal.quality is not None else None


def worst_feature(report: WindowReport) -> str:
    """Return the feature with the worst violation; without one, the closest to its limit.

    Empty if nothing was judged.
    """
    known = {feature.name for feature in report.features}
    if report.joint is not None:
        known.add(JOINT)
    worst = [name for name in _features(report.violations) if name in known]
    near = {feature.name: feature.nearness for feature in report.features}
    return worst[0] if worst else max(near, key=near.__getitem__, default="")


def _features(violations: Iterable[Violation]) -> list[str]:
    return [violation.feature for violation in worst_first(list(violations))]


def _by_id(files: ReportFiles, name: str, feature: str) -> tuple[WindowReport, str]:
    """The report with this id, or that of the signal with this id and its worst feature."""
    signal = files.signal(name)
    if signal is None:
        return files.report(name), feature
    report = files.report(signal.report)
    names = _features(signal.reasons) or list(signal.features)
    return report, feature or next(iter(names), "")


def _last(files: ReportFiles, feature: str = "") -> WindowReport:
    newest = [found for found in reversed(files.newest()) if found.head.state != "no data"]
    for found in newest:
        if found.head.violations:
            report = files.load(found)
            if not feature or of_all_rows(report, feature) in _features(report.violations):
                return report
    judged = [found for found in newest if found.head.state in ("ok", "violations")]
    for found in judged or newest:
        return files.load(found)
    raise DataError("--last", f"there is no window; searched {files.searched}")


def _by_time(files: ReportFiles, name: str, text: str) -> WindowReport:
    """The report of a model on the window that holds a time; of several the one that began last."""
    model, _, variant = name.partition("/")
    newest = [found for found in files.newest() if found.head.state != "no data"]
    names = list(dict.fromkeys(found.head.model for found in newest))
    if model not in names:
        raise wrong_option("MODEL", unknown_name("", "model in the reports", model, names).reason)
    of_model = [
        found
        for found in newest
        if found.head.model == model and variant in ("", found.head.variant)
    ]
    for time_ms in _times_ms(text, of_model):
        matching = [found for found in of_model if found.head.covers(time_ms)]
        if matching:
            return files.load(max(matching, key=lambda found: found.head.start_ms))
    first, last = of_model[0].head, of_model[-1].head
    known = f"{span_text(first.start_ms, first.end_ms)} to {span_text(last.start_ms, last.end_ms)}"
    raise DataError(f"{name} {text}", f"no window holds this time; there are {known} (UTC)")


def _is_time(text: str) -> bool:
    return any(kind.fullmatch(text) for kind in (TIME_OF_DAY, MILLISECONDS, DATE))


def _times_ms(text: str, found: Sequence[FoundReport]) -> list[int]:
    """The times that a text can mean: a time of day that of each day with windows, newest first."""
    if MILLISECONDS.fullmatch(text):
        return [int(text)]
    days = sorted({_day(report.head.start_ms) for report in found}, reverse=True)
    try:
        if TIME_OF_DAY.fullmatch(text):
            hour, minute, second = (*map(int, text.split(":")), 0)[:3]
            at_time = time(hour, minute, second)
            return [_ms(datetime.combine(day, at_time, UTC)) for day in days]
        at = datetime.fromisoformat(text)
    except ValueError:
        example = "2026-11-25T07:01, 07:01 or milliseconds since 1970, in UTC"
        raise wrong_option("TIME", f"{text!r} is no time; expected {example}") from None
    return [_ms(at if at.tzinfo else at.replace(tzinfo=UTC))]


def _day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
