"""Data put into CloudWatch by a real client whose requests get a response before they are sent."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from detectors.report import WindowReport
from sinks.aws.metric_data import MAX_DATA, batches
from sinks.base import ConfiguredNames
from sinks.cloudwatch import Cloudwatch
from sinks.errors import SinkRejected, SinkRetry
from stream.testing.reports import MINUTE_MS, START_MS, calm, feature, report, signal, silence
from tests.support.cloudwatch import OK, REFUSED, Wire

pytestmark = pytest.mark.usefixtures("aws_credentials")

ONE_MB = 1_000_000


def wire(**settings: Any) -> Wire:
    return Wire(Cloudwatch(**{"region": "us-east-1", **settings}))


def test_a_window_puts_metrics_with_the_names_of_model_monitor_into_an_own_namespace() -> None:
    sent = wire()
    sent.delivery.deliver([report()])
    (call,) = sent.calls
    assert call["Namespace"] == "driftline/data-metrics"
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


def test_a_feature_whose_metrics_are_switched_off_puts_none() -> None:
    whole = report()
    amount, *others = whole.features
    off = msgspec.structs.replace(amount, emitted=False)
    sent = wire()
    sent.delivery.deliver([msgspec.structs.replace(whole, features=(off, *others))])
    (call,) = sent.calls
    assert [datum["MetricName"] for datum in call["MetricData"]] == [
        "feature_non_null_carrier",
        "feature_baseline_drift_carrier",
    ]


def test_a_window_whose_metrics_are_all_switched_off_makes_no_call() -> None:
    whole = report()
    off = tuple(msgspec.structs.replace(each, emitted=False) for each in whole.features)
    sent = wire()
    sent.delivery.deliver([msgspec.structs.replace(whole, features=off)])
    assert sent.calls == []


def test_the_samples_of_a_statistic_set_are_numbers_only() -> None:
    """A statistic set of 80 numbers with sum 400 has the mean 5 of the report; texts and NaN are
    not samples."""
    sent = wire()
    sent.delivery.deliver([report()])
    numbers = sent.data[0]["StatisticValues"]
    assert numbers["Sum"] / numbers["SampleCount"] == feature().mean


def test_endpoint_schedule_and_a_variant_become_dimensions() -> None:
    sent = wire(endpoint="e", schedule_name="s", namespace="Own/Space", resolution_s=1)
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


def test_only_a_name_that_is_too_long_is_cut() -> None:
    fits = "x" * (255 - len("feature_baseline_drift_"))
    sent = wire()
    sent.delivery.deliver([report(features=(calm(fits), calm(fits + "x")))])
    assert sent.names[:3] == [
        f"feature_non_null_{fits}",
        f"feature_baseline_drift_{fits}",
        f"feature_non_null_{fits}x",
    ]
    assert sent.names[3].startswith("feature_baseline_drift_xxx")
    assert len(sent.names[3]) == 255
    assert len(set(sent.names)) == 4
    assert sent.delivery.left_out == 0


ODD_NAMES = [
    "größe",
    "面积",
    "a\tb",
    "a\x7fb",
    "a\u00a0b",
    "\U0001d11e",
    "\ud800",
    "x" * 2_000,
    "é" * 2_000,
    "x" * 1_999 + "y",
]
"""Names that are not printable ASCII, or too long, for metrics and dimensions alike."""


def is_held(text: str, longest: int) -> bool:
    """Whether CloudWatch documents that it holds a text."""
    return (
        0 < len(text) <= longest
        and bool(text.strip())
        and all(" " <= character <= "~" for character in text)
    )


@pytest.mark.parametrize("name", [*ODD_NAMES, "", "   "])
def test_a_feature_with_any_name_has_metrics_and_keeps_those_of_others(name: str) -> None:
    sent = wire()
    sent.delivery.deliver([report(features=(feature(name), calm()))])
    assert len(sent.names) == 5
    assert all(is_held(text, 255) for text in sent.names)
    assert sent.names[3:] == ["feature_non_null_carrier", "feature_baseline_drift_carrier"]
    assert sent.delivery.left_out == 0


@pytest.mark.parametrize("name", [*ODD_NAMES, "", "   "])
def test_a_variant_model_or_job_with_any_name_has_all_of_its_metrics(name: str) -> None:
    sink = Cloudwatch(region="us-east-1")
    sent = Wire(sink, name)
    sent.delivery.deliver([report(variant=name, model=name)])
    assert len(sent.data) == 5
    dimensions = sent.data[0]["Dimensions"]
    assert [entry["Name"] for entry in dimensions] == ["Endpoint", "MonitoringSchedule", "Variant"]
    assert all(is_held(entry["Value"], 1_024) for entry in dimensions)


def test_different_names_never_become_one_metric() -> None:
    names = [*ODD_NAMES, "gr__e", "grüße", "größe ", "a_b", "__", "_"]
    sent = wire()
    sent.delivery.deliver([report(features=tuple(calm(name) for name in names))])
    assert len(set(sent.names)) == 2 * len(names)
    again = wire()
    again.delivery.deliver([report(1, features=tuple(calm(name) for name in names))])
    assert again.names == sent.names, "a name is replaced by the same name in each window"


def test_the_sink_says_which_names_it_replaces() -> None:
    models = {"prices": ["area", "größe"], "flüge": ["area", "x" * 240]}
    pairs = dict(Cloudwatch().replaced_names(ConfiguredNames("job", models, "größer")))
    assert list(pairs) == ["flüge", "größer", "größe", "x" * 240]
    sent = Wire(Cloudwatch(region="us-east-1"))
    features = (calm("größe"), calm("x" * 240))
    sent.delivery.deliver([report(model="flüge", variant="größer", features=features)])
    assert sent.data[0]["Dimensions"][0]["Value"] == pairs["flüge"]
    assert sent.data[0]["Dimensions"][2]["Value"] == pairs["größer"]
    assert sent.names[1::2] == [
        f"feature_baseline_drift_{pairs[name]}" for name in ("größe", "x" * 240)
    ]
    assert (
        Cloudwatch(endpoint="e", schedule_name="s").replaced_names(
            ConfiguredNames("jöb", {"ö": ["area"]})
        )
        == []
    )


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
def test_only_a_window_whose_data_are_all_invalid_is_rejected(
    code: str, kind: type[Exception]
) -> None:
    sent = wire()
    answer = (400, json.dumps({"__type": code, "message": "no"}).encode())
    sent.responses = [OK, *[answer] * 9]
    with pytest.raises(kind) as refused:
        sent.delivery.deliver([report(0), report(1), report(2)])
    delivered = (
        refused.value.index
        if isinstance(refused.value, SinkRejected)
        else getattr(refused.value, "delivered", 0)
    )
    assert delivered == 1


def wide(count: int, window: int = 0) -> WindowReport:
    """A window of ``count`` features, which have two metrics each."""
    return report(window, features=tuple(calm(f"f{k:03d}") for k in range(count)))


@pytest.mark.parametrize("count", [1, 2, 7, 31, 64, 500])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_refused_metric_costs_no_other(count: int, place: float) -> None:
    bad = f"feature_non_null_f{int(place * (count - 1)):03d}"
    sent = wire()
    sent.refused = lambda name: name == bad
    sent.delivery.deliver([wide(count), report(1)])
    expected = [
        *(
            f"feature_{kind}_f{k:03d}"
            for k in range(count)
            for kind in ("non_null", "baseline_drift")
        ),
        *(datum for datum in sent.names[-5:]),
    ]
    expected.remove(bad)
    assert sorted(sent.held) == sorted(expected), "each of the others exactly once"
    assert sent.delivery.left_out == 1
    assert len(sent.calls) <= 3 + 2 * math.ceil(math.log2(2 * count))


def test_each_refused_metric_is_found_while_they_are_few() -> None:
    bad = {
        f"feature_{kind}_f{k:03d}" for k in (3, 4, 90) for kind in ("non_null", "baseline_drift")
    }
    sent = wire()
    sent.refused = lambda name: name in bad
    sent.delivery.deliver([wide(100)])
    assert len(sent.held) == len(set(sent.held)) == 194
    assert sent.delivery.left_out == 6


def test_the_number_of_calls_is_bounded_when_many_metrics_are_refused() -> None:
    """Every second metric is refused, so that no call of two succeeds."""
    sent = wire()
    sent.refused = lambda name: name.startswith("feature_non_null")
    with pytest.raises(SinkRejected):
        sent.delivery.deliver([wide(500)])
    assert len(sent.calls) < 40
    half = wire()
    half.refused = lambda name: (
        name.startswith("feature_non_null") and name < "feature_non_null_f250"
    )
    half.delivery.deliver([wide(500)])
    assert len(half.calls) < 250
    assert set(half.held) >= {f"feature_baseline_drift_f{k:03d}" for k in range(250, 500)}
    assert len(half.held) + half.delivery.left_out == 1_000


def test_a_window_that_is_refused_as_a_whole_costs_few_calls() -> None:
    sent = wire()
    sent.refused = lambda name: True
    with pytest.raises(SinkRejected, match="no"):
        sent.delivery.deliver([wide(500)])
    assert len(sent.calls) < 40
    assert sent.delivery.left_out == 0, "the courier counts the whole item"


def test_a_retry_while_refused_data_are_sought_repeats_nothing() -> None:
    sent = wire()
    bad = "feature_baseline_drift_f025"  # in the second half, which the third call holds
    sent.refused = lambda name: name == bad
    sent.responses = [REFUSED, OK, (503, b"")]
    with pytest.raises(SinkRetry):
        sent.delivery.deliver([wide(31)])
    sent.delivery.deliver([wide(31)])
    assert len(sent.held) == len(set(sent.held)) == 61
    assert sent.delivery.left_out == 1


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, ""),
        ({"namespace": ""}, ""),
        ({"namespace": "AWS/SageMaker"}, "namespace"),
        ({"namespace": ":mine"}, "namespace"),
        ({"namespace": "größe"}, "namespace"),
        ({"namespace": "x" * 256}, "namespace"),
        ({"namespace": "aws/sagemaker/Endpoints/data-metrics"}, "namespace"),
        ({"namespace": "/aws/sagemaker/Endpoints/data-metrics"}, "namespace"),
        ({"namespace": "/aws/sagemaker/Endpoint/data-metric"}, "namespace"),
        ({"namespace": "aws/sagemaker/ModelMonitoring/data-metrics"}, "namespace"),
        ({"namespace": "aws/SageMaker/Endpoints/model-metrics"}, "namespace"),
        ({"namespace": "aws/sagemaker"}, "namespace"),
        ({"namespace": "mine/aws/sagemaker/Endpoints"}, ""),
        ({"namespace": "aws/sagemakers"}, ""),
        ({"endpoint": "größe"}, "endpoint"),
        ({"schedule_name": "x" * 1_025}, "schedule_name"),
        ({"schedule_name": " "}, "schedule_name"),
        ({"schedule": "1h"}, "schedule"),
        ({"layout": "sagemaker", "schedule": "1h"}, ""),
        ({"layout": "sagemaker", "schedule": "90s"}, "schedule"),
        ({"layout": "sagemaker", "schedule": "0h"}, "schedule"),
        ({"layout": "sagemaker", "namespace": "aws/sagemaker/Endpoints/data-metrics"}, ""),
        ({"layout": "sagemaker", "namespace": "/aws/sagemaker/Endpoints/data-metric"}, ""),
        ({"layout": "sagemaker", "namespace": "AWS/SageMaker"}, "namespace"),
        ({"features": ()}, "features"),
        ({"features": ("age",)}, ""),
        ({"resolution_s": 5}, "resolution_s"),
    ],
)
def test_check_names_the_invalid_key(settings: dict[str, Any], key: str) -> None:
    faults = Cloudwatch(**settings).check()
    assert [fault.key for fault in faults] == ([key] if key else [])
