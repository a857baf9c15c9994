"""The message of a signal, and the faults that check() reports without network."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from detectors.report import Signal
from detectors.violation import SharedCause
from sinks.sns import Sns, SnsDelivery, body, worst_first
from stream.testing.quality_reports import quality_signal
from stream.testing.reports import signal, signalled, violation

TOPIC = "arn:aws:sns:eu-west-1:123456789012:retrain"
MAX_BYTES = 256 * 1024
LEGAL_GROUP = re.compile(r"[!-~]{1,128}")
"""Characters that SNS accepts in a group: letters, digits, punctuation."""


def message(item: Signal, topic: str = TOPIC) -> dict[str, Any]:
    return SnsDelivery(topic, None).message(item)


def attributes(item: Signal) -> dict[str, str]:
    return {
        name: value["StringValue"] for name, value in message(item)["MessageAttributes"].items()
    }


def size(sent: dict[str, Any]) -> int:
    """Bytes as SNS counts them: the body and each attribute's name, type and value."""
    parts = [
        part
        for name, value in sent["MessageAttributes"].items()
        for part in (name, value["DataType"], value["StringValue"])
    ]
    return sum(len(part.encode()) for part in [sent["Message"], *parts])


def test_the_body_is_the_signal() -> None:
    item = signal()
    text = message(item)["Message"]
    assert msgspec.json.decode(text, type=Signal) == item
    assert json.loads(text)["omitted"] == 0


@pytest.mark.parametrize("character", ["\x00", "\x1f", "\x0b", "\ufffe"])
def test_no_attribute_has_a_character_that_sns_refuses(character: str) -> None:
    odd = f"a{character}b"
    sent = attributes(signal(model=odd, variant=odd, reasons=(violation(odd),)))
    assert sent["model"] == sent["variant"] == sent["feature"] == "a_b"
    assert attributes(signal(variant="größe\t\U0001d11e"))["variant"] == "größe\t\U0001d11e"


def test_the_attributes_serve_filter_policies() -> None:
    assert attributes(signal(3, "worsened")) == {
        "model": "flights",
        "variant": "AllTraffic",
        "kind": "worsened",
        "episode": "e3",
        "dedupe_id": "d3-worsened",
        "feature": "amount",
        "check": "baseline_drift_check",
        "action": "look",
    }


def test_people_read_the_causes_and_what_to_do_first() -> None:
    null = SharedCause(
        name="null_burst",
        words="2 columns: all values are null: a, b",
        action="repair_pipeline",
        count=2,
        features=("a", "b"),
    )
    text = message(signal(causes=(null,), action="repair_pipeline"))["Message"]
    told = "2 columns: all values are null: a, b. What to do: repair the pipeline."
    assert text.startswith(json.dumps({"text": told}, separators=(",", ":"))[:-1])
    assert "text" not in json.loads(message(signal())["Message"])


def test_the_worst_reason_names_feature_and_check() -> None:
    mild = violation("mild", value=0.11)
    strong = violation("strong", value=0.9)
    empty = violation("empty", check="completeness_check", value=0.05, limit=0.95)
    broken = violation("broken", value=0.2, overwhelming=True)
    lost = violation("lost", check="completeness_check", value=0.0, limit=0.95)
    names = [reason.feature for reason in worst_first([mild, strong, empty, broken, lost])]
    assert names == ["broken", "lost", "empty", "strong", "mild"]
    assert attributes(signal(reasons=(mild, strong)))["feature"] == "strong"


def test_an_early_signal_says_so() -> None:
    early = signal(early=True)
    assert attributes(early)["early"] == "true"
    assert message(early)["Subject"] == "driftline: flights opened early"


def test_a_signal_without_reasons_has_no_attributes_about_them() -> None:
    assert attributes(signal(reasons=())).keys() == {
        "model",
        "variant",
        "kind",
        "episode",
        "dedupe_id",
    }


def test_a_message_is_never_too_large_for_its_numbers_and_keeps_those_of_its_reasons() -> None:
    names = [f"feature_{k:04d}" for k in range(1_500)]
    worst = tuple(violation(name, value=9.0) for name in names[:3])
    item = signal(
        features=tuple(names), reasons=worst, figures=tuple(signalled(name) for name in names)
    )
    assert size(message(item)) < MAX_BYTES
    sent = json.loads(message(item)["Message"])
    assert (len(sent["reasons"]), sent["omitted"]) == (3, 0)
    assert [figures["name"] for figures in sent["figures"]] == names[:3]
    many = signal(
        features=tuple(names),
        reasons=tuple(violation(name) for name in names),
        figures=tuple(signalled(name) for name in names),
    )
    assert size(message(many)) < MAX_BYTES
    sent = json.loads(message(many)["Message"])
    kept = {reason["feature"] for reason in sent["reasons"]}
    assert {figures["name"] for figures in sent["figures"]} == kept
    assert len(kept) + sent["omitted"] == 1_500


def test_a_message_that_fits_has_all_numbers_also_of_features_without_a_reason() -> None:
    """A recovered signal names features that are not among the reasons of the signal before."""
    item = signal(kind="recovered", features=("amount", "other"), reasons=())
    item = msgspec.structs.replace(item, figures=(signalled("amount"), signalled("other")))
    assert msgspec.json.decode(message(item)["Message"], type=Signal) == item


