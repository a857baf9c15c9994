"""Live check of CloudWatch: the estimated bill, and the account of the credentials."""

from __future__ import annotations

from typing import Final

from sinks.aws.client import client
from sinks.cloudwatch import Cloudwatch
from sinks.cloudwatch_quality import CloudwatchQuality
from stream.check.aws import account_finding
from stream.check.cloudwatch_bill import Bill, bill_of
from stream.check.findings import Finding
from stream.check.setup import CheckContext

EXPENSIVE: Final = 300.0
"""The cost in dollars per month from which on a finding is a warning."""


def live_check(sink: Cloudwatch | CloudwatchQuality, context: CheckContext) -> list[Finding]:
    """Estimate the monthly bill, and look up the account.

    The permission to put metrics cannot be checked without using it.
    """
    subject = "cloudwatch" if isinstance(sink, Cloudwatch) else "cloudwatch_quality"
    bill = bill_of(sink, context.config, context.baselines, context.times.every_ms)
    sts = client("sts", sink.region, sink.endpoint_url)
    return [
        bill_finding(subject, bill),
        account_finding(subject, sts, "cloudwatch:PutMetricData"),
    ]


def bill_finding(subject: str, bill: Bill) -> Finding:
    """Return the cost of the metrics; one that is high is a warning."""
    if bill.most_cost < EXPENSIVE:
        return Finding(subject, bill.text())
    advice = "Choose features (features: {worst: 20}), or set longer windows or schedules"
    return Finding(subject, bill.text(), "warning", advice)
