"""A topic of Apache Kafka: its kind of time, how long it keeps records, and the newest of them in
each partition.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final, NamedTuple

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.protocol.consumer import HeartbeatRequest
from msgspec.structs import replace

from stream.check.disorder import disorder, disorder_finding, skew_finding
from stream.check.findings import Finding, counted, fault_of, gone, told_ms
from stream.check.kafka_topic import TopicPermissions, acl, config_findings, rights_findings
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.errors import SourceUnavailable
from stream.events import Assign, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka.confluent_client import ConfluentClient, librdkafka_settings
from stream.sources.kafka.connection import connect
from stream.sources.kafka.source import Kafka

SAMPLED: Final = 200
"""Records that are looked at in each partition."""
READ_S: Final = 10.0


class OffsetRange(NamedTuple):
    """One partition: its first position, how many offsets lie behind it (at least as many as
    records), and when the log took the first and the last record.
    """

    start: Position
    offsets: int
    first_ms: int | None
    last_ms: int | None


class BrokerFacts(NamedTuple):
    """What a broker says of the topic before anything is read: the rights of this user, and the
    settings (none: not allowed).
    """

    rights: TopicPermissions
    configs: Mapping[str, str]


def look(source: Kafka, setup: CheckContext) -> list[Finding]:
    """Findings about the topic; raises ``SourceUnavailable`` if the broker cannot be reached, or
    has no such topic.

    Names no group: the first one that is named makes Kafka create its topic of offsets.
    """
    where, group = f"topic {source.topic}", setup.config.job
    user = str(source.options.get("sasl_plain_username", ""))
    asked = _asked(source, group)
    allow = acl("DescribeConfigs", "topic", source.topic, user)
    out = rights_findings(where, source.topic, group, asked.rights, user)
    out += config_findings(
        where, asked.configs, bool(setup.config.time.missing == "arrival"), allow
    )
    if not asked.rights.readable:
        return out
    try:
        _try_fast(where, source)
        return [*out, *_record_findings(where, source, setup)]
    except SourceUnavailable as error:
        return [*out, fault_of(where, error)]


def _record_findings(where: str, source: Kafka, setup: CheckContext) -> list[Finding]:
    """What the records say, and where the job stands among them."""
    reading = replace(source, client="columns").open("")
    try:
        starts = {found.partition: found.start for found in reading.discover()}
        behind = reading.lag(starts)
        oldest = {
            raw.partition: raw
            for raw in _read(reading, {name: starts[name] for name, n in behind.items() if n}, 1)
        }
        newest = _read(
            reading, {name: _newest(starts[name], n) for name, n in behind.items() if n}, SAMPLED
        )
        stored = (
            {}
            if setup.stored is None
            else {n: p.next for n, p in setup.stored.state.partitions.items() if n in starts}
        )
        waiting = reading.lag(stored)
    finally:
        reading.close()
    spans = {
        name: _span(start, behind.get(name, 0), oldest.get(name), newest)
        for name, start in starts.items()
    }
    sample = decode(setup, newest)
    return [
        *span_findings(where, spans, setup.config.readers),
        *stored_findings(where, spans, stored, waiting),
        *sample_findings(where, sample, setup),
        disorder_finding(where, disorder(list(sample.times_ms.values()), setup.times), setup.times),
        skew_finding(where, sample.newest_ms, setup.times, setup.idle_ms),
    ]


def span_findings(where: str, spans: Mapping[str, OffsetRange], readers: int) -> list[Finding]:
    """How many partitions there are for the readers, and what the log holds now."""
    what = f"{counted(len(spans), 'partition')} for {counted(readers, 'reader')}"
    idle = readers > len(spans)
    out = [
        Finding(
            where,
            what,
            "warning" if idle else "ok",
            "More readers than partitions: some have nothing to do" if idle else "",
        )
    ]
    held = [
        one.last_ms - one.first_ms
        for one in spans.values()
        if one.first_ms is not None and one.last_ms is not None
    ]
    if held:
        total = sum(one.offsets for one in spans.values())
        out.append(
            Finding(
                where,
                f"holds {counted(total, 'offset')}; the shortest partition goes back"
                f" {told_ms(max(min(held), 0))}",
            )
        )
    return out


def stored_findings(
    where: str,
    spans: Mapping[str, OffsetRange],
    stored: Mapping[str, Position],
    waiting: Mapping[str, int],
) -> list[Finding]:
    """Where this job stands: what waits for it, and what is gone already."""
    lost = sorted(
        name
        for name, place in stored.items()
        if name not in waiting or waiting[name] > spans[name].offsets
    )
    out = [gone(where, name) for name in lost]
    if stored and not lost:
        out.append(
            Finding(
                where, f"position of this job: {counted(sum(waiting.values()), 'offset')} to read"
            )
        )
    return out


def _try_fast(where: str, source: Kafka) -> None:
    """See whether librdkafka takes the options. It is told no broker: it would name the group
    there.
    """
    if source.client == "fast":
        try:
            ConfluentClient(
                where, source.topic, librdkafka_settings([], "look", source.options, source.region)
            ).close()
        except ImportError as error:
            raise SourceUnavailable(
                where, [str(error)], "Install it: pip install 'driftline[fast]'"
            ) from error


def _asked(source: Kafka, group: str) -> BrokerFacts:
    name = source.verify()
    with ExitStack() as undo:
        admin = connect(name, source.admin_builder(), source.give_up_after_s)
        undo.callback(admin.close)
        try:
            return BrokerFacts(
                TopicPermissions(_topic_rights(admin, source.topic), _group_rights(admin, group)),
                _configs(admin, source.topic),
            )
        except kafka_errors.UnknownTopicOrPartitionError as error:
            raise SourceUnavailable(
                name, [str(error)], "Create the topic, or correct source.topic"
            ) from error
        except kafka_errors.KafkaError as error:
            raise SourceUnavailable(
                name, [str(error)], "It answered a moment ago: try again"
            ) from error


def _topic_rights(admin: Any, topic: str) -> Collection[str] | None:
    (told,) = admin.describe_topics([topic])
    if told["error_code"] == kafka_errors.TopicAuthorizationFailedError.errno:
        return ()
    if told["error_code"]:
        raise kafka_errors.for_code(told["error_code"])(f"topic {topic!r}")
    allowed: Collection[str] | None = told.get("authorized_operations")
    return allowed


def _group_rights(admin: Any, group: str) -> Collection[str] | None:
    """What may be done with the group, asked of any broker: to look for its coordinator would make
    Kafka create its topic of offsets.

    A group without members lists no rights. A heartbeat of nobody needs Read, and is refused in any
    case.
    """
    for broker in admin.describe_cluster()["brokers"]:
        with suppress(
            kafka_errors.KafkaError, AttributeError
        ):  # a broker that is down, or another inside of the client
            asked = admin.describe_groups([group], group_coordinator_id=broker["broker_id"])[group]
            if "GroupAuthorizationFailed" in (asked["error"] or ""):
                return ()
            beat = HeartbeatRequest(group_id=group, generation_id=-1, member_id="")
            told = admin._manager.run(admin._manager.send, beat, broker["broker_id"])  # noqa: SLF001  # there is no other way in
            return (
                ("DESCRIBE",)
                if told.error_code == kafka_errors.GroupAuthorizationFailedError.errno
                else ("READ",)
            )
    return None


def _configs(admin: Any, topic: str) -> Mapping[str, str]:
    told = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all"
    )
    return {name: _value(one) for topics in told.values() for name, one in topics[topic].items()}


def _value(one: Any) -> str:
    return str(one["value"] if isinstance(one, Mapping) else one)


def _newest(start: Position, offsets: int) -> Position:
    return (start[0], start[1] + max(offsets - SAMPLED, 0)) if isinstance(start, tuple) else start


def _read(reading: Reading, places: Mapping[str, Position], most: int) -> list[RawBatch]:
    """At most so many records of each partition from these places on; fewer if they do not come
    within ten seconds.
    """
    reading.assign([Assign(1, name, place, None) for name, place in places.items()])
    taken: dict[str, list[RawBatch]] = {name: [] for name in places}
    deadline = time.monotonic() + READ_S
    while (
        open_ones := [n for n, some in taken.items() if not _enough(some, most)]
    ) and time.monotonic() < deadline:
        for raw in reading.poll(0.2, most * len(open_ones)):
            if isinstance(raw, RawBatch) and raw.partition in open_ones:
                taken[raw.partition].append(raw)
    return [raw for some in taken.values() for raw in some if raw.values]


def _enough(some: Sequence[RawBatch], most: int) -> bool:
    return sum(len(raw.values) for raw in some) >= most or bool(some and some[-1].at_end)


def _span(
    start: Position, offsets: int, first: RawBatch | None, newest: Sequence[RawBatch]
) -> OffsetRange:
    last = [
        int(raw.arrival_ms[-1])
        for raw in newest
        if first is not None and raw.partition == first.partition
    ]
    return OffsetRange(
        start,
        offsets,
        None if first is None else int(first.arrival_ms[0]),
        last[-1] if last else None,
    )
