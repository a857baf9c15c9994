"""Live check of SNS: whether the topic exists."""

from __future__ import annotations

from sinks.aws.client import call, client
from sinks.errors import SinkRejected, SinkRetry
from sinks.sns import ARN, Sns
from stream.check.aws import aws_finding
from stream.check.findings import Finding
from stream.check.setup import CheckContext


def live_check(sink: Sns, context: CheckContext) -> list[Finding]:  # noqa: ARG001  # all live checks have one signature
    """Check that the topic exists; missing permission for this check is not a fault."""
    aws = client("sns", sink.region or ARN.sub(r"\1", sink.topic_arn), sink.endpoint_url)
    try:
        call(aws.get_topic_attributes, "Attributes", 0, {"TopicArn": sink.topic_arn})
    except (SinkRetry, SinkRejected) as error:
        return [_refusal(error.reason)]
    return [Finding("sns", "the topic exists")]


def _refusal(reason: str) -> Finding:
    if "NotFound" in reason:
        advice = "Create it, or correct topic_arn"
        return Finding("sns", "the topic does not exist", "fault", advice)
    advice = "The sink needs sns:Publish; this check needs sns:GetTopicAttributes"
    message = f"whether the topic exists is unknown: {reason}"
    return aws_finding("sns", reason) or Finding("sns", message, "warning", advice)
