"""Alarms of SageMaker Model Monitor on driftline's metrics, in an emulator that evaluates alarms.

ministack evaluates an alarm when data are put: the statistic over the last period up to now, of all
data with the name, whatever their dimensions; it does not treat missing data. So each source of
metrics has a region of its own, and what an alarm of AWS sees is compared point by point.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3
import pytest

from detectors.report import FeatureReport
from sinks.base import Published
from sinks.cloudwatch import Cloudwatch
from stream.testing.reports import MINUTE_MS, calm, report
from stream.testing.schedule_reports import HOUR_MS, sagemaker_figures, schedule_report
from tests.servers.ministack import Ministack
from tests.servers.moto import CREDENTIALS, REGION, MotoServer

NAMESPACE: Final = "aws/sagemaker/Endpoints/data-metrics"
DIMENSIONS: Final = [
    {"Name": "Endpoint", "Value": "churn"},
    {"Name": "MonitoringSchedule", "Value": "churn-hourly"},
]
NAMES: Final[dict[str, Any]] = {"endpoint": "churn", "schedule_name": "churn-hourly"}
STATISTICS: Final = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]
HEALTHY, DRIFTED, COMPLETENESS = 0.002, 0.25, 0.8
LIMIT, LEAST = 0.1, 0.95
"""The thresholds of the alarms: a distance, and a completeness."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def features() -> tuple[FeatureReport, ...]:
    """Feature ``age`` is healthy, but incomplete; ``income`` has drifted."""
    return (
        calm(
            "age",
            value=HEALTHY,
            completeness=COMPLETENESS,
            sagemaker=sagemaker_figures(HEALTHY),
        ),
        calm("income", value=DRIFTED, sagemaker=sagemaker_figures(DRIFTED)),
    )


