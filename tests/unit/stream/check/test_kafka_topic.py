"""Findings about the permissions and settings of a Kafka topic."""

from __future__ import annotations

import pytest

from stream.check.findings import Finding
from stream.check.kafka_topic import TopicPermissions, config_findings, permission_findings
from stream.check.sources.kafka import OffsetRange, position_findings, range_findings


def permissions(topic: tuple[str, ...] | None, group: tuple[str, ...] | None) -> list[Finding]:
    return permission_findings(
        subject="topic t",
        topic="t",
        group="g",
        permissions=TopicPermissions(topic, group),
        user="alice",
    )


@pytest.mark.parametrize(
    ("topic", "group", "levels", "message"),
    [
        (("READ",), ("READ",), ["ok"], "permissions: the topic can be read, group g too"),
        (("READ",), None, ["ok"], "permissions: the topic can be read, unknown for group g"),
        (None, None, [], ""),
        (("DESCRIBE",), ("READ",), ["fault"], "permissions: Read on the topic is missing"),
        ((), ("READ",), ["fault"], "Read and Describe on the topic are missing, or it does not"),
        (("READ",), ("DESCRIBE",), ["warning"], "Read on the group g is missing: its offsets"),
        (("READ",), (), ["fault"], "Read on the group g is missing: the service would stop"),
        ((), (), ["fault", "fault"], "Read and Describe on the topic"),
    ],
)
def test_missing_permissions_are_reported(
    topic: tuple[str, ...] | None, group: tuple[str, ...] | None, levels: list[str], message: str
) -> None:
    findings = permissions(topic, group)
    assert [finding.level for finding in findings] == levels
    assert message in "".join(finding.message for finding in findings)
    assert all("kafka-acls.sh" in finding.advice for finding in findings if finding.level != "ok")


def test_unreadable_settings_are_a_warning_with_the_command_that_permits_reading() -> None:
    [finding] = config_findings("topic t", {}, False, "grant it")
    assert (finding.level, finding.advice) == ("warning", "grant it")


@pytest.mark.parametrize(
    ("kind", "uses_arrival", "level"),
    [
        ("LogAppendTime", True, "ok"),
        ("CreateTime", False, "ok"),
        ("CreateTime", True, "warning"),
    ],
)
def test_timestamps_of_producers_are_a_warning_if_arrival_is_used(
    kind: str, uses_arrival: bool, level: str
) -> None:
    settings = {"message.timestamp.type": kind}
    timestamps, _ = config_findings("topic t", settings, uses_arrival, "")
    assert timestamps.message.startswith(f"timestamps: {kind}")
    assert timestamps.level == level


@pytest.mark.parametrize(
    ("settings", "message", "level"),
    [
        ({"retention.ms": "-1"}, "retention: no limit of time or size", "ok"),
        ({"retention.ms": "86400000"}, "retention: 1 d; the service may be down", "ok"),
        ({"retention.ms": "3600000"}, "retention: 1 h; the service may be down", "warning"),
        ({"retention.bytes": "1048576"}, "retention: 1.0 MB per partition", "warning"),
        (
            {"retention.ms": "86400000", "retention.bytes": "1073741824"},
            "retention: 1.0 GB per partition, at most 1 d",
            "warning",
        ),
        ({"cleanup.policy": "compact"}, "compacted: older records of a key", "warning"),
    ],
)
def test_retention_is_compared_with_an_outage(
    settings: dict[str, str], message: str, level: str
) -> None:
    *_, finding = config_findings("topic t", settings, False, "")
    assert finding.message.startswith(message)
    assert finding.level == level


def test_the_log_is_described_by_its_partitions_and_its_oldest_record() -> None:
    ranges = {
        "0": OffsetRange(("id", 0), 300, 1_000),
        "1": OffsetRange(("id", 0), 50, 14_000),
        "2": OffsetRange(("id", 0), 0, None),
    }
    partitions, held = range_findings("topic t", ranges, readers=4, now_ms=100_000)
    assert (partitions.message, partitions.level) == ("3 partitions for 4 readers", "warning")
    assert held.message == (
        "holds 350 offsets; oldest record in the shortest partition: 1 min 26 s ago"
    )


def test_a_position_that_the_log_no_longer_has_is_a_gap() -> None:
    ranges = {"0": OffsetRange(("id", 100), 50, 0), "1": OffsetRange(("id", 0), 10, 0)}
    stored = {"0": ("id", 20), "1": ("id", 4)}
    [gap] = position_findings("topic t", ranges, stored, {"0": 130, "1": 6})
    assert (gap.message, gap.level) == ("position of 0 is no longer in the log", "fault")
    [position] = position_findings("topic t", ranges, {"1": ("id", 4)}, {"1": 6})
    assert position.message == "position of this job: 6 offsets to read"
    assert position_findings("topic t", ranges, {}, {}) == []
