"""The metric alarms of an account, as CloudWatch lists them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sinks.aws.client import call
from sinks.errors import SinkRetry

TRIES: Final = 5
"""How often a page is asked for while CloudWatch throttles."""


class AlarmedMetric(NamedTuple):
    """A metric that an alarm watches, and how.

    ``threshold`` is ``None`` in an alarm on an expression, whose threshold is not one of the
    metric. ``missing`` is its treatment of missing data.
    """

    alarm: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str
    period_s: int
    missing: str = "missing"
    threshold: float | None = None
    operator: str = ""


def alarmed_metrics(
    aws: Any, pause: Callable[[float], None] = time.sleep
) -> Iterator[AlarmedMetric]:
    """Yield the metrics of all metric alarms; ``aws`` is a CloudWatch client.

    Needs the permission ``cloudwatch:DescribeAlarms``. Raises :class:`~sinks.errors.SinkRetry` with
    the code of the error, after a few tries while CloudWatch throttles.
    """
    arguments: dict[str, Any] = {"AlarmTypes": ["MetricAlarm"], "MaxRecords": 100}
    while True:
        page = _page(aws, arguments, pause)
        for alarm in page.get("MetricAlarms", []):
            yield from metrics_of_alarm(alarm)
        if not page.get("NextToken"):
            return
        arguments["NextToken"] = page["NextToken"]


def metrics_of_alarm(alarm: Mapping[str, Any]) -> Iterator[AlarmedMetric]:
    """Yield the metrics of one alarm: its own, or those of its expression."""
    name, missing = alarm["AlarmName"], alarm.get("TreatMissingData") or "missing"
    operator = alarm.get("ComparisonOperator", "")
    if alarm.get("MetricName"):
        statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic") or "Average"
        yield AlarmedMetric(
            alarm=name,
            namespace=alarm["Namespace"],
            name=alarm["MetricName"],
            dimensions=_dimensions(alarm),
            statistic=statistic,
            period_s=alarm.get("Period", 60),
            missing=missing,
            threshold=alarm.get("Threshold"),
            operator=operator,
        )
    for query in alarm.get("Metrics", []):
        if part := query.get("MetricStat"):
            yield AlarmedMetric(
                alarm=name,
                namespace=part["Metric"].get("Namespace", ""),
                name=part["Metric"].get("MetricName", ""),
                dimensions=_dimensions(part["Metric"]),
                statistic=part["Stat"],
                period_s=part["Period"],
                missing=missing,
                operator=operator,
            )


def _dimensions(metric: Mapping[str, Any]) -> dict[str, str]:
    return {entry["Name"]: entry["Value"] for entry in metric.get("Dimensions", [])}


def _page(aws: Any, arguments: Mapping[str, Any], pause: Callable[[float], None]) -> Any:
    for tried in range(TRIES):
        try:
            return call(aws.describe_alarms, "ResponseMetadata", 0, arguments)
        except SinkRetry as error:
            if not error.after_s or tried == TRIES - 1:
                raise
            pause(2.0**tried)
    raise AssertionError
