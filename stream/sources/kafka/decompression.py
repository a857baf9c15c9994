"""Decompresses record batches up to a limit: a few kilobytes may hold gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

import lz4.frame
import zstandard
from kafka.codec import snappy_decode

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
"""The compressions, by their numbers in the protocol."""
MIN_CHUNK_BYTES: Final = 4 << 10
MAX_CHUNK_BYTES: Final = 1 << 20
"""The most that is decompressed at a time, before the limit is checked again."""
EXPECTED_RATIO: Final = 8
"""The first chunk holds this multiple of the compressed bytes: usually it is the only one."""
_GZIP_WINDOW: Final = 31
_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16
_MAX_VARINT_BYTES: Final = 5


class BatchTooLarge(ValueError):
    """A record batch that holds more than ``max_bytes`` bytes uncompressed."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"the batch holds more than {max_bytes} bytes uncompressed (source.max_batch_bytes)"
        )


def uncompressed(compression: int, data: bytes, max_bytes: int) -> bytes:
    """Return the records of a batch, whose bytes after its header are ``data``.

    Raises :class:`BatchTooLarge` as soon as there are more than ``max_bytes``, ``ValueError`` for
    an unknown compression, and the error of the library for damaged data. Data that were cut off
    return what they hold: the lengths of the records will not add up.

    >>> len(uncompressed(GZIP, zlib.compress(bytes(5_000), wbits=31), max_bytes=5_000))
    5000
    """
    if compression == NONE:
        return _joined(iter([data]), max_bytes)
    if compression == SNAPPY:
        if snappy_bytes(data) > max_bytes:
            raise BatchTooLarge(max_bytes)
        return bytes(snappy_decode(data))
    if compression not in _CHUNKS:
        raise ValueError(f"unknown compression {compression}")
    size = min(max(EXPECTED_RATIO * len(data), MIN_CHUNK_BYTES), MAX_CHUNK_BYTES)
    return _joined(_CHUNKS[compression](data, size), max_bytes)


def snappy_bytes(data: bytes) -> int:
    """Return the uncompressed length that snappy data declare, over all blocks that Java made.

    snappy refuses data whose length is not the declared one.

    >>> import snappy
    >>> snappy_bytes(snappy.compress(b"x" * 70_000))
    70000
    """
    if not data.startswith(_XERIAL_MAGIC):
        return _declared(data, 0)
    total, at = 0, _XERIAL_HEADER_BYTES
    while at + 4 <= len(data):
        total += _declared(data, at + 4)
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return total


def _declared(data: bytes, at: int) -> int:
    """Return the length at the start of a block: groups of seven bits, the lowest first."""
    value = 0
    for k, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 127) << 7 * k
        if byte < 128:
            break
    return value


def _joined(chunks: Iterator[bytes], max_bytes: int) -> bytes:
    parts, total = [], 0
    for chunk in chunks:
        parts.append(chunk)
        total += len(chunk)
        if total > max_bytes:
            raise BatchTooLarge(max_bytes)
    return b"".join(parts)


def _gzip_chunks(data: bytes, size: int) -> Iterator[bytes]:
    """Yield the content of all members, of which there may be several."""
    while data:
        member = zlib.decompressobj(_GZIP_WINDOW)
        yield member.decompress(data, size)
        while member.unconsumed_tail and not member.eof:
            yield member.decompress(member.unconsumed_tail, size)
        data = member.unused_data


def _lz4_chunks(data: bytes, size: int) -> Iterator[bytes]:
    frame = lz4.frame.LZ4FrameDecompressor()
    yield frame.decompress(data, size)
    while not (frame.eof or frame.needs_input):
        yield frame.decompress(b"", size)


def _zstd_chunks(data: bytes, size: int) -> Iterator[bytes]:
    frames = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    return iter(lambda: frames.read(size), b"")


_CHUNKS: Final[dict[int, Callable[[bytes, int], Iterator[bytes]]]] = {
    GZIP: _gzip_chunks,
    LZ4: _lz4_chunks,
    ZSTD: _zstd_chunks,
}
