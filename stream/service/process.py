"""A service as a process: its log, and the signals that end it."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

import pyarrow as pa

from stream.config.model import Config
from stream.service.service import Service
from stream.telemetry.log_setup import LogSetup

ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def run(config: Config, logs: LogSetup, accept_change: bool = False, standby: bool = False) -> int:
    """Run a service until it ends, or until SIGTERM or Ctrl-C; a second one leaves at once (the
    last commit is safe).
    """
    logs.set_up()
    pa.enable_signal_handlers(
        False
    )  # else a signal that comes while Arrow parses ends the parsing with an error
    service = Service(config, accept_change, logs=logs, standby=standby)

    def leave(_number: int, _frame: FrameType | None) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        service.stop()
        if service.opening:
            raise SystemExit(0)

    for number in ENDING:
        signal.signal(number, leave)
    return service.run()
