"""The loop: read, step, commit, deliver; signals and shutdown."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from detectors.durations import duration_ms
from detectors.report import Signal, WindowReport
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.delivery.routes import Route, routes_of
from stream.errors import LedgerImbalance, SourceUnavailable
from stream.events import (
    Assign,
    BaselineInstalled,
    EndOfInput,
    Gap,
    Item,
    Output,
    PartitionsExpired,
    Tick,
)
from stream.readers.base import Readers
from stream.readers.in_process import InProcessReader
from stream.readers.pool import ReaderPool
from stream.service.job import Job, open_job
from stream.service.ownership import Ownership
from stream.sources.base import Passing, Reading
from stream.telemetry.log_setup import LogSetup
from stream.telemetry.metrics import Telemetry
from stream.web.liveness import Liveness
from stream.web.readiness import Readiness, Role
from stream.web.server import HttpServer

POLL_S = 0.2
TICK_S = 0.5
DISCOVER_S = 2.0
DRAIN_S = 10.0
UNDELIVERED = 9
"""Exit code when items wait in the outbox: the next run delivers them."""
COMMIT_FACTOR = 40.0
"""Commits take at most one part in this many of the time."""


class Service:
    """A job that runs: owns its state, reads in its own process or in others (``readers``),
    delivers in the sinks' threads.

    Nothing goes out before the commit that holds it. A commit comes at once when a window closed or
    a signal waits, else after the longer of ``commit_interval`` and 40 times the last commit.
    ``stop`` may be called from another thread or a signal handler: the loop then commits what it
    has and ends.
    """

    def __init__(
        self,
        config: Config,
        accept_change: bool = False,
        clock: Callable[[], float] = time.time,
        logs: LogSetup | None = None,
        standby: bool = False,
    ) -> None:
        self._config, self._accept_change, self._standby, self._clock = (
            config,
            accept_change,
            standby,
            clock,
        )
        self._logs = logs or LogSetup()
        self.telemetry = Telemetry(config.job)
        self._stop = threading.Event()
        self._ownership = Ownership(config, standby, self._stop, self.telemetry.log)
        self._undo: list[Callable[[], object]] = []
        self._waiting: list[Output] = []
        self._urgent = False
        self._last_commit = self._last_tick = self._last_discover = 0.0
        self._commit_took_s = 0.0
        self._full: list[str] = []
        self.opening = (
            False  # a source that does not answer is waited for; nothing is lost by leaving then
        )
        self._pulse = Liveness(duration_ms(config.http.ready_behind) / 1000)

    @property
    def state(self) -> str:
        """One line about where the job stands."""
        ledger = self._job.aggregator.state.ledger
        lost = "".join(f", {count} {name}" for name, count in ledger.lost().items())
        return (
            f"{ledger.total('accepted')} events accepted{lost}, {ledger.rows_in_panes} rows kept"
            " for late events"
        )

    def stop(self) -> None:
        """End after the batch that is under way."""
        self._stop.set()

    @property
    def role(self) -> Role:
        """``starting``, ``standby`` (another service owns the job) or ``owner``."""
        return self._ownership.role

    def run(self) -> int:
        """Run until the source ends or :meth:`stop` is called; returns the exit code: 9 if a sink
        still lacks something.
        """
        try:
            if not self._own():
                return 0
            self._open()
            return 0 if self._loop() else UNDELIVERED
        finally:
            for undo in reversed(self._undo):
                undo()

    def _own(self) -> bool:
        """Answer over HTTP, become the owner, open the job; false if stopped while waiting."""
        self._undo.append(self._ownership.release)
        if not self._standby:
            self._ownership.lock()
        answers = self._answer()
        lock = self._ownership.take()
        if lock is None:
            return False
        self._pulse.begins()
        if not answers:
            self._answer()
        self._job: Job = open_job(self._config, self._accept_change, lock)
        self._undo.append(self._job.store.close)
        self.telemetry.begin(self._job.aggregator.state)
        return True

    def _answer(self) -> bool:
        """Serve HTTP; false for a standby whose port is taken, as on the owner's machine: it serves
        once it is the owner.
        """
        try:
            pages = {"/healthz": self._health, "/readyz": self._readiness}
            self._http = HttpServer(
                self.telemetry.registry, self._config.http.host, self._config.http.port, pages
            )
        except SourceUnavailable as error:
            if not self._standby or self.role == "owner":
                raise
            self.telemetry.log.warning("no HTTP before the takeover", error=str(error))
            return False
        self._undo.append(self._http.stop)
        self._http.start()
        return True

    def _open(self) -> None:
        config, job = self._config, self._job
        self.opening = True
        self._reading: Reading = config.source.open(config.job)
        self._undo.append(self._reading.close)
        self.opening = False
        times = settings_of(config)
        self.telemetry.latency.begin(times.grace_ms / 1000, times.every_ms / 1000)
        self._routes: list[Route] = routes_of(
            config, job.store, self.telemetry.latency, self._ownership.may_deliver
        )
        self._undo.append(self._stop_couriers)
        self._readers: Readers = self._open_readers()
        self._undo.append(self._readers.close)
        self._readers.use(job.aggregator.baselines)
        self._start_couriers()
        gc.freeze()  # what is there now stays: passes of the garbage collector over all modules cost a third of a fast client's time
        at = f"http://{self._http.host}:{self._http.port}/metrics"
        waits = {
            "window_ms": times.window_ms,
            "grace_ms": times.grace_ms,
            "idle_ms": times.idle_ms,
            "lateness_ms": times.lateness_ms,
        }
        self.telemetry.log.info("started", http=at, state=self.state, **waits)
        self._take(job.told)
        self._assign(job.aggregator.resume())
        self._discover()

    def _open_readers(self) -> Readers:
        counted = self.telemetry.batch
        if self._config.readers == 1:
            return InProcessReader(self._config, self._reading, counted)
        return ReaderPool(
            self._config, self._reading, self._logs, counted, self.telemetry.reader_replaced
        )

    def _loop(self) -> bool:
        while not self._stop.is_set():
            self._pulse.turns()
            if self._must_pause():
                self._stop.wait(POLL_S)
            else:
                self._read()
            self._look_at_clock()
            self._commit_if_due()
            if self._readers.finished and not self._full:
                break
        if not self._stop.is_set():
            self._step(EndOfInput())
        self._commit()
        return self._drain()

    def _must_pause(self) -> bool:
        """True while a sink that may lose nothing has no room for more."""
        before, self._full = (
            self._full,
            [route.courier.name for route in self._routes if route.courier.full],
        )
        if self._full and not before:
            self.telemetry.log.warning(
                "reading is paused until a sink has room again", sinks=self._full
            )
        elif before and not self._full:
            self.telemetry.log.info("reading goes on")
        return bool(self._full)

    def _read(self) -> None:
        for item in self._readers.read(POLL_S):
            self._step(item)

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        if now - self._last_tick >= TICK_S:
            self._last_tick = now
            self._step(Tick(int(self._clock() * 1000)))
            self._look_at_itself()
            self.telemetry.sinks(
                {route.courier.name: route.courier.counts for route in self._routes},
                bool(self._full),
            )
        if now - self._last_discover >= DISCOVER_S:
            self._discover()

    def _look_at_itself(self) -> None:
        changed = self._pulse.look(
            self._job.aggregator.state.partitions, int(self._clock() * 1000), self._full
        )
        if changed is not None:
            self.telemetry.log.info(
                "ready" if changed.status == HTTPStatus.OK else "not ready", state=changed.text
            )
        self.telemetry.looked(self._pulse.silent_s)

    def _readiness(self) -> Readiness:
        return self._pulse.readiness(self.role, self._ownership.may_deliver())

    def _health(self) -> Readiness:
        return self._pulse.health(self.role)

    def _discover(self) -> None:
        self._last_discover = time.monotonic()
        step = self._job.aggregator.step
        self._take(
            [output for found in self._reading.discover() for output in step(found)]
        )  # one question to the source for all
        if isinstance(self._reading, Passing):
            ended = [
                name for name, place in self._job.aggregator.state.partitions.items() if place.ended
            ]
            if gone := self._reading.unlisted(ended):
                self._step(PartitionsExpired(tuple(gone)))

    def _step(self, item: Item) -> None:
        """One item, and what the reader must know of its outputs at once."""
        self._take(self._job.aggregator.step(item))
        if isinstance(item, Gap):
            lost = "unknown" if item.lost is None else item.lost
            self.telemetry.log.error("gap", partition=item.partition, lost=lost, reason=item.reason)

    def _take(self, outputs: Sequence[Output]) -> None:
        self._assign([one for one in outputs if isinstance(one, Assign)])
        for one in outputs:
            if isinstance(one, BaselineInstalled):
                self._relayout(one)
        kept = [one for one in outputs if not isinstance(one, Assign | BaselineInstalled)]
        self._waiting += kept
        self._urgent |= any(isinstance(one, WindowReport | Signal) for one in kept)

    def _relayout(self, change: BaselineInstalled) -> None:
        self._job.store.keep_baseline(change.baseline)
        self._job.panes.know(change.baseline.layout)
        self._readers.use(self._job.aggregator.baselines)
        baseline, say = change.baseline, self.telemetry.log
        say.warning(
            "baseline",
            model=change.model,
            fingerprint=baseline.fingerprint,
            features=len(baseline.layout.features),
        )
        empty = [name for name in baseline.columns if name not in baseline.layout.index]
        if empty:
            ask = "is their place in `format` right?"
            say.error(
                "columns without any value are not watched",
                model=change.model,
                columns=empty,
                advice=ask,
            )
        self._urgent = True

    def _assign(self, assigns: Sequence[Assign]) -> None:
        for gap in self._readers.assign(assigns) if assigns else []:
            self._step(gap)

    def _commit_if_due(self) -> None:
        wait = max(
            duration_ms(self._config.state.commit_interval) / 1000,
            COMMIT_FACTOR * self._commit_took_s,
        )
        wait = min(wait, self._ownership.heartbeat_s)
        if self._urgent or time.monotonic() - self._last_commit >= wait:
            self._commit()

    def _commit(self) -> None:
        job, began = self._job, time.monotonic()
        off = job.aggregator.state.ledger.imbalance()
        cursors = {route.key: route.courier.cursor for route in self._routes}
        takes = {route.key: route.takes for route in self._routes}
        numbered = job.store.commit(
            job.identity, job.aggregator.state, job.panes, self._waiting, cursors, takes, job.ids
        )
        self._pulse.waits()
        self._ownership.keep(job.store)
        self._pulse.turns()
        self._last_commit = time.monotonic()
        self._commit_took_s = self._last_commit - began
        self._waiting, self._urgent = [], False
        positions = {
            name: place.next
            for name, place in job.aggregator.state.partitions.items()
            if place.assignable
        }
        self.telemetry.commit(
            self._commit_took_s,
            job.store.written_bytes,
            job.aggregator.state,
            self._reading.lag(positions),
        )
        self.telemetry.told(one.item for one in numbered)
        self.telemetry.latency.committed(one.item for one in numbered)
        self.telemetry.lost(job.aggregator.state, self._config.dead_letters.path)
        for route in self._routes:
            route.offer(numbered)
        self._reading.publish_positions(positions)
        if off:
            self.telemetry.log.error("ledger", error=str(LedgerImbalance(off)))

    def _start_couriers(self) -> None:
        waiting, watched = self._job.store.outbox(), self._job.aggregator.baselines
        newest = [report for report in self._job.store.newest() if report.model in watched]
        for route in self._routes:
            rebuild = getattr(route.delivery, "rebuild", None)
            if rebuild is not None:
                rebuild(newest)
            if hasattr(route.delivery, "collect"):
                self.telemetry.register(route.delivery)
            route.offer([one for one in waiting if one.seq > route.courier.cursor])
            route.courier.start()

    def _drain(self) -> bool:
        """Give the sinks some time, then keep how far they came; the rest waits in the outbox. True
        if nothing is left.
        """
        deadline, late = time.monotonic() + DRAIN_S, self._routes
        while late and (left_s := deadline - time.monotonic()) > 0:
            until = time.monotonic() + min(left_s, self._ownership.heartbeat_s)
            late = [
                route
                for route in late
                if not route.courier.drain(max(until - time.monotonic(), 0.0))
            ]
            self._commit()
        if late:
            self.telemetry.log.warning(
                "items wait in the outbox", sinks=[route.courier.name for route in late]
            )
        self.telemetry.log.info("stopped", state=self.state)
        return not late

    def _stop_couriers(self) -> None:
        for route in self._routes:
            route.courier.stop(timeout_s=1.0)
