"""The replay: traffic in, reports and signals out, and the loop from a signal to a new model."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from demo import retraining
from demo.captures import write_training_file
from demo.flights import Flights
from demo.incidents import HOUR_MS
from demo.model import Model
from demo.screen import Row, Screen, clock
from demo.service import Service, Subscription, driftline
from demo.settings import Folder
from demo.tally import Tally
from demo.traffic import START_MS, WINDOW_MS, WINDOWS, Traffic
from detectors.report import Signal, WindowReport

LAG_WINDOWS = 8
"""The traffic waits for the service when it is more than so many windows ahead."""
STUCK_S = 60.0
POLL_S = 0.02
RATE_S = 3.0


class Stuck(Exception):
    """The service closed no window for a long time, though events were there."""

    def __init__(self, seconds: float, log: object) -> None:
        super().__init__(f"The service has closed no window for {seconds:.0f} s. See {log}.")


@dataclass(frozen=True)
class Handover:
    """A new model took over at ``at_ms`` of the replay, because of ``signal``; it was fitted on ``events``."""

    signal: Signal
    at_ms: int
    events: int


class Play:
    """Plays the traffic to the running service and acts on what the service tells.

    Everything happens in one thread: write a window's capture file, read what the service has published, train again if a
    signal calls for it, wait if the service is behind.
    """

    def __init__(self, traffic: Traffic, service: Service, folder: Folder, port: int, screen: Screen) -> None:
        self.traffic, self.folder = traffic, folder
        self.tally = Tally(traffic.incidents, START_MS, traffic.count)
        self.handovers: list[Handover] = []
        self.alarmed_for_nothing = 0
        self._service, self._screen, self._port = service, screen, port
        self._subscription = Subscription(folder.reports)
        self._closed = 0
        self._moved_s = time.monotonic()
        self._reminder: Signal | None = None
        self._signals: dict[int, str] = {}
        self._recent: deque[tuple[float, int]] = deque()

    def run(self, seconds: float) -> None:
        """Play all windows in about so many seconds (0: as fast as the service reads), until the last one is closed."""
        began = time.monotonic()
        for window in range(WINDOWS + 1):
            self._announce(window * WINDOW_MS)
            self.traffic.write(window)
            self._follow(window - LAG_WINDOWS, until_s=began + seconds * window / WINDOWS)
            if self._reminder:
                self._retrain(self._reminder, window)
                self._reminder = None
        self._follow(WINDOWS, until_s=0.0)

    def _follow(self, closed: int, until_s: float) -> None:
        """Read news until so many windows are closed and this time has come."""
        self._look()
        while self._closed < closed or time.monotonic() < until_s:
            time.sleep(POLL_S)
            self._look()
            self._service.check()
            if self._closed < closed and time.monotonic() - self._moved_s > STUCK_S:
                raise Stuck(STUCK_S, self.folder.log)

    def _look(self) -> None:
        news = self._subscription.news()
        for signal in news:
            if isinstance(signal, Signal):
                self._take(signal)
        for report in news:
            if isinstance(report, WindowReport):
                self._close(report)

    def _close(self, report: WindowReport) -> None:
        if report.end_ms is None:
            return
        self._closed = max(self._closed, (report.end_ms - START_MS) // WINDOW_MS)
        self._moved_s = time.monotonic()
        start_ms, end_ms = report.start_ms - START_MS, report.end_ms - START_MS
        if report.state == "violations" and not any(one.meets(start_ms, end_ms) for one in self.traffic.incidents):
            self.alarmed_for_nothing += 1
        self._recent.append((self._moved_s, report.rows))
        while self._moved_s - self._recent[0][0] > RATE_S:
            self._recent.popleft()
        rate = sum(rows for _, rows in self._recent) / RATE_S
        self._screen.show(Row(report, self.traffic.rmse(start_ms, end_ms), rate, self._signals.get(report.end_ms, "")))

    def _take(self, signal: Signal) -> None:
        said = self.tally.take(signal)
        self._signals[signal.end_ms] = signal.kind
        style = "green" if signal.kind == "recovered" else "bold red"
        named = ", ".join(sorted({reason.feature for reason in signal.reasons}))
        self._screen.say(f"{clock(signal.end_ms)}  signal {signal.kind}: {named}  ({said})", style)
        if retraining.wanted(signal) and not self.handovers:
            self._reminder = signal

    def _announce(self, start_ms: int) -> None:
        for incident in self.traffic.incidents:
            if start_ms <= incident.start_ms < start_ms + WINDOW_MS:
                self._screen.say(f"{clock(START_MS + incident.start_ms)}  incident: {incident.name}: {incident.story}", "yellow")
            if incident.end_ms is not None and start_ms <= incident.end_ms < start_ms + WINDOW_MS:
                self._screen.say(f"{clock(START_MS + incident.end_ms)}  repaired: {incident.name}", "yellow")

    def _retrain(self, signal: Signal, window: int) -> None:
        """Train again, make a new baseline, and let the service go on with it; the next window is answered by the new model."""
        at_ms = (window + 1) * WINDOW_MS
        self._follow(window, until_s=0.0)
        done = retraining.retrain(signal, self.traffic, at_ms)
        self._screen.say(
            f"{clock(START_MS + at_ms)}  retrain job: still so after {(signal.end_ms - signal.first_violation_ms) / HOUR_MS:.1f} h; "
            f"fitted on the {len(done.flights):,} events since; held-out error {done.error_old:,.1f} -> {done.error_new:.1f} min",
            "bold cyan",
        )
        if not done.better:
            self._screen.say("             the new model is no better: the old one stays", "bold cyan")
            return
        self._service.stop()
        deploy(self.folder, 2, self._port, done.flights, done.model)
        self._service.start("--accept-change")
        self.traffic.model = done.model
        self.handovers.append(Handover(signal, at_ms, len(done.flights)))
        self._moved_s = time.monotonic()
        self._screen.say(f"{clock(START_MS + at_ms)}  new model deployed; the service goes on with its baseline", "bold cyan")


def deploy(folder: Folder, number: int, port: int, flights: Flights, model: Model) -> None:
    """Write the training file with the model's own answers, make its baseline, and point the configuration at it."""
    write_training_file(folder.training(number), flights, model.predict(flights.features))
    driftline("baseline", str(folder.training(number)), "--out", str(folder.baseline(number)), "--predictions", "prediction")
    folder.write_config(number, port)
