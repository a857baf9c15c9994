"""One stream of Amazon Kinesis: all its shards, through splits and merges; positions are ours,
nothing is ever reset silently.

A partition is a shard. A position is ``(sequence number, 0)`` and names the record that was read
last; before a shard's first record it is where reading starts, ``("TRIM_HORIZON", 0)`` or
``("AT_TIMESTAMP", milliseconds)``; ``("ENDED", 0)`` is the end of a shard that is gone. The records
that the Kinesis Producer Library packs into one record share its sequence number: they come in one
batch, and their dead letters name ``(sequence number, place inside)``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, TypeVar

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from sinks.aws.client import url_faults
from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading, Source
from stream.sources.kinesis.client import KinesisClient, KinesisError, StreamTarget, patiently
from stream.sources.kinesis.fan_out import SubscribedShardReader, consumer
from stream.sources.kinesis.polling import PolledShardReader
from stream.sources.kinesis.shard_reader import ShardReader, SharedClient
from stream.sources.kinesis.shards import ENDED, ShardList

THREADS: Final = 8
NAME: Final = r"[A-Za-z0-9_.-]{1,128}"
ARN: Final = rf"arn:[\w-]+:kinesis:([\w-]+):\d+:stream/{NAME}"
LIST_S: Final = 5.0
"""How often the shards are listed."""
ANSWER_S: Final = 2.0
"""How long an assignment waits to learn whether the log has the positions."""

Answered = TypeVar("Answered")


class FanOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The consumer of enhanced fan-out: ``consumer_arn`` of one that exists, or ``consumer_name``,
    registered if there is none.
    """

    consumer_name: str = ""
    """A consumer that is registered if it does not exist."""
    consumer_arn: str = ""
    """A consumer that exists."""


