"""A reader process with a planted fault: it dies at once, as by the kernel's hand, when it decodes a marked record."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection

from stream import reader_process, readers
from stream.events import Partial, RawBatch

MARK = b"deadly-record"


def serve(pipe: Connection, setup: bytes) -> None:
    """The real reader, but for the fault."""
    fold = readers.Reader.fold

    def fold_or_die(self: readers.Reader, raws: Sequence[RawBatch]) -> Partial:
        if any(value is not None and MARK in value for raw in raws for value in raw.values):
            os.kill(os.getpid(), signal.SIGKILL)
        return fold(self, raws)

    readers.Reader.fold = fold_or_die  # type: ignore[method-assign]
    reader_process.serve(pipe, setup)
