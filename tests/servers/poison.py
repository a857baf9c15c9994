"""Reader processes with a planted fault: a poison record, or too many records, crashes them.

The crash is a SIGKILL, as sent by the kernel's out-of-memory killer.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from stream.events import Gap, Partial, RawBatch
from stream.readers import reader as readers
from stream.readers import worker as reader_process

MARK = b"poison-record"
MAX_RECORDS = 100
"""The source of :func:`serve_greedy` crashes on more records than this."""


def serve(pipe: Connection, setup: bytes) -> None:
    """Run the real reader, which crashes while it decodes a marked record."""
    fold = readers.Reader.fold

    def fold_or_crash(self: readers.Reader, raws: Sequence[RawBatch]) -> Partial:
        if _marked(raws):
            _crash()
        return fold(self, raws)

    readers.Reader.fold = fold_or_crash  # type: ignore[method-assign]
    reader_process.serve(pipe, setup)


def serve_unread(pipe: Connection, setup: bytes) -> None:
    """Run a reader whose source crashes before it returns a marked record.

    A client crashes in the same way on a record that it cannot unpack.
    """
    _serve_with(_marked, pipe, setup)


def serve_greedy(pipe: Connection, setup: bytes) -> None:
    """Run a reader whose source crashes on more than ``MAX_RECORDS`` records at once, as for lack
    of memory.
    """
    _serve_with(lambda raws: sum(len(raw.values) for raw in raws) > MAX_RECORDS, pipe, setup)


def _serve_with(
    crashes: Callable[[Sequence[RawBatch]], bool], pipe: Connection, setup: bytes
) -> None:
    poll = readers.Reader.poll

    def poll_or_crash(self: readers.Reader, timeout_s: float) -> tuple[list[Gap], list[RawBatch]]:
        gaps, raws = poll(self, timeout_s)
        if crashes(raws):
            _crash()
        return gaps, raws

    readers.Reader.poll = poll_or_crash  # type: ignore[method-assign]
    reader_process.serve(pipe, setup)


def _marked(raws: Sequence[RawBatch]) -> bool:
    return any(value is not None and MARK in value for raw in raws for value in raw.values)


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
