"""Lines of an object whose bytes arrive in chunks, plain or compressed."""

from __future__ import annotations

import zlib
from collections import deque
from typing import Final

from stream.sources.lines import CHUNK_BYTES, LONGEST_LINE_BYTES, Lines, split_lines

MAGIC: Final = b"\x1f\x8b"
"""The first bytes of gzip data, with which no line of JSON begins."""
_GZIP_WINDOW_BITS: Final = 31


class ObjectLines:
    """The lines of one object from ``offset`` on, in its uncompressed content.

    The chunks begin at ``begins``: at ``offset``, or at the front of the object, as those of a
    compressed one must. Lines before ``offset`` are left out. About 4 MB are divided into lines at
    a time. ``damage`` is the reason for which the rest cannot be read, empty if there is none.
    """

    def __init__(self, offset: int, begins: int = 0) -> None:
        self.offset = offset
        self.damage = ""
        self._from = offset
        self._raw: deque[bytes] = deque()
        self._rest = b""
        self._gunzip: _Gunzip | None = None
        self._began = self._last = False
        self._lines = Lines([], [], begins)
        self._taken = 0

    @property
    def waits(self) -> bool:
        """True if no line is left, and another chunk is to come."""
        return not self._last and not self._raw and self._taken >= len(self._lines.values)

    @property
    def exhausted(self) -> bool:
        """True once all lines were taken."""
        return self._last and not self._raw and not self._has_more()

    @property
    def compressed(self) -> bool:
        """True if the object is compressed; known from its first chunk on."""
        return self._gunzip is not None

    def _has_more(self) -> bool:
        if self._taken < len(self._lines.values):
            return True
        return bool(self._rest) or (self._gunzip is not None and self._gunzip.pending)

    def add(self, chunk: bytes, last: bool) -> None:
        """Add the next bytes of the object."""
        if chunk:
            self._raw.append(chunk)
        self._last = last

    def take(self, max_records: int) -> Lines:
        """Return at most ``max_records`` lines; none if more bytes are needed."""
        while self._taken >= len(self._lines.values):
            if not self._divide():
                return Lines([], [], self.offset)
        stop = min(self._taken + max_records, len(self._lines.values))
        chosen = slice(self._taken, stop)
        starts, values = self._lines.starts[chosen], self._lines.values[chosen]
        at_end = stop == len(self._lines.values)
        self._taken = stop
        self.offset = self._lines.next if at_end else self._lines.starts[stop]
        return Lines(starts, values, self.offset)

    def _divide(self) -> bool:
        """Divide the bytes that are there into lines; return whether there were any."""
        data = self._piece()
        final = self._last and not self._raw and not (self._gunzip and self._gunzip.pending)
        if not data and not (final and self._rest):
            return False
        begins = self._lines.next
        content = self._rest + data
        lines = split_lines(content, begins, len(content) + 1, final)
        self._rest = content[lines.next - begins :]
        if len(self._rest) >= LONGEST_LINE_BYTES:
            cut = lines.next, self._rest
            lines = Lines([*lines.starts, cut[0]], [*lines.values, cut[1]], cut[0] + len(cut[1]))
            self._rest = b""
        self._lines = self._after_start(lines)
        self._taken = 0
        return True

    def _after_start(self, lines: Lines) -> Lines:
        if not lines.starts or lines.starts[0] >= self._from:
            return lines
        kept = [
            (start, value)
            for start, value in zip(lines.starts, lines.values, strict=True)
            if start >= self._from
        ]
        return Lines([start for start, _ in kept], [value for _, value in kept], lines.next)

    def _piece(self) -> bytes:
        """Return the next uncompressed bytes, about 4 MB; empty if more are needed."""
        if not self._began and self._raw:
            self._begin()
        if self._gunzip is None:
            return self._raw.popleft() if self._raw else b""
        while not self.damage:
            data = self._gunzip.read(self._raw)
            if data or (not self._raw and not self._gunzip.pending):
                break
        else:
            data = b""
        self._check_end()
        return data

    def _begin(self) -> None:
        self._began = True
        if self._lines.next == 0 and self._raw[0].startswith(MAGIC):
            self._gunzip = _Gunzip()

    def _check_end(self) -> None:
        gunzip = self._gunzip
        if gunzip is None:
            return
        if gunzip.damage:
            self.damage = f"its compressed data is damaged ({gunzip.damage})"
            self._raw.clear()
            self._last = True
        elif self._last and not self._raw and not gunzip.pending and gunzip.in_member:
            self.damage = "its compressed data ends in the middle"


class _Gunzip:
    """Decompresses gzip data of one or several members, in pieces of at most 4 MB."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WINDOW_BITS)
        self._tail = b""
        self.in_member = False
        self.damage = ""

    @property
    def pending(self) -> bool:
        """True if compressed bytes were left over."""
        return bool(self._tail)

    def read(self, raw: deque[bytes]) -> bytes:
        """Return the next piece, empty if more compressed bytes are needed."""
        data = self._tail or (raw.popleft() if raw else b"")
        self._tail = b""
        if not self.in_member:
            data = data.lstrip(b"\0")  # some writers fill the last block
        if not data:
            return b""
        try:
            piece = self._member.decompress(data, CHUNK_BYTES)
        except zlib.error as error:
            self.damage = str(error)
            return b""
        self.in_member = not self._member.eof
        self._tail = self._member.unused_data or self._member.unconsumed_tail
        if self._member.eof:
            self._member = zlib.decompressobj(_GZIP_WINDOW_BITS)
        return piece
