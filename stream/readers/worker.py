"""The other end of the pipe: a process that reads, counts, hands over, and keeps nothing."""

from __future__ import annotations

import gc
import signal
import time
from multiprocessing.connection import Connection
from typing import Final

import msgspec
import pyarrow as pa

from detectors.profiles.baseline import Baseline
from stream.config.model import Config
from stream.errors import SourceUnavailable
from stream.readers.build import plan_of, reader_of
from stream.readers.messages import (
    Acknowledge,
    AssignPartitions,
    Decoding,
    Fetching,
    GapMessage,
    Heartbeat,
    Shutdown,
    SourceFailed,
    ToOwner,
    UseBaselines,
    encode,
    order_of,
    packed,
)
from stream.readers.worker_handle import OWNERS_SIGNALS
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup

UNANSWERED: Final = 4
"""Partials that may wait for an answer: more would only fill memory."""
POLL_S: Final = 0.2
TOLD_S: Final = 1.0


class WorkerSetup(msgspec.Struct, frozen=True):
    """What a reader process is started with."""

    config: Config
    logs: LogSetup


def serve(pipe: Connection, setup: bytes) -> None:
    """Open the source and read what the owner says, until it says ``Shutdown`` or is gone.

    Ctrl-C in a terminal reaches all processes, SIGTERM of systemd too: the owner decides what they
    mean.
    """
    for number in OWNERS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OWNERS_SIGNALS)
    pa.enable_signal_handlers(
        False
    )  # else a signal that comes while Arrow parses ends the parsing with an error
    told = msgspec.msgpack.decode(setup, type=WorkerSetup)
    told.logs.set_up()
    try:
        reading = told.config.source.open(told.config.job)
        gc.freeze()  # else each pass of the garbage collector looks at all modules again: a third of the time of a fast client
        try:
            _Loop(pipe, told.config, reading).run()
        finally:
            reading.close()
    except SourceUnavailable as error:
        pipe.send_bytes(
            encode(SourceFailed(error.source, list(error.causes), error.advice, error.transient))
        )
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the owner is gone; nothing here is worth keeping


class _Loop:
    """Obeys, reads, and gives a sign of life each second."""

    def __init__(self, pipe: Connection, config: Config, reading: Reading) -> None:
        self._pipe, self._config, self._reading = pipe, config, reading
        self._reader = reader_of(config, reading)
        self._ready = False
        self._unanswered = self._obeyed = 0
        self._last: tuple[float, bool, int] = (0.0, False, 0)

    def run(self) -> None:
        """Until the owner says ``Shutdown``; raises ``EOFError`` when it is gone."""
        while self._obey():
            if not self._ready or self._unanswered >= UNANSWERED:
                self._pipe.poll(POLL_S)
            else:
                self._read()
            self._tell()

    def _obey(self) -> bool:
        """Do what the owner has said; false if it said ``Shutdown``."""
        while self._pipe.poll(0):
            match order_of(self._pipe.recv_bytes()):
                case UseBaselines(baselines):
                    known = {name: Baseline.decode(body) for name, body in baselines.items()}
                    self._reader.use(plan_of(self._config, known))
                    self._ready = True
                case AssignPartitions(assigns, most, skip):
                    gaps = self._reader.assign(assigns)
                    self._reader.care(most, skip)
                    self._obeyed += 1
                    self._say(Fetching([(one.partition, one.next) for one in assigns]))
                    for gap in gaps:
                        self._say(GapMessage(gap))
                    if most == 1:
                        return True  # asked alone, before the next is assigned
                case Acknowledge(partials):
                    self._unanswered -= partials
                case Shutdown():
                    return False
        return True

    def _read(self) -> None:
        gaps, raws = self._reader.poll(POLL_S)
        for gap in gaps:
            self._say(GapMessage(gap))
        if raws:
            self._say(Decoding([(raw.partition, raw.first) for raw in raws if raw.values]))
            began = time.monotonic()
            for partial in self._reader.count(raws):
                self._unanswered += 1
                self._say(packed(partial, time.monotonic() - began))

    def _tell(self) -> None:
        now, finished = time.monotonic(), self._reading.finished
        if now - self._last[0] >= TOLD_S or (finished, self._obeyed) != self._last[1:]:
            self._last = (now, finished, self._obeyed)
            self._say(Heartbeat(self._obeyed, finished))

    def _say(self, word: ToOwner) -> None:
        self._pipe.send_bytes(encode(word))
