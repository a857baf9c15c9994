"""New values in what leaves: a message of SNS names them only if it may, and a metric never."""

from __future__ import annotations

import json

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.report import Signal, WindowReport
from sinks.prometheus import Prometheus
from sinks.sns import SnsDelivery
from stream.testing.baselines import baseline, texts, window

BASE = baseline({"season": texts({"spring": 3_000, "autumn": 2_000})})
NEW = "a private word"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:retrain"


def judged(expose_values: bool) -> tuple[WindowReport, Signal]:
    judge = Judge("j", Rules(), expose_values=expose_values)
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    counts = window(BASE.layout, {"season": texts({"spring": 600, NEW: 400})})
    report = judge.report(span, BASE, counts, EpisodeState())
    _, (signal,) = judge.advance(EpisodeState(), report, BASE)
    return report, signal


@pytest.mark.parametrize("expose_values", [False, True])
def test_a_message_names_a_new_value_only_if_values_may_be_exposed(expose_values: bool) -> None:
    report, signal = judged(expose_values)
    assert any(NEW in shift.label for v in report.violations for shift in v.moved)
    message = json.dumps(SnsDelivery(TOPIC, None).message(signal))
    assert (NEW in message) == expose_values
    assert ("unseen #" in message) != expose_values


@pytest.mark.parametrize("expose_values", [False, True])
def test_no_metric_has_a_new_value_in_its_labels(expose_values: bool) -> None:
    report, signal = judged(expose_values)
    delivery = Prometheus().open("j")
    registry = CollectorRegistry()
    registry.register(delivery)
    delivery.deliver([report, signal])
    page = generate_latest(registry).decode()
    assert "season" in page
    assert NEW not in page
