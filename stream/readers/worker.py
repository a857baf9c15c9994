"""The reader process: reads, counts, and sends partials to its owner; it keeps no state."""

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
    Inform,
    Shutdown,
    SourceFailed,
    ToOwner,
    UseBaselines,
    decode_for_reader,
    encode,
    pack,
)
from stream.readers.worker_handle import OWNER_SIGNALS
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup

MAX_UNACKNOWLEDGED: Final = 4
"""The largest number of partials without acknowledgement: more would only fill memory."""
POLL_S: Final = 0.2
HEARTBEAT_S: Final = 1.0


class WorkerSetup(msgspec.Struct, frozen=True):
    """The set-up that a reader process is started with."""

    config: Config
    logs: LogSetup


def serve(pipe: Connection, setup: bytes) -> None:
    """Open the source, and carry out the owner's orders until ``Shutdown`` or until it is gone.

    The signals of a terminal (Ctrl-C) and of systemd (SIGTERM) reach all processes; only the owner
    acts on them.
    """
    for number in OWNER_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OWNER_SIGNALS)
    pa.enable_signal_handlers(False)  # otherwise a signal makes a parse of Arrow fail
    decoded = msgspec.msgpack.decode(setup, type=WorkerSetup)
    decoded.logs.set_up()
    try:
        _read(pipe, decoded.config)
    except SourceUnavailable as error:
        failed = SourceFailed(error.source, list(error.causes), error.advice, error.transient)
        pipe.send_bytes(encode(failed))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the owner is gone; nothing here is worth keeping


def _read(pipe: Connection, config: Config) -> None:
    reading = config.source.open(config.job)
    reading.inform({})
    # Without this each garbage collection visits all modules: a third of a fast client's time.
    gc.freeze()
    try:
        _Loop(pipe, config, reading).run()
    finally:
        reading.close()


class _Loop:
    """Carries out orders, reads, and sends a heartbeat each second."""

    def __init__(self, pipe: Connection, config: Config, reading: Reading) -> None:
        self._pipe = pipe
        self._config = config
        self._reading = reading
        self._reader = reader_of(config, reading)
        self._ready = False
        self._unacknowledged = self._orders = 0
        self._heartbeat = Heartbeat(0, False)
        self._heartbeat_s = 0.0
        self._reader.on_wait = self._send_waiting

    def run(self) -> None:
        """Run until the owner orders ``Shutdown``; raises ``EOFError`` when it is gone."""
        while self._take_orders():
            if not self._ready or self._unacknowledged >= MAX_UNACKNOWLEDGED:
                self._pipe.poll(POLL_S)
            else:
                self._poll()
            self._send_heartbeat()

    def _take_orders(self) -> bool:
        """Carry out the orders that have arrived; returns false after ``Shutdown``."""
        while self._pipe.poll(0):
            match decode_for_reader(self._pipe.recv_bytes()):
                case UseBaselines(baselines):
                    decoded = {name: Baseline.decode(body) for name, body in baselines.items()}
                    self._reader.use(plan_of(self._config, decoded))
                    self._ready = True
                case AssignPartitions() as order:
                    self._assign(order)
                    if order.max_records == 1:
                        return True  # fetch this partition before the next one is assigned
                case Inform(found):
                    self._reading.inform(found)
                case Acknowledge(partials):
                    self._unacknowledged -= partials
                case Shutdown():
                    return False
        return True

    def _assign(self, order: AssignPartitions) -> None:
        gaps = self._reader.assign(order.assigns)
        self._reader.read_carefully(order.max_records, order.skip)
        self._orders += 1
        self._send(Fetching([(assign.partition, assign.next) for assign in order.assigns]))
        for gap in gaps:
            self._send(GapMessage(gap))

    def _poll(self) -> None:
        gaps, raws = self._reader.poll(POLL_S)
        for gap in gaps:
            self._send(GapMessage(gap))
        if not raws:
            return
        firsts = {raw.partition: raw.first for raw in reversed(raws) if raw.values}
        self._send(Decoding(list(firsts.items())))
        started_s = time.monotonic()
        for partial in self._reader.count(raws):
            self._unacknowledged += 1
            self._send(pack(partial, time.monotonic() - started_s))

    def _send_heartbeat(self) -> None:
        """Send a heartbeat if the last one is a second old or had another content."""
        self._send_if_due(Heartbeat(self._orders, self._reading.finished))

    def _send_waiting(self) -> None:
        """Send a heartbeat while records are decoded, which are not read to their end yet."""
        self._send_if_due(Heartbeat(self._heartbeat.orders, False))

    def _send_if_due(self, heartbeat: Heartbeat) -> None:
        now_s = time.monotonic()
        if heartbeat != self._heartbeat or now_s - self._heartbeat_s >= HEARTBEAT_S:
            self._heartbeat = heartbeat
            self._heartbeat_s = now_s
            self._send(heartbeat)

    def _send(self, message: ToOwner) -> None:
        self._pipe.send_bytes(encode(message))
