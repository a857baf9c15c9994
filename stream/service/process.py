"""Runs the service as a process: sets up its log, and handles the signals that end or reload it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec
import pyarrow as pa
import structlog

from detectors.errors import DetectorError
from detectors.profiles.baseline import Baseline
from stream.config.model import Config
from stream.errors import DriftlineError
from stream.service.commit import Watch, ignore
from stream.service.ending import Ending
from stream.service.reload import Loaded
from stream.service.reload_thread import ReloadThread
from stream.service.service import Service
from stream.telemetry.log_setup import LogSetup

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
OUTPUTS: Final = (1, 2)
"""The descriptors of stdout and stderr."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a run: those of ``driftline run``, and a ``watch`` of the commits."""

    accept_change: bool = False
    standby: bool = False
    from_start: bool = False
    watch: Watch = ignore


def run(
    config: Config,
    logs: LogSetup,
    options: RunOptions | None = None,
    load: Callable[[], Config] | None = None,
    file: Path | None = None,
) -> Ending:
    """Run a service until it ends or receives SIGTERM or SIGINT; returns its ending.

    A second signal ends the process immediately; the last commit is safe. On SIGHUP, and when
    ``file`` (the configuration) or one of its baselines was edited, the service commits and begins
    again with what ``load`` returns, or goes on if that cannot be used, see
    :class:`~stream.service.reload_thread.ReloadThread`.
    """
    logs.set_up()
    # Otherwise a signal that arrives while Arrow parses makes the parse fail.
    pa.enable_signal_handlers(False)
    process = Process(config, logs, options or RunOptions(), load or (lambda: config), file)
    return process.run()


class Process:
    """The services that run one after the other in this process: another one after each reload."""

    def __init__(
        self,
        config: Config,
        logs: LogSetup,
        options: RunOptions,
        load: Callable[[], Config],
        file: Path | None = None,
    ) -> None:
        self._config = config
        self._logs = logs
        self._options = options
        self._stopping = False
        self._next: Loaded | None = None
        self._service = self._new_service(config)
        self._reload = ReloadThread(config, file, load, self._in_force, self._continue_with)
        self._terminals = _terminals()

    @property
    def stopped(self) -> bool:
        """Whether a signal asked it to end."""
        return self._stopping

    def run(self) -> Ending:
        """Run until a service ends that is not to be reloaded."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        self._reload.start()
        try:
            code = self._service.run()
            while self._next is not None and not self._stopping:
                following, self._next = self._next, None
                code = self._run_reloaded(following)
        finally:
            self._reload.end()
        return Ending(code, self._service.ending.text)

    def _in_force(self) -> Loaded | None:
        """What the service runs with; ``None`` while it starts, and while it is to end."""
        service = self._service
        if not service.begun or service.baselines is None or self._next is not None:
            return None
        return Loaded(self._config, service.baselines, service.quality)

    def _continue_with(self, following: Loaded) -> None:
        """End the service, and run another one with what follows."""
        service = self._service
        self._next = following
        service.stop()

    def _run_reloaded(self, following: Loaded) -> int:
        """Run with what follows; with what was before if the stored state does not fit it.

        The one before includes its baselines and constraints, whose files may be the fault.
        """
        before = self._config
        baselines = self._service.baselines
        gc.unfreeze()  # the service before was marked as permanent
        log = structlog.get_logger()
        # What the first start was allowed to change or forget is done.
        self._options = msgspec.structs.replace(
            self._options, accept_change=False, from_start=False
        )
        service: Service | None = None
        try:
            service = self._service = self._new_service(following.config, following.baselines)
            self._config = following.config
            return service.run()
        except (DriftlineError, DetectorError) as error:
            if service is not None and service.begun:
                raise
            log.error("reload_refused", reason=str(error))
            self._config = before
            self._service = self._new_service(before, baselines)
            return self._service.run()

    def _new_service(
        self, config: Config, baselines: Mapping[str, Baseline] | None = None
    ) -> Service:
        options = self._options
        service = Service(
            config,
            options.accept_change,
            logs=self._logs,
            standby=options.standby,
            watch=options.watch,
            from_start=options.from_start,
            baselines=baselines,
        )
        if self._stopping:
            service.stop()
        return service

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._service.stop()
        if self._service.opening:
            raise SystemExit(0)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        """Reload; stop if the signal means that the terminal of the process is gone."""
        gone = self._terminals - _terminals()
        if gone:
            _discard(gone)
            self._stop(number, frame)
            return
        self._reload.ask()


def _terminals() -> set[int]:
    """The descriptors of stdout and stderr that are connected terminals."""
    return {number for number in OUTPUTS if os.isatty(number)}


def _discard(outputs: Iterable[int]) -> None:
    """Discard what is written to these descriptors: a write to a terminal that is gone fails."""
    null = os.open(os.devnull, os.O_WRONLY)
    for number in outputs:
        os.dup2(null, number)
    os.close(null)
