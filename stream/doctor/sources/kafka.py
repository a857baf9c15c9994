"""A topic of Apache Kafka: its kind of time, how long it keeps records, and the newest of them in each partition."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from stream.doctor.disorder import disorder, disorder_finding, skew_finding
from stream.doctor.findings import Finding, counted, told_ms
from stream.doctor.sample import decode, sample_findings
from stream.doctor.setup import Setup
from stream.events import Assign, Position, RawBatch
from stream.kafka_client import ClientLog, connect
from stream.sources.base import Reading
from stream.sources.kafka import Kafka

SAMPLED: Final = 200
"""Records that are looked at in each partition."""
READ_S: Final = 10.0
SHORT_MS: Final = 6 * 3_600_000
"""A log that keeps records for less than this leaves little time to repair a service at night."""


class Span(NamedTuple):
    """One partition: its first position, how many records lie behind it, and when the log took the first and the last of them."""

    start: Position
    records: int
    first_ms: int | None
    last_ms: int | None


def look(source: Kafka, setup: Setup) -> list[Finding]:
    """Findings about the topic; raises ``SourceUnavailable`` as ``driftline run`` would."""
    where = f"topic {source.topic}"
    out = config_findings(where, _configs(source), bool(setup.config.time.missing == "arrival"))
    reading = source.open(setup.config.job)
    try:
        starts = {found.partition: found.start for found in reading.discover()}
        behind = reading.lag(starts)
        oldest = {raw.partition: raw for raw in _read(reading, {name: starts[name] for name, n in behind.items() if n}, 1)}
        newest = _read(reading, {name: _newest(starts[name], n) for name, n in behind.items() if n}, SAMPLED)
        stored = {} if setup.stored is None else {n: p.next for n, p in setup.stored.state.places.items() if n in starts}
        waiting = reading.lag(stored)
    finally:
        reading.close()
    spans = {name: _span(start, behind.get(name, 0), oldest.get(name), newest) for name, start in starts.items()}
    sample = decode(setup, newest)
    return [
        *out,
        *span_findings(where, spans, setup.config.readers),
        *stored_findings(where, spans, stored, waiting),
        *sample_findings(where, sample, list(setup.config.models), setup.times.tolerance_ms),
        disorder_finding(where, disorder(list(sample.times_ms.values()), setup.times), setup.times),
        skew_finding(where, sample.newest_ms, setup.times, setup.idle_ms),
    ]


def config_findings(where: str, configs: Mapping[str, str] | str, uses_arrival: bool) -> list[Finding]:
    """What the topic's settings mean; text instead of settings says why they could not be read."""
    if isinstance(configs, str):
        advice = "Allow DescribeConfigs on the topic to see time type and retention; reading works without it"
        return [Finding(where, f"settings not known: {configs}", "warning", advice)]
    broker = configs.get("message.timestamp.type") == "LogAppendTime"
    what = "time: LogAppendTime, arrival is the broker's clock" if broker else "time: CreateTime, arrival is the producer's clock"
    advice = "" if broker else "One wrong clock of a producer hides what `tolerance` should find; LogAppendTime does not depend on them"
    out = [Finding(where, what, "ok" if broker or not uses_arrival else "warning", advice)]
    if "compact" in configs.get("cleanup.policy", ""):
        out.append(Finding(where, "compacted: older records of a key vanish", "warning", "Events are lost to a service that is behind"))
    kept_ms = int(configs.get("retention.ms", "-1"))
    if kept_ms < 0:
        return [*out, Finding(where, "retention: no limit of time")]
    short = kept_ms < SHORT_MS
    what, advice = f"retention: {told_ms(kept_ms)}, so long the service may be down", "Raise retention.ms" if short else ""
    return [*out, Finding(where, what, "warning" if short else "ok", advice)]


def span_findings(where: str, spans: Mapping[str, Span], readers: int) -> list[Finding]:
    """How many partitions there are for the readers, and what the log holds now."""
    what = f"{counted(len(spans), 'partition')} for {counted(readers, 'reader')}"
    idle = readers > len(spans)
    out = [Finding(where, what, "warning" if idle else "ok", "More readers than partitions: some have nothing to do" if idle else "")]
    held = [one.last_ms - one.first_ms for one in spans.values() if one.first_ms is not None and one.last_ms is not None]
    if held:
        total = sum(one.records for one in spans.values())
        out.append(Finding(where, f"holds {counted(total, 'record')}, from {told_ms(max(min(held), 0))} in the shortest partition on"))
    return out


def stored_findings(where: str, spans: Mapping[str, Span], stored: Mapping[str, Position], waiting: Mapping[str, int]) -> list[Finding]:
    """Where this job stands: what waits for it, and what is gone already."""
    gone = sorted(name for name, place in stored.items() if name not in waiting or waiting[name] > spans[name].records)
    advice = "A gap: see on_gap, and raise retention"
    out = [Finding(where, f"position of {name} is no longer in the log", "fault", advice) for name in gone]
    if stored and not gone:
        out.append(Finding(where, f"position of this job: {counted(sum(waiting.values()), 'record')} wait"))
    return out


def _configs(source: Kafka) -> Mapping[str, str] | str:
    client_log = ClientLog()
    try:
        admin = connect(f"kafka topic {source.topic!r}", source.looker(), source.give_up_after_s, client_log)
        try:
            told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, source.topic)], config_filter="all")
        finally:
            admin.close()
    except kafka_errors.KafkaError as error:
        return type(error).__name__
    finally:
        client_log.give_back()
    (topics,) = told.values()
    return {name: _value(one) for name, one in topics[source.topic].items()}


def _value(one: Any) -> str:
    return str(one["value"] if isinstance(one, Mapping) else one)


def _newest(start: Position, records: int) -> Position:
    return (start[0], start[1] + max(records - SAMPLED, 0)) if isinstance(start, tuple) else start


def _read(reading: Reading, places: Mapping[str, Position], most: int) -> list[RawBatch]:
    """At most so many records of each partition from these places on; fewer if they do not come within ten seconds."""
    reading.assign([Assign(1, name, place, None) for name, place in places.items()])
    taken: dict[str, list[RawBatch]] = {name: [] for name in places}
    deadline = time.monotonic() + READ_S
    while (open_ones := [n for n, some in taken.items() if not _enough(some, most)]) and time.monotonic() < deadline:
        for raw in reading.poll(0.2, most * len(open_ones)):
            if isinstance(raw, RawBatch) and raw.partition in open_ones:
                taken[raw.partition].append(raw)
    return [raw for some in taken.values() for raw in some if raw.values]


def _enough(some: Sequence[RawBatch], most: int) -> bool:
    return sum(len(raw.values) for raw in some) >= most or bool(some and some[-1].at_end)


def _span(start: Position, records: int, first: RawBatch | None, newest: Sequence[RawBatch]) -> Span:
    last = [int(raw.arrival_ms[-1]) for raw in newest if first is not None and raw.partition == first.partition]
    return Span(start, records, None if first is None else int(first.arrival_ms[0]), last[-1] if last else None)
