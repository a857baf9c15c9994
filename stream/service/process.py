"""Runs the service as a process: sets up its log, and handles the signals that end it."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

import pyarrow as pa

from stream.config.model import Config
from stream.service.service import Service
from stream.telemetry.log_setup import LogSetup

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run(config: Config, logs: LogSetup, accept_change: bool = False, standby: bool = False) -> int:
    """Run a service until it ends or receives SIGTERM or SIGINT; returns the exit code.

    A second signal ends the process immediately; the last commit is safe.
    """
    logs.set_up()
    # Otherwise a signal that arrives while Arrow parses makes the parse fail.
    pa.enable_signal_handlers(False)
    service = Service(config, accept_change, logs=logs, standby=standby)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        service.stop()
        if service.opening:
            raise SystemExit(0)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    return service.run()