class Kinesis(Source, frozen=True, tag="kinesis"):
    """Reads the stream that ``stream`` (its name) or ``stream_arn`` names.

    ``region`` and ``endpoint_url`` may be left to the AWS configuration, as credentials always are.
    ``start`` says where a job without state begins: ``earliest``, or ``latest``, which means now,
    to the second; or ``start_at``, a time. Shards that come of a split or a merge later start at
    their first record. Shards are polled, at most five times a second each; with ``fan_out``
    Kinesis pushes instead. At start a service that does not answer is tried for
    ``give_up_after``; a missing stream and a refused permission end the attempt at once. Later
    outages are waited out. ``arrival_ms`` is Kinesis' own arrival time. Records of the Kinesis
    Producer Library are taken apart, each with its own partition key; a batch may hold more records
    than were asked for if they lie inside one.

    >>> faulty = Kinesis(start="latest", start_at=datetime.fromisoformat("2026-11-25T10:00:00Z"))
    >>> print(*faulty.check(), sep="\\n")
    stream: either stream or stream_arn is required
    start_at: contradicts `start: latest`; remove one of them
    """

    record_fields: ClassVar = frozenset({"topic", "key"})

    stream: str = ""
    """The name of the stream; this or ``stream_arn`` is required."""
    stream_arn: str = ""
    """The ARN of the stream."""
    region: str = ""
    """The AWS region; empty: that of the ARN or of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a job without a state starts."""
    start_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """The time from which on a job without a state reads, instead of ``start``."""
    fan_out: FanOut | None = None
    """Enhanced fan-out, which has read throughput of its own and costs extra. Without it
    the shards are polled.
    """
    give_up_after: Duration = "30s"
    """How long the start waits for Kinesis; later outages are waited out."""

    @property
    def give_up_after_s(self) -> float:
        """``give_up_after`` in seconds."""
        return duration_ms(self.give_up_after) / 1000

    @property
    def identity(self) -> str:
        """The stream's name."""
        return f"kinesis {self.stream or self.stream_arn.rpartition('/')[2]}"

    def check(self) -> list[Fault]:
        """Check names, region, start and address."""
        faults = self._naming_faults()
        if self.start_at is not None and self.start == "latest":
            faults.append(Fault("start_at", "contradicts `start: latest`; remove one of them"))
        if self.fan_out is not None and bool(self.fan_out.consumer_name) == bool(
            self.fan_out.consumer_arn
        ):
            faults.append(Fault("fan_out", "either consumer_name or consumer_arn is required"))
        return faults + url_faults(self.endpoint_url)

    def _naming_faults(self) -> list[Fault]:
        faults, arn = [], re.fullmatch(ARN, self.stream_arn)
        if bool(self.stream) == bool(self.stream_arn):
            either = "either stream or stream_arn is required"
            faults.append(Fault("stream", f"{either}, not both" if self.stream else either))
        if self.stream and not re.fullmatch(NAME, self.stream):
            allowed = "letters, digits, dots, dashes and underscores"
            message = f"{self.stream!r} is not the name of a stream: {allowed} are allowed"
            faults.append(Fault("stream", message))
        if self.stream_arn and not arn:
            message = f"{self.stream_arn!r} is not the ARN of a Kinesis stream"
            faults.append(Fault("stream_arn", message))
        if arn and self.region not in ("", arn[1]):
            faults.append(Fault("region", f"the stream is in {arn[1]}, not in {self.region}"))
        return faults

    def client(self, threads: int) -> KinesisClient:
        """A client for the stream that so many threads share. Without ``region`` that of
        ``stream_arn`` serves.
        """
        names = {"StreamARN": self.stream_arn} if self.stream_arn else {"StreamName": self.stream}
        target = StreamTarget(names, f"kinesis stream {self.stream or self.stream_arn!r}")
        found = re.fullmatch(ARN, self.stream_arn)
        return KinesisClient(
            target, self.region or (found[1] if found else ""), self.endpoint_url, threads
        )

    def open(self, job: str) -> Reading:
        """Ask for the stream, its shards and the consumer; SourceUnavailable names the distinct
        causes.
        """
        client = self.client(THREADS)
        try:
            facts = self._patiently(client, client.facts)
            shards = ShardList(
                client, "at" if self.start_at else self.start, self._start_ms(client)
            )
            self._patiently(client, shards.refresh)
            return KinesisReading(
                SharedClient(client, shards, facts.name, facts.kept_ms),
                self._consumer(client, facts.arn),
            )
        except BaseException:
            client.close()
            raise

    def _patiently(self, client: KinesisClient, ask: Callable[[], Answered]) -> Answered:
        return patiently(client.target, self.give_up_after_s, ask)

    def _start_ms(self, client: KinesisClient) -> int:
        if self.start_at is not None:
            return int(self.start_at.timestamp() * 1000)
        return self._patiently(client, client.now_ms) if self.start == "latest" else 0

    def _consumer(self, client: KinesisClient, stream_arn: str) -> str:
        """The ARN of the consumer that is pushed to; empty without fan-out."""
        chosen = self.fan_out
        if chosen is None:
            return ""
        return self._patiently(
            client, lambda: consumer(client, stream_arn, chosen.consumer_name, chosen.consumer_arn)
        )


