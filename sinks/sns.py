"""Sink ``sns``: publishes signals as messages of Amazon SNS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar

import msgspec

from detectors.diagnosis.shared_cause import ACTION_WORDS
from detectors.faults import Fault
from detectors.p_values import is_p_value, nearness
from detectors.quality_report import QualityEvidence
from detectors.report import Signal, SignalledFeature
from detectors.violation import Violation
from sinks.aws.client import call, client, url_faults
from sinks.aws.signal_text import quality_text
from sinks.base import Delivery, Published, Sink

MAX_BYTES = 250_000
"""SNS accepts 256 KB, which includes all attributes."""
MAX_SUBJECT = 99
CAUSES = 3
"""The largest number of causes in the text of a signal."""
MAX_GROUP = 128
FORBIDDEN = re.compile(r"[^!-~]")
"""Characters that SNS refuses in subjects (where spaces are allowed) and in message group ids."""
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that SNS refuses in attributes."""
ARN = re.compile(r"^arn:[a-z-]+:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$")


class Sns(Sink, frozen=True, tag="sns"):
    """Publishes each signal to ``topic_arn`` as JSON, with attributes for filter policies.

    The JSON is described by ``driftline schema signal``. Attributes: ``model``, ``variant``,
    ``kind``, ``episode``, ``dedupe_id``, and of the worst reason (overwhelming first, then the
    largest ratio between value and limit) ``feature`` and ``check``; ``early`` is ``true`` for a
    signal that was raised inside of an open window. A FIFO topic gets the model as
    message group and ``dedupe_id`` as deduplication id. If the message exceeds 250 KB, the worst
    reasons are kept, with the figures of their features; ``omitted`` is the number of the others.
    A signal about the quality of a model says so in its subject, and has ``text``: its metrics,
    intervals, limits, baselines, coverage and confusion matrices as lines for people. Confusion
    matrices that do not fit are left out.

    A repeat after a crash publishes the same message with the same ``dedupe_id`` again. A FIFO
    topic drops a repeat within five minutes; subscribers of other topics must drop it themselves.
    Needs the permission ``sns:Publish`` on the topic and nothing else.
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
        faults = []
        arn = ARN.match(self.topic_arn)
        if not arn:
            faults.append(Fault("topic_arn", f"{self.topic_arn!r} is not the ARN of an SNS topic"))
        elif self.region not in ("", arn[1]):
            faults.append(Fault("region", f"the topic is in {arn[1]}, not in {self.region}"))
        return faults + url_faults(self.endpoint_url)

    def open(self, job: str) -> Delivery:
        """Create the client, in the topic's region if ``region`` is empty; nothing is sent."""
        region = self.region or ARN.sub(r"\1", self.topic_arn)
        return SnsDelivery(self.topic_arn, client("sns", region, self.endpoint_url))


class SnsDelivery(Delivery):
    """The running half; ``aws`` is an SNS client."""

    def __init__(self, topic_arn: str, aws: Any) -> None:
        self._topic = topic_arn
        self._aws = aws

    def deliver(self, items: Sequence[Published]) -> None:
        """Publish signals one by one, in order."""
        for k, item in enumerate(items):
            if isinstance(item, Signal):
                call(self._aws.publish, "MessageId", k, self.message(item))

    def message(self, signal: Signal) -> dict[str, Any]:
        """Return the arguments of ``Publish``."""
        model = FORBIDDEN.sub("_", signal.model)
        arguments = {
            "TopicArn": self._topic,
            "Subject": _subject(model, signal),
            "Message": body(signal),
            "MessageAttributes": attributes(signal),
        }
        if self._topic.endswith(".fifo"):
            arguments |= {
                "MessageGroupId": model[:MAX_GROUP],
                "MessageDeduplicationId": signal.dedupe_id,
            }
        return arguments

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()


