"""SNS: whether the topic is there."""

from __future__ import annotations

from sinks.aws.client import call, client
from sinks.errors import SinkRejected, SinkRetry
from sinks.sns import ARN, Sns
from stream.check.aws import aws_finding
from stream.check.findings import Finding
from stream.check.setup import CheckContext


def look(sink: Sns, setup: CheckContext) -> list[Finding]:  # noqa: ARG001  # all looks are called alike
    """Whether the topic exists. A role that may only publish cannot ask, and is no fault."""
    aws = client("sns", sink.region or ARN.sub(r"\1", sink.topic_arn), sink.endpoint_url)
    try:
        call(aws.get_topic_attributes, "Attributes", 0, {"TopicArn": sink.topic_arn})
    except (SinkRetry, SinkRejected) as error:
        if "NotFound" in error.reason:
            return [
                Finding(
                    "sns", "the topic does not exist", "fault", "Create it, or correct topic_arn"
                )
            ]
        advice = "Needed is sns:Publish; asking needs sns:GetTopicAttributes"
        unknown = Finding(
            "sns", f"not known whether the topic is there: {error.reason}", "warning", advice
        )
        return [aws_finding("sns", error.reason) or unknown]
    return [Finding("sns", "the topic is there")]
