"""Opens a file of lines, plain or compressed, and recognises its content."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final

import msgspec

from stream.sources.jsonl.position import ReadFile
from stream.sources.lines import LONGEST_LINE_BYTES, Content

HEAD_BYTES: Final = 1024
"""The number of bytes at the front of a file by which it is recognised."""
TAIL_BYTES: Final = 256
"""The number of bytes before a position by which it is recognised."""
COMPRESSED_SUFFIX: Final = ".gz"
_RAW_BYTES: Final = 256 << 10
_GZIP_WINDOW_BITS: Final = 31
_STEP_BYTES: Final = 64


class NotRegular(OSError):
    """A name that is no regular file: a folder, a socket, a pipe, a device."""


@contextmanager
def opened(path: str) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file; yields its descriptor and its properties.

    A pipe or a device without data does not block. Raises ``NotRegular``, and ``OSError`` if the
    file does not exist or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        properties = os.fstat(descriptor)
        if not stat.S_ISREG(properties.st_mode):
            raise NotRegular(f"{path} is not a regular file")
        yield descriptor, properties
    finally:
        os.close(descriptor)


def fingerprint(content: Content, offset: int) -> str:
    """Return a hash of the front of a file and of the bytes before ``offset``; empty at its start.

    It does not change when the file grows, is renamed, copied or compressed. It changes when other
    content takes the place of what was read.
    """
    if offset == 0:
        return ""
    head = content.read(0, min(offset, HEAD_BYTES))
    start = max(offset - TAIL_BYTES, 0)
    tail = content.read(start, offset - start)
    return blake2b(head + tail, digest_size=8).hexdigest()


def length_of(content: Content) -> int:
    """Return the number of bytes of the content."""
    length = 0
    while data := content.read(length, _RAW_BYTES):
        length += len(data)
    return length


class PlainContent(msgspec.Struct, frozen=True):
    """The content of an open file that is not compressed."""

    descriptor: int
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; fewer only at the end."""
        return os.pread(self.descriptor, max(min(size, self.size - offset), 0), offset)


class GzipContent:
    """The content of a compressed file, of one or several members, read from front to back.

    It keeps its place between two polls, while the file is not open: ``descriptor`` is set before
    each use. Reading at an earlier place begins at the front again. ``damage`` is the reason for
    which the rest cannot be read, empty if there is none.
    """

    def __init__(self) -> None:
        self.descriptor = -1
        self._restart()

    def _restart(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WINDOW_BITS)
        self._pending = b""
        self._raw_offset = 0
        self._head = b""
        self._buffer = b""
        self._start = 0
        self._in_member = False
        self.damage = ""

    @property
    def compressed_bytes(self) -> int:
        """The number of compressed bytes read so far."""
        return self._raw_offset

    @property
    def incomplete(self) -> bool:
        """True if the compressed data read so far ends in the middle."""
        return self._in_member

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; fewer only at the end."""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        if offset < self._start:
            self._restart()
        while self._start + len(self._buffer) < offset + size and self._fill(size):
            self._drop_before(min(offset, self._start + len(self._buffer)) - TAIL_BYTES)
        return self._buffer[offset - self._start : offset - self._start + size]

    def _drop_before(self, offset: int) -> None:
        if offset > self._start:
            self._buffer = self._buffer[offset - self._start :]
            self._start = offset

    def _fill(self, size: int) -> bool:
        """Decompress about ``size`` more bytes; returns false if there are none."""
        if self.damage:
            return False
        raw = self._pending or os.pread(self.descriptor, _RAW_BYTES, self._raw_offset)
        if not self._pending:
            self._raw_offset += len(raw)
        self._pending = b""
        if not self._in_member:
            raw = raw.lstrip(b"\0")  # some writers fill the last block
        if not raw and not self._in_member:
            return False
        before = self._member.copy()
        try:
            data = self._member.decompress(raw, max(size, _RAW_BYTES))
        except zlib.error as error:
            self.damage = f"its compressed data is damaged ({error})"
            data = _undamaged(before, raw)
            self._member = zlib.decompressobj(_GZIP_WINDOW_BITS)
            self._keep(data)
            return bool(data)
        if not raw and not data:
            return False
        self._in_member = not self._member.eof
        self._pending = self._member.unused_data or self._member.unconsumed_tail
        if self._member.eof:
            self._member = zlib.decompressobj(_GZIP_WINDOW_BITS)
        self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + data)[:HEAD_BYTES]
        self._buffer += data


def _undamaged(member: zlib._Decompress, raw: bytes) -> bytes:
    """Return what can be decompressed of a damaged piece, up to the longest length of a line."""
    data = bytearray()
    for at in range(0, len(raw), _STEP_BYTES):
        try:
            data += member.decompress(raw[at : at + _STEP_BYTES])
        except zlib.error:
            break
        if len(data) > LONGEST_LINE_BYTES:
            break
    return bytes(data)


class Contents:
    """The contents of the files that are read; a compressed one keeps its place between polls."""

    def __init__(self) -> None:
        self._gzip: tuple[str, int, GzipContent] | None = None

    @contextmanager
    def open(self, path: str) -> Iterator[tuple[PlainContent | GzipContent, os.stat_result]]:
        """Open a file; yields its content and its properties. Raises as :func:`opened` does."""
        with opened(path) as (descriptor, properties):
            yield self._of(path, descriptor, properties), properties

    def _of(
        self, path: str, descriptor: int, properties: os.stat_result
    ) -> PlainContent | GzipContent:
        if not path.endswith(COMPRESSED_SUFFIX):
            self._gzip = None
            return PlainContent(descriptor, properties.st_size)
        content = self._kept(path, properties) or GzipContent()
        content.descriptor = descriptor
        self._gzip = path, properties.st_ino, content
        return content

    def begins_with(self, path: str, read: ReadFile) -> bool:
        """Return whether a file begins with what was read; false if it cannot be opened."""
        try:
            with self.open(path) as (content, _):
                return continues(content, read)
        except OSError:
            return False

    def _kept(self, path: str, properties: os.stat_result) -> GzipContent | None:
        if self._gzip is None or self._gzip[:2] != (path, properties.st_ino):
            return None
        content = self._gzip[2]
        is_shorter = content.compressed_bytes > properties.st_size
        return None if content.damage or is_shorter else content


def continues(content: PlainContent | GzipContent, read: ReadFile) -> bool:
    """Return whether a content still begins with what was read of it."""
    if isinstance(content, PlainContent) and content.size < read.offset:
        return False
    return not read.fingerprint or fingerprint(content, read.offset) == read.fingerprint


def damage(content: PlainContent | GzipContent, final: bool) -> str:
    """Return why the rest of a compressed file cannot be read; empty if it can.

    Data that ends in the middle may continue later, unless it is ``final``.
    """
    if isinstance(content, PlainContent):
        return ""
    if final and content.incomplete and not content.damage:
        return "its compressed data ends in the middle"
    return content.damage
