"""Data put into CloudWatch by a real client whose requests get a response before they are sent."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from sinks.cloudwatch import MAX_DATA, Cloudwatch, batches
from sinks.errors import SinkRejected, SinkRetry
from stream.testing.reports import MINUTE_MS, START_MS, calm, feature, report, signal, silence

ONE_MB = 1_000_000
OK = (200, b"")


class Wire:
    """A delivery, the arguments of its calls and the sizes of their bodies. Each call receives the
    first of ``responses``, or a success when none is left."""

    def __init__(self, sink: Cloudwatch) -> None:
        delivery: Any = sink.open("job")
        self.delivery = delivery
        self.calls: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.responses: list[tuple[int, bytes]] = []
        events = delivery._aws.meta.events
        events.register("provide-client-params.cloudwatch.PutMetricData", self._record)
        events.register("before-send.cloudwatch.PutMetricData", self._respond)

    def _record(self, params: dict[str, Any], **_: Any) -> None:
        self.calls.append(params)

    def _respond(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        self.sizes.append(len(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
        status, text = self.responses.pop(0) if self.responses else OK
        return PreparedResponse(request.url, status, text)

    @property
    def data(self) -> list[dict[str, Any]]:
        return [datum for call in self.calls for datum in call["MetricData"]]

    @property
    def names(self) -> list[str]:
        return [datum["MetricName"] for datum in self.data]


class PreparedResponse(AWSResponse):  # type: ignore[misc]  # botocore has no types
    """A response that the test prepared."""

    def __init__(self, url: str, status: int, text: bytes) -> None:
        super().__init__(url, status, {}, None)
        self._content = text


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def wire(**settings: Any) -> Wire:
    return Wire(Cloudwatch(**{"region": "us-east-1", **settings}))


def test_a_window_puts_the_metrics_of_model_monitor() -> None:
    sent = wire()
    sent.delivery.deliver([report()])
    (call,) = sent.calls
    assert call["Namespace"] == "aws/sagemaker/Endpoints/data-metrics"
    common = {
        "Timestamp": datetime.fromtimestamp((START_MS + MINUTE_MS) / 1000, UTC),
        "Dimensions": [
            {"Name": "Endpoint", "Value": "flights"},
            {"Name": "MonitoringSchedule", "Value": "job"},
        ],
        "StorageResolution": 60,
    }
    numbers = {"SampleCount": 80.0, "Sum": 400.0, "Minimum": -1.0, "Maximum": 9.0}
    assert call["MetricData"] == [
        {**common, "MetricName": "feature_data_amount", "StatisticValues": numbers},
        {**common, "MetricName": "feature_non_null_amount", "Value": 0.9},
        {**common, "MetricName": "feature_baseline_drift_amount", "Value": 0.3},
        {**common, "MetricName": "feature_non_null_carrier", "Value": 1.0},
        {**common, "MetricName": "feature_baseline_drift_carrier", "Value": 0.05},
    ]


def test_the_samples_of_a_statistic_set_are_numbers_only() -> None:
    """A statistic set of 80 numbers with sum 400 has the mean 5 of the report; texts and NaN are
    not samples."""
    sent = wire()
    sent.delivery.deliver([report()])
    numbers = sent.data[0]["StatisticValues"]
    assert numbers["Sum"] / numbers["SampleCount"] == feature().mean


def test_endpoint_schedule_and_a_variant_become_dimensions() -> None:
    sent = wire(endpoint="e", schedule="s", namespace="Own/Space", resolution_s=1)
    sent.delivery.deliver([report(variant="canary")])
    dimensions = {entry["Name"]: entry["Value"] for entry in sent.data[0]["Dimensions"]}
    assert dimensions == {"Endpoint": "e", "MonitoringSchedule": "s", "Variant": "canary"}
    assert sent.calls[0]["Namespace"] == "Own/Space"
    assert sent.data[0]["StorageResolution"] == 1


def test_revisions_windows_without_a_verdict_and_signals_put_nothing() -> None:
    sent = wire()
    sent.delivery.deliver(
        [report(0, 1), silence(1), silence(1, ended=True), report(2, state="learning"), signal()]
    )
    assert sent.calls == []


@pytest.mark.parametrize("state", ["ok", "violations", "insufficient", "incomplete"])
def test_a_window_with_a_verdict_puts_its_metrics(state: str) -> None:
    sent = wire()
    sent.delivery.deliver([report(state=state)])
    assert len(sent.data) == 5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 2.0**361])
def test_only_values_that_cloudwatch_cannot_hold_are_left_out(bad: float) -> None:
    sent = wire()
    sent.delivery.deliver([report(features=(feature(value=bad, sum=bad), calm()))])
    assert sent.names == [
        "feature_non_null_amount",
        "feature_non_null_carrier",
        "feature_baseline_drift_carrier",
    ]
    assert sent.delivery.left_out == 2


def test_a_metric_left_out_counts_once_however_often_its_window_is_put() -> None:
    sent = wire()
    infinite = (feature(value=float("inf")),)
    sent.responses = [(503, b"{}")]
    with pytest.raises(SinkRetry):
        sent.delivery.deliver([report(features=infinite)])
    assert sent.delivery.left_out == 0
    sent.delivery.deliver([report(features=infinite), report(1, features=infinite), report(2)])
    assert sent.delivery.left_out == 2


def test_only_a_name_that_is_too_long_is_left_out() -> None:
    fits = "x" * (255 - len("feature_baseline_drift_"))
    sent = wire()
    sent.delivery.deliver([report(features=(calm(fits), calm(fits + "x")))])
    assert sent.names == [
        f"feature_non_null_{fits}",
        f"feature_baseline_drift_{fits}",
        f"feature_non_null_{fits}x",
    ]


def test_a_feature_without_numbers_has_no_statistic_set() -> None:
    sent = wire()
    sent.delivery.deliver(
        [report(features=(feature(types={"string": 1.0}, sum=None, min=None, max=None),))]
    )
    assert sent.names == ["feature_non_null_amount", "feature_baseline_drift_amount"]


@pytest.mark.parametrize(
    ("features", "calls"), [(333, [999]), (334, [1_000, 2]), (667, [1_000, 1_000, 1])]
)
def test_a_call_holds_at_most_a_thousand_data(features: int, calls: list[int]) -> None:
    sent = wire()
    sent.delivery.deliver([report(features=tuple(feature(f"f{k}") for k in range(features)))])
    assert [len(call["MetricData"]) for call in sent.calls] == calls
    assert len(set(sent.names)) == 3 * features


@pytest.mark.parametrize("character", ["x", '"', "\u00e9", "\u20ac", "\U0001d11e"])
def test_the_body_of_a_call_stays_below_one_megabyte_whatever_the_names_are(character: str) -> None:
    """Names of the greatest length, in characters of one to twelve bytes."""
    names = [f"{k:04d}{character * 220}" for k in range(700)]
    sent = wire(endpoint=character * 250)
    sent.delivery.deliver(
        [report(features=tuple(feature(name, sum=-1.2345678901234567e107) for name in names))]
    )
    assert len(sent.data) == 3 * len(names)
    assert max(sent.sizes) < ONE_MB
    assert len(sent.calls) > 3


def test_calls_keep_order_and_lose_nothing() -> None:
    data = [{"MetricName": f"m{k}", "Value": float(k)} for k in range(2_500)]
    calls = list(batches(data))
    assert [datum for call in calls for datum in call] == data
    assert [len(call) for call in calls] == [MAX_DATA, MAX_DATA, 500]
    assert list(batches([])) == []


@pytest.fixture
def throttled() -> Wire:
    """334 features need two calls: the first succeeds, the second fails."""
    sent = wire()
    sent.responses = [OK, (503, b"")]
    return sent


def test_a_retry_does_not_repeat_successful_calls(throttled: Wire) -> None:
    wide = report(1, features=tuple(feature(f"f{k}") for k in range(334)))
    with pytest.raises(SinkRetry) as retry:
        throttled.delivery.deliver([wide])
    assert retry.value.delivered == 0
    throttled.delivery.deliver([wide])
    assert [len(call["MetricData"]) for call in throttled.calls] == [1_000, 2, 2]
    assert len(set(throttled.names[:1_000] + throttled.names[1_002:])) == 1_002


def test_a_retry_names_the_windows_that_were_delivered(throttled: Wire) -> None:
    with pytest.raises(SinkRetry) as retry:
        throttled.delivery.deliver([report(0), report(1), report(2)])
    assert retry.value.delivered == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidParameterValueException", SinkRejected),
        ("MissingRequiredParameterException", SinkRejected),
        ("AccessDenied", SinkRetry),
        ("ExpiredToken", SinkRetry),
        ("InternalServiceFault", SinkRetry),
    ],
)
def test_only_an_invalid_window_is_rejected(code: str, kind: type[Exception]) -> None:
    sent = wire()
    sent.responses = [OK, (400, json.dumps({"__type": code, "message": "no"}).encode())]
    with pytest.raises(kind) as refused:
        sent.delivery.deliver([report(0), report(1), report(2)])
    delivered = (
        refused.value.index
        if isinstance(refused.value, SinkRejected)
        else getattr(refused.value, "delivered", 0)
    )
    assert delivered == 1


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, ""),
        ({"namespace": ""}, "namespace"),
        ({"namespace": "AWS/SageMaker"}, "namespace"),
        ({"namespace": ":mine"}, "namespace"),
        ({"resolution_s": 5}, "resolution_s"),
    ],
)
def test_check_names_the_invalid_key(settings: dict[str, Any], key: str) -> None:
    faults = Cloudwatch(**settings).check()
    assert [fault.key for fault in faults] == ([key] if key else [])
