"""Readers that die of one record, as of a fault in a library: what a test gives a fleet instead of the real ones."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from stream import assembly, reader_process
from stream import config as configuration
from stream.alone import Readers
from stream.events import Partial, RawBatch
from stream.fleet import Fleet
from stream.readers import Reader
from stream.service import Service
from tests.integration.captures import PER_WINDOW, append, config, learn, letters, lines_of
from tests.parts.service import RunningService, newest

MARK = b"deadly-record"


class DeadlyReader(Reader):
    """Its process is killed when it begins to decode a record with the mark in it."""

    def fold(self, raws: Sequence[RawBatch]) -> Partial:
        if any(MARK in (value or b"") for raw in raws for value in raw.values):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fold(raws)


def serve(pipe: Connection, setup: bytes) -> None:
    """The real reader process with such a reader."""
    assembly.Reader = DeadlyReader  # type: ignore[attr-defined]  # a fault of a library, as far as the process can tell
    reader_process.serve(pipe, setup)


class DeadlyService(Service):
    """The real service with such readers."""

    def _open_readers(self) -> Readers:
        told = self.telemetry
        return Fleet(self._config, self._reading, self._log_level, told.batch, told.reader_replaced, serve)


def lived(folder: Path, places: Sequence[int], windows: int = 6) -> dict[str, object]:
    """What the service makes of three files with deadly records at these places of the order in which their lines are dealt out."""
    lines = lines_of(windows)
    for at in places:
        lines.insert(at, b'{"captureData":"' + MARK + b'"}')
    append(folder, lines)
    source = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"]}
    settings = configuration.parse(config(learn(folder), readers=2, source=source, http={"port": 0}), folder)
    began = time.monotonic()
    code = DeadlyService(settings).run()
    reports = newest(RunningService(folder, {}).reports()).values()
    return {
        "exit_code": code,
        "rows_sent": windows * PER_WINDOW,
        "rows_reported": sum(report.rows for report in reports),
        "dead_letters": dict(Counter(str(letter["reason"]) for letter in letters(folder))),
        "lengths": [letter["length"] for letter in letters(folder)],
        "seconds": round(time.monotonic() - began, 1),
    }


def run() -> dict[str, object]:
    """The figures of one deadly record."""
    with tempfile.TemporaryDirectory(prefix="driftline-deadly-") as place:
        return lived(Path(place), [4_000])
