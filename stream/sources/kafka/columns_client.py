"""Fetches with kafka-python at column speed: record batches are decoded without record objects.

The client has no public interface to its raw batches. One of its internal classes is replaced, for
tested versions only; a contract suite compares the results with those of the plain client.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka import errors as kafka_errors
from kafka.protocol.consumer import IsolationLevel

from stream.sources.kafka.client import RecordColumns, concatenated
from stream.sources.kafka.guarded_records import NOT_OF_THE_DATA, GuardedRecords
from stream.sources.kafka.plain_client import PlainClient
from stream.sources.kafka.record_batch import columns_of

BYTES_PER_RECORD: Final = 16 << 10
"""The size from which a record counts as several, so that large ones do not fill the memory."""
_UNLIMITED: Final = 1 << 62


class ColumnsClient(PlainClient):
    """Fetches with a ``KafkaConsumer`` that returns record batches as columns."""

    def _use_internals(self, max_batch_bytes: int) -> None:
        self._replace_records(PartitionData, max_batch_bytes)

    def _chunk(self, records: Sequence[Any]) -> RecordColumns:
        if len(records) == 1:
            chunk: RecordColumns = records[0]
            return chunk
        return concatenated(records)


class CountedColumns(list[RecordColumns]):
    """Chunks with the number of records for which they count, by which the client limits a poll."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def __len__(self) -> int:
        return self.counted

    def __bool__(self) -> bool:
        return any(True for _ in self)


class PartitionData(GuardedRecords):
    """The fetched data of one partition; returns chunks instead of records."""

    fetch_offset: int

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._rest: RecordColumns | None = None
        self._size = 0
        self._current: tuple[Any, Any] | None = None
        super().__init__(*args, **settings)

    def _maybe_skip_record(self, chunk: RecordColumns) -> bool:
        """Skip chunks before the position; split the one that contains it."""
        if chunk.offsets and chunk.offsets[-1] >= self.fetch_offset:
            first = next(k for k, offset in enumerate(chunk.offsets) if offset >= self.fetch_offset)
            self._rest = chunk.part(first)
            self.fetch_offset = -1
            chunk.offsets.clear()  # the records are in the rest now
            return False
        return True

    def take(self, n: int | None = None) -> CountedColumns:
        """Return at most ``n`` records, of large ones fewer; the remainder of a chunk comes next.

        Records before an error are returned before it is raised, as in the client.
        """
        taken = CountedColumns()
        try:
            self._take(taken, n if n is not None else _UNLIMITED)
        except NOT_OF_THE_DATA:
            raise
        except Exception as error:
            unreadable = self._unreadable(error)
            if not taken:
                self.drain()
                raise unreadable from error
            self._next_inline_exception = unreadable
        return taken

    def _take(self, taken: CountedColumns, limit: int) -> None:
        self._maybe_raise_next_inline_exception()
        while taken.counted < limit and (chunk := self._next()) is not None:
            room = limit - taken.counted
            if len(chunk.offsets) > room:
                self._rest, chunk = chunk.part(room), chunk.part(0, room)
                self.next_fetch_offset = chunk.offsets[-1] + 1
            taken.append(chunk)
            taken.counted += max(len(chunk.offsets), self._size // BYTES_PER_RECORD)

    def _next(self) -> RecordColumns | None:
        while True:
            if self._rest is not None:
                chunk, self._rest = self._rest, None
                self.next_fetch_offset = chunk.offsets[-1] + 1
                return chunk
            if self.record_iterator is None:
                return None
            following: RecordColumns | None = next(self.record_iterator, None)
            if following is None:
                return None
            if following.offsets:
                return following

    def _unpack_records(
        self, tp: Any, records: Any, key_deserializer: Any, value_deserializer: Any
    ) -> Iterator[RecordColumns]:
        batch = records.next_batch()
        while batch is not None:
            self._current = batch, records
            self._check(tp, batch)
            self.leader_epoch = batch.leader_epoch
            if self._is_readable(batch):
                chunk, self._size = columns_of(batch, self._max_batch_bytes)
                self.records_read += len(chunk.offsets)
                self.bytes_read += batch.size_in_bytes
                self.next_fetch_offset = batch.next_offset
                yield chunk
            else:
                self.next_fetch_offset = batch.next_offset
            batch = records.next_batch()
        self.drain()

    def _next_batch_offset(self) -> int | None:
        """Return where the next batch begins: in a damaged one its own header may be wrong."""
        if self._current is None:
            return None
        batch, records = self._current
        try:
            following = records.next_batch()
        except (kafka_errors.CorruptRecordError, struct.error):
            following = None
        offset = int(batch.next_offset if following is None else following.base_offset)
        return offset if offset > self.next_fetch_offset else None

    def _check(self, tp: Any, batch: Any) -> None:
        if self.check_crcs and not batch.validate_crc():
            raise kafka_errors.CorruptRecordError(
                f"record batch of {tp} at offset {batch.base_offset} failed the CRC check"
            )
        if batch.magic != 2:
            raise kafka_errors.UnsupportedVersionError(
                f"{tp} holds records of an old format: set `client: plain` in the source"
            )

    def _is_readable(self, batch: Any) -> bool:
        """Return false for control records and for records of aborted transactions."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return False
        return not batch.is_control_batch
