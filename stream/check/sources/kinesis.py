"""A Kinesis stream: how long it keeps records, its shards, the newest records in each, and where
the job stands.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from stream.check.disorder import disorder, disorder_finding, skew_finding
from stream.check.findings import Finding, counted, fault_of, gone, told_ms
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.events import Assign, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kinesis.client import KinesisClient, KinesisError, unavailable
from stream.sources.kinesis.fan_out import describe_consumer
from stream.sources.kinesis.source import FanOut, Kinesis

READ_S: Final = 10.0
SAMPLED: Final = 200
"""Records that are looked at in each shard."""
BACK_MS: Final = (10_000, 600_000)
"""How far back a look for the newest records begins; the second one only if the first finds
nothing."""


def look(source: Kinesis, setup: CheckContext) -> list[Finding]:
    """Findings about the stream; raises ``SourceUnavailable`` as ``driftline run`` would.

    Reads as polling does, also with ``fan_out``: a consumer would have to be registered.
    """
    where = f"stream {source.stream or source.stream_arn}"
    reading = replace(source, fan_out=None).open(setup.config.job)
    try:
        found = reading.discover()
        parents = {name for one in found for name in one.parents}
        newest = [one.partition for one in found if one.partition not in parents]
        raws, unread = _newest(reading, newest)
        places = (
            {}
            if setup.stored is None
            else {name: one.next for name, one in setup.stored.state.partitions.items()}
        )
        stands = _stands(
            where,
            reading,
            {one.partition: places[one.partition] for one in found if one.partition in places},
        )
    finally:
        reading.close()
    sample = decode(setup, raws)
    return [
        *_described(where, source),
        Finding(
            where, f"{counted(len(newest), 'shard')} for {counted(setup.config.readers, 'reader')}"
        ),
        *stands,
        *_unread(where, unread),
        *sample_findings(where, sample, setup),
        disorder_finding(where, disorder(list(sample.times_ms.values()), setup.times), setup.times),
        skew_finding(where, sample.newest_ms, setup.times, setup.idle_ms),
    ]


def _newest(reading: Reading, shards: Sequence[str]) -> tuple[list[RawBatch], list[str]]:
    """The newest records of each shard, and the shards whose end was not reached in time: theirs
    are older ones.
    """
    for back_ms in BACK_MS:
        since = ("AT_TIMESTAMP", int(time.time() * 1000) - back_ms)
        raws, unread = _to_the_end(reading, dict.fromkeys(shards, since))
        if raws or unread:
            break
    return raws, unread


def _to_the_end(
    reading: Reading, places: Mapping[str, Position]
) -> tuple[list[RawBatch], list[str]]:
    """What was read last in each shard, at least ``SAMPLED`` records if there are so many."""
    reading.assign([Assign(1, name, place, None) for name, place in places.items()])
    taken: dict[str, deque[RawBatch]] = {name: deque() for name in places}
    unread = set(places)
    deadline = time.monotonic() + READ_S
    while unread and time.monotonic() < deadline:
        for raw in reading.poll(0.2, SAMPLED):
            if isinstance(raw, RawBatch):
                _keep(taken[raw.partition], raw)
            if isinstance(raw, Gap) or raw.at_end or raw.ended:
                unread.discard(raw.partition)
    return [raw for some in taken.values() for raw in some], sorted(unread)


def _keep(some: deque[RawBatch], raw: RawBatch) -> None:
    if raw.values:
        some.append(raw)
    while len(some) > 1 and sum(len(one.values) for one in some) - len(some[0].values) >= SAMPLED:
        some.popleft()


def _unread(where: str, unread: Sequence[str]) -> list[Finding]:
    if not unread:
        return []
    what = (
        f"the end of {counted(len(unread), 'shard')} was not reached in {READ_S:g} s: disorder and"
        " skew are those of older records"
    )
    return [
        Finding(
            where,
            what,
            "warning",
            "Another consumer may take the reads of these shards; fan_out would have its own",
        )
    ]


def _stands(where: str, reading: Reading, places: Mapping[str, Position]) -> list[Finding]:
    """How far this job is behind in the shards that it reads."""
    if not places:
        return []
    gaps = [
        gap.partition
        for gap in reading.assign([Assign(2, name, place, None) for name, place in places.items()])
    ]
    deadline = time.monotonic() + READ_S
    while len(reading.lag(places)) + len(gaps) < len(places) and time.monotonic() < deadline:
        gaps += [raw.partition for raw in reading.poll(0.2, 1) if isinstance(raw, Gap)]
    if gaps:
        return [gone(where, name) for name in gaps]
    behind_ms = max(reading.lag(places).values(), default=None)
    told = "not known" if behind_ms is None else f"{told_ms(behind_ms)} behind"
    return [Finding(where, f"position of this job: {told}")]


def _described(where: str, source: Kinesis) -> list[Finding]:
    """How long the stream keeps records, and whether the consumer of fan-out is there."""
    client = source.client(1)
    try:
        summary = client.summary()
        kept = Finding(
            where,
            f"retention: {told_ms(summary.retention_ms)}; the service may be down for that long",
        )
        return (
            [kept]
            if source.fan_out is None
            else [kept, _consumer(where, client, summary.arn, source.fan_out)]
        )
    except KinesisError as failure:
        raise unavailable(client.target, failure) from failure
    finally:
        client.close()


def _consumer(where: str, client: KinesisClient, stream_arn: str, fan_out: FanOut) -> Finding:
    try:
        describe_consumer(client, stream_arn, fan_out.consumer_name, fan_out.consumer_arn)
    except KinesisError as failure:
        if failure.kind == "missing" and fan_out.consumer_name:
            return Finding(
                where,
                f"consumer {fan_out.consumer_name} is not registered yet: the first run does it",
            )
        return fault_of(where, unavailable(client.target, failure))
    return Finding(where, "the consumer of fan_out is registered")
