"""What rights on a Kafka topic and its settings mean for a job. Pure: ``sources/kafka.py`` asks for
them.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from stream.check.findings import Finding, told_bytes, told_ms

SHORT_MS: Final = 6 * 3_600_000
"""A log that keeps records for less than this leaves little time to repair a service at night."""


class TopicPermissions(NamedTuple):
    """The operations that are allowed on the topic and on the job's group, in Kafka's words: none
    means not even to look at it, ``None`` that the broker does not say.
    """

    topic: Collection[str] | None
    group: Collection[str] | None

    @property
    def readable(self) -> bool:
        """False if the topic surely cannot be read."""
        return self.topic is None or "READ" in self.topic


def acl(operation: str, kind: str, name: str, user: str) -> str:
    """The command that allows something; without a user it says where one belongs.

    >>> acl("Read", "topic", "events", "alice")
    'kafka-acls.sh --add --allow-principal User:alice --operation Read --topic events'
    """
    principal = shlex.quote(f"User:{user or 'NAME'}")
    return (
        f"kafka-acls.sh --add --allow-principal {principal} --operation {operation} --{kind}"
        f" {shlex.quote(name)}"
    )


def rights_findings(
    where: str, topic: str, group: str, rights: TopicPermissions, user: str
) -> list[Finding]:
    """A finding for each right that is missing; one in all if none is. (Read includes Describe.)"""
    out = []
    if not rights.readable:
        missing = (
            "Read on the topic is missing"
            if rights.topic
            else "Read and Describe on the topic are missing, or it does not exist"
        )
        out.append(Finding(where, f"rights: {missing}", "fault", acl("Read", "topic", topic, user)))
    if rights.group is not None and "READ" not in rights.group:
        what = f"rights: Read on the group {group} is missing"
        what += (
            ": its offsets are not published, lag tools see nothing"
            if rights.group
            else ": the service would end"
        )
        out.append(
            Finding(
                where,
                what,
                "warning" if rights.group else "fault",
                acl("Read", "group", group, user),
            )
        )
    if not out and rights.topic is not None:
        known = (
            f"the group {group} too"
            if rights.group
            else f"whether the group {group} may is not known"
        )
        return [Finding(where, f"rights: the topic may be read, {known}")]
    return out


def config_findings(
    where: str, configs: Mapping[str, str], uses_arrival: bool, allow: str
) -> list[Finding]:
    """What the topic's settings mean. None at all: they may not be asked for, and ``allow`` is what
    allows it.
    """
    if not configs:
        return [
            Finding(
                where,
                "settings not known: kind of time and retention may not be asked for",
                "warning",
                allow,
            )
        ]
    broker = configs.get("message.timestamp.type") == "LogAppendTime"
    what = (
        "time: LogAppendTime, arrival is the broker's clock"
        if broker
        else "time: CreateTime, arrival is the producer's clock"
    )
    advice = (
        ""
        if broker
        else (
            "One wrong clock of a producer hides what `tolerance` should find; LogAppendTime does"
            " not depend on them"
        )
    )
    out = [Finding(where, what, "ok" if broker or not uses_arrival else "warning", advice)]
    policy = configs.get("cleanup.policy", "delete")
    if "compact" in policy:
        out.append(
            Finding(
                where,
                "compacted: older records of a key vanish",
                "warning",
                "Events are lost to a service that is behind",
            )
        )
    return [*out, _retention(where, configs)] if "delete" in policy else out


def _retention(where: str, configs: Mapping[str, str]) -> Finding:
    kept_ms, kept_bytes = (
        int(configs.get("retention.ms", "-1")),
        int(configs.get("retention.bytes", "-1")),
    )
    if kept_bytes >= 0:
        what = f"retention: {told_bytes(kept_bytes)} a partition" + (
            f", and at most {told_ms(kept_ms)}" if kept_ms >= 0 else ""
        )
        advice = (
            "More traffic shortens the time that the service may be down: retention.bytes=-1, or"
            " enough for an outage at peak"
        )
        return Finding(where, what, "warning", advice)
    if kept_ms < 0:
        return Finding(where, "retention: no limit of time or size")
    short = kept_ms < SHORT_MS
    what, advice = (
        f"retention: {told_ms(kept_ms)}; the service may be down for that long",
        "Raise retention.ms" if short else "",
    )
    return Finding(where, what, "warning" if short else "ok", advice)
