"""Reader processes with a planted fault: they die at once, as by the kernel's hand, of a marked
record, or of too many."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from stream.events import Gap, Partial, RawBatch
from stream.readers import reader as readers
from stream.readers import worker as reader_process

MARK = b"deadly-record"
MOST = 100
"""More records than these are too many for the source of :func:`serve_greedy`."""


def serve(pipe: Connection, setup: bytes) -> None:
    """The real reader, but for the fault: it dies while it decodes a marked record."""
    fold = readers.Reader.fold

    def fold_or_die(self: readers.Reader, raws: Sequence[RawBatch]) -> Partial:
        _die(if_true=_marked(raws))
        return fold(self, raws)

    readers.Reader.fold = fold_or_die  # type: ignore[method-assign]
    reader_process.serve(pipe, setup)


def serve_unread(pipe: Connection, setup: bytes) -> None:
    """The source dies before it hands a marked record over, as a client does that cannot unpack it."""
    _serve_with(_marked, pipe, setup)


def serve_greedy(pipe: Connection, setup: bytes) -> None:
    """The source dies of more than ``MOST`` records at once, as for want of memory."""
    _serve_with(lambda raws: sum(len(raw.values) for raw in raws) > MOST, pipe, setup)


def _serve_with(
    deadly: Callable[[Sequence[RawBatch]], bool], pipe: Connection, setup: bytes
) -> None:
    poll = readers.Reader.poll

    def poll_or_die(self: readers.Reader, timeout_s: float) -> tuple[list[Gap], list[RawBatch]]:
        gaps, raws = poll(self, timeout_s)
        _die(if_true=deadly(raws))
        return gaps, raws

    readers.Reader.poll = poll_or_die  # type: ignore[method-assign]
    reader_process.serve(pipe, setup)


def _marked(raws: Sequence[RawBatch]) -> bool:
    return any(value is not None and MARK in value for raw in raws for value in raw.values)


def _die(*, if_true: bool) -> None:
    if if_true:
        os.kill(os.getpid(), signal.SIGKILL)
