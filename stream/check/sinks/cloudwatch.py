"""Live check of CloudWatch: the estimated bill, and the account of the credentials."""

from __future__ import annotations

from typing import Final

from sinks.aws.client import client
from sinks.cloudwatch import Cloudwatch
from stream.check.aws import account_finding
from stream.check.cloudwatch_cost import metrics_cost, puts_cost
from stream.check.findings import Finding, counted
from stream.check.setup import CheckContext, MonitoredFeatures

EXPENSIVE: Final = 300.0
"""The cost in dollars per month from which on a finding is a warning."""


def live_check(sink: Cloudwatch, context: CheckContext) -> list[Finding]:
    """Estimate the monthly bill, and look up the account.

    The permission to put metrics cannot be checked without using it.
    """
    models = context.monitored().values()
    sts = client("sts", sink.region, sink.endpoint_url)
    return [
        bill_finding(
            sum(map(metric_count, models)),
            context.times.every_ms,
            len(models),
            learned=not any(model.unlearned for model in models),
        ),
        account_finding("cloudwatch", sts, "cloudwatch:PutMetricData"),
    ]


def metric_count(model: MonitoredFeatures) -> int:
    """Return the highest number of metrics of one variant of a model.

    Three for each number, two for each text; a column that is not learned yet may be a number.
    """
    return 3 * (model.numbers + model.unlearned) + 2 * model.texts


def bill_finding(metrics: int, every_ms: int, models: int, learned: bool = True) -> Finding:
    """Return the cost of metrics that are put at the end of each window.

    ``learned``: the type of every column is known; otherwise the numbers are upper limits.
    """
    cost = metrics_cost(metrics) + puts_cost(metrics, every_ms, models)
    most = "" if learned else "at most "
    message = (
        f"{most}{counted(metrics, 'metric')} per variant: {most or 'about '}${cost:,.2f} per month"
        " (list price of us-east-1; other regions differ)"
    )
    if cost < EXPENSIVE:
        return Finding("cloudwatch", message)
    return Finding("cloudwatch", message, "warning", "Monitor fewer features, or longer windows")
