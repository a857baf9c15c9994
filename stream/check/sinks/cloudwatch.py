"""CloudWatch: what it will cost, and whether there are credentials."""

from __future__ import annotations

from sinks.aws.client import client
from sinks.cloudwatch import Cloudwatch
from stream.check.aws import who
from stream.check.cloudwatch_cost import metrics_cost, puts_cost
from stream.check.findings import Finding, counted
from stream.check.setup import CheckContext, MonitoredFeatures

DEAR = 300.0
"""Dollars a month from which on it is worth a second look."""


def look(sink: Cloudwatch, setup: CheckContext) -> list[Finding]:
    """The bill of a month, and the account. Whether putting is allowed cannot be asked without
    doing it.
    """
    watched = setup.watched().values()
    learned = not any(one.unlearned for one in watched)
    found = bill_finding(sum(map(metrics_of, watched)), setup.times.every_ms, len(watched), learned)
    return [
        found,
        who(
            "cloudwatch", client("sts", sink.region, sink.endpoint_url), "cloudwatch:PutMetricData"
        ),
    ]


def metrics_of(watched: MonitoredFeatures) -> int:
    """Metrics of one variant of a model, at most: three a number, two a text; a column that is not
    learned yet may be a number.
    """
    return 3 * (watched.numbers + watched.unlearned) + 2 * watched.texts


def bill_finding(metrics: int, every_ms: int, models: int, learned: bool = True) -> Finding:
    """What so many metrics cost, put at the end of each window; ``learned``: all columns are known
    to be numbers or texts.
    """
    cost = metrics_cost(metrics) + puts_cost(metrics, every_ms, models)
    most = "" if learned else "at most "
    what = f"{most}{counted(metrics, 'metric')} a variant: {most or 'about '}${cost:,.2f} a month "
    what += "(the list price of us-east-1; other regions differ)"
    dear = cost >= DEAR
    return Finding(
        "cloudwatch",
        what,
        "warning" if dear else "ok",
        "Watch fewer features, or longer windows" if dear else "",
    )
