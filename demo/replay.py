"""The replay: writes traffic, reads reports and signals, and retrains on a reminder signal."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from demo import retraining
from demo.deployment import deploy
from demo.incidents import HOUR_MS
from demo.quality import QualityReports
from demo.quality_scoring import QualityTally
from demo.run_folder import COVERAGE, Folder
from demo.scoring import Tally
from demo.screen import Screen
from demo.service import Item, ServiceProcess, Subscription
from demo.traffic import START_MS, WINDOW_MS, WINDOWS, Traffic
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport

LAG_WINDOWS = 16
"""The traffic waits for the service while it is more than this number of windows ahead."""
STUCK_S = 60.0
POLL_S = 0.02
RATE_S = 3.0
"""The event rate on the screen is a mean over this time."""


class ServiceStalled(Exception):
    """The service has closed no window for a long time, although there were events."""

    def __init__(self, seconds: float, log: object) -> None:
        super().__init__(f"The service has closed no window for {seconds:.0f} s. See {log}.")


@dataclass(frozen=True)
class Handover:
    """A new model, trained on ``events`` with a label, took over at ``at_ms`` of the replay because
    of ``signal``.
    """

    signal: Signal
    at_ms: int
    events: int


class Replay:
    """Replays the traffic to the running service and acts on its reports and signals.

    A single thread writes the capture file of a window, reads what the service has
    published, retrains on a reminder, and waits while the service lags.
    """

    def __init__(
        self, traffic: Traffic, service: ServiceProcess, folder: Folder, port: int, screen: Screen
    ) -> None:
        self.traffic = traffic
        self.folder = folder
        self.tally = Tally(traffic.incidents, START_MS, traffic.count)
        self.quality = QualityReports()
        self.quality_tally = QualityTally(traffic.incidents, START_MS)
        self.handovers: list[Handover] = []
        self.violations_outside_incidents = 0
        self._service = service
        self._screen = screen
        self._port = port
        self._subscription = Subscription(folder.reports)
        self._closed_windows = 0
        self._labelled_windows: list[int] = []
        self._last_progress_s = time.monotonic()
        self._reminder: Signal | None = None
        self._signals: dict[int, str] = {}
        self._recent: deque[tuple[float, int]] = deque()
        self._announced_ms = 0
        self._announcements = _announcements(traffic)

    def run(self, seconds: float) -> None:
        """Replay all windows in about ``seconds`` (0: as fast as the service reads); return when
        the last one is closed.
        """
        began_s = time.monotonic()
        for window in range(WINDOWS + 1):
            self.traffic.write(window)
            self._labelled_windows.append(self.traffic.labelled_windows(COVERAGE))
            self._follow(window - LAG_WINDOWS, until_s=began_s + seconds * window / WINDOWS)
            if self._reminder:
                self._retrain(self._reminder, window)
                self._reminder = None
        self._follow(WINDOWS, until_s=0.0)

    def _follow(self, closed_windows: int, until_s: float) -> None:
        """Read what the service publishes until ``closed_windows`` are closed and ``until_s`` has
        passed.
        """
        self._read_published()
        while self._lags(closed_windows) or time.monotonic() < until_s:
            time.sleep(POLL_S)
            self._read_published()
            self._service.raise_if_ended()
            stuck = time.monotonic() - self._last_progress_s > STUCK_S
            if stuck and self._lags(closed_windows):
                raise ServiceStalled(STUCK_S, self.folder.log)

    def _lags(self, windows: int) -> bool:
        """Whether the service has closed fewer windows, or judged fewer than had their labels when
        that number was written.
        """
        labelled = self._labelled_windows[windows - 1] if windows > 0 else 0
        return self._closed_windows < windows or self.quality.judged < labelled

    def _read_published(self) -> None:
        """Process new items: reports on quality, which signals name; then in order of time, signals
        of a window before its report, so that its row can name them.
        """
        for item in sorted(self._subscription.poll(), key=_processing_order):
            if isinstance(item, QualityReport):
                self.quality.add(item)
                self._last_progress_s = time.monotonic()
            elif isinstance(item, Signal) and item.quality is not None:
                self._take_quality(item)
            elif item.end_ms is not None:
                self._announce(item.end_ms - START_MS)
                if isinstance(item, Signal):
                    self._take(item)
                else:
                    self._close(item, item.end_ms)
        self._screen.set_quality(self.quality.newest_verdict)

    def _close(self, report: WindowReport, end_ms: int) -> None:
        self._closed_windows = max(self._closed_windows, (end_ms - START_MS) // WINDOW_MS)
        self._last_progress_s = time.monotonic()
        span = report.start_ms - START_MS, end_ms - START_MS
        during_incident = any(incident.overlaps(*span) for incident in self.traffic.incidents)
        if report.state == "violations" and not during_incident:
            self.violations_outside_incidents += 1
        rate = self._event_rate(report.rows)
        rmse = self.traffic.rmse(*span)
        self._screen.add_window(report, rmse, rate, self._signals.get(end_ms, ""))

    def _event_rate(self, rows: int) -> float:
        """Events per second through the service, including ``rows`` just reported."""
        self._recent.append((self._last_progress_s, rows))
        while self._last_progress_s - self._recent[0][0] > RATE_S:
            self._recent.popleft()
        return sum(rows for _, rows in self._recent) / RATE_S

    def _take(self, signal: Signal) -> None:
        judged = self.tally.judge(signal)
        self._signals[signal.end_ms] = signal.kind
        self._screen.print_signal(signal, judged)
        if retraining.is_needed_after(signal) and not self.handovers:
            self._reminder = signal

    def _take_quality(self, signal: Signal) -> None:
        """Judge and show a signal about the model's error, beside the time of its labels."""
        known_ms = self.quality.labels_until_ms(signal.report) or signal.end_ms
        judged = self.quality_tally.judge(signal, known_ms)
        self._screen.print_quality_signal(signal, known_ms, judged)

    def _announce(self, until_ms: int) -> None:
        """Announce, each once, the incidents that started or ended before this time."""
        for at_ms, text in self._announcements:
            if self._announced_ms <= at_ms < until_ms:
                self._screen.print_at(START_MS + at_ms, text, "yellow")
        self._announced_ms = max(self._announced_ms, until_ms)

    def _retrain(self, signal: Signal, window: int) -> None:
        """Train a new model, and deploy it with its baseline if it is better; it serves from the
        next window on.
        """
        at_ms = (window + 1) * WINDOW_MS
        self._follow(window, until_s=0.0)
        retrained = retraining.retrain(signal, self.traffic, at_ms)
        hours = (signal.end_ms - signal.first_violation_ms) / HOUR_MS
        self._print_step(
            at_ms,
            f"retrain job: no recovery after {hours:.1f} h; trained on {retrained.fitted:,} of the"
            f" {len(retrained.served):,} events since, whose labels are known; held-out error"
            f" {retrained.error_old:,.1f} -> {retrained.error_new:.1f} min",
        )
        if not retrained.better:
            self._print_step(at_ms, "the new model is not better: the old model stays")
            return
        self._service.stop()
        deploy(self.folder, 2, self._port, retrained.model, retrained.served, retrained.held_out)
        self._service.start("--accept-change")
        self.traffic.model = retrained.model
        self.quality_tally.replaced_ms = at_ms
        self.handovers.append(Handover(signal, at_ms, retrained.fitted))
        self._last_progress_s = time.monotonic()
        self._print_step(at_ms, "new model deployed; monitoring continues with its new baselines")

    def _print_step(self, at_ms: int, text: str) -> None:
        self._screen.print_at(START_MS + at_ms, text, "bold cyan")


def _processing_order(item: Item) -> tuple[bool, int, bool]:
    is_quality = isinstance(item, QualityReport)
    return not is_quality, item.end_ms or 0, isinstance(item, WindowReport)


def _announcements(traffic: Traffic) -> list[tuple[int, str]]:
    starts = [
        (incident.start_ms, f"incident: {incident.name}: {incident.story}")
        for incident in traffic.incidents
    ]
    ends = [
        (incident.end_ms, f"repaired: {incident.name}")
        for incident in traffic.incidents
        if incident.end_ms is not None
    ]
    return sorted(starts + ends)
