"""The service: starts up, runs the loop, gives the sinks time to deliver, and shuts down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from detectors.durations import duration_ms
from stream.config.model import Config
from stream.readers.worker import serve as serve_reader
from stream.readers.worker_handle import Serve
from stream.service.commit import Committer
from stream.service.loop import Loop
from stream.service.ownership import Ownership
from stream.service.startup import Startup
from stream.telemetry.log_setup import LogSetup
from stream.telemetry.metrics import Telemetry
from stream.web.liveness import Liveness
from stream.web.readiness import ServiceRole

DRAIN_S = 10.0
"""The time that an ending service gives its sinks to deliver the remaining items."""
UNDELIVERED = 9
"""Exit code when undelivered items remain in the outbox: the next run delivers them."""


class Service:
    """Runs a job: owns its state, reads, counts, judges, and delivers the results.

    It reads in its own process or in several others (``readers``), and delivers in one thread per
    sink. ``stop`` may be called from another thread or a signal handler: the loop then commits what
    it has and ends. ``serve`` is the main function of a reader process.
    """

    def __init__(
        self,
        config: Config,
        accept_change: bool = False,
        clock: Callable[[], float] = time.time,
        logs: LogSetup | None = None,
        standby: bool = False,
        serve: Serve = serve_reader,
    ) -> None:
        self._clock = clock
        self.telemetry = Telemetry(config.job)
        self._stop = threading.Event()
        self._ownership = Ownership(config, standby, self._stop, self.telemetry.log)
        self._liveness = Liveness(duration_ms(config.http.ready_behind) / 1000)
        self._startup = Startup(
            config=config,
            ownership=self._ownership,
            telemetry=self.telemetry,
            liveness=self._liveness,
            logs=logs or LogSetup(),
            serve=serve,
            accept_change=accept_change,
            standby=standby,
        )

    @property
    def role(self) -> ServiceRole:
        """``starting``, ``standby`` (another service owns the job) or ``owner``."""
        return self._ownership.role

    @property
    def opening(self) -> bool:
        """True while the source is being connected: the process may exit then without loss."""
        return self._startup.opening

    def stop(self) -> None:
        """Ask the loop to end after the current batch."""
        self._stop.set()

    def run(self) -> int:
        """Run until the source ends or :meth:`stop` is called; returns the exit code.

        It is 9 if undelivered items remain.
        """
        with ExitStack() as cleanup:
            job = self._startup.own(cleanup)
            if job is None:
                return 0
            running = self._startup.open(job, cleanup)
            committer = Committer(running, self._ownership, self.telemetry, self._liveness)
            loop = Loop(
                running=running,
                committer=committer,
                telemetry=self.telemetry,
                liveness=self._liveness,
                clock=self._clock,
            )
            self.telemetry.log.info("started", **self._startup.settings(), state=loop.progress)
            loop.begin()
            loop.run(self._stop)
            delivered = committer.drain(DRAIN_S)
            self.telemetry.log.info("stopped", state=loop.progress)
            return 0 if delivered else UNDELIVERED
