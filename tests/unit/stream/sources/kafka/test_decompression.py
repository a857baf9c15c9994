"""Decompression up to a limit: equal to the client's, and never more than the limit."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from kafka import codec

from stream.sources.kafka.decompression import (
    GZIP,
    LZ4,
    MAX_CHUNK_BYTES,
    NONE,
    SNAPPY,
    ZSTD,
    BatchTooLarge,
    uncompressed,
)

LIMIT = 1 << 20


def streamed_zstd(data: bytes) -> bytes:
    """Frames without their length, as Java's producer writes them."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return bytes(compressor.compress(data) + compressor.flush())


def raw_snappy(data: bytes) -> Any:
    return codec.snappy_encode(data, xerial_compatible=False)


WRITERS: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "none": (NONE, bytes),
    "gzip": (GZIP, codec.gzip_encode),
    "gzip members": (GZIP, lambda data: codec.gzip_encode(data[:7]) + codec.gzip_encode(data[7:])),
    "snappy": (SNAPPY, codec.snappy_encode),
    "snappy raw": (SNAPPY, raw_snappy),
    "lz4": (LZ4, codec.lz4_encode),
    "zstd": (ZSTD, codec.zstd_encode),
    "zstd streamed": (ZSTD, streamed_zstd),
}


@pytest.mark.parametrize("writer", WRITERS)
@given(st.binary(min_size=1, max_size=300), st.sampled_from([1, 2, 500]))
def test_data_of_exactly_the_limit_are_returned_and_one_byte_more_is_refused(
    writer: str, part: bytes, times: int
) -> None:
    compression, write = WRITERS[writer]
    data = part * times
    compressed = bytes(write(data))
    assert uncompressed(compression, compressed, len(data)) == data
    with pytest.raises(BatchTooLarge, match=rf"{len(data) - 1} bytes.*source\.max_batch_bytes"):
        uncompressed(compression, compressed, len(data) - 1)


@pytest.mark.parametrize("writer", ["gzip", "snappy", "snappy raw", "lz4", "zstd", "zstd streamed"])
def test_the_memory_of_a_bomb_is_the_limit_and_not_its_size(writer: str) -> None:
    compression, write = WRITERS[writer]
    bomb = bytes(write(bytes(80 << 20)))
    limit = 4 << 20
    tracemalloc.start()
    with pytest.raises(BatchTooLarge):
        uncompressed(compression, bomb, limit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < limit + 6 * MAX_CHUNK_BYTES


@pytest.mark.parametrize("writer", ["gzip", "snappy", "snappy raw", "lz4", "zstd", "zstd streamed"])
@given(st.binary(min_size=40, max_size=3_000), st.data())
def test_damaged_data_raise_or_return_something_and_never_hang(
    writer: str, content: bytes, data: st.DataObject
) -> None:
    compression, write = WRITERS[writer]
    compressed = bytearray(write(content))
    k = data.draw(st.integers(0, len(compressed) - 1))
    compressed[k] ^= data.draw(st.integers(1, 255))
    cut = bytes(compressed[: data.draw(st.integers(1, len(compressed)))])
    result = b""
    with suppress(Exception):  # any error of the library
        result = uncompressed(compression, cut, LIMIT)
    assert len(result) <= LIMIT


def test_an_unknown_compression_is_named() -> None:
    with pytest.raises(ValueError, match="unknown compression 6"):
        uncompressed(6, b"data", 100)
