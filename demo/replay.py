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
from demo.run_folder import Folder
from demo.scoring import Tally
from demo.screen import Row, Screen, clock
from demo.service import Service, Subscription, driftline
from demo.traffic import START_MS, WINDOW_MS, WINDOWS, Traffic
from detectors.report import Signal, WindowReport

LAG_WINDOWS = 8
"""The traffic waits for the service when it is more than so many windows ahead."""
STUCK_S = 60.0
POLL_S = 0.02
RATE_S = 3.0


class ServiceStalled(Exception):
    """The service closed no window for a long time, though events were there."""

    def __init__(self, seconds: float, log: object) -> None:
        super().__init__(f"The service has closed no window for {seconds:.0f} s. See {log}.")


@dataclass(frozen=True)
class Handover:
    """A new model took over at ``at_ms`` of the replay, because of ``signal``; it was fitted on
    ``events``.
    """

    signal: Signal
    at_ms: int
    events: int


class Replay:
    """Plays the traffic to the running service and acts on what the service tells.

    Everything happens in one thread: write a window's capture file, read what the service has
    published, train again if a signal calls for it, wait if the service is behind.
    """

    def __init__(
        self, traffic: Traffic, service: Service, folder: Folder, port: int, screen: Screen
    ) -> None:
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
        self._announced_ms = 0
        begun = [(one.start_ms, f"incident: {one.name}: {one.story}") for one in traffic.incidents]
        ended = [
            (one.end_ms, f"repaired: {one.name}")
            for one in traffic.incidents
            if one.end_ms is not None
        ]
        self._news_of_incidents = sorted(begun + ended)

    def run(self, seconds: float) -> None:
        """Play all windows in about so many seconds (0: as fast as the service reads), until the
        last one is closed.
        """
        began = time.monotonic()
        for window in range(WINDOWS + 1):
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
                raise ServiceStalled(STUCK_S, self.folder.log)

    def _look(self) -> None:
        """Take what is new in the order of time; of one window, its signals first, so that its row
        can name them.
        """
        for item in sorted(
            self._subscription.news(),
            key=lambda one: (one.end_ms or 0, isinstance(one, WindowReport)),
        ):
            if item.end_ms is None:
                continue
            self._announce(item.end_ms - START_MS)
            if isinstance(item, Signal):
                self._take(item)
            else:
                self._close(item, item.end_ms)

    def _close(self, report: WindowReport, end_ms: int) -> None:
        self._closed = max(self._closed, (end_ms - START_MS) // WINDOW_MS)
        self._moved_s = time.monotonic()
        span = report.start_ms - START_MS, end_ms - START_MS
        if report.state == "violations" and not any(
            one.meets(*span) for one in self.traffic.incidents
        ):
            self.alarmed_for_nothing += 1
        self._recent.append((self._moved_s, report.rows))
        while self._moved_s - self._recent[0][0] > RATE_S:
            self._recent.popleft()
        rate = sum(rows for _, rows in self._recent) / RATE_S
        self._screen.show(
            Row(report, self.traffic.rmse(*span), rate, self._signals.get(end_ms, ""))
        )

    def _take(self, signal: Signal) -> None:
        said = self.tally.take(signal)
        self._signals[signal.end_ms] = signal.kind
        over = signal.kind == "recovered"
        why = "" if over else "".join(f"\n{'':11}{reason}" for reason in reasons(signal))
        named = ", ".join(sorted({reason.feature for reason in signal.reasons}))
        self._screen.say(
            f"{clock(signal.end_ms)}  signal {signal.kind}: {named}  ({said}){why}",
            "green" if over else "bold red",
        )
        if retraining.wanted(signal) and not self.handovers:
            self._reminder = signal

    def _announce(self, until_ms: int) -> None:
        """Say which incidents have begun or ended before this time of the replay, each once."""
        for at_ms, text in self._news_of_incidents:
            if self._announced_ms <= at_ms < until_ms:
                self._screen.say(f"{clock(START_MS + at_ms)}  {text}", "yellow")
        self._announced_ms = max(self._announced_ms, until_ms)

    def _retrain(self, signal: Signal, window: int) -> None:
        """Train again, make a new baseline, and let the service go on with it; the next window is
        answered by the new model.
        """
        at_ms = (window + 1) * WINDOW_MS
        self._follow(window, until_s=0.0)
        done = retraining.retrain(signal, self.traffic, at_ms)
        hours = (signal.end_ms - signal.first_violation_ms) / HOUR_MS
        self._screen.say(
            f"{clock(START_MS + at_ms)}  retrain job: still so after {hours:.1f} h; fitted on the"
            f" {len(done.flights):,} events since; held-out error {done.error_old:,.1f} ->"
            f" {done.error_new:.1f} min",
            "bold cyan",
        )
        if not done.better:
            self._screen.say(
                "             the new model is no better: the old one stays", "bold cyan"
            )
            return
        self._service.stop()
        deploy(self.folder, 2, self._port, done.flights, done.model)
        self._service.start("--accept-change")
        self.traffic.model = done.model
        self.handovers.append(Handover(signal, at_ms, len(done.flights)))
        self._moved_s = time.monotonic()
        self._screen.say(
            f"{clock(START_MS + at_ms)}  new model deployed; the service goes on with its baseline",
            "bold cyan",
        )


def reasons(signal: Signal) -> list[str]:
    """What moved most, a line a reason: shares before and after, and the diagnosis if there is one."""
    out = []
    for reason in signal.reasons:
        moved = next(iter(reason.moved), None)
        text = f"{reason.feature}: {reason.statistic} {reason.value:.2f}, limit {reason.limit:.2f}"
        if moved and reason.check != "data_type_check":
            text += f"; {moved.label}: {moved.before:.1%} -> {moved.after:.1%}"
        out.append(text + (f"; {reason.diagnosis}" if reason.diagnosis else ""))
    return out


def deploy(folder: Folder, number: int, port: int, flights: Flights, model: Model) -> None:
    """Write the training file with the model's own answers, make its baseline, and point the
    configuration at it.
    """
    write_training_file(folder.training(number), flights, model.predict(flights.features))
    driftline(
        "baseline",
        str(folder.training(number)),
        "--out",
        str(folder.baseline(number)),
        "--predictions",
        "prediction",
    )
    folder.write_config(number, port)
