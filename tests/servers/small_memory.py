"""A reader process whose address space is limited to little more than it uses at a poll."""

from __future__ import annotations

import resource
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from stream.events import Gap, RawBatch
from stream.readers import reader as readers
from stream.readers import worker as reader_process

EXTRA_BYTES: Final = 90 << 20
NO_RESERVES: Final = {
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""The environment in which a process maps no unused memory, which would count towards the
limit."""


def serve(pipe: Connection, setup: bytes) -> None:
    """Run the real reader; a poll and the counting of its records get at most ``EXTRA_BYTES`` more
    memory.
    """
    poll = readers.Reader.poll

    def poll_in_little_memory(
        self: readers.Reader, timeout_s: float
    ) -> tuple[list[Gap], list[RawBatch]]:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + EXTRA_BYTES, hard))
        return poll(self, timeout_s)

    readers.Reader.poll = poll_in_little_memory  # type: ignore[method-assign]
    reader_process.serve(pipe, setup)
