"""Lines of a file, or of the files of a folder in the order of their names: one partition, read to
its end or followed.

Where a path has a date in it (``.../2025/06/15/09/20-48-871-0b7b.jsonl``, as captures have), the
order is that of the part from the date on, so that the files of several endpoints in one folder
take turns.

A position is ``(file name, byte offset)``, the name relative to the folder. Lines that hold only
white space are no records.

While a file is *followed*, only lines that end with a newline are taken. What a file has after its
last newline is taken as a line when reading is bounded, or when it moves on to the next file. A
file that vanished or became shorter than what was read of it is a gap; so is a file that appears
(or grows) under a name which reading has already passed: it is never read. That can only be seen
while the service runs: after a restart every file that comes before the position counts as read.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Mapping
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from detectors.faults import Fault
from stream.errors import SourceUnavailable
from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading, Source
from stream.sources.combined import CombinedReading
from stream.sources.jsonl.file_order import LIST_S, FileOrder

log = logging.getLogger(__name__)

CHUNK_BYTES = 4 << 20
LONGEST_LINE_BYTES = 64 << 20
"""A line without an end is cut here and becomes a record that its format will reject."""
LOOK_S = 0.05
"""While waiting: how often the file is looked at."""

FilePosition = tuple[str, int]


class Jsonl(Source, frozen=True, tag="jsonl"):
    """Reads ``path``: a file of any name, or a folder of ``*.jsonl`` files, also in folders below
    it; or a list of these, each of which is a partition.

    With ``follow: true`` it never ends: lines and files that are added later are read too.
    ``arrival_ms`` is the time at which the file was last changed. Raises SourceUnavailable when
    ``path`` does not exist.
    """

    record_fields: ClassVar = frozenset({"file"})
    default_grace: ClassVar = "5m"

    path: str | list[str]
    """A file of any name, or a folder of ``*.jsonl`` files, also in folders below it; or a list of
    these, each of which is a partition.
    """
    follow: bool = False
    """Whether lines and files that are added later are read too; otherwise the job ends with the
    files.
    """

    @property
    def paths(self) -> list[str]:
        """All paths."""
        return [self.path] if isinstance(self.path, str) else self.path

    @property
    def identity(self) -> str:
        """The paths; files that moved elsewhere are another source."""
        return f"jsonl {', '.join(self.paths)}"

    def check(self) -> list[Fault]:
        """Check that paths are given, each once; they need not exist on the machine that checks."""
        if not self.paths or not all(self.paths):
            return [Fault("path", "the path of a file or folder is required")]
        repeated = sorted({path for path in self.paths if self.paths.count(path) > 1})
        return [Fault("path", f"{path!r} is given more than once") for path in repeated]

    def open(self, job: str) -> Reading:
        """Look at the paths; nothing is opened before the first poll."""
        readings = {path: self._open(path) for path in self.paths}
        return next(iter(readings.values())) if len(readings) == 1 else CombinedReading(readings)

    def _open(self, path: str) -> JsonlReading:
        try:
            os.stat(path)
        except OSError as error:
            advice = "Make the folder (or the file), or correct source.path"
            raise SourceUnavailable(
                f"jsonl {path}", [error.strerror or str(error)], advice
            ) from error
        reading = JsonlReading(path, self.follow)
        if not reading.names.listed:
            log.warning(
                "%s: no file whose name ends with .jsonl%s", path, " yet" if self.follow else ""
            )
        return reading


class Lines(NamedTuple):
    """Lines of a file: where each starts, its bytes, and where the next one would start."""

    starts: list[int]
    values: list[bytes]
    next: int


def split_lines(data: bytes, offset: int, max_records: int, final: bool) -> Lines:
    """At most ``max_records`` lines of ``data``, which begins at ``offset``; with ``final`` the end
    of data ends a line too.

    >>> split_lines(b'{"a":1}\\n \\n{"a"', 10, 100, final=False)
    Lines(starts=[10], values=[b'{"a":1}'], next=20)
    >>> split_lines(b'{"a"', 20, 100, final=True)
    Lines(starts=[20], values=[b'{"a"'], next=24)
    """
    *whole, rest = data.split(b"\n", max_records)
    ends = list(accumulate((len(line) + 1 for line in whole), initial=offset))
    if final and rest and len(whole) < max_records:
        whole.append(rest)
        ends.append(ends[-1] + len(rest))
    kept = [
        (start, line)
        for start, line in zip(ends, whole, strict=False)
        if not line.isspace() and line
    ]
    return Lines([start for start, _ in kept], [line for _, line in kept], ends[-1])


def read_lines(path: Path, offset: int, max_records: int, final: bool) -> Lines:
    """Lines of a file from ``offset`` on: about 4 MB of them, or one that is longer."""
    size = CHUNK_BYTES
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            data = file.read(size)
            at_end = len(data) < size
            lines = split_lines(data, offset, max_records, final and at_end)
            if lines.next > offset or at_end:
                return lines
            if size >= LONGEST_LINE_BYTES:
                return Lines([offset], [data], offset + len(data))
            size *= 2


class JsonlReading(Reading):
    """The reading half; see :class:`stream.sources.base.Reading` for what each method promises."""

    finished = False

    def __init__(self, path: str, follow: bool) -> None:
        self._partition, self._follow = path, follow
        self.names = FileOrder(Path(path))
        self.names.refresh(0.0)
        self._at: FilePosition | None = None
        self._passed: set[str] | None = None
        self._inode: tuple[int, int] | None = None

    def discover(self) -> list[DiscoveredPartition]:
        """The one partition, from its first file on."""
        return [
            DiscoveredPartition(
                self._partition, (self.names.listed[0] if self.names.listed else "", 0)
            )
        ]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read from there on; a file that is gone or shorter than the position is a gap."""
        for assign in assigns:
            if isinstance(assign.next, int):
                raise TypeError(
                    f"a position of {self._partition} is a file name and an offset, not"
                    f" {assign.next}"
                )
            self.names.refresh(0.0)
            self._at, self._inode, self.finished = assign.next, None, False
            self._passed = (
                self.names.before(assign.next[0]) if self._passed is None else self._passed
            )
        fault = self._fault()
        return [] if fault is None else [fault]

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """A file begins at its first line in any case."""

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """One batch of lines of one file; while following it waits for the first of them."""
        deadline = time.monotonic() + timeout_s
        while self._at is not None:
            step = self._step(self._at, max_records)
            left_s = deadline - time.monotonic()
            if isinstance(step, Gap) or step.values or self.finished or left_s <= 0:
                return [step]
            time.sleep(min(LOOK_S, left_s))
        time.sleep(max(0.0, deadline - time.monotonic()))
        return []

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Nobody asks a file how far it was read."""

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Not known for files."""
        return {}

    def close(self) -> None:
        """Nothing stays open between two polls."""
        self._at = None

    def _step(self, first: FilePosition, max_records: int) -> RawBatch | Gap:
        """Read on from ``first``, into the next file if this one has nothing more; or tell what is
        wrong.
        """
        while True:
            if (gap := self._fault() or self._late()) is not None:
                return gap._replace(expected=first)  # nothing was handed over since
            at = self._at or first
            name = at[0]
            following = self.names.after(name)
            lines = self._lines(at, max_records, final=False)
            if not lines.values and (following is not None or not self._follow):
                lines = self._lines((name, lines.next), max_records, final=True)
            self._at = (name, lines.next)
            if lines.values:
                return self._batch(first, self._at, lines, at_end=False)
            if self._at != at:
                continue
            if following is None:
                self.finished = not self._follow
                return self._batch(first, self._at, lines, at_end=True)
            self._leave(name, lines.next)
            self._at, self._inode = (following, 0), None

    def _leave(self, name: str, size: int) -> None:
        if name:  # there is none before the first file of a folder that was empty
            self.names.leave(name, size)
        self._passed = {*(self._passed or ()), name}

    def _lines(self, at: FilePosition, max_records: int, final: bool) -> Lines:
        """Lines of a file; none when it is not there (which is no fault while nothing of it was
        read).
        """
        path = self.names.root / at[0]
        try:
            stat = path.stat()
            self._inode = (stat.st_dev, stat.st_ino)
            return read_lines(path, at[1], max_records, final) if at[0] else Lines([], [], 0)
        except FileNotFoundError:
            return Lines([], [], at[1])

    def _batch(
        self, first: FilePosition, following: FilePosition, lines: Lines, at_end: bool
    ) -> RawBatch:
        name, _ = following
        path = self.names.root / name
        changed_ms = path.stat().st_mtime_ns // 1_000_000 if lines.values and path.exists() else -1
        return RawBatch(
            partition=self._partition,
            origin=str(path),
            first=first,
            next=following,
            positions=[(name, start) for start in lines.starts],
            values=list(lines.values),
            arrival_ms=np.full(len(lines.values), changed_ms, np.int64),
            at_end=at_end,
        )

    def _fault(self) -> Gap | None:
        """A gap if the file of the position has vanished, was replaced, or is shorter than what was
        read of it.
        """
        if self._at is None or self._at[1] == 0:
            return None
        name, offset = self._at
        try:
            stat = (self.names.root / name).stat()
        except FileNotFoundError:
            self.names.refresh(0.0)
            return self._stop((self.names.after(name) or name, 0), f"{name} has vanished")
        if self._inode not in (None, (stat.st_dev, stat.st_ino)):
            return self._stop((name, 0), f"{name} was replaced by another file")
        return (
            self._stop((name, 0), f"{name} is shorter than what was read of it")
            if stat.st_size < offset
            else None
        )

    def _late(self) -> Gap | None:
        """A gap if files appeared, or grew, under names that reading has passed; each is told once."""
        if self._at is None or self._passed is None or not self.names.refresh(LIST_S):
            return None
        late = sorted({*(self.names.before(self._at[0]) - self._passed), *self.names.grown()})
        self._passed |= set(late)
        more = f" and {len(late) - 1} more" if len(late) > 1 else ""
        return (
            self._stop(self._at, f"{late[0]}{more} came after reading had passed that name")
            if late
            else None
        )

    def _stop(self, resume: FilePosition, reason: str) -> Gap:
        """The gap to tell; the partition waits to be assigned again."""
        expected, self._at = self._at or resume, None
        log.warning(
            "%s: gap: %s; it is not read, reading goes on at %s", self._partition, reason, resume
        )
        return Gap(self._partition, expected, resume, None, reason)