def _subject(model: str, signal: Signal) -> str:
    """The subject: the end of a long name is left out, and not what happened."""
    what = f"{'quality ' if signal.quality else ''}{signal.kind}{' early' if signal.early else ''}"
    return f"driftline: {model[: MAX_SUBJECT - len('driftline:  ') - len(what)]} {what}"


def attributes(signal: Signal) -> dict[str, dict[str, str]]:
    """Return the message attributes that filter policies may use; none of them is empty.

    A character that SNS refuses there, such as a control character in a name, becomes ``_``.
    """
    texts = {
        "model": signal.model,
        "variant": signal.variant,
        "kind": signal.kind,
        "episode": signal.episode,
        "dedupe_id": signal.dedupe_id,
        "early": "true" if signal.early else "",
    }
    if signal.reasons:
        worst = worst_first(signal.reasons)[0]
        texts |= {"feature": worst.feature, "check": worst.check, "action": signal.action}
    return {
        name: {"DataType": "String", "StringValue": NOT_XML.sub("_", text)}
        for name, text in texts.items()
        if text
    }


def worst_first(reasons: Sequence[Violation]) -> list[Violation]:
    """Sort reasons by weight: overwhelming ones first, then by the ratio of value and limit.

    The ratio is that of the larger to the smaller one; of a p-value that of the logarithms.
    """
    return sorted(reasons, key=lambda reason: (reason.overwhelming, _ratio(reason)), reverse=True)


def _ratio(reason: Violation) -> float:
    if is_p_value(reason.statistic):
        return nearness(reason.statistic, reason.value, reason.limit)
    high, low = max(reason.value, reason.limit), min(reason.value, reason.limit)
    return high / low if low > 0 else inf


def body(signal: Signal) -> str:
    """Return the signal as JSON with ``omitted``, the number of reasons that did not fit.

    The confusion matrices, and then the numbers of features that no reason is about, are the first
    to be left out.
    """
    reasons, figures = list(signal.reasons), list(signal.figures)
    text = _encoded(signal, reasons, figures)
    if len(text) > MAX_BYTES and signal.quality is not None:
        signal = msgspec.structs.replace(signal, quality=_without_matrices(signal.quality))
        text = _encoded(signal, reasons, figures)
    while len(text) > MAX_BYTES and (reasons or figures):
        if not _without_reason(figures, reasons):
            reasons = worst_first(signal.reasons)[: len(reasons) * MAX_BYTES // (len(text) + 1)]
        others = _without_reason(figures, reasons)
        figures = [feature for feature in figures if feature.name not in others]
        text = _encoded(signal, reasons, figures)
    return text.decode()


def _text(signal: Signal) -> dict[str, str]:
    """What people read first: of a quality signal its metrics, of others the causes if any."""
    if signal.quality is not None:
        return {"text": quality_text(signal, signal.quality)}
    if not signal.causes or signal.kind == "recovered":
        return {}
    causes = "; ".join(cause.words for cause in signal.causes[:CAUSES])
    return {"text": f"{causes}. What to do: {ACTION_WORDS[signal.action]}."}


def _encoded(
    signal: Signal, reasons: Sequence[Violation], figures: Sequence[SignalledFeature]
) -> bytes:
    """The signal with these reasons and figures; ``text`` comes first, where people see it."""
    fields = {
        **_text(signal),
        **msgspec.to_builtins(signal),
        "reasons": msgspec.to_builtins(reasons),
        "figures": msgspec.to_builtins(figures),
        "omitted": len(signal.reasons) - len(reasons),
    }
    return msgspec.json.encode(fields)


def _without_matrices(quality: QualityEvidence) -> QualityEvidence:
    return msgspec.structs.replace(quality, confusion_before={}, confusion_after={})


def _without_reason(
    figures: Sequence[SignalledFeature], reasons: Sequence[Violation]
) -> frozenset[str]:
    """The names of the features that no reason is about."""
    named = {reason.feature for reason in reasons}
    return frozenset(feature.name for feature in figures if feature.name not in named)
