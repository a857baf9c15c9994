"""Sink ``sns``: the retrain signal as a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar

import msgspec

from detectors.faults import Fault
from detectors.report import Signal, Violation, WindowReport
from sinks.aws.client import call, client, url_faults
from sinks.base import Delivery, Published, Sink

MOST_BYTES = 250_000
"""SNS takes 256 KB with all attributes."""
MOST_SUBJECT = 99
NO_WORD = re.compile(r"[^!-~]")
"""What SNS refuses in subjects (but for blanks) and in the names of groups."""
ARN = re.compile(r"^arn:[a-z-]+:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$")


class Sns(Sink, frozen=True, tag="sns"):
    """Publishes each signal to ``topic_arn`` as JSON (``driftline schema signal``), with attributes
    for filter policies.

    Attributes: ``model``, ``variant``, ``kind``, ``episode``, ``dedupe_id``, and of the worst
    reason (overwhelming first, then the largest ratio between value and limit) ``feature`` and
    ``check``. A FIFO topic gets the model as group and ``dedupe_id`` for deduplication. Of more
    than 250 KB of reasons the worst stay; ``omitted`` says how many do not.

    A repeat after a crash publishes the same message with the same ``dedupe_id`` again: a FIFO
    topic drops it within five minutes, subscribers of other topics must. Needs ``sns:Publish`` on
    the topic and nothing more.
    """

    takes: ClassVar = (Signal,)

    topic_arn: str
    """The topic that signals are published to."""
    region: str = ""
    """The AWS region; empty: that of the ARN."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""

    def check(self) -> list[Fault]:
        """Check the form of ARN and address, and that ``region`` is the region of the ARN."""
        faults, arn = [], ARN.match(self.topic_arn)
        if not arn:
            faults.append(Fault("topic_arn", f"{self.topic_arn!r} is not the ARN of an SNS topic"))
        elif self.region not in ("", arn[1]):
            faults.append(Fault("region", f"the topic is in {arn[1]}, not in {self.region}"))
        return faults + url_faults(self.endpoint_url)

    def open(self, job: str) -> Delivery:
        """The client is made here; nothing is sent. Without ``region`` the topic's own serves."""
        region = self.region or ARN.sub(r"\1", self.topic_arn)
        return SnsDelivery(self.topic_arn, client("sns", region, self.endpoint_url))


class SnsDelivery:
    """The running half; ``aws`` is an SNS client."""

    def __init__(self, topic_arn: str, aws: Any) -> None:
        self._topic, self._aws = topic_arn, aws

    def deliver(self, items: Sequence[Published]) -> None:
        """Publish signals one by one, in order."""
        for k, item in enumerate(items):
            if isinstance(item, Signal):
                call(self._aws.publish, "MessageId", k, self.message(item))

    def message(self, signal: Signal) -> dict[str, Any]:
        """The arguments of ``Publish``."""
        texts = {
            "model": signal.model,
            "variant": signal.variant,
            "kind": signal.kind,
            "episode": signal.episode,
        }
        texts["dedupe_id"] = signal.dedupe_id
        if signal.reasons:
            worst = worst_first(signal.reasons)[0]
            texts |= {"feature": worst.feature, "check": worst.check}
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in texts.items()
            if value
        }
        out = {
            "TopicArn": self._topic,
            "Subject": f"driftline: {NO_WORD.sub('_', signal.model)} {signal.kind}"[:MOST_SUBJECT],
            "Message": body(signal),
            "MessageAttributes": attributes,
        }
        if self._topic.endswith(".fifo"):
            out |= {
                "MessageGroupId": NO_WORD.sub("_", signal.model)[:128],
                "MessageDeduplicationId": signal.dedupe_id,
            }
        return out

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Nothing to rebuild."""

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()


def worst_first(reasons: Sequence[Violation]) -> list[Violation]:
    """Reasons by weight: overwhelming ones first, then by how many times the value lies above or
    below its limit.
    """
    return sorted(reasons, key=lambda reason: (reason.overwhelming, _times(reason)), reverse=True)


def _times(reason: Violation) -> float:
    high, low = max(reason.value, reason.limit), min(reason.value, reason.limit)
    return high / low if low > 0 else inf


def body(signal: Signal) -> str:
    """The signal as JSON with ``omitted``, the number of reasons that did not fit."""
    reasons = list(signal.reasons)
    while True:
        fields = {
            **msgspec.to_builtins(signal),
            "reasons": msgspec.to_builtins(reasons),
            "omitted": len(signal.reasons) - len(reasons),
        }
        text = msgspec.json.encode(fields)
        if len(text) <= MOST_BYTES or not reasons:
            return text.decode()
        reasons = worst_first(signal.reasons)[: len(reasons) * MOST_BYTES // (len(text) + 1)]
