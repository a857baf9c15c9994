"""Live check of a Kinesis stream: retention, shards, newest records, and position of the job."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from detectors.phrases import counted
from stream.check.disorder import disorder, disorder_finding, skew_finding
from stream.check.findings import Finding, fault_of, format_duration, gap_finding
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kinesis.client import KinesisClient, KinesisError, unavailable
from stream.sources.kinesis.fan_out import describe_consumer
from stream.sources.kinesis.source import FanOut, Kinesis

READ_S: Final = 10.0
"""The longest time to wait for records."""
SAMPLED: Final = 200
"""The number of records that are read of each shard."""
BACK_MS: Final = (10_000, 600_000)
"""The times before now at which reading starts; the second only if the first finds nothing."""


class NewestRecords(NamedTuple):
    """The newest records of shards.

    ``unread`` are the shards whose end was not reached in time; their records are older ones.
    """

    raws: list[RawBatch]
    unread: list[str]


def live_check(source: Kinesis, context: CheckContext) -> list[Finding]:
    """Return findings about the stream; raises ``SourceUnavailable`` as ``driftline run`` does.

    Reads by polling, also with ``fan_out``: a consumer would have to be registered.
    """
    subject = f"stream {source.stream or source.stream_arn}"
    reading = replace(source, fan_out=None).open(context.config.job)
    try:
        shards = reading.discover()
        open_shards = _open_shards(shards)
        newest = _newest(reading, open_shards)
        position = _position_findings(subject, reading, _stored_positions(context, shards))
    finally:
        reading.close()
    readers = counted(context.config.readers, "reader")
    sample = decode(context, newest.raws)
    measured = disorder(list(sample.times_ms.values()), context.times)
    return [
        *_stream_findings(subject, source),
        Finding(subject, f"{counted(len(open_shards), 'shard')} for {readers}"),
        *position,
        *_unread_findings(subject, newest.unread),
        *sample_findings(subject, sample, context),
        disorder_finding(subject, measured, context.times),
        skew_finding(subject, sample.newest_ms, context.times, context.idle_ms),
    ]


def newest_records(source: Kinesis, job: str, count: int) -> list[RawBatch]:
    """Return the newest records of each open shard: at least ``count``, if they are there.

    Raises ``SourceUnavailable`` as ``driftline run`` does.
    """
    reading = replace(source, fan_out=None).open(job)
    try:
        return _newest(reading, _open_shards(reading.discover()), count).raws
    finally:
        reading.close()


def _open_shards(shards: Sequence[DiscoveredPartition]) -> list[str]:
    parents = {name for shard in shards for name in shard.parents}
    return [shard.partition for shard in shards if shard.partition not in parents]


def _newest(reading: Reading, shards: Sequence[str], count: int = SAMPLED) -> NewestRecords:
    for back_ms in BACK_MS:
        since = ("AT_TIMESTAMP", int(time.time() * 1000) - back_ms)
        newest = _read_to_end(reading, dict.fromkeys(shards, since), count)
        if newest.raws or newest.unread:
            break
    return newest


def _read_to_end(reading: Reading, positions: Mapping[str, Position], count: int) -> NewestRecords:
    """Read each shard to its end and keep its last records, at least ``count`` if there are."""
    reading.assign(
        [
            Assign(claim=1, partition=name, next=position, mark_ms=None)
            for name, position in positions.items()
        ]
    )
    batches: dict[str, deque[RawBatch]] = {name: deque() for name in positions}
    unread = set(positions)
    deadline = time.monotonic() + READ_S
    while unread and time.monotonic() < deadline:
        for raw in reading.poll(0.2, count):
            if isinstance(raw, RawBatch):
                _keep(batches[raw.partition], raw, count)
            if isinstance(raw, Gap) or raw.at_end or raw.ended:
                unread.discard(raw.partition)
    return NewestRecords([raw for kept in batches.values() for raw in kept], sorted(unread))


def _keep(kept: deque[RawBatch], raw: RawBatch, count: int) -> None:
    if raw.values:
        kept.append(raw)
    while len(kept) > 1 and sum(len(raw.values) for raw in kept) - len(kept[0].values) >= count:
        kept.popleft()


def _unread_findings(subject: str, unread: Sequence[str]) -> list[Finding]:
    if not unread:
        return []
    message = (
        f"the end of {counted(len(unread), 'shard')} was not reached in {READ_S:g} s: out-of-order"
        " delay and skew are those of older records"
    )
    advice = "Another consumer may use up the reads of these shards; fan_out has its own"
    return [Finding(subject, message, "warning", advice)]


def _stored_positions(
    context: CheckContext, shards: Sequence[DiscoveredPartition]
) -> dict[str, Position]:
    if context.stored is None:
        return {}
    states = context.stored.state.partitions
    names = [shard.partition for shard in shards if shard.partition in states]
    return {name: states[name].next for name in names}


def _position_findings(
    subject: str, reading: Reading, positions: Mapping[str, Position]
) -> list[Finding]:
    """A finding on the lag of this job in the shards that it reads, or its gaps."""
    if not positions:
        return []
    assigns = [
        Assign(claim=2, partition=name, next=position, mark_ms=None)
        for name, position in positions.items()
    ]
    gaps = [gap.partition for gap in reading.assign(assigns)]
    deadline = time.monotonic() + READ_S
    while len(reading.lag(positions)) + len(gaps) < len(positions) and time.monotonic() < deadline:
        gaps += [raw.partition for raw in reading.poll(0.2, 1) if isinstance(raw, Gap)]
    if gaps:
        return [gap_finding(subject, name) for name in gaps]
    lag_ms = max(reading.lag(positions).values(), default=None)
    lag = "unknown" if lag_ms is None else f"{format_duration(lag_ms)} behind"
    return [Finding(subject, f"position of this job: {lag}")]


def _stream_findings(subject: str, source: Kinesis) -> list[Finding]:
    """Findings on the retention of the stream and on the consumer of fan-out."""
    client = source.client(1)
    try:
        summary = client.summary()
        kept = format_duration(summary.retention_ms)
        message = f"retention: {kept}; the service may be down for that long"
        findings = [Finding(subject, message)]
        if source.fan_out is not None:
            findings.append(_consumer_finding(subject, client, summary.arn, source.fan_out))
        return findings
    except KinesisError as error:
        raise unavailable(client.target, error) from error
    finally:
        client.close()


def _consumer_finding(
    subject: str, client: KinesisClient, stream_arn: str, fan_out: FanOut
) -> Finding:
    try:
        describe_consumer(client, stream_arn, fan_out.consumer_name, fan_out.consumer_arn)
    except KinesisError as error:
        if error.kind == "missing" and fan_out.consumer_name:
            name = fan_out.consumer_name
            message = f"consumer {name} is not registered yet: the first run registers it"
            return Finding(subject, message)
        return fault_of(subject, unavailable(client.target, error))
    return Finding(subject, "the consumer of fan_out is registered")
