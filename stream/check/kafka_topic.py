"""Findings about the permissions on a Kafka topic and about its settings.

Pure functions; ``sources/kafka.py`` requests the data from the broker.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from stream.check.findings import Finding, format_duration, format_size

SHORT_RETENTION_MS: Final = 6 * 3_600_000
"""A shorter retention is a warning: it leaves little time to repair the service."""
UNBOUNDED: Final = "-1"
"""The value that a broker reports for a retention without a limit."""


class TopicPermissions(NamedTuple):
    """The operations that are allowed on the topic and on the job's group, by Kafka's names.

    Without any, the topic is not visible. ``None``: the broker does not report them.
    """

    topic: Collection[str] | None
    group: Collection[str] | None

    @property
    def readable(self) -> bool:
        """False if it is certain that the topic cannot be read."""
        return self.topic is None or "READ" in self.topic


def acl(operation: str, kind: str, name: str, user: str) -> str:
    """Return the command that grants a permission; without a user it has a placeholder.

    >>> acl("Read", "topic", "events", "alice")
    'kafka-acls.sh --add --allow-principal User:alice --operation Read --topic events'
    """
    principal = shlex.quote(f"User:{user or 'NAME'}")
    return (
        f"kafka-acls.sh --add --allow-principal {principal} --operation {operation} --{kind}"
        f" {shlex.quote(name)}"
    )


def permission_findings(
    subject: str, topic: str, group: str, permissions: TopicPermissions, user: str
) -> list[Finding]:
    """Return a finding for each missing permission, or a single one if none is missing.

    Read includes Describe.
    """
    missing = [
        *_missing_on_topic(subject, topic, permissions, user),
        *_missing_on_group(subject, group, permissions, user),
    ]
    if missing or permissions.topic is None:
        return missing
    known = f"group {group} too" if permissions.group else f"unknown for group {group}"
    return [Finding(subject, f"permissions: the topic can be read, {known}")]


def _missing_on_topic(
    subject: str, topic: str, permissions: TopicPermissions, user: str
) -> list[Finding]:
    if permissions.readable:
        return []
    missing = "Read on the topic is missing"
    if not permissions.topic:
        missing = "Read and Describe on the topic are missing, or it does not exist"
    advice = acl("Read", "topic", topic, user)
    return [Finding(subject, f"permissions: {missing}", "fault", advice)]


def _missing_on_group(
    subject: str, group: str, permissions: TopicPermissions, user: str
) -> list[Finding]:
    if permissions.group is None or "READ" in permissions.group:
        return []
    missing = f"Read on the group {group} is missing"
    advice = acl("Read", "group", group, user)
    if permissions.group:
        effect = "its offsets are not published, lag tools show nothing"
        return [Finding(subject, f"permissions: {missing}: {effect}", "warning", advice)]
    return [Finding(subject, f"permissions: {missing}: the service would stop", "fault", advice)]


def config_findings(
    subject: str, configs: Mapping[str, str], uses_arrival: bool, grant: str
) -> list[Finding]:
    """Return findings about the settings of the topic.

    ``configs`` is empty if they may not be read; ``grant`` is the command that permits it.
    ``uses_arrival``: the arrival time is used as event time where an event has none.
    """
    if not configs:
        message = "settings unknown: timestamp type and retention may not be read"
        return [Finding(subject, message, "warning", grant)]
    findings = [_timestamps(subject, configs, uses_arrival)]
    policy = configs.get("cleanup.policy", "delete")
    if "compact" in policy:
        message = "compacted: older records of a key are removed"
        advice = "A service that lags behind loses events"
        findings.append(Finding(subject, message, "warning", advice))
    return [*findings, _retention(subject, configs)] if "delete" in policy else findings


def _timestamps(subject: str, configs: Mapping[str, str], uses_arrival: bool) -> Finding:
    if configs.get("message.timestamp.type") == "LogAppendTime":
        return Finding(subject, "timestamps: LogAppendTime, arrival is the broker's clock")
    message = "timestamps: CreateTime, arrival is the producer's clock"
    advice = (
        "A producer with a wrong clock hides what `tolerance` should find; LogAppendTime does not"
        " depend on producers"
    )
    return Finding(subject, message, "warning" if uses_arrival else "ok", advice)


def _retention(subject: str, configs: Mapping[str, str]) -> Finding:
    retention_ms = int(configs.get("retention.ms", UNBOUNDED))
    retention_bytes = int(configs.get("retention.bytes", UNBOUNDED))
    if retention_bytes >= 0:
        time_limit = f", at most {format_duration(retention_ms)}" if retention_ms >= 0 else ""
        message = f"retention: {format_size(retention_bytes)} per partition{time_limit}"
        advice = (
            "More traffic shortens the time that the service may be down: set retention.bytes=-1,"
            " or enough for an outage at peak load"
        )
        return Finding(subject, message, "warning", advice)
    if retention_ms < 0:
        return Finding(subject, "retention: no limit of time or size")
    message = f"retention: {format_duration(retention_ms)}; the service may be down for that long"
    if retention_ms < SHORT_RETENTION_MS:
        return Finding(subject, message, "warning", "Raise retention.ms")
    return Finding(subject, message)
