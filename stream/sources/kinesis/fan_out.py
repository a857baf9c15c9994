"""Enhanced fan-out: Kinesis pushes the records of a shard to a registered consumer.

Such a consumer has a read rate of its own, not shared with others.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from stream.events import Position
from stream.sources.kinesis.client import KinesisClient, KinesisError, incomplete, unavailable
from stream.sources.kinesis.shard_reader import MIN_PAUSE_S, ShardReader, ShardRecords, SharedClient


def describe_consumer(
    client: KinesisClient, stream_arn: str, name: str, arn: str
) -> Mapping[str, Any]:
    """Return the description of the consumer ``arn``, or else of ``name`` on the stream.

    Raises :class:`KinesisError`, of kind ``missing`` if there is no such consumer.
    """
    arguments = {"ConsumerARN": arn} if arn else {"StreamARN": stream_arn, "ConsumerName": name}
    key = "ConsumerDescription"
    description: Mapping[str, Any] = client.call("describe_stream_consumer", (key,), **arguments)[
        key
    ]
    return description


def active_consumer(client: KinesisClient, stream_arn: str, name: str, arn: str) -> str:
    """Return the ARN of an active consumer: ``arn``, or that of ``name``, registered if missing.

    Raises :class:`KinesisError`, also while the consumer is not active yet.
    """
    try:
        consumer = describe_consumer(client, stream_arn, name, arn)
    except KinesisError as failure:
        if failure.kind != "missing" or arn:
            raise
        consumer = client.call(
            "register_stream_consumer", ("Consumer",), StreamARN=stream_arn, ConsumerName=name
        )["Consumer"]
    status = str(consumer["ConsumerStatus"])
    if status != "ACTIVE":
        text = f"the consumer {name or arn} is {status}"
        raise KinesisError("DescribeStreamConsumer", status, "transient", text)
    return str(consumer["ConsumerARN"])


class SubscribedShardReader(ShardReader):
    """Reads its shard with SubscribeToShard, in a thread of its own.

    Kinesis ends a subscription after five minutes. The next one continues from the sequence number
    that the last event named.
    """

    fresh_s = 15.0  # an event comes every few seconds, with or without records

    def __init__(
        self, shared: SharedClient, partition: str, position: Position, consumer_arn: str
    ) -> None:
        super().__init__(shared, partition, position)
        self._consumer_arn = consumer_arn
        self._continuation: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"kinesis-{partition}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def restart(self) -> None:
        self._continuation = None

    def position_refused(self) -> None:
        """Find the cause of a refusal: an absent consumer, a gap, or an old continuation.

        If the consumer exists and reading started at the last record, the position is refused. A
        continuation may merely be too old.
        """
        client = self.shared.client
        try:
            active_consumer(client, "", "", self._consumer_arn)
        except KinesisError as failure:
            if failure.kind in ("missing", "invalid", "denied"):
                self.fail(unavailable(client.target, failure))
            client.report_failure(failure)
            return
        if self._continuation is None:
            super().position_refused()

    def _run(self) -> None:
        try:
            while not self.stopped:
                self._wait(self._subscribe())
        except Exception as error:  # noqa: BLE001  # take() raises it again
            self.fail(error)

    def _subscribe(self) -> float:
        """Read one subscription to its end; return how many seconds to wait before the next."""
        try:
            events = self.shared.client.events(
                "subscribe_to_shard",
                "EventStream",
                ConsumerARN=self._consumer_arn,
                ShardId=self.partition,
                StartingPosition=self._start(),
            )
            for event, began_ms in events:
                self._accept_event(event.get("SubscribeToShardEvent", {}), began_ms)
                if self.stopped:
                    return 0.0
        except KinesisError as failure:
            return self.backoff_s(failure)
        return MIN_PAUSE_S

    def _start(self) -> dict[str, Any]:
        if self._continuation is None:
            return self.start_position("Type", "SequenceNumber", "Timestamp")
        return {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._continuation}

    def _accept_event(self, event: Mapping[str, Any], began_ms: int | None) -> None:
        missing = [key for key in ("Records", "MillisBehindLatest") if key not in event]
        if missing:
            raise incomplete("SubscribeToShard", f"an event lacks {', '.join(missing)}")
        records = self.records("SubscribeToShard", event)
        continuation = event.get("ContinuationSequenceNumber")
        ended = not continuation and self.has_ended(event)
        self.accept(
            ShardRecords(
                records=records,
                lag_ms=int(event["MillisBehindLatest"]),
                ended=ended,
                children=self.children(event) if ended else (),
                as_of_ms=began_ms,
            )
        )
        self._continuation = continuation or self._continuation
        with self.shared.changed:
            self.shared.changed.wait_for(lambda: self.stopped or not self.full)

    def _wait(self, seconds: float) -> None:
        with self.shared.changed:
            self.shared.changed.wait_for(lambda: self.stopped, seconds)
