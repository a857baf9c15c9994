"""Reads records again that the fetching client could not read, and finds where the next ones begin.

Each client has bounds of its own: kafka-python and confluent-kafka refuse names of headers that are
not UTF-8, librdkafka refuses large batches of zstd. Such records are read with the decoder of
``client: columns``, whichever client fetches. What that cannot read either is damaged or too large;
it is passed over after :data:`TRIES` tries, since a retry only helps if it was damaged on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from sinks.throttle import Throttle
from stream.errors import SourceUnavailable
from stream.sources.kafka.client import FetchClient, RecordColumns, Unreadable
from stream.sources.kafka.client_log import LOG_AGAIN_S

log = structlog.get_logger("driftline.kafka")

TRIES: Final = 3
"""The number of times that records are fetched before they are passed over."""
READ_S: Final = 1.0
"""The longest time that a call waits for the records."""
ADVICE: Final = (
    "Where the next records begin is unknown: delete those up to there with kafka-delete-records.sh"
)


class Reread(NamedTuple):
    """Records that were read after all, and the offset where reading continues.

    Without records there is none to count up to that offset.
    """

    chunk: RecordColumns | None
    next_offset: int


class Rereading:
    """Reads single batches with a client of its own, which it opens when it first needs one.

    ``name`` is the source in messages.
    """

    def __init__(self, name: str, topic: str, open_client: Callable[[], FetchClient]) -> None:
        self._name = name
        self._topic = topic
        self._open_client = open_client
        self._client: FetchClient | None = None
        self._tries: dict[int, int] = {}
        self._throttle = Throttle(LOG_AGAIN_S)

    def read(
        self, number: int, offset: int, found: Unreadable, max_records: int
    ) -> Reread | Unreadable | None:
        """Return the records of a partition at ``offset``, which another client found unreadable.

        Returns what is unreadable with its end after the last try, and ``None`` if the broker does
        not respond; then the call is repeated. Raises ``SourceUnavailable`` if the end is unknown.
        """
        place = f"{self._topic}-{number} at offset {offset}"
        if number not in self._tries and self._throttle.due(number):
            log.warning(
                "records_unreadable",
                source=self._name,
                partition=f"{self._topic}-{number}",
                offset=offset,
                reason=found.reason,
            )
        self._tries.setdefault(number, 0)
        while self._tries[number] < TRIES:
            try:
                outcome = self._fetch(number, offset, max_records)
            except SourceUnavailable as error:
                causes = [f"{place}: {found.reason}", *error.causes]
                raise SourceUnavailable(self._name, causes, error.advice) from error
            if not isinstance(outcome, Unreadable):
                if outcome is not None:
                    del self._tries[number]
                return outcome
            found = outcome
            self._tries[number] += 1
        del self._tries[number]
        if found.next_offset is None:
            raise SourceUnavailable(self._name, [f"{place}: {found.reason}"], ADVICE)
        return found

    def close(self) -> None:
        """Close the client, if it was opened."""
        if self._client is not None:
            self._client.close()

    def _fetch(self, number: int, offset: int, max_records: int) -> Reread | Unreadable | None:
        """Fetch once; return ``None`` if the broker does not respond."""
        try:
            client = self._client = self._client or self._open_client()
        except SourceUnavailable as error:
            if error.transient:
                return None
            raise
        client.assign([number], {number: offset})
        result = client.poll(READ_S, max_records)
        if number in result.unreadable:
            return result.unreadable[number]
        if number in result.refused:
            return Reread(None, offset)  # the fetching client will find the refusal itself
        following = client.position(number)
        if number in result.chunks:
            chunk = result.chunks[number]
            return Reread(chunk, max(chunk.offsets[-1] + 1, following or 0))
        return Reread(None, following) if following is not None and following > offset else None
