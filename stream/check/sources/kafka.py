"""Live check of a Kafka topic: permissions, settings, newest records, and position of the job."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final, NamedTuple

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.protocol.consumer import HeartbeatRequest
from msgspec.structs import replace

from detectors.phrases import counted
from stream.check.disorder import disorder, disorder_finding, skew_finding
from stream.check.findings import Finding, fault_of, format_duration, gap_finding
from stream.check.kafka_topic import TopicPermissions, acl, config_findings, permission_findings
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.errors import SourceUnavailable
from stream.events import Assign, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka.confluent_client import ConfluentClient
from stream.sources.kafka.confluent_settings import librdkafka_settings
from stream.sources.kafka.connection import connect
from stream.sources.kafka.source import Kafka

SAMPLED: Final = 200
"""The number of records that are read of each partition."""
READ_S: Final = 10.0
"""The longest time to wait for them."""


class OffsetRange(NamedTuple):
    """The content of the log of one partition.

    Its first position, the number of offsets from there on (at least the number of records), and
    the time at which the log took the first record.
    """

    start: Position
    offsets: int
    first_ms: int | None


class BrokerFacts(NamedTuple):
    """The permissions of this user on a topic, and its settings (none if they may not be read)."""

    permissions: TopicPermissions
    configs: Mapping[str, str]


class TopicContent(NamedTuple):
    """The content of a topic, by partition.

    The range of offsets, the newest records, the stored positions of the job, and the number of
    offsets from each of these to the end.
    """

    ranges: Mapping[str, OffsetRange]
    newest: Sequence[RawBatch]
    stored: Mapping[str, Position]
    lag: Mapping[str, int]


def live_check(source: Kafka, context: CheckContext) -> list[Finding]:
    """Return findings about the topic.

    Raises ``SourceUnavailable`` if the broker cannot be reached, or has no such topic. Does
    not name a group to the broker, since the first one makes Kafka create its topic of offsets.
    """
    subject = f"topic {source.topic}"
    group = context.config.job
    user = str(source.options.get("sasl_plain_username", ""))
    facts = _broker_facts(source, group)
    grant = acl("DescribeConfigs", "topic", source.topic, user)
    uses_arrival = context.config.time.missing == "arrival"
    findings = [
        *permission_findings(
            subject=subject,
            topic=source.topic,
            group=group,
            permissions=facts.permissions,
            user=user,
        ),
        *config_findings(subject, facts.configs, uses_arrival, grant),
    ]
    if not facts.permissions.readable:
        return findings
    try:
        _try_fast_client(subject, source)
        content = _read_topic(source, context)
    except SourceUnavailable as error:
        return [*findings, fault_of(subject, error)]
    return [*findings, *_content_findings(subject, content, context)]


def _content_findings(subject: str, content: TopicContent, context: CheckContext) -> list[Finding]:
    sample = decode(context, content.newest)
    times = context.times
    measured = disorder(list(sample.times_ms.values()), times)
    now_ms = int(time.time() * 1000)
    return [
        *range_findings(subject, content.ranges, context.config.readers, now_ms),
        *position_findings(subject, content.ranges, content.stored, content.lag),
        *sample_findings(subject, sample, context),
        disorder_finding(subject, measured, times),
        skew_finding(subject, sample.newest_ms, times, context.idle_ms),
    ]


def _read_topic(source: Kafka, context: CheckContext) -> TopicContent:
    """Read the first and the newest records of each partition."""
    # From the first offset whatever `start` says: ranges are those of the log.
    reading = replace(source, client="columns", start="earliest").open("")
    try:
        starts = {partition.partition: partition.start for partition in reading.discover()}
        offsets = reading.lag(starts)
        filled = {name: starts[name] for name, count in offsets.items() if count}
        first = {raw.partition: int(raw.arrival_ms[0]) for raw in _read(reading, filled, 1)}
        tails = {name: _tail(start, offsets[name]) for name, start in filled.items()}
        newest = _read(reading, tails, SAMPLED)
        stored = _stored_positions(context, starts)
        lag = reading.lag(stored)
    finally:
        reading.close()
    ranges = {
        name: OffsetRange(start, offsets.get(name, 0), first.get(name))
        for name, start in starts.items()
    }
    return TopicContent(ranges, newest, stored, lag)


def newest_records(source: Kafka, job: str, count: int) -> list[RawBatch]:  # noqa: ARG001  # no group
    """Return the newest records of each partition: ``count``, and the rest of their batches.

    ``job`` is not named to the broker, as in :func:`live_check`. Raises ``SourceUnavailable`` if
    the broker cannot be reached, or has no such topic.
    """
    reading = replace(source, client="columns", start="earliest").open("")
    try:
        starts = {partition.partition: partition.start for partition in reading.discover()}
        offsets = reading.lag(starts)
        filled = {name: starts[name] for name, found in offsets.items() if found}
        tails = {name: _tail(start, offsets[name], count) for name, start in filled.items()}
        return _read(reading, tails, count)
    finally:
        reading.close()


def _stored_positions(context: CheckContext, partitions: Collection[str]) -> dict[str, Position]:
    if context.stored is None:
        return {}
    states = context.stored.state.partitions
    return {name: state.next for name, state in states.items() if name in partitions}


def range_findings(
    subject: str, ranges: Mapping[str, OffsetRange], readers: int, now_ms: int
) -> list[Finding]:
    """Return findings about the number of partitions and the content of the log."""
    message = f"{counted(len(ranges), 'partition')} for {counted(readers, 'reader')}"
    findings = [Finding(subject, message)]
    if readers > len(ranges):
        advice = "There are more readers than partitions: some are idle"
        findings = [Finding(subject, message, "warning", advice)]
    oldest_ms = [each.first_ms for each in ranges.values() if each.first_ms is not None]
    if oldest_ms:
        total = counted(sum(each.offsets for each in ranges.values()), "offset")
        age = format_duration(max(now_ms - max(oldest_ms), 0))
        oldest = f"oldest record in the shortest partition: {age} ago"
        findings.append(Finding(subject, f"holds {total}; {oldest}"))
    return findings


def position_findings(
    subject: str,
    ranges: Mapping[str, OffsetRange],
    stored: Mapping[str, Position],
    lag: Mapping[str, int],
) -> list[Finding]:
    """Return a finding on the lag of the job, or its gaps: positions that the log no longer has."""
    lost = sorted(name for name in stored if name not in lag or lag[name] > ranges[name].offsets)
    if lost:
        return [gap_finding(subject, name) for name in lost]
    if not stored:
        return []
    waiting = counted(sum(lag.values()), "offset")
    return [Finding(subject, f"position of this job: {waiting} to read")]


def _try_fast_client(subject: str, source: Kafka) -> None:
    """Check that librdkafka accepts the options; without a broker, it cannot name the group."""
    if source.client != "fast":
        return
    settings = librdkafka_settings([], "check", source.options, source.region)
    try:
        ConfluentClient(subject, source.topic, settings).close()
    except ImportError as error:
        advice = "Install it: pip install 'driftline[fast]'"
        raise SourceUnavailable(subject, [str(error)], advice) from error


def _broker_facts(source: Kafka, group: str) -> BrokerFacts:
    name = source.verify()
    with closing(connect(name, source.admin_builder(), source.give_up_after_s)) as admin:
        try:
            permissions = TopicPermissions(
                topic=_topic_permissions(admin, source.topic),
                group=_group_permissions(admin, group),
            )
            return BrokerFacts(permissions, _configs(admin, source.topic))
        except kafka_errors.UnknownTopicOrPartitionError as error:
            advice = "Create the topic, or correct source.topic"
            raise SourceUnavailable(name, [str(error)], advice) from error
        except kafka_errors.KafkaError as error:
            advice = "The broker answered a moment ago: try again"
            raise SourceUnavailable(name, [str(error)], advice) from error


def _topic_permissions(admin: Any, topic: str) -> Collection[str] | None:
    (description,) = admin.describe_topics([topic])
    error_code = description["error_code"]
    if error_code == kafka_errors.TopicAuthorizationFailedError.errno:
        return ()
    if error_code:
        raise kafka_errors.for_code(error_code)(f"topic {topic!r}")
    allowed: Collection[str] | None = description.get("authorized_operations")
    return allowed


def _group_permissions(admin: Any, group: str) -> Collection[str] | None:
    """The operations allowed on the group, requested from any broker.

    Looking up the group's coordinator would make Kafka create its topic of offsets. A group without
    members lists no operations. A heartbeat of an unknown member needs Read, and is refused in any
    case.
    """
    for broker in admin.describe_cluster()["brokers"]:
        # A broker may be down, or the internals of the client may have changed.
        with suppress(kafka_errors.KafkaError, AttributeError):
            node = broker["broker_id"]
            description = admin.describe_groups([group], group_coordinator_id=node)[group]
            if "GroupAuthorizationFailed" in (description["error"] or ""):
                return ()
            heartbeat = HeartbeatRequest(group_id=group, generation_id=-1, member_id="")
            answer = admin._manager.run(admin._manager.send, heartbeat, node)  # noqa: SLF001  # there is no public method
            refused = answer.error_code == kafka_errors.GroupAuthorizationFailedError.errno
            return ("DESCRIBE",) if refused else ("READ",)
    return None


def _configs(admin: Any, topic: str) -> Mapping[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    answers = admin.describe_configs([resource], config_filter="all")
    return {
        name: _value(entry) for topics in answers.values() for name, entry in topics[topic].items()
    }


def _value(entry: Any) -> str:
    return str(entry["value"] if isinstance(entry, Mapping) else entry)


def _tail(start: Position, offsets: int, count: int = SAMPLED) -> Position:
    """The position from which on there are at most ``count`` offsets."""
    return (start[0], start[1] + max(offsets - count, 0)) if isinstance(start, tuple) else start


def _read(reading: Reading, positions: Mapping[str, Position], count: int) -> list[RawBatch]:
    """Read at least ``count`` records of each partition from its position on, across gaps.

    Fewer if a partition ends, or if they do not arrive within ten seconds.
    """
    _assign(reading, positions)
    batches: dict[str, list[RawBatch]] = {name: [] for name in positions}
    deadline = time.monotonic() + READ_S
    unread = list(positions)
    while unread and time.monotonic() < deadline:
        for found in reading.poll(0.2, count * len(unread)):
            if isinstance(found, Gap):
                _assign(reading, {found.partition: found.resume})
            elif found.partition in unread:
                batches[found.partition].append(found)
        unread = [name for name in unread if not _is_enough(batches[name], count)]
    return [raw for taken in batches.values() for raw in taken if raw.values]


def _assign(reading: Reading, positions: Mapping[str, Position]) -> None:
    reading.assign(
        [
            Assign(claim=1, partition=name, next=position, mark_ms=None)
            for name, position in positions.items()
        ]
    )


def _is_enough(taken: Sequence[RawBatch], count: int) -> bool:
    return sum(len(raw.values) for raw in taken) >= count or bool(taken and taken[-1].at_end)
