"""Reads the lines of a file, or of the files of a folder, as one partition.

While a file is *followed*, only lines that end with a newline are read. The text after the last
newline is a line when reading is bounded, or when it moves on to the next file.

Files are read in the order of their names. A file is recognised by its content and its inode, while
the service runs and after a restart, so that each line is read once:

* a file that was renamed or compressed is read on under its new name, and a second link to a file
  that was read is passed over;
* a file that appears or grows under a name that reading has passed is read in between;
* a file that vanished, was replaced, or became shorter before all of it was read is a gap, and so
  is one whose compressed data is damaged.

A position remembers the hundred files read last (:mod:`stream.sources.jsonl.position`). An older
one that was renamed to a later name while the service was down is read again; one that changed is a
gap.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import structlog

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.jsonl.batches import end_batch, lines_batch
from stream.sources.jsonl.content import (
    Contents,
    GzipContent,
    NotRegular,
    PlainContent,
    continues,
    damage,
    fingerprint,
)
from stream.sources.jsonl.file_order import FileOrder
from stream.sources.jsonl.history import FileHistory
from stream.sources.jsonl.position import FileMemory, Place, ReadFile, decode, encode, name_of
from stream.sources.lines import Lines, read_lines

log = structlog.get_logger("driftline.jsonl")

RETRY_S: Final = 0.05
"""The pause before a followed file is read again after it had no new line."""


class JsonlReading(Reading):
    """Reads one path; see :class:`stream.sources.base.Reading` for the contract."""

    finished = False

    def __init__(self, path: str, follow: bool) -> None:
        self._partition = path
        self._follow = follow
        self.order = FileOrder(Path(path))
        self.order.refresh(at_once=True)
        self._history = FileHistory(self.order)
        self._here: Place | None = None
        self._back: Place | None = None
        self._at: Position = ("", 0)
        self._reported: Position = ("", 0)
        self._held: Gap | None = None
        self._contents = Contents()
        self._verified: tuple[str, int, int, int] | None = None
        self._logged: set[tuple[str, str]] = set()

    def discover(self) -> list[DiscoveredPartition]:
        """Return the one partition, which starts at its first file; log unreadable files."""
        self.order.refresh()
        for name, reason in self.order.unreadable.items() - self._logged:
            log.warning("file_unreadable", partition=self._partition, file=name, reason=reason)
        self._logged = set(self.order.unreadable.items())
        first = self.order.listed[0] if self.order.listed else ""
        start = FileMemory(Place(first), None, self.order.listed_ns, complete=True)
        return [DiscoveredPartition(partition=self._partition, start=encode(start))]

    def unreadable(self) -> int:
        """Return the number of files and folders that are passed over at present."""
        return len(self.order.unreadable)

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read from there on; a position that no file has any more is a gap."""
        gap: Gap | None = None
        for assign in assigns:
            if isinstance(assign.next, int):
                raise TypeError(
                    f"a position of {self._partition} is a file name and an offset, not"
                    f" {assign.next}"
                )
            self.order.refresh(at_once=True)
            memory = decode(assign.next)
            self._here, self._back = memory.here, memory.back
            self._at = self._reported = assign.next
            self._held = self._verified = None
            self._contents = Contents()
            self.finished = False
            self._history.begin(memory, self._frontier)
            gap = self._check_place(memory.here)
        return [] if gap is None else [gap]

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Do nothing: a file starts at its first line in any case."""

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return lines, with a batch for each file; while following, wait for the first of them.

        A batch that moves the position without a line is returned too: the next one continues it.
        """
        deadline_s = time.monotonic() + timeout_s
        while self._here is not None or self._held is not None:
            results = self._read_files(max_records)
            left_s = deadline_s - time.monotonic()
            is_new = any(
                isinstance(result, Gap) or result.next != result.first for result in results
            )
            if is_new or self.finished or left_s <= 0:
                return results
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
        self._here = self._held = None

    @property
    def _frontier(self) -> str:
        """The name up to which all files are read, except for those that are read in between."""
        place = self._back or self._here
        return "" if place is None else place.name

    def _read_files(self, max_records: int) -> list[RawBatch | Gap]:
        """Return batches of consecutive files; a gap after them waits for the next poll."""
        if self._held is not None:
            gap, self._held = self._held, None
            return [gap]
        batches: list[RawBatch] = []
        while max_records > 0:
            result = self._read(max_records)
            if isinstance(result, Gap):
                if not batches:
                    return [result]
                self._held = result
                break
            if batches and result.at_end:
                self.finished = False  # the next poll reports the end
                break
            self._reported = result.next
            batches.append(result)
            max_records -= len(result.values)
            if result.at_end:
                break
        return [*batches]

    def _read(self, max_records: int) -> RawBatch | Gap:
        """Read on, into the next file if this one has nothing more."""
        first = self._reported
        while True:
            here = self._here
            if here is None:
                raise RuntimeError("read before it was assigned")
            if (gap := self._look(first, here)) is not None:
                return gap
            result = self._read_place(first, self._here or here, max_records)
            if result is not None:
                return result

    def _read_place(self, first: Position, here: Place, max_records: int) -> RawBatch | Gap | None:
        """Read at a place; None if reading moved elsewhere, so that it must be tried there."""
        if not here.name:
            return self._start(first)
        try:
            with self._contents.open(self.order.path(here.name)) as (content, properties):
                gap = self._verify(first, here, content, properties)
                if gap is not None or self._here is None or self._here.name != here.name:
                    return gap
                return self._read_lines(first, self._here, content, properties, max_records)
        except (FileNotFoundError, NotADirectoryError, NotRegular):
            return self._missing(first, here)
        except OSError as error:
            return self._unreadable(first, here, error.strerror or str(error))

    def _read_lines(
        self,
        first: Position,
        here: Place,
        content: PlainContent | GzipContent,
        properties: os.stat_result,
        max_records: int,
    ) -> RawBatch | Gap | None:
        before, following = here, self._following(here)
        moves_on = following is not None or not self._follow
        lines = Lines([], [], here.offset)
        if here.damaged_bytes != properties.st_size:
            lines = read_lines(content, here.offset, max_records, final=False)
            if not lines.values and moves_on:
                lines = read_lines(content, lines.next, max_records, final=True)
        if lines.next != here.offset:
            read = ReadFile(properties.st_ino, lines.next, fingerprint(content, lines.next))
            here = Place(here.name, read)
            self._go_after(here, following, content, properties)
        if lines.values:
            return lines_batch(
                partition=self._partition,
                name=here.name,
                lines=lines,
                origin=self.order.path(here.name),
                changed_ms=properties.st_mtime_ns // 1_000_000,
                first=first,
                following=self._at,
            )
        if self._here is not before:
            return None
        reason = damage(content, moves_on)
        if reason and here.damaged_bytes != properties.st_size:
            rest = Place(here.name, here.read, properties.st_size)
            return self._stop(first, rest, f"{here.name}: {reason}", self._back)
        if following is None:
            return self._end(first)
        self._history.leave(here, properties)
        self._move_on(following)
        return None

    def _go_after(
        self,
        here: Place,
        following: Place | None,
        content: PlainContent | GzipContent,
        properties: os.stat_result,
    ) -> None:
        """Move to a place; at once to the next file if this one is read to its end."""
        is_read = isinstance(content, PlainContent) and here.offset >= content.size
        if following is None or not is_read:
            self._go(here, self._back)
            return
        self._history.leave(here, properties)
        self._move_on(following)

    def _start(self, first: Position) -> RawBatch | None:
        """Begin with the first file of a folder that was empty; wait while files are copied in."""
        names = self.order.listed
        if not names or (self._follow and not self.order.settled()):
            return self._end(first)
        self._go(Place(names[0]), None)
        return None

    def _following(self, here: Place) -> Place | None:
        """Return where reading continues after the end of the file."""
        if self._back is not None:
            return self._back
        name = self.order.after(here.name)
        return None if name is None else Place(name)

    def _move_on(self, following: Place) -> None:
        """Continue after a file: with those to read in between, then at ``following``."""
        late = self._history.next_late()
        if late is not None:
            self._go(late, following)
        else:
            self._go(following, None)

    def _go(self, here: Place, back: Place | None) -> None:
        self._here, self._back = here, back
        self._at = encode(self._history.memory(here, back))

    def _look(self, first: Position, here: Place) -> Gap | None:
        """List the files if that is due, and turn to those that came or changed behind."""
        if self.order.refresh() and here.name:
            if here.offset:
                self._history.remember(self._history.latest(here.read))
            self._history.look(self._frontier)
        if self._history.lost:
            return self._lost(first, here)
        late = None if self._back is not None else self._history.next_late()
        if late is not None:
            self._go(late, here)
        return None

    def _verify(
        self,
        first: Position,
        here: Place,
        content: PlainContent | GzipContent,
        properties: os.stat_result,
    ) -> Gap | None:
        """Check, if the file changed, that what was read of it is still there."""
        seen = here.name, properties.st_ino, properties.st_size, properties.st_mtime_ns
        if seen == self._verified:
            return None
        if here.offset == 0:
            self._recognise(here, content, properties)
        elif not continues(content, here.read):
            return self._replaced(first, here, properties)
        self._verified = seen
        return None

    def _recognise(
        self, here: Place, content: PlainContent | GzipContent, properties: os.stat_result
    ) -> None:
        """Continue in a file that was read under another name, after what was read."""
        read = self._history.read_so_far(properties)
        if read is None and self._back is not None and isinstance(content, GzipContent):
            read = self._history.has_content(content)
        if read is None:
            return
        if not continues(content, read):
            self._history.forget(properties.st_ino)
            return
        log.info("file_renamed", partition=self._partition, file=here.name, read=read.offset)
        same = ReadFile(properties.st_ino, read.offset, read.fingerprint)
        self._go(Place(here.name, same), self._back)

    def _check_place(self, here: Place) -> Gap | None:
        """Check at once that the assigned position still exists."""
        first = self._reported
        if self._history.lost:
            return self._lost(first, here)
        if here.offset == 0:
            return None
        try:
            with self._contents.open(self.order.path(here.name)) as (content, properties):
                return self._verify(first, here, content, properties)
        except (FileNotFoundError, NotADirectoryError, NotRegular):
            result = self._missing(first, here)
            return result if isinstance(result, Gap) else None
        except OSError:
            return None  # the next poll reports it

    def _lost(self, first: Position, here: Place) -> Gap:
        """Return a gap for files of which it is not known what was read."""
        return self._stop(first, here, self._history.tell_lost(), self._back)

    def _missing(self, first: Position, here: Place) -> RawBatch | Gap | None:
        """Continue after a file that is not there; a gap if it was read before and is not found."""
        following = self._following(here)
        if here.offset == 0:
            if following is None:
                return self._end(first)
            self._move_on(following)
            return None
        self.order.refresh(at_once=True)
        if self._renamed(here):
            return None
        name = self.order.after(here.name) or here.name
        return self._stop(first, self._back or Place(name), f"{here.name} has vanished")

    def _replaced(self, first: Position, here: Place, properties: os.stat_result) -> Gap | None:
        """Continue under the new name of the file; a gap if it has none, or was overwritten."""
        self.order.refresh(at_once=True)
        if properties.st_ino != here.read.inode and self._renamed(here):
            return None
        reason = f"{here.name} was replaced by another file"
        if properties.st_ino == here.read.inode or not here.read.inode:
            reason = f"{here.name} is shorter than what was read of it"
            if properties.st_size >= here.offset:
                reason = f"{here.name} was overwritten: it has other content before the position"
        return self._stop(first, Place(here.name), reason, self._back)

    def _renamed(self, here: Place) -> bool:
        """Turn to the file under its new name, if there is one; then to the new one of its name."""
        name = self.order.renamed(here.read.inode, here.name) if here.read.inode else None
        if (
            name is None
            or name == here.name
            or not self._contents.begins_with(self.order.path(name), here.read)
        ):
            return False
        read = self._history.latest(here.read)
        self._history.remember(read)
        log.info("file_renamed", partition=self._partition, file=name, read=read.offset)
        if self.order.is_listed_after(name, self._frontier):
            self._go(self._back or Place(here.name), None)  # it is read on when its turn comes
        else:
            self._go(Place(name, read), self._back or Place(here.name))
        return True

    def _unreadable(self, first: Position, here: Place, reason: str) -> RawBatch | Gap | None:
        """Pass over a file that cannot be read; the rest of one that was read before is a gap."""
        following = self._following(here)
        if following is None:
            return self._end(first)
        if here.offset:
            return self._stop(first, following, f"{here.name} cannot be read: {reason}")
        self._move_on(following)
        return None

    def _end(self, first: Position) -> RawBatch:
        """Return a batch that reports the end of the log."""
        self.finished = not self._follow
        return end_batch(self._partition, first, self._at)

    def _stop(
        self, expected: Position, resume: Place, reason: str, back: Place | None = None
    ) -> Gap:
        """Stop reading until the next assignment, and return the gap."""
        self._here = self._back = None
        position = encode(self._history.memory(resume, back))
        resumed = name_of(position)
        log.warning("file_not_read", partition=self._partition, reason=reason, resume=resumed)
        return Gap(
            partition=self._partition, expected=expected, resume=position, lost=None, reason=reason
        )
