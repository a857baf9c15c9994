"""Reads the lines of a file, or of the files of a folder, as one partition.

While a file is *followed*, only lines that end with a newline are read. The text after the last
newline is a line when reading is bounded, or when it moves on to the next file.

It is a gap if a file vanished, was replaced, or became shorter than what was read of it. It is also
a gap if a file appears or grows under a name that reading has passed: it is never read. That is
detected only while the service runs; after a restart every file before the position counts as read.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import structlog

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.jsonl.file_order import LIST_S, FileOrder
from stream.sources.jsonl.lines import Lines, read_lines

log = structlog.get_logger("driftline.jsonl")

RETRY_S = 0.05
"""The pause before a followed file is read again after it had no new line."""

FilePosition = tuple[str, int]
"""The file's name, relative to the folder, and the offset of the next line."""


class JsonlReading(Reading):
    """Reads one path; see :class:`stream.sources.base.Reading` for the contract."""

    finished = False

    def __init__(self, path: str, follow: bool) -> None:
        self._partition = path
        self._follow = follow
        self.names = FileOrder(Path(path))
        self.names.refresh(0.0)
        self._position: FilePosition | None = None
        self._passed: set[str] | None = None
        self._inode: tuple[int, int] | None = None

    def discover(self) -> list[DiscoveredPartition]:
        """Return the one partition, which starts at its first file."""
        first = self.names.listed[0] if self.names.listed else ""
        return [DiscoveredPartition(partition=self._partition, start=(first, 0))]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read from there on; a file that is missing or shorter than the position is a gap."""
        for assign in assigns:
            if isinstance(assign.next, int):
                raise TypeError(
                    f"a position of {self._partition} is a file name and an offset, not"
                    f" {assign.next}"
                )
            self.names.refresh(0.0)
            self._position = assign.next
            self._inode = None
            self.finished = False
            if self._passed is None:
                self._passed = self.names.before(assign.next[0])
        gap = self._lost_file(self._position)
        return [] if gap is None else [gap]

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Do nothing: a file starts at its first line in any case."""

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return lines of one file; while following, wait for the first of them."""
        deadline_s = time.monotonic() + timeout_s
        while self._position is not None:
            result = self._read(self._position, max_records)
            left_s = deadline_s - time.monotonic()
            if isinstance(result, Gap) or result.values or self.finished or left_s <= 0:
                return [result]
            time.sleep(min(RETRY_S, left_s))
        time.sleep(max(0.0, deadline_s - time.monotonic()))
        return []

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Do nothing: files keep no positions of their readers."""

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Return no lags: files do not report any."""
        return {}

    def close(self) -> None:
        """Stop reading; no file stays open between two polls."""
        self._position = None

    def _read(self, first: FilePosition, max_records: int) -> RawBatch | Gap:
        """Read on from ``first``, into the next file if this one has nothing more."""
        while True:
            if (gap := self._lost_file(first) or self._passed_file(first)) is not None:
                return gap  # it begins where the last batch ended: no record was returned since
            position = self._position or first
            name = position[0]
            following = self.names.after(name)
            lines = self._lines(position, max_records, final=False)
            if not lines.values and (following is not None or not self._follow):
                lines = self._lines((name, lines.next), max_records, final=True)
            self._position = (name, lines.next)
            if lines.values:
                return self._batch(first, self._position, lines, at_end=False)
            if self._position != position:
                continue
            if following is None:
                self.finished = not self._follow
                return self._batch(first, self._position, lines, at_end=True)
            self._leave(name, lines.next)
            self._position = (following, 0)
            self._inode = None

    def _leave(self, name: str, size: int) -> None:
        if name:  # an empty folder has no file before its first one
            self.names.note_size(name, size)
        self._passed = {*(self._passed or ()), name}

    def _lines(self, position: FilePosition, max_records: int, final: bool) -> Lines:
        """Read lines of a file; none if it is missing, which is not a gap before its first line."""
        name, offset = position
        path = self.names.root / name
        try:
            stat = path.stat()
            self._inode = (stat.st_dev, stat.st_ino)
            return read_lines(path, offset, max_records, final) if name else Lines([], [], 0)
        except FileNotFoundError:
            return Lines([], [], offset)

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

    def _lost_file(self, expected: FilePosition | None) -> Gap | None:
        """Return a gap if the file at the position vanished, was replaced, or became shorter."""
        if self._position is None or self._position[1] == 0:
            return None
        name, offset = self._position
        try:
            stat = (self.names.root / name).stat()
        except FileNotFoundError:
            self.names.refresh(0.0)
            return self._stop(expected, (self.names.after(name) or name, 0), f"{name} has vanished")
        if self._inode not in (None, (stat.st_dev, stat.st_ino)):
            return self._stop(expected, (name, 0), f"{name} was replaced by another file")
        if stat.st_size < offset:
            return self._stop(expected, (name, 0), f"{name} is shorter than what was read of it")
        return None

    def _passed_file(self, expected: FilePosition) -> Gap | None:
        """Return a gap, once, for files that appeared or grew under names that reading passed."""
        if self._position is None or self._passed is None or not self.names.refresh(LIST_S):
            return None
        appeared = self.names.before(self._position[0]) - self._passed
        late = sorted({*appeared, *self.names.grown()})
        self._passed |= set(late)
        if not late:
            return None
        others = f" and {len(late) - 1} more" if len(late) > 1 else ""
        reason = f"{late[0]}{others} came after reading had passed that name"
        return self._stop(expected, self._position, reason)

    def _stop(self, expected: FilePosition | None, resume: FilePosition, reason: str) -> Gap:
        """Stop reading until the next assignment, and return the gap."""
        self._position = None
        log.warning("file_not_read", partition=self._partition, reason=reason, resume=resume)
        return Gap(
            partition=self._partition,
            expected=expected or resume,
            resume=resume,
            lost=None,
            reason=reason,
        )
