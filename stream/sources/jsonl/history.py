"""Which files were read, and which of those that reading has passed came or changed since."""

from __future__ import annotations

import os
from collections import deque
from itertools import islice
from typing import Final, NamedTuple

from stream.sources.jsonl.content import COMPRESSED_SUFFIX, fingerprint, length_of
from stream.sources.jsonl.file_order import FileOrder, file_properties
from stream.sources.jsonl.position import REMEMBERED, FileMemory, Place, ReadFile
from stream.sources.lines import Content

CHECKED: Final = 2_000
"""The number of passed files whose size is looked at after each listing, in turn."""


class Passed(NamedTuple):
    """A file that reading has passed, as it was then or when it was last looked at."""

    inode: int
    size: int
    compressed: bool


class FileHistory:
    """The files that were read, by inode, and all names before the frontier of reading.

    ``late`` are files to read in between: they came, grew or were replaced under a name that
    reading has passed. ``lost`` are names of which it is not known whether they were read: they
    changed while the service was down, and a position remembers only the latest files.
    """

    def __init__(self, order: FileOrder) -> None:
        self._order = order
        self._files: dict[int, ReadFile] = {}
        self._names: dict[int, str] = {}
        self._passed: dict[str, Passed] = {}
        self._turn: deque[str] = deque()
        self._complete = False
        self._listed_ns = 0
        self._told: set[tuple[str, int]] = set()
        self.late: deque[Place] = deque()
        self.lost: list[str] = []

    def begin(self, memory: FileMemory, frontier: str) -> None:
        """Start from the memory of a position: ``frontier`` is the first name not yet passed."""
        self._files = {file.inode: file for file in memory.files}
        for place in (memory.back, memory.here):
            if place is not None and place.offset:
                self.remember(self.latest(place.read))
        self._names = {}
        self._passed = {}
        self._complete = memory.complete
        self._listed_ns = self._order.listed_ns
        self.late.clear()
        self.lost.clear()
        self._turn.clear()
        for name in self._order.before(frontier):
            properties = file_properties(self._order.path(name))
            if properties is not None:
                self._pass(name, properties)
                if 0 < memory.listed_ns < properties.st_ctime_ns:
                    self._changed_while_down(name, properties)
                else:
                    self._names[properties.st_ino] = name
        if self.late:
            self._listed_ns = memory.listed_ns

    def read_so_far(self, properties: os.stat_result) -> ReadFile | None:
        """Return what was read of a file under any name; None if nothing was.

        The inode alone does not prove it: the caller compares the fingerprint.
        """
        known = self._files.get(properties.st_ino)
        if known is not None:
            return known
        name = self._names.get(properties.st_ino)
        if name is None or self._passed[name].compressed:
            return None
        linked = file_properties(self._order.path(name))
        if linked is None or linked.st_ino != properties.st_ino:
            return None
        return ReadFile(properties.st_ino, linked.st_size)

    def latest(self, read: ReadFile) -> ReadFile:
        """Return how far a file was read by now."""
        known = self._files.get(read.inode, read)
        return known if known.offset > read.offset else read

    def has_content(self, content: Content) -> ReadFile | None:
        """Return the file whose content was read as a whole; None if there is none.

        A file that was compressed has another inode and the same content.
        """
        length = length_of(content)
        for read in self._files.values():
            if read.offset == length and read.fingerprint == fingerprint(content, length):
                return read
        return None

    def next_late(self) -> Place | None:
        """Return the next file to read in between, where its reading ended; None without any."""
        if not self.late:
            return None
        place = self.late.popleft()
        return Place(place.name, self.latest(place.read))

    def tell_lost(self) -> str:
        """Return the reason of a gap for the names in ``lost``; each change is told once."""
        lost, self.lost = self.lost, []
        others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        return f"{lost[0]}{others} came or changed after reading had passed that name"

    def remember(self, read: ReadFile) -> None:
        """Note how far a file was read."""
        self._files.pop(read.inode, None)
        self._files[read.inode] = read

    def forget(self, inode: int) -> None:
        """Note that the inode belongs to another file now."""
        self._files.pop(inode, None)
        self._names.pop(inode, None)

    def leave(self, place: Place, properties: os.stat_result) -> None:
        """Note that a file was read to its end."""
        if place.offset:
            self.remember(place.read)
        self._pass(place.name, properties)

    def look(self, frontier: str) -> None:
        """Find files that came or changed under passed names; called after each listing."""
        before = self._order.before(frontier)
        for name in before:
            if name not in self._passed:
                self._come(name)
        for name in islice(list(self._turn), CHECKED):
            self._turn.rotate(-1)
            self._check(name)
        if not self.late:
            self._listed_ns = self._order.listed_ns

    def memory(self, here: Place, back: Place | None) -> FileMemory:
        """Return what a position at ``here`` remembers."""
        latest = tuple(islice(reversed(self._files.values()), REMEMBERED))[::-1]
        complete = self._complete and len(self._files) <= REMEMBERED
        return FileMemory(here, back, self._listed_ns, latest, complete)

    def _pass(self, name: str, properties: os.stat_result) -> None:
        if name not in self._passed:
            self._turn.append(name)
        self._passed[name] = _passed(self._order.path(name), properties)

    def _changed_while_down(self, name: str, properties: os.stat_result) -> None:
        known = self._files.get(properties.st_ino)
        if known is not None:
            if known.offset != properties.st_size:
                self.late.append(Place(name, known))
        elif self._complete:
            self.late.append(Place(name))
        else:
            self._lose(name, properties)

    def _lose(self, name: str, properties: os.stat_result) -> None:
        change = name, properties.st_ctime_ns
        if change not in self._told:
            self._told.add(change)
            self.lost.append(name)

    def _come(self, name: str) -> None:
        properties = file_properties(self._order.path(name))
        if properties is not None:
            self._pass(name, properties)
            known = self._files.get(properties.st_ino)
            if known is None or known.offset != properties.st_size:
                self.late.append(Place(name))

    def _check(self, name: str) -> None:
        """Compare a passed file with what it was; a deleted one is forgotten."""
        before = self._passed[name]
        properties = file_properties(self._order.path(name))
        if properties is None:
            del self._passed[name]
            self._names.pop(before.inode, None)
            self._turn.remove(name)
            return
        now = _passed(self._order.path(name), properties)
        if now == before or (now.compressed and not before.compressed):
            self._passed[name] = now
            return
        self._passed[name] = now
        known = self._files.get(now.inode)
        if known is not None and known.offset == now.size:
            return
        if known is None and now.compressed and not self._complete:
            self._lose(name, properties)
            return
        if known is None and now.inode == before.inode and now.size > before.size:
            known = ReadFile(now.inode, before.size)
        if now.size:
            self.late.append(Place(name, known or ReadFile(0, 0)))


def _passed(path: str, properties: os.stat_result) -> Passed:
    compressed = path.endswith(COMPRESSED_SUFFIX)
    return Passed(properties.st_ino, properties.st_size, compressed)
