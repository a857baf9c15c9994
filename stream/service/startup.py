"""Starts a service: ownership, HTTP, state, source, sinks, readers. Each step can be undone."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from detectors.profiles.baseline import Baseline
from detectors.quality.baseline import QualityBaseline
from stream.baselining.configured import unread_constraints, without_counts
from stream.baselining.unweighted import NO_WEIGHT, unweighted_models
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.delivery.routes import Route, routes_of
from stream.errors import HttpUnavailable
from stream.events import ForgetQuality
from stream.outcomes import ACCEPTED
from stream.readers.base import Readers
from stream.readers.in_process import InProcessReader
from stream.readers.pool import ReaderPool
from stream.readers.worker_handle import Serve
from stream.service.http import DEFAULT_PORT, open_http
from stream.service.job import Job, open_job
from stream.service.label_feed import LabelFeed
from stream.service.ownership import Ownership
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup
from stream.telemetry.metrics import Telemetry
from stream.web.liveness import Liveness
from stream.web.server import HttpServer

COURIER_STOP_S = 1.0


class RunningJob(msgspec.Struct, frozen=True, kw_only=True):
    """An open job with its source, its readers, and the routes to its sinks."""

    job: Job
    reading: Reading
    readers: Readers
    routes: list[Route]
    labels: LabelFeed | None = None


class Startup:
    """Takes a service to the point where its loop can begin.

    Everything that is opened is closed again by the exit stack, in reverse order. ``opening`` is
    true while the source is being connected: that may wait for a source that does not respond, and
    the process may exit then without loss.
    """

    def __init__(
        self,
        config: Config,
        ownership: Ownership,
        telemetry: Telemetry,
        liveness: Liveness,
        logs: LogSetup,
        serve: Serve,
        *,
        accept_change: bool,
        standby: bool,
        from_start: bool = False,
        baselines: Mapping[str, Baseline] | None = None,
        quality: Mapping[str, QualityBaseline | None] | None = None,
    ) -> None:
        self._quality = quality
        self._config = config
        self._ownership = ownership
        self._telemetry = telemetry
        self._liveness = liveness
        self._logs = logs
        self._serve = serve
        self._accept_change = accept_change
        self._standby = standby
        self._from_start = from_start
        self._baselines = baselines
        self._http: HttpServer | None = None
        self.opening = False

    def own(self, cleanup: ExitStack) -> Job | None:
        """Serve HTTP, become the owner, and open the job; ``None`` if stopped in the meantime.

        A service that is not a standby takes the lock first, so that it fails before it binds a
        port. A standby binds a port that is in use, as on the owner's machine, once it is the
        owner.
        """
        cleanup.callback(self._ownership.release)
        if not self._standby:
            self._ownership.lock()
        self._serve_http(cleanup)
        lock = self._ownership.take()
        if lock is None:
            return None
        self._liveness.reset()
        if self._http is None:
            self._serve_http(cleanup)
        job = open_job(
            self._config,
            self._accept_change,
            lock,
            self._from_start,
            self._baselines,
            self._quality,
        )
        cleanup.callback(job.store.close)
        self._telemetry.begin(job.aggregator.state)
        self._log_limits(job)
        self._log_beginning(job)
        return job

    def open(self, job: Job, cleanup: ExitStack) -> RunningJob:
        """Connect the source, start the couriers of the sinks and the readers."""
        reading = self._connect()
        cleanup.callback(reading.close)
        times = settings_of(self._config)
        self._telemetry.latency.begin(times.grace_ms / 1000, times.every_ms / 1000)
        may_deliver = self._ownership.may_deliver
        routes = routes_of(self._config, job.store, self._telemetry.latency, may_deliver)
        cleanup.callback(_stop_couriers, routes)
        labels = self._open_labels(cleanup)
        readers = self._open_readers(reading)
        cleanup.callback(readers.close)
        readers.use(job.aggregator.baselines)
        self._start_couriers(job, routes)
        # Objects that exist now are permanent. Without this, passes of the garbage collector over
        # all modules take a third of the time of a fast client.
        gc.freeze()
        return RunningJob(job=job, reading=reading, readers=readers, routes=routes, labels=labels)

    def settings(self) -> dict[str, Any]:
        """The address of the HTTP server and the times of the job, for the log."""
        times = settings_of(self._config)
        return {
            "http": "" if self._http is None else f"{self._http.address}/metrics",
            "state_path": self._config.state.path,
            "window_ms": times.window_ms,
            "grace_ms": times.grace_ms,
            "idle_ms": times.idle_ms,
            "lateness_ms": times.lateness_ms,
        }

    def _serve_http(self, cleanup: ExitStack) -> None:
        """Open the server and start it.

        A standby takes only the port of the owner: on the same machine it has to wait for it.
        """
        port = self._config.http.port
        log = self._telemetry.log
        if not self._standby or self._ownership.role == "owner":
            server = open_http(port, self._http_server, log)
        else:
            try:
                server = self._http_server(DEFAULT_PORT if port is None else port)
            except HttpUnavailable as error:
                log.warning("http_delayed", reason=str(error))
                return
        cleanup.callback(server.stop)
        server.start()
        self._http = server

    def _http_server(self, port: int) -> HttpServer:
        http = self._config.http
        ownership = self._ownership
        liveness = self._liveness
        pages = {
            "/healthz": lambda: liveness.health(ownership.role),
            "/readyz": lambda: liveness.readiness(ownership.role, ownership.may_deliver()),
        }
        return HttpServer(
            self._telemetry.registry,
            http.host,
            port,
            pages,
            token=http.token,
            certificate=None if http.tls is None else Path(http.tls.certificate),
            key=None if http.tls is None else Path(http.tls.key),
        )

    def _log_limits(self, job: Job) -> None:
        for path, keys in unread_constraints(self._config).items():
            self._telemetry.log.warning("constraints_unread", file=path, keys=keys)
        for model, baseline in job.configured.items():
            if features := without_counts(baseline):
                log = self._telemetry.log
                log.warning("baseline_without_counts", model=model, features=features)
        for model in unweighted_models(self._config, job.configured):
            self._telemetry.log.warning("model_without_weights", model=model, advice=NO_WEIGHT)
        for change in job.limits_changes:
            self._telemetry.log.warning(
                "limits_changed", model=change.model, before=change.before, after=change.after
            )
        for label_change in job.label_changes:
            if isinstance(label_change, ForgetQuality):
                self._telemetry.log.warning("quality_forgotten", model=label_change.model)
            else:
                self._telemetry.log.warning("join_begun_anew")

    def _log_beginning(self, job: Job) -> None:
        """Log a new generation, and a state in which all records were rejected."""
        ledger = job.aggregator.state.ledger
        log = self._telemetry.log
        if job.generation and not ledger.partitions:
            advice = "reports of an earlier run exist: the ids of this one end with the generation"
            log.warning("generation_begun", generation=job.generation, advice=advice)
        if ledger.lost() and not ledger.total(ACCEPTED):
            advice = "they are not read again, unless the job begins anew with --from-start"
            log.warning("none_accepted_before", outcomes=ledger.lost(), advice=advice)

    def _connect(self) -> Reading:
        self.opening = True
        reading = self._config.source.open(self._config.job)
        self.opening = False
        return reading

    def _open_labels(self, cleanup: ExitStack) -> LabelFeed | None:
        """Connect the source of the labels, if there is one."""
        labels = self._config.labels
        if labels is None:
            return None
        self.opening = True
        reading = labels.source.open(self._config.job)
        self.opening = False
        cleanup.callback(reading.close)
        return LabelFeed(self._config, reading)

    def _open_readers(self, reading: Reading) -> Readers:
        counted = self._telemetry.batch
        if self._config.readers == 1:
            return InProcessReader(self._config, reading, counted)
        replaced = self._telemetry.reader_replaced
        return ReaderPool(
            config=self._config,
            reading=reading,
            logs=self._logs,
            on_counted=counted,
            on_replaced=replaced,
            serve=self._serve,
        )

    def _start_couriers(self, job: Job, routes: list[Route]) -> None:
        """Restore what the sinks exported, and offer them their undelivered items."""
        undelivered = job.store.outbox()
        models = job.aggregator.baselines
        newest = [report for report in job.store.newest() if report.model in models]
        measured = {name for name, model in job.config.models.items() if model.quality}
        quality = [report for report in job.store.newest_quality() if report.model in measured]
        for route in routes:
            if route.delivery is not None:
                route.delivery.rebuild(newest)
                route.delivery.rebuild_quality(quality)
                collector = route.delivery.collector()
                if collector is not None:
                    self._telemetry.register(collector)
            route.offer([item for item in undelivered if item.seq > route.courier.cursor])
            route.courier.start()


def _stop_couriers(routes: list[Route]) -> None:
    for route in routes:
        route.courier.stop(timeout_s=COURIER_STOP_S)