class Account:
    """Alarms with the clients of one region; ``drift`` and ``gaps`` are those of AWS's demo."""

    def __init__(self, url: str, region: str) -> None:
        self.url = url
        self.region = region
        self.cloudwatch = self._client("cloudwatch")
        self._sqs = self._client("sqs")
        sns = self._client("sns")
        self._topic = sns.create_topic(Name="drift")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName="on-call")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=self._topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        sns.close()

    def alarm(self, metric: str, operator: str, threshold: float, **changes: Any) -> None:
        """Create the alarm of AWS's demo, which is named like its metric."""
        demo = {
            "Namespace": NAMESPACE,
            "Dimensions": DIMENSIONS,
            "Statistic": "Sum",
            "Period": 600,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "TreatMissingData": "breaching",
            "ActionsEnabled": True,
            "AlarmActions": [self._topic],
        }
        self.cloudwatch.put_metric_alarm(
            AlarmName=metric,
            MetricName=metric,
            ComparisonOperator=operator,
            Threshold=threshold,
            **{**demo, **changes},
        )

    def alarms(self, **changes: Any) -> None:
        """Create an alarm on each distance, and one on the completeness of ``age``."""
        for name in ("age", "income"):
            metric = f"feature_baseline_drift_{name}"
            self.alarm(metric, "GreaterThanThreshold", LIMIT, **changes)
        self.alarm("feature_non_null_age", "LessThanThreshold", LEAST, **changes)

    def states(self) -> dict[str, str]:
        alarms = self.cloudwatch.describe_alarms()["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}

    def notified(self) -> list[str]:
        """The alarms of which the subscriber of the topic has a message."""
        received = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        bodies = [json.loads(message["Body"]) for message in received.get("Messages", [])]
        return sorted(json.loads(body["Message"])["AlarmName"] for body in bodies)

    def deliver(self, items: Sequence[Published], **settings: Any) -> None:
        sink = Cloudwatch(region=self.region, endpoint_url=self.url, **NAMES, **settings)
        with closing(sink.open("job")) as delivery:
            delivery.deliver(items)

    def put_as_model_monitor_does(self, end_ms: int) -> None:
        """Put one datum for each metric, as an execution that ended its hour then."""
        values = {
            "feature_baseline_drift_age": HEALTHY,
            "feature_baseline_drift_income": DRIFTED,
            "feature_non_null_age": COMPLETENESS,
        }
        self.cloudwatch.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": name,
                    "Value": value,
                    "Dimensions": DIMENSIONS,
                    "Timestamp": end_ms / 1_000,
                }
                for name, value in values.items()
            ],
        )

    def close(self) -> None:
        self.cloudwatch.close()
        self._sqs.close()

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@pytest.fixture
def account(ministack: Ministack, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Opens an account in the named region, and closes it after the test."""
    accounts: list[Account] = []

    def open_account(region: str) -> Account:
        accounts.append(Account(ministack.url, region))
        return accounts[-1]

    yield open_account
    for each in accounts:
        each.close()


@pytest.mark.parametrize(("period_s", "schedule"), [(600, "5m"), (3_600, "1h")])
def test_the_alarms_of_the_demo_do_what_they_do_on_model_monitor_and_reach_a_subscriber(
    account: Any, period_s: int, schedule: str
) -> None:
    schedule_ms = Cloudwatch(layout="sagemaker", schedule=schedule).schedule_ms
    end_ms = int(time.time() * 1_000) // schedule_ms * schedule_ms
    monitored, ours = account(f"us-east-{period_s}"), account(f"eu-west-{period_s}")
    for each in (monitored, ours):
        each.alarms(Period=period_s)
    monitored.put_as_model_monitor_does(end_ms)
    item = schedule_report(
        features=features(),
        schedule_ms=schedule_ms,
        start_ms=end_ms - schedule_ms,
        end_ms=end_ms,
    )
    ours.deliver([item], layout="sagemaker", schedule=schedule)
    assert ours.states() == monitored.states()
    assert ours.states() == {
        "feature_baseline_drift_age": "OK",
        "feature_baseline_drift_income": "ALARM",
        "feature_non_null_age": "ALARM",
    }
    fired = ["feature_baseline_drift_income", "feature_non_null_age"]
    assert ours.notified() == monitored.notified() == fired


def test_the_same_alarms_on_windows_fire_without_drift_and_miss_what_is_missing(
    account: Any,
) -> None:
    """60 distances of 0.002 add up to 0.12, and 60 times a completeness of 0.8 to 48."""
    ours = account("eu-north-1")
    ours.alarms(Period=3_600, Namespace="driftline/data-metrics")
    now_ms = int(time.time() * 1_000) // MINUTE_MS * MINUTE_MS
    ours.deliver([minute(now_ms - k * MINUTE_MS) for k in range(60)])
    assert ours.states() == {
        "feature_baseline_drift_age": "ALARM",
        "feature_baseline_drift_income": "ALARM",
        "feature_non_null_age": "OK",
    }


def test_alarms_on_averages_of_windows_do_what_they_should(account: Any) -> None:
    ours = account("eu-south-1")
    ours.alarms(Period=3_600, Namespace="driftline/data-metrics", Statistic="Average")
    now_ms = int(time.time() * 1_000) // MINUTE_MS * MINUTE_MS
    ours.deliver([minute(now_ms - k * MINUTE_MS) for k in range(60)])
    assert ours.states() == {
        "feature_baseline_drift_age": "OK",
        "feature_baseline_drift_income": "ALARM",
        "feature_non_null_age": "ALARM",
    }


def minute(end_ms: int) -> Published:
    return report(features=features(), start_ms=end_ms - MINUTE_MS, end_ms=end_ms)


@pytest.mark.parametrize("period_s", [60, 300, 600, 900, 3_600])
def test_an_alarm_of_any_period_and_statistic_sees_what_it_saw(
    moto: MotoServer, period_s: int
) -> None:
    """Whatever an alarm makes of data and of their absence, it is given the same of both."""
    midnight_ms = 1_750_032_000_000
    day = [
        schedule_report(
            hour,
            features=(
                calm("age", completeness=hour / 24, sagemaker=sagemaker_figures(hour / 100)),
            ),
            start_ms=midnight_ms + hour * HOUR_MS,
            end_ms=midnight_ms + (hour + 1) * HOUR_MS,
            status="NoData" if hour in (3, 4) else "Completed",
        )
        for hour in range(24)
    ]
    sink = Cloudwatch(region=REGION, endpoint_url=moto.url, layout="sagemaker", **NAMES)
    with closing(sink.open("job")) as delivery:
        delivery.deliver(day)
    for metric, unit in (("feature_baseline_drift_age", 100), ("feature_non_null_age", 24)):
        answer = moto.cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=DIMENSIONS,
            StartTime=datetime.fromtimestamp(midnight_ms / 1_000, UTC),
            EndTime=datetime.fromtimestamp(midnight_ms / 1_000, UTC) + timedelta(hours=25),
            Period=period_s,
            Statistics=STATISTICS,
        )
        points = {
            (point["Timestamp"].timestamp() * 1_000 - midnight_ms) / HOUR_MS - 1: point
            for point in answer["Datapoints"]
        }
        assert sorted(points) == [hour for hour in range(24) if hour not in (3, 4)]
        for hour, point in points.items():
            assert point["SampleCount"] == 1
            for statistic in STATISTICS[1:]:
                assert point[statistic] == pytest.approx(hour / unit, abs=1e-9)
