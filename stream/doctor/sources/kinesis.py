"""A Kinesis stream: how long it keeps records, its shards, and the newest records in each."""

from __future__ import annotations

import time
from typing import Final

from sinks.aws import call, client
from sinks.errors import SinkRejected, SinkRetry
from stream.doctor.disorder import disorder, disorder_finding, skew_finding
from stream.doctor.findings import Finding, counted, told_ms
from stream.doctor.sample import decode, sample_findings
from stream.doctor.setup import Setup
from stream.events import Assign, RawBatch
from stream.sources.kinesis import Kinesis

LOOKED_S: Final = 5.0
SAMPLED: Final = 500
LAST_MS: Final = 60_000
"""Records of the last minute are looked at."""
HOUR_MS: Final = 3_600_000


def look(source: Kinesis, setup: Setup) -> list[Finding]:
    """Findings about the stream; raises ``SourceUnavailable`` as ``driftline run`` would."""
    where = f"stream {source.stream or source.stream_arn}"
    reading = source.open(setup.config.job)
    try:
        found = [one for one in reading.discover() if not one.parents]
        since = ("AT_TIMESTAMP", int(time.time() * 1000) - LAST_MS)
        reading.assign([Assign(1, one.partition, since, None) for one in found])
        deadline, raws = time.monotonic() + LOOKED_S, list[RawBatch]()
        while time.monotonic() < deadline and sum(len(raw.values) for raw in raws) < SAMPLED:
            raws += [raw for raw in reading.poll(0.2, SAMPLED) if isinstance(raw, RawBatch) and raw.values]
    finally:
        reading.close()
    sample = decode(setup, raws)
    return [
        _kept(where, source),
        Finding(where, f"{counted(len(found), 'shard')} for {counted(setup.config.readers, 'reader')}"),
        *sample_findings(where, sample, list(setup.config.models), setup.times.tolerance_ms),
        disorder_finding(where, disorder(list(sample.times_ms.values()), setup.times), setup.times),
        skew_finding(where, sample.newest_ms, setup.times, setup.idle_ms),
    ]


def _kept(where: str, source: Kinesis) -> Finding:
    aws = client("kinesis", source.region, source.endpoint_url)
    named = {"StreamARN": source.stream_arn} if source.stream_arn else {"StreamName": source.stream}
    try:
        summary = call(aws.describe_stream_summary, "StreamDescriptionSummary", 0, named)["StreamDescriptionSummary"]
    except (SinkRetry, SinkRejected) as error:
        return Finding(where, f"retention not known: {error.reason}", "warning", "Allow kinesis:DescribeStreamSummary")
    return Finding(where, f"retention: {told_ms(summary['RetentionPeriodHours'] * HOUR_MS)}, so long the service may be down")
