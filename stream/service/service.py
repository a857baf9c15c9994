"""The service: starts up, runs the loop, gives the sinks time to deliver, and shuts down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from detectors.durations import duration_ms
from detectors.profiles.baseline import Baseline
from detectors.report import WindowReport
from stream.aggregation.label_ledger import LabelLedger
from stream.config.model import Config
from stream.readers.worker import serve as serve_reader
from stream.readers.worker_handle import Serve
from stream.service.commit import Committer, Watch, ignore
from stream.service.ending import Ending, RunTally
from stream.service.job import Job
from stream.service.loop import Loop
from stream.service.ownership import Ownership
from stream.service.quality import with_quality_baselines
from stream.service.startup import Startup
from stream.state.store import Outgoing
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
    sink. ``watch`` is called with the items of each commit. ``stop`` may be called from another
    thread or a signal handler: the loop then commits what it has and ends. ``serve`` is the main
    function of a reader process. With ``from_start`` the stored state is forgotten first.
    ``baselines`` are those of the configuration; without them they are read from their folders.
    Raises :class:`~stream.errors.ConfigError` for quality baselines that cannot be used.
    """

    def __init__(
        self,
        config: Config,
        accept_change: bool = False,
        clock: Callable[[], float] = time.time,
        logs: LogSetup | None = None,
        standby: bool = False,
        serve: Serve = serve_reader,
        watch: Watch = ignore,
        from_start: bool = False,
        baselines: Mapping[str, Baseline] | None = None,
    ) -> None:
        config, quality = with_quality_baselines(config)
        self._clock = clock
        self.baselines = baselines
        self.quality = quality
        self._config = config
        self._watch = watch
        self.begun = False
        self.ending = Ending(0)
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
            from_start=from_start,
            baselines=baselines,
            quality=quality,
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

        It is 9 if undelivered items remain. Of a source that was read to its end it is that of
        ``ending``, which also has a sentence for people.
        """
        with ExitStack() as cleanup:
            job = self._startup.own(cleanup)
            if job is None:
                return 0
            self.baselines = job.configured
            running = self._startup.open(job, cleanup)
            tally = RunTally(job.aggregator.state.ledger, self._label_ledger(job))
            committer = Committer(
                running, self._ownership, self.telemetry, self._liveness, self._watched_by(tally)
            )
            loop = Loop(
                running=running,
                committer=committer,
                telemetry=self.telemetry,
                liveness=self._liveness,
                clock=self._clock,
            )
            self.telemetry.log.info("started", **self._startup.settings(), state=loop.progress)
            self.begun = True
            loop.begin()
            loop.run(self._stop)
            delivered = committer.drain(DRAIN_S)
            self.telemetry.log.info("stopped", state=loop.progress)
            if not self._stop.is_set():
                self.ending = self._ending(tally, job)
            return self.ending.code if delivered else UNDELIVERED

    def _watched_by(self, tally: RunTally) -> Watch:
        def watch(items: Sequence[Outgoing]) -> None:
            for item in items:
                if isinstance(item, WindowReport):
                    tally.report(item)
            self._watch(items)

        return watch

    def _ending(self, tally: RunTally, job: Job) -> Ending:
        ledger = job.aggregator.state.ledger
        source, state = self._config.source.identity, self._config.state.path
        return tally.ending(ledger, source, state, self._label_ledger(job))

    def _label_ledger(self, job: Job) -> LabelLedger | None:
        labels = job.aggregator.state.labels
        return None if labels is None else labels.ledger
