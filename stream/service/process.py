"""Runs the service as a process: sets up its log, and handles the signals that end or reload it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterable, Mapping
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
) -> Ending:
    """Run a service until it ends or receives SIGTERM or SIGINT; returns its ending.

    A second signal ends the process immediately; the last commit is safe. SIGHUP commits and begins
    again with the configuration that ``load`` returns, or with the same one if that cannot be used.
    """
    logs.set_up()
    # Otherwise a signal that arrives while Arrow parses makes the parse fail.
    pa.enable_signal_handlers(False)
    return Process(config, logs, options or RunOptions(), load or (lambda: config)).run()


class Process:
    """The services that run one after the other in this process: another one after each reload."""

    def __init__(
        self, config: Config, logs: LogSetup, options: RunOptions, load: Callable[[], Config]
    ) -> None:
        self._config = config
        self._logs = logs
        self._options = options
        self._load = load
        self._stopping = self._reloading = False
        self._service = self._new_service(config)
        self._terminals = _terminals()

    def run(self) -> Ending:
        """Run until a service ends that is not to be reloaded."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        code = self._service.run()
        while self._reloading and not self._stopping:
            self._reloading = False
            code = self._run_reloaded()
        return Ending(code, self._service.ending.text)

    def _run_reloaded(self) -> int:
        """Run with the configuration as it is now; with the one before if that cannot be used.

        The one before includes its baselines and constraints, whose files may be the fault.
        """
        baselines = self._service.baselines
        gc.unfreeze()  # the service before was marked as permanent
        log = structlog.get_logger()
        # What the first start was allowed to change or forget is done.
        self._options = msgspec.structs.replace(
            self._options, accept_change=False, from_start=False
        )
        service: Service | None = None
        try:
            reloaded = self._load()
            service = self._service = self._new_service(reloaded)
            code = service.run()
        except (DriftlineError, DetectorError) as error:
            if service is not None and service.begun:
                raise
            log.error("reload_refused", reason=str(error))
            self._service = self._new_service(self._config, baselines)
            return self._service.run()
        self._config = reloaded
        return code

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
        self._reloading = True
        self._service.stop()


def _terminals() -> set[int]:
    """The descriptors of stdout and stderr that are connected terminals."""
    return {number for number in OUTPUTS if os.isatty(number)}


def _discard(outputs: Iterable[int]) -> None:
    """Discard what is written to these descriptors: a write to a terminal that is gone fails."""
    null = os.open(os.devnull, os.O_WRONLY)
    for number in outputs:
        os.dup2(null, number)
    os.close(null)
