"""kafka-python as it is meant to be used: one object a record."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import kafka
from kafka import errors as kafka_errors

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import RIGHTS, FetchResult, RecordColumns

log = logging.getLogger(__name__)


class PlainClient:
    """Fetches with a ``KafkaConsumer``; see :class:`stream.sources.kafka.client.FetchClient` for what
    each method promises.
    """

    def __init__(self, name: str, topic: str, consumer: Any) -> None:
        self._name, self._topic, self._consumer = name, topic, consumer
        self._refused: dict[int, int | None] = {}

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        self._consumer.assign([self._tp(number) for number in partitions])
        for number, offset in seeks.items():
            self.resume(number, offset)

    def pause(self, partition: int) -> None:
        self._consumer.pause(self._tp(partition))

    def resume(self, partition: int, offset: int) -> None:
        self._consumer.seek(self._tp(partition), offset)
        self._consumer.resume(self._tp(partition))

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        records = (
            self._asked(
                lambda: self._consumer.poll(
                    timeout_ms=int(timeout_s * 1000), max_records=max_records
                )
            )
            or {}
        )
        chunks = {tp.partition: self._chunk(some) for tp, some in records.items() if some}
        refused, self._refused = self._refused, {}
        return FetchResult(chunks, refused)

    def position(self, partition: int) -> int | None:
        found = self._asked(lambda: self._consumer.position(self._tp(partition), timeout_ms=0))
        return None if found is None else int(found)

    def commit(self, offsets: Mapping[int, int]) -> None:
        told = {
            self._tp(number): kafka.OffsetAndMetadata(offset, "", -1)
            for number, offset in offsets.items()
        }
        try:
            self._consumer.commit_async(told, callback=self._committed)
        except kafka_errors.KafkaError as error:  # no coordinator can be found
            self._committed(told, error)

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=2000)

    def _chunk(self, records: Sequence[Any]) -> RecordColumns:
        """Records as columns."""
        return RecordColumns(
            [record.offset for record in records],
            [record.timestamp for record in records],
            [record.value for record in records],
            [record.key for record in records],
            [record.headers for record in records],
        )

    def _tp(self, number: int) -> Any:
        return kafka.TopicPartition(self._topic, number)

    def _committed(self, offsets: Any, answer: Any) -> None:
        if isinstance(answer, Exception):
            log.info("%s: offsets of group were not published: %s", self._name, answer)

    def _asked(self, call: Any) -> Any:
        """What a call of the client gives; ``None`` if it refused a position, which the next poll
        tells.
        """
        try:
            return call()
        except kafka_errors.OffsetOutOfRangeError as error:
            self._refused |= dict.fromkeys(tp.partition for tp in error.args[0])
        except kafka_errors.LogTruncationError as error:
            self._refused |= {
                tp.partition: None if at is None else at.offset
                for tp, at in error.divergent_offsets.items()
            }
        except kafka_errors.AuthorizationError as error:
            raise SourceUnavailable(self._name, [str(error)], RIGHTS) from error
        except (kafka_errors.CorruptRecordError, kafka_errors.UnsupportedVersionError) as error:
            raise SourceUnavailable(self._name, [str(error)]) from error
        except (
            kafka_errors.RetriableError
        ) as error:  # the watch tells that the broker does not answer
            log.debug("%s: %s", self._name, error)
        return None
