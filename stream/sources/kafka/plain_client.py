"""Fetches with kafka-python: one object per record.

Of versions that were tested an internal class is replaced, so that errors name their place and
batches are bounded; other versions are used through the public interface alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import kafka
import structlog
from kafka import errors as kafka_errors

from sinks.throttle import Throttle
from stream.errors import SourceUnavailable
from stream.sources.kafka.client import (
    PERMISSIONS_ADVICE,
    FetchResult,
    RecordColumns,
    Unreadable,
)
from stream.sources.kafka.client_log import LOG_AGAIN_S
from stream.sources.kafka.guarded_records import (
    GuardedRecords,
    UnreadableRecordsError,
    is_supported,
)

log = structlog.get_logger("driftline.kafka")

CLOSE_TIMEOUT_MS: Final = 2000
MOST_NAMED: Final = 10
"""The most partitions that a message names."""


class PlainClient:
    """Fetches with a ``KafkaConsumer``.

    See :class:`stream.sources.kafka.client.FetchClient` for the contract.
    """

    def __init__(self, name: str, topic: str, consumer: Any, max_batch_bytes: int) -> None:
        self._name = name
        self._topic = topic
        self._consumer = consumer
        self._unreadable: dict[int, Unreadable] = {}
        self._refused: dict[int, int | None] = {}
        self._sought: dict[int, int] = {}
        self._throttle = Throttle(LOG_AGAIN_S)
        if is_supported():
            self._use_internals(max_batch_bytes)

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        wanted = set(partitions)
        self._consumer.assign([self._partition(number) for number in sorted(wanted)])
        self._sought = {number: at for number, at in self._sought.items() if number in wanted}
        for number, offset in seeks.items():
            self.resume(number, offset)

    def pause(self, partition: int) -> None:
        self._consumer.pause(self._partition(partition))

    def resume(self, partition: int, offset: int) -> None:
        self._consumer.seek(self._partition(partition), offset)
        self._consumer.resume(self._partition(partition))
        self._sought[partition] = offset
        self._refused.pop(partition, None)
        self._unreadable.pop(partition, None)

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        self._forget_sought()
        timeout_ms = int(timeout_s * 1000)
        records = self._checked(
            lambda: self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        )
        chunks = {
            partition.partition: self._chunk(fetched)
            for partition, fetched in (records or {}).items()
            if fetched
        }
        refused, self._refused = self._refused, {}
        unreadable, self._unreadable = self._unreadable, {}
        return FetchResult(chunks, refused, unreadable)

    def position(self, partition: int) -> int | None:
        offset = self._checked(
            lambda: self._consumer.position(self._partition(partition), timeout_ms=0)
        )
        return None if offset is None else int(offset)

    def commit(self, offsets: Mapping[int, int]) -> None:
        positions = {
            self._partition(number): kafka.OffsetAndMetadata(offset, "", -1)
            for number, offset in offsets.items()
        }
        try:
            self._consumer.commit_async(positions, callback=self._on_commit)
        except kafka_errors.KafkaError as error:  # no coordinator can be found
            self._on_commit(positions, error)

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)

    def _use_internals(self, max_batch_bytes: int) -> None:
        """Replace internals of the client, of which this version was tested."""
        self._replace_records(GuardedRecords, max_batch_bytes)

    def _replace_records(self, kind: type[GuardedRecords], max_batch_bytes: int) -> None:
        fetcher = self._consumer._fetcher  # noqa: SLF001  # there is no public way
        fetcher.PartitionRecords = partial(kind, max_batch_bytes=max_batch_bytes)

    def _chunk(self, records: Sequence[Any]) -> RecordColumns:
        return RecordColumns(
            offsets=[record.offset for record in records],
            timestamps=[record.timestamp for record in records],
            values=[record.value for record in records],
            keys=[record.key for record in records],
            headers=[record.headers for record in records],
        )

    def _forget_sought(self) -> None:
        """Forget the sought positions from which records were fetched before this poll.

        A position that was only sought cannot be found truncated, since its leader epoch is still
        unknown. Such an error was kept by the client from an earlier position of the partition.
        """
        for number, sought in list(self._sought.items()):
            if self.position(number) not in (sought, None):
                del self._sought[number]

    def _partition(self, number: int) -> Any:
        return kafka.TopicPartition(self._topic, number)

    def _on_commit(self, _offsets: Any, result: Any) -> None:
        if isinstance(result, Exception) and self._throttle.due("offsets"):
            log.info("offsets_not_published", source=self._name, reason=str(result))

    def _checked(self, call: Callable[[], Any]) -> Any:
        """Return the result of a call; ``None`` after a transient error or a refused position.

        Refused positions are kept for the result of the next poll.
        """
        try:
            return call()
        except kafka_errors.OffsetOutOfRangeError as error:
            self._refused |= dict.fromkeys(partition.partition for partition in error.args[0])
        except kafka_errors.LogTruncationError as error:
            self._refused |= {
                partition.partition: None if end is None else end.offset
                for partition, end in error.divergent_offsets.items()
                if partition.partition not in self._sought
            }
        except UnreadableRecordsError as error:
            self._unreadable[error.partition] = error.unreadable
        except kafka_errors.AuthorizationError as error:
            raise SourceUnavailable(self._name, [str(error)], PERMISSIONS_ADVICE) from error
        except kafka_errors.RetriableError as error:  # the topic watch reports outages
            log.debug("fetch_failed", source=self._name, reason=str(error))
        except kafka_errors.KafkaError as error:
            raise SourceUnavailable(self._name, [f"{error} (reading {self._place()})"]) from error
        return None

    def _place(self) -> str:
        """Return where the client reads: its other errors name neither partition nor offset."""
        positions = []
        for partition in sorted(self._consumer.assignment())[:MOST_NAMED]:
            with suppress(kafka_errors.KafkaError):
                offset = self._consumer.position(partition, timeout_ms=0)
                positions.append(f"{partition.topic}-{partition.partition} at offset {offset}")
        return ", ".join(positions)
