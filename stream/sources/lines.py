"""Splits the content of a file into lines, from an offset on."""

from __future__ import annotations

from itertools import accumulate
from typing import Final, NamedTuple, Protocol

CHUNK_BYTES: Final = 4 << 20
"""The number of bytes of a file that are read at once."""
LONGEST_LINE_BYTES: Final = 64 << 20
"""The length at which a line without an end is cut; its format then rejects the record."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""The mark of UTF-8 that some programs write at the front of a file; it belongs to no record."""


class Content(Protocol):
    """The content of an open file, uncompressed."""

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; fewer only at the end."""


class Lines(NamedTuple):
    """Lines of a file: the offset of each, its bytes, and the offset of the line that follows."""

    starts: list[int]
    values: list[bytes]
    next: int


def split_lines(data: bytes, offset: int, max_records: int, final: bool) -> Lines:
    """Split ``data``, which begins at ``offset``, into at most ``max_records`` lines.

    With ``final`` the end of the data ends a line too. Blank lines and a byte order mark at the
    front of a file are left out.

    >>> split_lines(b'{"a":1}\\n \\n{"a"', 10, 100, final=False)
    Lines(starts=[10], values=[b'{"a":1}'], next=20)
    >>> split_lines(b'{"a"', 20, 100, final=True)
    Lines(starts=[20], values=[b'{"a"'], next=24)
    """
    *complete, rest = data.split(b"\n", max_records)
    ends = list(accumulate((len(line) + 1 for line in complete), initial=offset))
    if final and rest and len(complete) < max_records:
        complete.append(rest)
        ends.append(ends[-1] + len(rest))
    if complete and offset == 0:
        complete[0] = complete[0].removeprefix(BYTE_ORDER_MARK)
    kept = [
        (start, line)
        for start, line in zip(ends, complete, strict=False)
        if line and not line.isspace()
    ]
    return Lines([start for start, _ in kept], [line for _, line in kept], ends[-1])


def read_lines(content: Content, offset: int, max_records: int, final: bool) -> Lines:
    """Read lines from ``offset`` on: about 4 MB of them, or one that is longer."""
    size = CHUNK_BYTES
    while True:
        data = content.read(offset, size)
        at_end = len(data) < size
        lines = split_lines(data, offset, max_records, final and at_end)
        if lines.next > offset or at_end:
            return lines
        if size >= LONGEST_LINE_BYTES:
            return Lines([offset], [data], offset + len(data))
        size *= 2
