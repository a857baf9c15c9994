"""An input for many runs: capture lines with planted disorder, late events, rejects and width
mismatches; and the comparison of two runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from stream.baselining import build as baselining
from stream.config.load import parse
from stream.config.model import Config
from tests.support import events

EVENTS = 4_000
EVENTS_PER_S = 20
START_MS = 1_750_000_000_000
WINDOW_MS = 20_000
PANE_MS = 10_000
GRACE_MS = 3_000
LATENESS_MS = 20_000
SCHEDULE_MS = 60_000
KEYS = (("a", "blue"), ("a", "green"), ("b", "blue"), ("b", "green"))
UNKNOWN = ("unknown", "blue")
"""The key of events whose model is not configured."""
WIDE_FROM_S, WIDE_TO_S = 120, 140
"""In these seconds half of the records have too many columns, elsewhere one of eighty: the latter
is about what the rules allow, the former no chance.
"""
RULES: dict[str, dict[str, Any]] = {
    "evidence": {"mode": "evidence", "min_n": 60},
    "threshold": {"mode": "threshold", "min_n": 60},
}
"""The rules of runs, by mode; by evidence ``min_n`` is the least number of labels alone."""

Window = tuple[str, str, int]
"""Model, variant, and the end of a window."""


class Planted(NamedTuple):
    """A capture line, its event time (``None`` if it cannot be read), its model and variant, and
    whether its row can be counted.
    """

    line: bytes
    time_ms: int | None
    key: tuple[str, str]
    row: bool


def planted(seed: int = 5, very_late: bool = True) -> list[Planted]:
    """Return events in order of arrival.

    Most are within the grace, some are late, and with ``very_late`` some are too late.
    Model ``a`` drifts for a while.
    """
    random = Random(seed)
    columns = events.values(EVENTS, seed)
    drifted = range(EVENTS * 2 // 5, EVENTS * 3 // 4)
    columns["amount"] = [
        str(float(value) * 20 + 7) if k in drifted and k % 4 < 2 else value
        for k, value in enumerate(columns["amount"])
    ]
    too_wide = set(random.sample(range(EVENTS), EVENTS // 80))
    too_wide |= {*range(WIDE_FROM_S * EVENTS_PER_S, WIDE_TO_S * EVENTS_PER_S, 2)}
    columns["plan"] = [
        f"{value},surplus" if k in too_wide else value for k, value in enumerate(columns["plan"])
    ]
    lines = events.capture_lines(columns, start_ms=START_MS, events_a_second=EVENTS_PER_S)
    in_order = [_planted(random, k, line, k not in too_wide) for k, line in enumerate(lines)]
    delays_s = (0,) * 20 + (1, 2) * 15 + (8, 60) if very_late else (0, 0, 1, 2)
    arrival = sorted(range(EVENTS), key=lambda k: k + EVENTS_PER_S * random.choice(delays_s))
    return [in_order[k] for k in arrival]


def _planted(random: Random, k: int, line: bytes, fits: bool) -> Planted:
    time_ms = START_MS + k * 1000 // EVENTS_PER_S // 1000 * 1000
    chance = random.random()
    if chance < 0.01:
        return Planted(line[: len(line) // 2], None, KEYS[0], row=False)
    key = UNKNOWN if chance < 0.02 else KEYS[k % 4]
    named = line[:-1] + f',"model":"{key[0]}","variant":"{key[1]}"}}'.encode()
    return Planted(named, time_ms, key, row=fits and key != UNKNOWN)


def plain_rows(arrived: Iterable[Planted]) -> Counter[Window]:
    """Count the rows of each window in plain loops.

    An event that is not too late for its pane counts in all windows that contain the pane.
    """
    rows: Counter[Window] = Counter()
    mark_ms = 0
    for event in arrived:
        if event.time_ms is None:
            continue
        mark_ms = max(mark_ms, event.time_ms)
        pane_ms = event.time_ms // PANE_MS * PANE_MS
        if event.row and pane_ms + PANE_MS + GRACE_MS + LATENESS_MS > mark_ms:
            for end_ms in range(pane_ms + PANE_MS, pane_ms + WINDOW_MS + PANE_MS, PANE_MS):
                rows[(*event.key, end_ms)] += 1
    return rows


def plain_periods(arrived: Iterable[Planted]) -> Counter[Window]:
    """Count the rows of each period in plain loops: each event that is in time counts once."""
    rows: Counter[Window] = Counter()
    mark_ms = 0
    for event in arrived:
        if event.time_ms is None:
            continue
        mark_ms = max(mark_ms, event.time_ms)
        pane_ms = event.time_ms // PANE_MS * PANE_MS
        if event.row and pane_ms + PANE_MS + GRACE_MS + LATENESS_MS > mark_ms:
            rows[(*event.key, event.time_ms // SCHEDULE_MS * SCHEDULE_MS + SCHEDULE_MS)] += 1
    return rows


def write_baseline(folder: Path) -> None:
    """Write the baseline of both models."""
    training = pa.table(events.values(3_000, 4))
    baselining.write(baselining.make(lambda: [training], events.OUTPUTS), folder)


def distribute(arrived: Sequence[Planted], folder: Path, files: int) -> list[str]:
    """Distribute the events over files, each in order of arrival; return the files' names."""
    names = []
    for k in range(files):
        names.append(str(folder / f"captures-{files}-{k}.jsonl"))
        lines = [event.line for j, event in enumerate(arrived) if j * 7 % 11 % files == k]
        Path(names[-1]).write_bytes(b"".join(line + b"\n" for line in lines))
    return names


