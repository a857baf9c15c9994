"""CloudWatch: what it will cost, and whether there are credentials."""

from __future__ import annotations

from sinks.aws import client
from sinks.cloudwatch import Cloudwatch
from stream.doctor.aws import who
from stream.doctor.bill import metrics_cost, puts_cost
from stream.doctor.findings import Finding, counted
from stream.doctor.setup import Setup

DEAR = 300.0
"""Dollars a month from which on it is worth a second look."""


def look(sink: Cloudwatch, setup: Setup) -> list[Finding]:
    """The bill of a month, and the account. Whether putting is allowed cannot be asked without doing it."""
    found = bill_finding(metrics_of(setup), setup.times.pane_ms, len(setup.config.models))
    return [found, who("cloudwatch", client("sts", sink.region, sink.endpoint_url), "cloudwatch:PutMetricData")]


def metrics_of(setup: Setup) -> int:
    """Metrics of one variant of each model: three a number, two a text."""
    return sum(3 if feature.numeric else 2 for one in setup.baselines.values() for feature in one.layout.features)


def bill_finding(metrics: int, every_ms: int, models: int) -> Finding:
    """What so many metrics cost, put at the end of each window."""
    cost = metrics_cost(metrics) + puts_cost(metrics, every_ms, models)
    what = f"{counted(metrics, 'metric')} a variant: about ${cost:,.2f} a month (list price of us-east-1)"
    dear = cost >= DEAR
    return Finding("cloudwatch", what, "warning" if dear else "ok", "Watch fewer features, or longer windows" if dear else "")
