"""Layout ``sagemaker``: one datum a schedule, by a real client that the test answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sinks.aws.feature_choice import WorstFeatures
from sinks.base import ConfiguredNames, Published
from sinks.cloudwatch import Cloudwatch
from sinks.courier import Courier
from sinks.errors import SinkRetry
from stream.testing.reports import calm, feature, report
from stream.testing.schedule_reports import (
    FIRST_MS,
    HOUR_MS,
    empty_hour,
    sagemaker_figures,
    schedule_report,
)
from tests.support.cloudwatch import REFUSED, Wire

pytestmark = pytest.mark.usefixtures("aws_credentials")

DOWN = (503, b"{}")


def wire(**settings: Any) -> Wire:
    return Wire(Cloudwatch(**{"region": "us-east-1", "layout": "sagemaker", **settings}))


def hours(sent: Wire) -> list[int]:
    """The hours that were put, one for each call."""
    times = [call["MetricData"][0]["Timestamp"].timestamp() * 1_000 for call in sent.calls]
    return [round((time_ms - FIRST_MS) / HOUR_MS) - 1 for time_ms in times]


def drift(name: str, distance: float | None, **changes: Any) -> Any:
    return calm(name, sagemaker=sagemaker_figures(distance, **changes))


def test_a_period_has_the_names_dimensions_and_distances_of_model_monitor() -> None:
    sent = wire(endpoint="churn", schedule_name="churn-hourly")
    sent.delivery.deliver([schedule_report()])
    (call,) = sent.calls
    assert call["Namespace"] == "aws/sagemaker/Endpoints/data-metrics"
    common = {
        "Timestamp": datetime.fromtimestamp((FIRST_MS + HOUR_MS) / 1_000, UTC),
        "Dimensions": [
            {"Name": "Endpoint", "Value": "churn"},
            {"Name": "MonitoringSchedule", "Value": "churn-hourly"},
        ],
        "StorageResolution": 60,
    }
    numbers = {"SampleCount": 80.0, "Sum": 400.0, "Minimum": -1.0, "Maximum": 9.0}
    assert call["MetricData"] == [
        {**common, "MetricName": "feature_data_amount", "StatisticValues": numbers},
        {**common, "MetricName": "feature_non_null_amount", "Value": 0.9},
        {**common, "MetricName": "feature_baseline_drift_amount", "Value": 0.25},
        {**common, "MetricName": "feature_non_null_carrier", "Value": 1.0},
        {**common, "MetricName": "feature_baseline_drift_carrier", "Value": 0.02},
    ]


def test_batch_jobs_have_no_endpoint() -> None:
    sent = wire(namespace="aws/sagemaker/ModelMonitoring/data-metrics", schedule_name="nightly")
    sent.delivery.deliver([schedule_report()])
    assert sent.data[0]["Dimensions"] == [{"Name": "MonitoringSchedule", "Value": "nightly"}]


def test_a_period_is_put_once_whatever_is_reported_on_it() -> None:
    sent = wire()
    sent.delivery.deliver([schedule_report(0), schedule_report(0, 1), empty_hour(1)])
    sent.delivery.deliver([schedule_report(0), schedule_report(2), report(5)])
    assert hours(sent) == [0, 2]


@pytest.mark.parametrize("status", ["NoData", "Learning"])
def test_a_period_without_a_verdict_has_no_datum(status: str) -> None:
    sent = wire()
    sent.delivery.deliver([schedule_report(status=status)])
    assert sent.calls == []


def test_an_hour_whose_baseline_is_replaced_has_one_datum() -> None:
    sent = wire()
    sent.delivery.deliver(
        [schedule_report(0, status="Incomplete"), schedule_report(0, 1, baseline="b1")]
    )
    assert hours(sent) == [0]


def test_only_periods_of_the_own_schedule_are_put() -> None:
    day_ms = 24 * HOUR_MS
    daily = wire(schedule="24h")
    start_ms = FIRST_MS // day_ms * day_ms
    times = {"start_ms": start_ms, "end_ms": start_ms + day_ms}
    daily.delivery.deliver([schedule_report(0), schedule_report(0, schedule_ms=day_ms, **times)])
    assert [datum["Timestamp"].timestamp() * 1_000 for datum in daily.data] == [
        start_ms + day_ms
    ] * 5
    assert Cloudwatch(layout="sagemaker", schedule="24h").schedules_ms() == (day_ms,)
    assert Cloudwatch().schedules_ms() == ()


def test_a_feature_without_a_distance_has_no_drift() -> None:
    sent = wire()
    sent.delivery.deliver([schedule_report(features=(drift("a", None), calm("b")))])
    assert sent.names == ["feature_non_null_a", "feature_non_null_b"]


def test_no_hour_is_lost_or_repeated_while_cloudwatch_is_down() -> None:
    sent = wire()
    sent.responses = [DOWN] * 4
    for hour in range(4):
        with pytest.raises(SinkRetry) as retry:
            sent.delivery.deliver([schedule_report(hour)])
        assert retry.value.delivered == 0
        assert all(sent.delivery.needs(schedule_report(k)) for k in range(hour + 1))
    sent.calls.clear()
    sent.delivery.deliver([schedule_report(3)])
    assert hours(sent) == [0, 1, 2, 3]
    assert not any(sent.delivery.needs(schedule_report(k)) for k in range(4))


def test_hours_that_wait_stay_in_the_outbox_and_fill_no_queue() -> None:
    """What is delivered again after a crash begins with the first of them."""
    sent = wire()
    sent.responses = [DOWN] * 10_000
    courier: Courier[Published] = Courier("cloudwatch", sent.delivery, 0, True, (0.0,))
    courier.start()
    for hour in range(300):
        courier.offer([(hour + 1, schedule_report(hour))])
    while courier.counts.waiting > 200:
        courier.drain(0.01)
    assert courier.cursor == 0
    assert not courier.full
    sent.responses = []
    assert courier.drain(20)
    courier.stop(5)
    assert courier.cursor == 300
    assert hours(sent)[-300:] == list(range(300))
    assert len(sent.held) == 300 * 5


def test_an_hour_that_cloudwatch_would_refuse_as_too_old_is_given_up_and_counted() -> None:
    sent = wire()
    sent.responses = [DOWN, DOWN]
    with pytest.raises(SinkRetry):
        sent.delivery.deliver([schedule_report(0)])
    with pytest.raises(SinkRetry):
        sent.delivery.deliver([schedule_report(14 * 24 + 1)])
    assert not sent.delivery.needs(schedule_report(0))
    assert sent.delivery.left_out == 5
    sent.calls.clear()
    sent.delivery.deliver([schedule_report(14 * 24 + 1)])
    assert hours(sent) == [14 * 24 + 1]


def test_a_retry_resumes_after_the_last_call_that_succeeded() -> None:
    wide = schedule_report(features=tuple(drift(f"f{k:04d}", 0.5) for k in range(501)))
    sent = wire()
    sent.responses = [(200, b""), DOWN]
    with pytest.raises(SinkRetry):
        sent.delivery.deliver([wide])
    sent.delivery.deliver([wide])
    assert [len(call["MetricData"]) for call in sent.calls] == [1_000, 2, 2]


def test_a_refused_metric_costs_no_other_and_no_later_hour() -> None:
    sent = wire()
    sent.refused = lambda name: name == "feature_data_amount"
    sent.delivery.deliver([schedule_report(0), schedule_report(1)])
    assert len(sent.held) == 8
    assert sent.delivery.left_out == 2
    sent.responses = [REFUSED] * 40
    sent.delivery.deliver([schedule_report(2), schedule_report(3)])
    assert not sent.delivery.needs(schedule_report(3))


def test_the_worst_are_those_by_the_distance_that_is_put() -> None:
    features = (
        drift("quiet", 0.02),
        drift("worst", 0.9),
        drift("strict", 0.2, threshold=0.01),
        drift("undefined", None),
    )
    sent = wire(features=WorstFeatures(2))
    sent.delivery.deliver([schedule_report(features=features)])
    assert sent.names[1::2] == ["feature_baseline_drift_worst", "feature_baseline_drift_strict"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("all", ["a", "b", "c"]),
        (WorstFeatures(1), ["b"]),
        (WorstFeatures(2), ["b", "c"]),
        (WorstFeatures(9), ["a", "b", "c"]),
        (("c", "a", "z"), ["a", "c"]),
    ],
)
def test_windows_have_the_chosen_features_too(choice: Any, names: list[str]) -> None:
    """Ratios of value and limit 0.5, 3.0 and 1.5; the checks of the fourth are off."""
    features = (calm("a", value=0.05), calm("b", value=0.3), calm("c", value=3.0, limit=2.0))
    sent = Wire(Cloudwatch(region="us-east-1", features=choice))
    sent.delivery.deliver([report(features=features)])
    assert [name.removeprefix("feature_non_null_") for name in sent.names[::2]] == names


def test_a_feature_that_is_off_or_undefined_is_never_among_the_worst() -> None:
    features = (feature("off", value=9.0, enabled=False), calm("none", limit=None), calm("c"))
    sent = Wire(Cloudwatch(region="us-east-1", features=WorstFeatures(1)))
    sent.delivery.deliver([report(features=features)])
    assert sent.names == ["feature_non_null_c", "feature_baseline_drift_c"]


def test_names_that_no_model_has_are_told() -> None:
    names = ConfiguredNames("job", {"m": ["age", "income"], "n": ["area"]})
    assert Cloudwatch(features=("age", "aeg", "area")).unknown_names(names) == ["aeg"]
    assert Cloudwatch(features=WorstFeatures(3)).unknown_names(names) == []


def test_two_sinks_that_would_add_up_are_noticed() -> None:
    sink = Cloudwatch(layout="sagemaker")
    named = Cloudwatch(layout="sagemaker", namespace="aws/sagemaker/Endpoints/data-metrics")
    assert sink.destinations() == named.destinations() != []
    assert Cloudwatch(layout="sagemaker", endpoint="e").destinations() != sink.destinations()
    assert Cloudwatch().destinations() == []


def test_features_whose_metrics_are_off_have_none_and_are_not_among_the_worst() -> None:
    off = calm("off", emitted=False, sagemaker=sagemaker_figures(0.9))
    sent = wire(features=WorstFeatures(1))
    sent.delivery.deliver([schedule_report(features=(off, drift("on", 0.5)))])
    assert sent.names == ["feature_non_null_on", "feature_baseline_drift_on"]


LAST = frozenset({"feature_baseline_drift_carrier"})
"""The last metric of each call of an ordinary hour."""


def test_what_was_put_before_a_crash_is_not_put_again() -> None:
    """Delivered again are hours 0 to 2, of which CloudWatch has the first two."""
    first = wire()
    first.delivery.deliver([schedule_report(0), schedule_report(1)])
    again = wire()
    again.known = set(LAST)
    again.delivery.deliver([schedule_report(0), schedule_report(1)])
    assert again.calls == []
    again.known = set()
    again.delivery.deliver([schedule_report(2), schedule_report(3)])
    assert hours(again) == [2, 3]
    assert len(again.looked_up) == 3, "after the first hour that is not there, all are new"


def test_only_the_calls_of_an_hour_that_are_missing_are_put() -> None:
    wide = schedule_report(features=tuple(drift(f"f{k:04d}", 0.5) for k in range(501)))
    sent = wire()
    sent.known = {"feature_baseline_drift_f0499"}
    sent.delivery.deliver([wide])
    assert sent.names == ["feature_non_null_f0500", "feature_baseline_drift_f0500"]


def test_without_the_permission_to_look_up_data_are_put() -> None:
    sent = wire()
    sent.lookups = [(400, b'{"__type": "AccessDenied", "message": "no"}')]
    sent.delivery.deliver([schedule_report(0), schedule_report(1)])
    assert hours(sent) == [0, 1]
    assert len(sent.looked_up) == 1


def test_a_look_up_that_fails_is_repeated_before_anything_is_put() -> None:
    sent = wire()
    sent.known = set(LAST)
    sent.lookups = [DOWN]
    with pytest.raises(SinkRetry):
        sent.delivery.deliver([schedule_report(0)])
    assert sent.delivery.needs(schedule_report(0))
    sent.delivery.deliver([schedule_report(0)])
    assert sent.calls == []
    assert not sent.delivery.needs(schedule_report(0))
