"""A service as a process: its log, and the signals that end it."""

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

    A second signal ends the process at once; the last commit is safe.
    """
    logs.set_up()
    # A signal that arrives while Arrow parses would otherwise end the parsing with an error.
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
