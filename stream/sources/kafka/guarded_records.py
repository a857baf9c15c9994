"""The internals of kafka-python that are replaced, for tested versions only.

The client decodes without a limit of memory, and its errors do not say where they are. After an
error it would also decode the same data again for ever.
"""

from __future__ import annotations

from typing import Any, Final

import kafka
from kafka import errors as kafka_errors
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

from stream.sources.kafka.client import NOT_UTF_8, Unreadable
from stream.sources.kafka.record_batch import content

TESTED_VERSIONS: Final = frozenset({"3.0.12"})
"""The versions of kafka-python with internals that were tested."""
NOT_OF_THE_DATA: Final = (
    MemoryError,
    kafka_errors.UnsupportedCodecError,
    kafka_errors.UnsupportedVersionError,
)
"""Errors that say nothing about the data: they are not passed over."""


def is_supported() -> bool:
    """Return whether the installed kafka-python is a tested version."""
    return kafka.__version__ in TESTED_VERSIONS


class UnreadableRecordsError(kafka_errors.CorruptRecordError):  # type: ignore[misc]  # no types
    """Records of partition number ``partition`` that cannot be decoded."""

    def __init__(self, partition: Any, offset: int, unreadable: Unreadable) -> None:
        self.partition = partition.partition
        self.unreadable = unreadable
        super().__init__(f"{partition} at offset {offset}: {unreadable.reason}")


class GuardedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client ships no types
    """The fetched data of one partition.

    Whatever decoding raises becomes an :class:`UnreadableRecordsError`, and the data are dropped.
    A record batch holds at most ``max_batch_bytes`` uncompressed.
    """

    next_fetch_offset: int
    topic_partition: Any

    def __init__(self, *args: Any, max_batch_bytes: int, **settings: Any) -> None:
        self._max_batch_bytes = max_batch_bytes
        super().__init__(*args, **settings)

    def take(self, n: int | None = None) -> Any:
        """Return at most ``n`` records; those before an error are returned before it is raised."""
        try:
            return super().take(n)
        except NOT_OF_THE_DATA:
            raise
        except Exception as error:
            self.drain()
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> UnreadableRecordsError:
        """Return the error that names partition, offset and reason."""
        if isinstance(error, UnreadableRecordsError):
            return error
        # The text of the client would show bytes of the header.
        in_header = isinstance(error.__context__, UnicodeDecodeError)
        reason = NOT_UTF_8 if in_header else f"{type(error).__name__}: {error}"
        unreadable = Unreadable(reason, self._next_batch_offset())
        return UnreadableRecordsError(self.topic_partition, self.next_fetch_offset, unreadable)

    def _next_batch_offset(self) -> int | None:
        """Return the offset after the batch that is decoded, where that is known."""
        return None

    def _unpack_records(
        self, tp: Any, records: Any, key_deserializer: Any, value_deserializer: Any
    ) -> Any:
        bounded = _BoundedBatches(records, self._max_batch_bytes)
        return super()._unpack_records(tp, bounded, key_deserializer, value_deserializer)


class _BoundedBatches:
    """The batches of fetched data, which are decompressed up to a limit."""

    def __init__(self, records: MemoryRecords, max_bytes: int) -> None:
        self._records = records
        self._max_bytes = max_bytes

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if isinstance(batch, DefaultRecordBatch):
            return _BoundedBatch(batch, self._max_bytes)
        return batch


class _BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]  # the client ships no types
    """A record batch that is decompressed up to a limit."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def __init__(self, batch: DefaultRecordBatch, max_bytes: int) -> None:
        super().__init__(batch._buffer)  # noqa: SLF001
        self._max_bytes = max_bytes

    def _maybe_uncompress(self) -> None:
        if not self._decompressed:
            buffer, self._pos = content(self, self._max_bytes)
            self._buffer = bytearray(buffer)
            self._decompressed = True
