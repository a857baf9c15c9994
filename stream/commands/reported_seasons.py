"""Counts the windows of past reports by the seasons of a calendar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import pyarrow as pa

from detectors.decisions.season_rows import is_season
from detectors.errors import DetectorError
from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from detectors.report import State
from stream.commands.report_files import ReportFiles
from stream.commands.report_times import TimedReport

DAMAGED = (DetectorError, msgspec.MsgspecError, pa.ArrowException, ValueError, OSError)
"""The errors of counts that cannot be read."""


class _Violated(msgspec.Struct, frozen=True):
    check: str


class _Report(TimedReport, frozen=True, kw_only=True):
    """What seasons need of a report."""

    model: str
    variant: str
    revision: int
    state: State
    layout: str
    violations: tuple[_Violated, ...] = ()
    profile: bytes = b""
    generation: str = ""

    @property
    def is_season(self) -> bool:
        """Whether its window shows what its season is like."""
        return is_season(self.state, (violation.check for violation in self.violations))


class ReportedSeasons(NamedTuple):
    """Seasons, the number of windows that they are made of, and of those left out, by reason.

    ``models`` are those of the windows with the bins of the baseline.
    """

    seasons: Seasons
    windows: int
    left_out: Counter[str]
    models: list[str]


def reported_seasons(
    files: ReportFiles, layout: Layout, calendar: Calendar, model: str
) -> ReportedSeasons:
    """Count the windows of a model by season; all models where ``model`` is empty.

    The newest report of each window counts. Left out are windows of other bins, incomplete ones,
    those that violate a check which no season does, and those that overlap an earlier one.
    """
    left_out: Counter[str] = Counter()
    profiles: dict[Key, Profile] = {}
    models: set[str] = set()
    windows = 0
    for report in _apart(_newest(files, model), left_out):
        reason = _reason(report, layout)
        profile = None if reason else _profile(report, layout)
        if profile is None:
            left_out[reason or "have damaged counts"] += 1
            continue
        windows += 1
        models.add(report.model)
        key = calendar.key(report.start_ms)
        profiles.setdefault(key, Profile(layout)).merge(profile)
    for profile in profiles.values():
        profile.samples.clear()
    return ReportedSeasons(Seasons(calendar, profiles), windows, left_out, sorted(models))


def _reason(report: _Report, layout: Layout) -> str:
    """Why a window is left out; empty if it is not."""
    if report.layout != layout.fingerprint:
        return "have other bins than the baseline"
    return "" if report.is_season else "are incomplete, or their data were broken"


def _newest(files: ReportFiles, model: str) -> list[_Report]:
    """The newest report of each window that has counts, in order of time."""
    decoder = msgspec.json.Decoder(_Report)
    newest: dict[tuple[str, str, int, int], _Report] = {}
    for _, _, line in files.lines(files.files):
        try:
            report = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if report.end_ms is None or not report.profile or model not in ("", report.model):
            continue
        window = report.model, report.variant, report.start_ms, report.end_ms
        before = newest.get(window)
        if before is None or _age(before) <= _age(report):
            newest[window] = report
    return sorted(newest.values(), key=lambda each: (each.start_ms, each.end_ms or 0))


def _apart(reports: Iterable[_Report], left_out: Counter[str]) -> Iterator[_Report]:
    """The reports whose windows do not overlap, the earliest ones of each model and variant."""
    ends: dict[tuple[str, str], int] = {}
    for report in reports:
        key = report.model, report.variant
        if report.start_ms < ends.get(key, report.start_ms):
            left_out["overlap the one before"] += 1
            continue
        ends[key] = report.end_ms or report.start_ms
        yield report


def _profile(report: _Report, layout: Layout) -> Profile | None:
    """The counts of a report; ``None`` if they are damaged."""
    try:
        return Profile.decode(report.profile, layout)
    except DAMAGED:
        return None


def _age(report: _Report) -> tuple[str, int]:
    return report.generation, report.revision
