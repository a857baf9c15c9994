"""Enhanced fan-out: Kinesis pushes a shard's records to a registered consumer, which shares its
reading rate with nobody.
"""

from __future__ import annotations

import threading
from typing import Any

from stream.events import Position
from stream.sources.kinesis.client import KinesisClient, KinesisError, unavailable
from stream.sources.kinesis.shard_reader import SHORTEST_S, ShardReader, ShardRecords, SharedClient


def described(client: KinesisClient, stream_arn: str, name: str, arn: str) -> dict[str, Any]:
    """What Kinesis says of the consumer of ``arn``, or of ``name``. Raises :class:`KinesisError`,
    ``missing`` if there is none.
    """
    asked = {"ConsumerARN": arn} if arn else {"StreamARN": stream_arn, "ConsumerName": name}
    found: dict[str, Any] = client.call(
        "describe_stream_consumer", ("ConsumerDescription",), **asked
    )["ConsumerDescription"]
    return found


def consumer(client: KinesisClient, stream_arn: str, name: str, arn: str) -> str:
    """The ARN of an active consumer: that of ``arn``, or of ``name``, registered if there is none.

    Raises :class:`KinesisError`, also while the consumer is not active yet.
    """
    try:
        found = described(client, stream_arn, name, arn)
    except KinesisError as failure:
        if failure.kind != "missing" or arn:
            raise
        found = client.call(
            "register_stream_consumer", ("Consumer",), StreamARN=stream_arn, ConsumerName=name
        )["Consumer"]
    if found["ConsumerStatus"] != "ACTIVE":
        status = str(found["ConsumerStatus"])
        raise KinesisError(
            "DescribeStreamConsumer", status, "transient", f"the consumer {name or arn} is {status}"
        )
    return str(found["ConsumerARN"])


class SubscribedShardReader(ShardReader):
    """Reads its shard with SubscribeToShard, in a thread of its own.

    Kinesis ends a subscription after five minutes; the next one goes on from the number that the
    last event named.
    """

    fresh_s = 15.0  # an event comes every few seconds, with or without records

    def __init__(
        self, common: SharedClient, partition: str, place: Position, consumer_arn: str
    ) -> None:
        super().__init__(common, partition, place)
        self._consumer_arn = consumer_arn
        self._following: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"kinesis-{partition}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def renew(self) -> None:
        self._following = None

    def refused(self) -> None:
        """Only a consumer that is there can tell of the position, and only of the last record: a
        number to go on from may be too old.
        """
        client = self.common.client
        try:
            consumer(client, "", "", self._consumer_arn)
        except KinesisError as absent:
            if absent.kind in ("missing", "invalid", "denied"):
                self.fail(unavailable(client.target, absent))
            client.fails(absent)
            return
        if self._following is None:
            super().refused()

    def _run(self) -> None:
        try:
            while not self.over:
                self._pause(self._subscribe())
        except Exception as error:  # noqa: BLE001  # raised again where the batches are taken
            self.fail(error)

    def _subscribe(self) -> float:
        """One subscription to its end; how many seconds to wait before the next."""
        if self._following is None:
            start = self.position("Type", "SequenceNumber", "Timestamp")
        else:
            start = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._following}
        asked = {
            "ConsumerARN": self._consumer_arn,
            "ShardId": self.partition,
            "StartingPosition": start,
        }
        try:
            for event, began_ms in self.common.client.events(
                "subscribe_to_shard", "EventStream", **asked
            ):
                self._take_in(event.get("SubscribeToShardEvent", {}), began_ms)
                if self.over:
                    return 0.0
        except KinesisError as failure:
            return self.after(failure)
        return SHORTEST_S

    def _take_in(self, told: dict[str, Any], began_ms: int | None = None) -> None:
        if lacking := [key for key in ("Records", "MillisBehindLatest") if key not in told]:
            text = f"an event lacks {', '.join(lacking)}"
            raise KinesisError("SubscribeToShard", "Incomplete", "transient", text)
        came, following = (
            self.records("SubscribeToShard", told),
            told.get("ContinuationSequenceNumber"),
        )
        ended = not following and self.has_ended(told)
        children = self.children(told) if ended else ()
        self.accept(ShardRecords(came, int(told["MillisBehindLatest"]), ended, children, began_ms))
        self._following = following or self._following
        with self.common.wake:
            self.common.wake.wait_for(lambda: self.over or not self.full)

    def _pause(self, seconds: float) -> None:
        with self.common.wake:
            self.common.wake.wait_for(lambda: self.over, seconds)
