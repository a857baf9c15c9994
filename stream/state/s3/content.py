"""The content of the object in S3: a stamp, then a compressed snapshot."""

from __future__ import annotations

import struct
from typing import Final

import pyarrow as pa

from stream.errors import StateUnreadable
from stream.state.s3.object import ObjectMetadata
from stream.state.sqlite_errors import RESTORE

_LEVEL: Final = 3
_SKIPPABLE_FRAME: Final = 0x184D2A50
"""Starts a frame that every zstd decoder skips."""


def pack(snapshot: bytes) -> bytes:
    """Compress a snapshot with zstd.

    >>> unpack(pack(b"counts" * 100), "here") == b"counts" * 100
    True
    """
    return bytes(pa.Codec("zstd", compression_level=_LEVEL).compress(snapshot, asbytes=True))


def unpack(content: bytes, uri: str) -> bytes:
    """Decompress the content of an object, without its stamp; raises ``StateUnreadable``."""
    try:
        return bytes(pa.CompressedInputStream(pa.BufferReader(content), "zstd").read())
    except (OSError, pa.ArrowException) as error:
        raise StateUnreadable(uri, "the object is not zstd, or is damaged", RESTORE) from error


def stamped(metadata: ObjectMetadata, packed: bytes) -> bytes:
    """Put a stamp in front of packed content, so that every put has an ETag of its own."""
    stamp = f"{metadata.owner} {metadata.epoch} {metadata.commit}".encode()
    return struct.pack("<II", _SKIPPABLE_FRAME, len(stamp)) + stamp + packed
