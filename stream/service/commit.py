"""Commits the state of a job together with its outputs, then hands the outputs to the sinks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from detectors.durations import duration_ms
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from stream.delivery.letter_limit import LetterLimit
from stream.events import Output
from stream.service.ownership import Ownership
from stream.service.startup import RunningJob
from stream.state.store import OutboxItem, Outgoing
from stream.telemetry.metrics import Telemetry
from stream.web.liveness import Liveness

COMMIT_FACTOR: Final = 40.0
"""The interval between commits is at least this many times the duration of a commit."""
MOST_PENDING: Final = 2_000
"""So many outputs are not kept in memory for longer."""
_URGENT: Final = (WindowReport, ScheduleReport, Signal)


Watch = Callable[[Sequence[Outgoing]], None]
"""Is called with the items of each commit, in the thread of the loop."""


def ignore(_items: Sequence[Outgoing]) -> None:
    """Do nothing with the items of a commit."""


class Committer:
    """Collects outputs and commits them together with the state that produced them.

    Nothing leaves before its commit. A commit is due immediately when a window or a period of a
    schedule was closed, a signal was raised or a baseline was installed, or with ``MOST_PENDING``
    outputs; otherwise after the longer of ``commit_interval`` and 40 times the duration of the last
    commit, and in time for the owner's heartbeat. ``watch`` is called with the items of each
    commit.
    """

    def __init__(
        self,
        running: RunningJob,
        ownership: Ownership,
        telemetry: Telemetry,
        liveness: Liveness,
        watch: Watch = ignore,
    ) -> None:
        self._running = running
        self._ownership = ownership
        self._telemetry = telemetry
        self._liveness = liveness
        self._watch = watch
        self._interval_s = duration_ms(running.job.config.state.commit_interval) / 1000
        self._letters = LetterLimit(running.job.config.dead_letters.most_per_s)
        self._pending: list[Output] = []
        self._urgent = False
        self._committed_s = self._commit_s = 0.0

    def add(self, outputs: Sequence[Output], urgent: bool = False) -> None:
        """Include outputs in the next commit; ``urgent``: it is due immediately."""
        kept, left_out = self._letters.kept(outputs, time.monotonic())
        self._telemetry.letters_left_out(left_out)
        self._pending += kept
        self._urgent |= urgent or len(self._pending) >= MOST_PENDING
        self._urgent |= any(isinstance(output, _URGENT) for output in outputs)

    def commit_if_due(self) -> None:
        """Commit if a commit is due."""
        wait_s = max(self._interval_s, COMMIT_FACTOR * self._commit_s)
        wait_s = min(wait_s, self._ownership.heartbeat_s)
        if self._urgent or time.monotonic() - self._committed_s >= wait_s:
            self.commit()

    def commit(self) -> None:
        """Write state and outputs, put both to S3, then offer the outputs to the sinks."""
        job = self._running.job
        started_s = time.monotonic()
        state = job.aggregator.state
        imbalance = state.ledger.imbalance()
        if state.labels is not None:
            imbalance |= state.labels.ledger.imbalance()
        items = self._write()
        self._secure()
        self._committed_s = time.monotonic()
        self._commit_s = self._committed_s - started_s
        self._pending = []
        self._urgent = False
        self._publish(items)
        if imbalance:
            advice = "this is a fault of driftline: keep state and log, and report it"
            self._telemetry.log.error("ledger_imbalance", differences=imbalance, advice=advice)

    def drain(self, timeout_s: float) -> bool:
        """Give the sinks time to deliver, and commit their progress.

        Returns true if everything is delivered; otherwise the rest stays in the outbox.
        """
        deadline_s = time.monotonic() + timeout_s
        undelivered = list(self._running.routes)
        while undelivered and (left_s := deadline_s - time.monotonic()) > 0:
            until_s = time.monotonic() + min(left_s, self._ownership.heartbeat_s)
            undelivered = [
                route
                for route in undelivered
                if not route.courier.drain(max(until_s - time.monotonic(), 0.0))
            ]
            self.commit()
        if undelivered:
            sinks = [route.courier.name for route in undelivered]
            self._telemetry.log.warning("items_undelivered", sinks=sinks)
        return not undelivered

    def _write(self) -> list[OutboxItem]:
        job = self._running.job
        routes = self._running.routes
        return job.store.commit(
            job.identity,
            job.aggregator.state,
            job.tables,
            self._pending,
            cursors={route.key: route.courier.cursor for route in routes},
            takes={route.key: route.takes for route in routes},
        )

    def _secure(self) -> None:
        """Put the commit to S3, which may take any length of time."""
        self._liveness.suspend()
        self._ownership.secure(self._running.job.store)
        self._liveness.beat()

    def _publish(self, items: Sequence[OutboxItem]) -> None:
        """Record the commit in telemetry, offer its items to the sinks, publish the positions."""
        job = self._running.job
        reading = self._running.reading
        telemetry = self._telemetry
        state = job.aggregator.state
        positions = {
            name: partition.next
            for name, partition in state.partitions.items()
            if partition.assignable
        }
        lag = reading.lag(positions)
        feed = self._running.labels
        label_lag = feed.committed(state.labels) if feed and state.labels else None
        telemetry.commit(self._commit_s, job.store.written_bytes, state, lag, label_lag)
        telemetry.log_verdicts(item.item for item in items)
        self._watch([item.item for item in items])
        telemetry.latency.committed(item.item for item in items)
        telemetry.log_dropped(state, job.config.dead_letters.path)
        for route in self._running.routes:
            route.offer(items)
        reading.publish_positions(positions)