def config(folder: Path, baseline: Path, files: list[str], **changes: Any) -> Config:
    """Return a job over these files, whose state and reports are in ``folder``."""
    defaults: dict[str, Any] = {
        "job": "golden",
        "source": {"type": "jsonl", "path": files},
        "format": {"type": "sagemaker"},
        "model": {"from": "path", "name": "model"},
        "variant": {"from": "path", "name": "variant"},
        "models": {name: {"baseline": str(baseline)} for name in ("a", "b")},
        "window": "20s",
        "every": "10s",
        "grace": "3s",
        "lateness": "20s",
        "idle": "10m",
        "rules": RULES["evidence"],
        "sinks": [{"type": "jsonl", "path": "reports", "schedule": "1m"}],
        "http": {"port": 0},
    }
    folder.mkdir(parents=True, exist_ok=True)
    return parse({**defaults, **changes}, folder)


class Results(NamedTuple):
    """All reports and signals of a run."""

    reports: list[WindowReport]
    signals: list[Signal]
    quality: list[QualityReport] = []
    schedules: list[ScheduleReport] = []

    @property
    def newest_periods(self) -> dict[Window, ScheduleReport]:
        """The last revision of each period; fails if two reports with the same id differ."""
        by_id: dict[str, ScheduleReport] = {}
        newest: dict[Window, ScheduleReport] = {}
        for report in self.schedules:
            assert by_id.setdefault(report.id, report) == report, (
                f"{report.id} has two different contents"
            )
            period = report.model, report.variant, report.end_ms
            if period not in newest or report.revision > newest[period].revision:
                newest[period] = report
        return newest

    @property
    def first_ids(self) -> set[str]:
        """The ids of the first reports of all windows and silences."""
        return {
            report.id for report in self.reports if not report.revision or report.state == "no data"
        }

    @property
    def newest(self) -> dict[Window, WindowReport]:
        """The last revision of each window; fails if two reports with the same id differ."""
        by_id: dict[str, WindowReport] = {}
        newest: dict[Window, WindowReport] = {}
        for report in self.reports:
            assert by_id.setdefault(report.id, report) == report, (
                f"{report.id} has two different contents"
            )
            if report.state != "no data" and report.end_ms is not None:
                window = report.model, report.variant, report.end_ms
                if window not in newest or report.revision > newest[window].revision:
                    newest[window] = report
        return newest

    @property
    def rows(self) -> Counter[Window]:
        """The rows of each window in its last revision."""
        return Counter({window: report.rows for window, report in self.newest.items()})


def assert_equal_windows(
    actual: Results, expected: Results, baseline: Baseline, *, pooled: bool = True
) -> None:
    """Compare the last revisions of all windows, and the signals.

    Integers, texts and ids must be equal, floats to 1e-9. Without ``pooled``, of evidence only the
    verdict: the numbers of several windows together are those that the windows had when they
    closed, and how many late events had been read by then depends on the sizes of the batches.
    """
    assert actual.first_ids == expected.first_ids
    assert {signal.dedupe_id for signal in actual.signals} == {
        signal.dedupe_id for signal in expected.signals
    }
    assert actual.newest.keys() == expected.newest.keys()
    for window, report in expected.newest.items():
        assert_equal_reports(actual.newest[window], report, baseline, pooled=pooled)
    assert_equal_periods(actual, expected)


def assert_equal_periods(actual: Results, expected: Results) -> None:
    """Compare the last revisions of all periods of schedules, but for the number of the revision.

    ``statistics.json`` is compared as well where both have it: lines of files lack it.
    """
    newest = actual.newest_periods
    assert newest.keys() == expected.newest_periods.keys()
    for period, report in expected.newest_periods.items():
        both = [newest[period], report]
        if not all(each.statistics for each in both):
            both = [replace(each, statistics=None) for each in both]
        content, expected_content = (to_builtins(replace(each, id="", revision=0)) for each in both)
        assert_close(content, expected_content, report.id)


def assert_equal_reports(
    actual: WindowReport, expected: WindowReport, baseline: Baseline, *, pooled: bool = True
) -> None:
    """Compare two reports of a window.

    The number of the revision depends on the moment of a tick; the content of the last one does
    not.
    """
    both = [replace(report, profile=b"", id="", revision=0) for report in (actual, expected)]
    if not pooled:
        failed = [[(each.feature, each.check) for each in report.violations] for report in both]
        assert failed[0] == failed[1], expected.id
        both = [without_evidence(report) for report in both]
    content, expected_content = map(to_builtins, both)
    assert_close(content, expected_content, expected.id)
    profile, expected_profile = (
        Profile.decode(report.profile, baseline.layout) for report in (actual, expected)
    )
    assert profile.rows == expected_profile.rows
    for name in ("counts", "low", "high"):
        same = getattr(profile, name).tobytes() == getattr(expected_profile, name).tobytes()
        assert same, f"{expected.id}: {name}"
    assert profile.sums == pytest.approx(expected_profile.sums, rel=1e-9, abs=1e-9)


def without_evidence(report: WindowReport) -> WindowReport:
    """The report without numbers of several windows together."""
    features = tuple(replace(feature, evidence=None) for feature in report.features)
    return replace(report, features=features, violations=(), pooled=b"")


def assert_close(actual: object, expected: object, where: str) -> None:
    """Compare two values that are equal except for the last digits of floats."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict)
        assert actual.keys() == expected.keys(), where
        for name in expected:
            assert_close(actual[name], expected[name], f"{where} {name}")
    elif isinstance(expected, list | tuple):
        assert isinstance(actual, list | tuple)
        assert len(actual) == len(expected), where
        for k, (item, expected_item) in enumerate(zip(actual, expected, strict=True)):
            assert_close(item, expected_item, f"{where} {k}")
    elif isinstance(expected, float) and isinstance(actual, float):
        assert actual == pytest.approx(expected, rel=1e-9, abs=1e-9), where
    else:
        assert actual == expected, where
