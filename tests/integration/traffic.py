"""Events for two services of one job, and the results that both have delivered together.

The producer's own counts are the expected result.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from tests.integration.machines import BUCKET
from tests.servers.moto import REGION
from tests.servers.service import RunningService, newest
from tests.support import events, jobs
from tests.support.jobs import MINUTE_MS, PER_S, PER_WINDOW, START_MS

CHUNK = 100
KEY = "driftline/taken.state"


class Traffic:
    """Appends whole windows of events to a followed file: 800 events a second, forty times as fast
    as their event time."""

    def __init__(self, folder: Path, windows: int) -> None:
        self.columns = events.values(windows * PER_WINDOW, 3)
        self.windows = windows
        self._lines = events.capture_lines(self.columns, start_ms=START_MS, events_a_second=PER_S)
        # An event of a later window: everything before it closes.
        later_ms = START_MS + (windows + 1) * MINUTE_MS
        self._ending = events.capture_lines(
            events.values(1, 5), start_ms=later_ms, events_a_second=PER_S
        )
        self.path = folder / "captures" / "a.jsonl"
        self.path.parent.mkdir(parents=True)
        self._thread = threading.Thread(target=self._flow, daemon=True)

    def _append(self, lines: list[bytes]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def _flow(self) -> None:
        for start in range(0, len(self._lines), CHUNK):
            self._append(self._lines[start : start + CHUNK])
            time.sleep(CHUNK / 800)
        self._append(self._ending)

    def start(self) -> None:
        self._thread.start()

    def write_windows(self, first: int, last: int) -> None:
        self._append(self._lines[first * PER_WINDOW : last * PER_WINDOW])

    def write_end(self) -> None:
        self._append(self._ending)

    def expected(self) -> dict[int, tuple[int, Counter[str]]]:
        """Rows and countries of each window, by the minute of its end."""
        country = self.columns["country"]
        return {
            k: (PER_WINDOW, Counter(country[(k - 1) * PER_WINDOW : k * PER_WINDOW]))
            for k in range(1, self.windows + 1)
        }


def config(
    traffic: Traffic, baseline: Path, url: str = "", after: str = "10s", **changes: Any
) -> dict[str, Any]:
    s3 = {"bucket": BUCKET, "region": REGION, "endpoint_url": url, "take_over_after": after}
    state = {
        "path": "state.sqlite",
        "commit_interval": "1s" if after == "10s" else "1m",
        **({"s3": s3} if url else {}),
    }
    source = {"type": "jsonl", "path": str(traffic.path.parent), "follow": True}
    defaults = {"job": "taken", "source": source, "idle": "1h", "state": state}
    return jobs.config(baseline, **{**defaults, **changes})


def reported(baseline: Baseline, *services: RunningService) -> dict[int, tuple[int, Counter[str]]]:
    """Rows and countries that all services together reported, by the minute of the window's end.

    Fails if two reports with the same id differ.
    """
    layout = baseline.layout
    feature = layout.index["country"]
    reports = newest([report for service in services for report in service.reports()])
    counted = {}
    for (_, end_ms), report in reports.items():
        counts = Profile.decode(report.profile, layout).counts[layout.bins(feature)].tolist()
        countries = dict(zip(layout.features[feature].vocabulary, counts, strict=False))
        counted[(end_ms - START_MS) // MINUTE_MS] = (report.rows, +Counter(countries))
    return counted


def delivered(service: RunningService) -> list[str]:
    """The ids of the reports that a service delivered."""
    return [report.id for report in service.reports()]


def lines_of(service: RunningService, event: str) -> list[dict[str, Any]]:
    """The log lines with this event."""
    lines = [json.loads(line) for line in service.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def until_started(service: RunningService, within_s: float) -> float:
    """Wait until the service owns the job and has started; return the elapsed seconds."""
    began = time.monotonic()
    service.until(lambda: bool(lines_of(service, "started")), within_s)
    return time.monotonic() - began