def test_an_attribute_is_never_empty() -> None:
    assert "variant" not in attributes(signal(variant=""))


@pytest.mark.parametrize(
    "model",
    [
        "flights",
        "m" * 300,
        "mod\u00e8le d'\u00e9t\u00e9",
        "two\nlines\tand a tab",
        "\U0001d11e" * 90,
    ],
)
def test_subject_and_group_hold_only_characters_that_sns_accepts(model: str) -> None:
    sent = message(signal(model=model), TOPIC + ".fifo")
    assert sent["Subject"].isascii()
    assert sent["Subject"].isprintable()
    assert len(sent["Subject"]) < 100
    assert LEGAL_GROUP.fullmatch(sent["MessageGroupId"])
    assert sent["MessageAttributes"]["model"]["StringValue"] == model


def test_only_a_message_to_a_fifo_topic_has_a_group_and_a_deduplication_id() -> None:
    fifo = message(signal(7), TOPIC + ".fifo")
    assert (fifo["MessageGroupId"], fifo["MessageDeduplicationId"]) == ("flights", "d7-opened")
    assert not {"MessageGroupId", "MessageDeduplicationId"} & message(signal(7)).keys()


def test_too_many_reasons_are_cut_to_the_worst_and_counted() -> None:
    reasons = tuple(
        violation(f"f{k:04d}", value=0.1 + k / 1_000, description="long " * 40)
        for k in range(3_000)
    )
    item = signal(reasons=reasons)
    sent = message(item)
    published = json.loads(sent["Message"])
    kept = len(published["reasons"])
    assert 0.8 * MAX_BYTES < size(sent) < MAX_BYTES
    assert published["omitted"] == 3_000 - kept
    assert [reason["feature"] for reason in published["reasons"]] == [
        f"f{k:04d}" for k in range(2_999, 2_999 - kept, -1)
    ]
    assert attributes(item)["feature"] == "f2999"


def test_a_single_reason_that_is_too_long_is_omitted() -> None:
    published = json.loads(body(signal(reasons=(violation(description="x" * 300_000),))))
    assert published["reasons"] == []
    assert (published["omitted"], published["kind"]) == (1, "opened")


def test_the_limit_counts_bytes_and_not_characters() -> None:
    reasons = tuple(violation(f"f{k}", description="\u20ac" * 1_000) for k in range(200))
    assert size(message(signal(reasons=reasons))) < MAX_BYTES


@pytest.mark.parametrize(
    ("arn", "region", "key"),
    [
        (TOPIC, "", ""),
        (TOPIC, "eu-west-1", ""),
        (TOPIC + ".fifo", "", ""),
        ("arn:aws-cn:sns:cn-north-1:123456789012:t", "", ""),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", "", ""),
        ("retrain", "", "topic_arn"),
        ("", "", "topic_arn"),
        ("arn:aws:sqs:eu-west-1:123456789012:retrain", "", "topic_arn"),
        ("arn:aws:sns:eu-west-1:1234:retrain", "", "topic_arn"),
        (TOPIC + ":subscription-id", "", "topic_arn"),
        (TOPIC, "us-east-1", "region"),
    ],
)
def test_check_names_the_faulty_key(arn: str, region: str, key: str) -> None:
    faults = Sns(topic_arn=arn, region=region).check()
    assert [fault.key for fault in faults] == ([key] if key else [])


def test_a_quality_signal_has_a_text_for_people() -> None:
    sent = message(quality_signal())
    assert sent["Subject"] == "driftline: flights quality opened"
    assert json.loads(sent["Message"])["text"].splitlines() == [
        "flights quality opened: accuracy",
        "accuracy 0.8 (99.9 % interval 0.75 to 0.85), limit 0.9 or more, baseline 0.9",
        "100 rows of the window with a label, 80 % of its rows",
        "predicted classes by true class, baseline -> window",
        "positive (500 -> 50 rows): positive 90 % -> 80 %, negative 10 % -> 20 %",
        "negative (500 -> 50 rows): positive 10 % -> 20 %, negative 90 % -> 80 %",
    ]
    recovered = json.loads(body(quality_signal(kind="recovered")))["text"]
    assert recovered.splitlines()[1].startswith("100 rows")


def test_the_end_of_a_long_name_is_left_out_of_the_subject_and_not_what_happened() -> None:
    subject = message(quality_signal(model="m" * 200))["Subject"]
    assert subject.endswith("m quality opened")
    assert len(subject) == 99


def test_confusion_matrices_that_do_not_fit_are_left_out_and_no_reason_is() -> None:
    names = [f"class #{k}" for k in range(300)]
    large = {true: dict.fromkeys(names, 1) for true in names}
    item = quality_signal()
    assert item.quality is not None
    evidence = msgspec.structs.replace(item.quality, confusion_after=large)
    sent = message(msgspec.structs.replace(item, quality=evidence))
    published = json.loads(sent["Message"])
    assert size(sent) < MAX_BYTES
    assert published["quality"]["confusion_after"] == {}
    assert (published["omitted"], len(published["reasons"])) == (0, 1)
