"""Live check of the sink S3: whether the bucket exists, and what its requests cost."""

from __future__ import annotations

from typing import Final

from detectors.durations import duration_ms
from sinks.aws.client import call, client
from sinks.aws.object_names import folder
from sinks.errors import SinkRejected, SinkRetry
from sinks.s3 import PUTS_A_MINUTE, S3
from stream.check.aws import aws_finding
from stream.check.findings import Finding
from stream.check.setup import CheckContext

PUT_PER_1000: Final = 0.005
"""Dollars for 1,000 calls of PutObject, by the public price of us-east-1 (November 2026)."""
MONTH_MS: Final = 30 * 86_400_000
FILES: Final = 4
"""The files of a run."""


def live_check(sink: S3, context: CheckContext) -> list[Finding]:
    """Check that the bucket exists, and estimate the cost of its requests; nothing is put.

    One key below the prefix is asked for, so that a permission for this prefix alone is enough.
    """
    aws = client("s3", sink.region, sink.endpoint_url)
    subject = f"s3 s3://{sink.bucket}/{folder(sink.prefix)}"
    listing = {"Bucket": sink.bucket, "Prefix": folder(sink.prefix), "MaxKeys": 1}
    try:
        call(aws.list_objects_v2, "KeyCount", 0, listing)
    except (SinkRetry, SinkRejected) as error:
        found = _refusal(subject, error.reason)
    else:
        key = ", nor the use of the key" if sink.kms_key_id else ""
        message = f"the bucket exists; s3:PutObject cannot be checked without using it{key}"
        found = Finding(subject, message)
    finally:
        aws.close()
    models = max(len(context.monitored()), 1)
    return [found, cost_finding(sink, subject, context.times.every_ms, models)]


def cost_finding(sink: S3, subject: str, every_ms: int, models: int) -> Finding:
    """Return the monthly cost of the requests for one variant of each model.

    Windows that end together are one request; deliveries are at most ten a minute.
    """
    deliveries = min(MONTH_MS / every_ms, PUTS_A_MINUTE * MONTH_MS / 60_000)
    puts = deliveries if sink.lines else 0.0
    if sink.schedule is not None:
        runs = models * MONTH_MS / duration_ms(sink.schedule)
        puts += runs * ((FILES if sink.layout == "sagemaker" else 0) + sink.lines)
    cost = puts / 1000 * PUT_PER_1000
    message = (
        f"about {puts:,.0f} requests a month: ${cost:,.2f} (list price of us-east-1, without"
        " storage)"
    )
    return Finding(subject, message)


def _refusal(subject: str, code: str) -> Finding:
    if code == "NoSuchBucket":
        return Finding(subject, "the bucket does not exist", "fault", "Create it, or correct it")
    if code in ("301", "PermanentRedirect", "AuthorizationHeaderMalformed"):
        advice = "Set region to that of the bucket"
        return Finding(subject, f"the bucket is in another region ({code})", "fault", advice)
    message = f"whether the bucket exists is unknown: {code}"
    advice = "The sink needs s3:PutObject; this check needs s3:ListBucket"
    return aws_finding(subject, code) or Finding(subject, message, "warning", advice)
