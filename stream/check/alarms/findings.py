"""The findings about existing alarms: what changes for each, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from detectors.phrases import counted
from sinks.aws.client import client
from sinks.errors import ClientUnusable, SinkRejected, SinkRetry
from stream.check.alarms.listing import AlarmedMetric, alarmed_metrics
from stream.check.alarms.puts import SinkPuts, puts_of
from stream.check.alarms.verdicts import changes, concerns, is_about
from stream.check.aws import aws_finding
from stream.check.findings import Finding
from stream.config.model import Config

SUBJECT: Final = "alarms"
MAX_NAMED: Final = 5
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


def alarm_findings(
    config: Config, on_start: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """Yield a warning for each alarm whose meaning changes, and a line about all others.

    Alarms are listed once for each region and address of the sinks; nothing is changed.
    ``on_start`` is called with the place that is being listed. Raises ``ConfigError`` as
    ``driftline run`` does if a baseline cannot be used.
    """
    places: dict[tuple[str, str], list[SinkPuts]] = {}
    for sink, puts in puts_of(config):
        places.setdefault((sink.region, sink.endpoint_url), []).append(puts)
    if not places:
        message = "no sink of type cloudwatch: alarms on metrics of Model Monitor get no data"
        advice = "Add {type: cloudwatch, layout: sagemaker, endpoint: ..., schedule_name: ...}"
        yield Finding(SUBJECT, message, "warning", advice)
    for (region, url), of_place in places.items():
        on_start(f"{SUBJECT} {region}".strip())
        yield from _findings_of(region, url, of_place, config.rules.statistic)


def _findings_of(
    region: str, url: str, puts: Sequence[SinkPuts], statistic: str
) -> Iterator[Finding]:
    try:
        aws = client("cloudwatch", region, url)
        try:
            metrics = list(alarmed_metrics(aws))
        finally:
            aws.close()
    except ClientUnusable as error:
        yield Finding(SUBJECT, error.problem, "fault", error.advice)
    except (SinkRetry, SinkRejected) as error:
        yield _refusal(error.reason)
    else:
        yield from judged(metrics, puts, statistic)


def judged(
    metrics: Sequence[AlarmedMetric], puts: Sequence[SinkPuts], statistic: str
) -> Iterator[Finding]:
    """Yield the findings about the metrics that alarms watch.

    Alarms on other metrics, endpoints and schedules are counted only.
    """
    watched = [metric for metric in metrics if concerns(metric, puts)]
    own = [metric for metric in watched if is_about(metric, puts)]
    changed = set()
    for metric in own:
        for change in changes(metric, puts, statistic):
            changed.add(metric.alarm)
            subject = f"alarm {metric.alarm} on {metric.name}"
            yield Finding(subject, change.message, "warning", change.advice)
    kept = {metric.alarm for metric in own} - changed
    changing = f"{counted(len(changed), 'alarm')} {'changes' if len(changed) == 1 else 'change'}"
    keeping = "1 keeps its meaning" if len(kept) == 1 else f"{len(kept):,} keep their meaning"
    total = counted(len({metric.alarm for metric in metrics}), "alarm")
    yield Finding(SUBJECT, f"{changing}, {keeping}, of {total}")
    if others := [metric for metric in watched if not is_about(metric, puts)]:
        yield _of_others(others)


def _of_others(metrics: Sequence[AlarmedMetric]) -> Finding:
    """Say which endpoints and schedules other alarms are on, in case they are meant."""
    names = dict.fromkeys(
        ", ".join(f"{name}={value}" for name, value in metric.dimensions.items())
        for metric in metrics
    )
    shown = "; ".join([*names][:MAX_NAMED])
    more = f"; and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    count = counted(len({metric.alarm for metric in metrics}), "alarm")
    message = f"{count} of Model Monitor on other endpoints and schedules: {shown}{more}"
    return Finding(SUBJECT, f"{message}; if they are meant, set endpoint and schedule_name")


def _refusal(code: str) -> Finding:
    if code in DENIED:
        message = f"refused ({code}): the permission cloudwatch:DescribeAlarms is missing"
        return Finding(
            SUBJECT, message, "fault", "Grant it on * to list alarms; nothing is changed"
        )
    unknown = Finding(SUBJECT, f"could not be listed: {code}", "fault", "Check again")
    return aws_finding(SUBJECT, code) or unknown
