"""The quality of an hour, put once: by a real client whose requests are answered by the test.

Counts are confusion matrices, so that the metrics of an hour follow from plain sums.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.quality_report import QualityReport
from sinks.base import ConfiguredNames, Published
from sinks.cloudwatch_quality import METRICS, CloudwatchQuality, CloudwatchQualityDelivery
from sinks.courier import Courier
from sinks.errors import SinkRetry
from stream.testing.quality_reports import counts_of, quality_report
from stream.testing.reports import report
from tests.support.cloudwatch import REFUSED, Wire

pytestmark = pytest.mark.usefixtures("aws_credentials")

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
NOON_MS = 1_750_075_200_000 // HOUR_MS * HOUR_MS
"""The start of an hour."""


def wire(**settings: Any) -> Wire:
    return Wire(CloudwatchQuality(**{"region": "us-east-1", **settings}))


def window(minute: int, revision: int = 0, length: int = 20, **changes: Any) -> QualityReport:
    """The report on the window that ends ``minute`` minutes after noon; it awaits its labels.

    The labels are known up to an hour before its end.
    """
    end_ms = NOON_MS + minute * MINUTE_MS
    fields = {
        "start_ms": end_ms - length * MINUTE_MS,
        "end_ms": end_ms,
        "labels_until_ms": end_ms - HOUR_MS,
        "state": "awaiting labels",
        "counts": b"",
        **changes,
    }
    return quality_report(0, revision, **fields)


def judged(minute: int, hits: int, misses: int, revision: int = 1, **changes: Any) -> QualityReport:
    """A judged window with positive labels only, of which some were predicted."""
    counts = counts_of({"1": {"1": hits, "0": misses}, "0": {"1": 0, "0": 10}})
    return window(minute, revision, state="ok", counts=counts, **changes)


def later(hours: int = 3) -> list[QualityReport]:
    """Windows whose reports move the time past the moment of the hour after noon."""
    return [
        window(60 * hours + 20, labels_until_ms=NOON_MS + 2 * HOUR_MS),
        window(60 * hours + 40, labels_until_ms=NOON_MS + 2 * HOUR_MS + 1),
    ]


def values(sent: Wire, name: str = "recall") -> list[float]:
    return [datum["Value"] for datum in sent.data if datum["MetricName"] == name]


def test_the_judged_windows_of_an_hour_are_put_as_one_datum_a_metric() -> None:
    sent = wire()
    first = [window(20), window(40), window(60)]
    labelled = [judged(20, 1, 3), judged(40, 5, 0), judged(60, 0, 1)]
    sent.delivery.deliver([*first, *labelled, *later()])
    (call,) = sent.calls
    assert call["Namespace"] == "aws/sagemaker/Endpoints/model-metrics"
    assert call["MetricData"][0] == {
        "MetricName": "accuracy",
        "Value": pytest.approx(36 / 40),
        "Timestamp": datetime.fromtimestamp((NOON_MS + 2 * HOUR_MS) / 1000, UTC),
        "Dimensions": [
            {"Name": "Endpoint", "Value": "flights"},
            {"Name": "MonitoringSchedule", "Value": "job"},
        ],
    }
    assert values(sent) == [pytest.approx(6 / 10)], "not the mean of 1/4, 1 and 0"
    assert values(sent, "precision") == [1.0]
    assert set(sent.names) <= set(METRICS["binary"])
    assert "auc" not in sent.names, "there are no scores"


def test_an_hour_is_put_once_and_later_revisions_change_nothing() -> None:
    sent = wire()
    sent.delivery.deliver([window(20), judged(20, 1, 1), *later()])
    once = len(sent.data)
    assert once
    sent.delivery.deliver([judged(20, 9, 0, revision=2, labels_until_ms=NOON_MS + 5 * HOUR_MS)])
    sent.delivery.deliver([judged(20, 9, 0, revision=3, final=True), window(40), judged(40, 1, 0)])
    assert len(sent.data) == once


def test_an_hour_waits_for_its_labels_and_for_the_windows_after_it() -> None:
    """The predictions are far ahead of the labels, then the labels of the predictions."""
    behind = [window(20), judged(20, 1, 1), window(900, labels_until_ms=NOON_MS + HOUR_MS)]
    sent = wire()
    sent.delivery.deliver(behind)
    assert sent.calls == []
    ahead = judged(20, 1, 1, labels_until_ms=NOON_MS + 9 * HOUR_MS)
    last = judged(20, 1, 1, revision=2, labels_until_ms=NOON_MS + 10 * HOUR_MS)
    sent.delivery.deliver([ahead])
    assert sent.calls == [], "other reports of the same step may follow"
    sent.delivery.deliver([last])
    assert values(sent) == [0.5]
    early = wire()
    early.delivery.deliver([window(20), ahead, last])
    assert early.calls == [], "no later window has closed"


def test_without_labels_an_hour_ends_a_day_of_predictions_after_its_moment() -> None:
    sent = wire()
    sent.delivery.deliver([window(20), judged(20, 1, 1), window(26 * 60 - 20)])
    silent = {"labels_until_ms": NOON_MS}
    sent.delivery.deliver([window(26 * 60 - 20, **silent)])
    assert sent.calls == []
    sent.delivery.deliver([window(26 * 60, **silent)])
    assert values(sent) == [0.5]


def test_windows_that_were_not_judged_in_time_are_left_out() -> None:
    sent = wire()
    sent.delivery.deliver([window(20), window(40), judged(40, 1, 1), *later()])
    assert values(sent) == [0.5]
    empty = wire()
    empty.delivery.deliver([window(20), window(40), *later()])
    assert empty.calls == []
    assert not empty.delivery.needs(window(20))


def test_of_windows_that_overlap_the_newest_of_the_hour_count() -> None:
    """Windows of 40 minutes every 20: those that end at 60 and 20 minutes do not overlap."""
    sent = wire()
    sent.delivery.deliver([window(minute, length=40) for minute in (20, 40, 60)])
    counted = [judged(20, 2, 1, length=40), judged(40, 7, 1, length=40)]
    sent.delivery.deliver([*counted, judged(60, 3, 1, length=40), *later()])
    assert values(sent) == [pytest.approx(5 / 7)]


def test_the_newest_revision_counts() -> None:
    sent = wire()
    sent.delivery.deliver([window(20), judged(20, 9, 0, 2), judged(20, 1, 1, 1), *later()])
    assert values(sent) == [1.0]


def test_a_first_report_that_comes_after_those_of_a_later_hour_opens_no_hour() -> None:
    """Its hour may have been put before a restart: nothing tells the two apart."""
    sent = wire()
    sent.delivery.deliver([window(80), window(20), judged(20, 1, 1), judged(80, 1, 0)])
    assert not sent.delivery.needs(window(20))
    moment = NOON_MS + 9 * HOUR_MS
    sent.delivery.deliver([window(600, labels_until_ms=moment + k) for k in range(2)])
    assert values(sent) == [1.0]


def test_models_and_variants_have_data_of_their_own() -> None:
    sent = wire(endpoint="e", schedule_name="s")
    keys = [("flights", "AllTraffic"), ("flights", "canary"), ("prices", "AllTraffic")]
    for k, (model, variant) in enumerate(keys):
        names: dict[str, Any] = {"model": model, "variant": variant}
        sent.delivery.deliver([window(20, **names), judged(20, k, 4 - k, **names)])
    sent.delivery.deliver(later())
    assert values(sent) == [0.0, 0.25, 0.5]
    dimensions = [
        {entry["Name"]: entry["Value"] for entry in datum["Dimensions"]}
        for datum in sent.data
        if datum["MetricName"] == "recall"
    ]
    common = {"Endpoint": "e", "MonitoringSchedule": "s"}
    assert dimensions == [common, {**common, "Variant": "canary"}, common]


def test_hours_have_their_own_data_at_their_own_times() -> None:
    sent = wire()
    sent.delivery.deliver([window(20), judged(20, 1, 1), window(80), judged(80, 1, 0), window(100)])
    moment = NOON_MS + 9 * HOUR_MS
    sent.delivery.deliver([window(600, labels_until_ms=moment + k) for k in range(2)])
    assert values(sent) == [0.5, 1.0]
    times = [datum["Timestamp"] for datum in sent.data if datum["MetricName"] == "recall"]
    assert times == [
        datetime.fromtimestamp((NOON_MS + hours * HOUR_MS) / 1000, UTC) for hours in (2, 3)
    ]


def test_a_window_that_ends_with_the_hour_belongs_to_it() -> None:
    sent = wire()
    sent.delivery.deliver([window(60), judged(60, 1, 1), window(61), judged(61, 1, 0), *later()])
    assert values(sent)[0] == 0.5


def test_data_reports_and_signals_move_nothing() -> None:
    sent = wire()
    sent.delivery.deliver([report(), report(5_000)])
    assert sent.calls == []
    assert not sent.delivery.needs(report())


def hours_of_reports(seed: int) -> list[QualityReport]:
    """Six hours of two models, whose windows are judged in steps with the same time of labels."""
    random_ = random.Random(seed)
    reports = []
    for step in range(1, 19):
        minute = 20 * step
        labels_ms = NOON_MS + (minute - 55) * MINUTE_MS
        late = [
            judged(
                random_.randrange(1, step) * 20,
                random_.randrange(9),
                1,
                revision=step,
                model=model,
                labels_until_ms=labels_ms,
            )
            for model in ("a", "b")
            if step > 1
        ]
        first = [window(minute, model=model, labels_until_ms=labels_ms) for model in ("a", "b")]
        reports += [*sorted(late, key=lambda report: report.end_ms), *first]
    return reports


@pytest.mark.parametrize("seed", range(5))
def test_a_restart_at_any_item_neither_loses_nor_repeats_an_hour(seed: int) -> None:
    """The items from the cursor on are delivered again, as the outbox does after a restart."""
    reports = hours_of_reports(seed)
    whole = put_by([reports])
    assert len(whole) > 50
    for stop in range(1, len(reports)):
        assert put_by([reports[:stop], reports]) == whole


class Data:
    """The part of a client that the sink uses; keeps the data of all calls."""

    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []

    def put_metric_data(self, MetricData: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        self.data += MetricData
        return {"ResponseMetadata": {}}

    def get_metric_statistics(
        self, MetricName: str, StartTime: datetime, EndTime: datetime, **_: Any
    ) -> dict[str, Any]:
        found = [
            datum
            for datum in self.data
            if datum["MetricName"] == MetricName and StartTime <= datum["Timestamp"] < EndTime
        ]
        return {"Datapoints": found, "ResponseMetadata": {}}

    def close(self) -> None:
        """Do nothing."""


def delivery_to(sent: Data) -> CloudwatchQualityDelivery:
    return CloudwatchQualityDelivery(CloudwatchQuality(), "job", sent)


def put_by(runs: list[list[QualityReport]]) -> list[tuple[Any, ...]]:
    """What is put in several runs of a service, each of which ends after its last report."""
    put: list[tuple[Any, ...]] = []
    cursor = 0
    for reports in runs:
        sent = Data()
        courier: Courier[Published] = Courier("test", delivery_to(sent), cursor, True, (0.001,))
        numbered = list(enumerate(reports, 1))
        courier.offer([(number, item) for number, item in numbered if number > cursor])
        courier.start()
        assert courier.drain(30)
        cursor = courier.cursor
        courier.stop(5)
        put += [
            (
                datum["MetricName"],
                datum["Timestamp"],
                datum["Dimensions"][0]["Value"],
                datum["Value"],
            )
            for datum in sent.data
        ]
    return put


@pytest.mark.parametrize("seed", range(5))
def test_the_size_of_the_calls_of_the_courier_changes_nothing(seed: int) -> None:
    reports = hours_of_reports(seed)
    single, whole = Data(), Data()
    delivery = delivery_to(single)
    for item in reports:
        delivery.deliver([item])
    delivery_to(whole).deliver(reports)
    assert whole.data
    assert single.data == whole.data


def test_a_failed_call_is_repeated_and_keeps_the_reports_in_the_outbox() -> None:
    sent = wire()
    first = window(20)
    items = [first, judged(20, 1, 1), *later()]
    sent.responses = [(503, b"")]
    with pytest.raises(SinkRetry) as down:
        sent.delivery.deliver(items)
    assert down.value.delivered == len(items) - 1, "the queue stays short during an outage"
    assert sent.delivery.needs(first)
    sent.delivery.deliver(items[-1:])
    assert sent.held.count("recall") == 1
    assert not sent.delivery.needs(first)


def test_refused_data_are_left_out_and_counted() -> None:
    sent = wire()
    sent.refused = lambda name: name == "recall"
    sent.delivery.deliver([window(20), judged(20, 1, 1), *later()])
    assert "recall" not in sent.held
    assert "accuracy" in sent.held
    assert sent.delivery.left_out == 1
    all_refused = wire()
    all_refused.responses = [REFUSED] * 99
    all_refused.delivery.deliver([window(20), judged(20, 1, 1), *later()])
    assert all_refused.held == []
    assert not all_refused.delivery.needs(window(20)), "it would be refused for ever"


def test_the_reports_of_a_silent_label_log_do_not_stay_for_ever() -> None:
    sent = wire()
    silent = [window(20 * k, labels_until_ms=None) for k in range(1, 400)]
    sent.delivery.deliver(silent)
    kept = [item for item in silent if sent.delivery.needs(item)]
    oldest_h = (silent[-1].end_ms - kept[0].end_ms) / HOUR_MS
    assert 24 <= oldest_h <= 27


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, ""),
        ({"namespace": "/aws/sagemaker/Endpoints/model-metrics"}, ""),
        ({"namespace": "AWS/SageMaker"}, "namespace"),
        ({"namespace": ""}, "namespace"),
        ({"endpoint": "größe"}, "endpoint"),
        ({"schedule": "90s"}, "schedule"),
        ({"schedule": "0s"}, "schedule"),
        ({"endpoint_url": "127.0.0.1:1"}, "endpoint_url"),
    ],
)
def test_check_names_the_invalid_key(settings: dict[str, Any], key: str) -> None:
    faults = CloudwatchQuality(**settings).check()
    assert [fault.key for fault in faults] == ([key] if key else [])


def test_the_sink_says_which_names_it_replaces() -> None:
    names = ConfiguredNames("jöb", {"flüge": ["größe"], "prices": []}, "größer")
    assert [name for name, _ in CloudwatchQuality().replaced_names(names)] == [
        "flüge",
        "jöb",
        "größer",
    ]
    assert (
        CloudwatchQuality(endpoint="e", schedule_name="s").replaced_names(names)[0][0] == "größer"
    )


def test_batch_jobs_have_no_endpoint() -> None:
    sent = wire(namespace="aws/sagemaker/ModelMonitoring/model-metrics", schedule_name="nightly")
    sent.delivery.deliver([window(20), judged(20, 9, 1), *later()])
    assert sent.data[0]["Dimensions"] == [{"Name": "MonitoringSchedule", "Value": "nightly"}]