class KinesisReading(Reading):
    """The reading half; see :class:`stream.sources.base.Reading` for what each method promises."""

    finished = False

    def __init__(self, common: SharedClient, consumer_arn: str) -> None:
        self._common, self._consumer_arn = common, consumer_arn
        self.client = common.client
        self._lanes: dict[str, ShardReader] = {}
        self._resting: dict[str, float] = {}  # when a shard whose lane was closed may be read again
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="kinesis")
        self._listing: Future[object] | None = None
        self._turn = 0

    def discover(self) -> list[DiscoveredPartition]:
        """The shards of the last listing, parents named; a listing older than five seconds is
        renewed behind the scenes.
        """
        if time.monotonic() - self._common.shards.asked_s > LIST_S and (
            self._listing is None or self._listing.done()
        ):
            self._listing = self._pool.submit(self._list)
        return self._common.shards.discovered()

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read on behind what the positions name; a gap that is not seen within two seconds comes
        with a later poll.
        """
        self._common.shards.assigned([one.partition for one in assigns])
        new = [self._open(one.partition, one.next) for one in assigns]
        self._work(ANSWER_S, lambda: all(lane.settled for lane in new))
        return [gap for lane in new if (gap := self._gap_of(lane)) is not None]

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Shards that are found from now on are children of these, or unknown: they begin at their
        first record.
        """
        self._common.shards.assigned(partitions)

    def expired(self, ended: Collection[str]) -> list[str]:
        """Closed shards whose records are all past retention: Kinesis lists them no more."""
        return self._common.shards.unlisted(ended)

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """What has come since; a gap and the end of a shard are told once, and the shard then waits
        to be assigned again.
        """
        self._work(timeout_s, lambda: any(lane.ready for lane in self._lanes.values()))
        self._turn += 1
        names = sorted(self._lanes)
        turn = self._turn % max(len(names), 1)
        out: list[RawBatch | Gap] = []
        taken = 0
        for name in (
            names[turn:] + names[:turn]
        ):  # each shard is the first in its turn, so that none starves
            said = self._lanes[name].take(max_records - taken, alone=taken == 0)
            if said is None:
                continue
            out.append(said)
            taken += len(said.values) if isinstance(said, RawBatch) else 0
            if isinstance(said, Gap) or said.ended:
                self._close(name)
        return out

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Milliseconds behind the newest record, by shard, as the last answers told; shards that
        have not answered are left out.
        """
        known = {name: self._lanes[name].behind_ms for name in positions if name in self._lanes}
        return {name: behind_ms for name, behind_ms in known.items() if behind_ms is not None}

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Nothing: Kinesis keeps no positions for its readers."""

    def close(self) -> None:
        """Let go of lanes, threads and connections; safe to call twice."""
        for lane in self._lanes.values():
            lane.close()
        self._lanes = {}
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.client.close()

    def _list(self) -> None:
        try:
            self._common.shards.refresh()
        except KinesisError as failure:
            self.client.fails(failure)

    def _open(self, partition: str, place: Position) -> ShardReader:
        """A new lane in place of an old one; it keeps to the pause of the old one."""
        if partition in self._lanes:
            self._close(partition)
        lane: ShardReader
        if self._consumer_arn and place != ENDED:
            lane = SubscribedShardReader(self._common, partition, place, self._consumer_arn)
        else:
            lane = PolledShardReader(
                self._common, partition, place, self._resting.pop(partition, 0.0)
            )
        lane.start()
        self._lanes[partition] = lane
        return lane

    def _close(self, partition: str) -> None:
        """Let go of a lane; whoever reads the shard next keeps to its pause."""
        lane, now_s = self._lanes.pop(partition), time.monotonic()
        lane.close()
        self._resting = {
            name: until_s for name, until_s in self._resting.items() if until_s > now_s
        }
        self._resting[partition] = lane.rests_until_s()

    def _gap_of(self, lane: ShardReader) -> Gap | None:
        """The gap of a lane that was just assigned; such a lane is not read."""
        gap = lane.gap()
        if gap is not None:
            self._close(lane.partition)
        return gap

    def _work(self, timeout_s: float, done: Callable[[], bool]) -> None:
        """Keep the lanes fetching until ``done``, or for ``timeout_s``."""
        until_s = time.monotonic() + timeout_s
        wake = self._common.wake
        with wake:
            while True:
                now_s = time.monotonic()
                due = [
                    (due_s, lane)
                    for lane in self._lanes.values()
                    if (due_s := lane.due_s()) is not None
                ]
                for due_s, lane in due:
                    if due_s <= now_s:
                        lane.begin()
                        self._pool.submit(lane.step)
                if done() or now_s >= until_s:
                    return
                wake.wait(min([until_s, *(due_s for due_s, _ in due if due_s > now_s)]) - now_s)
