"""A drift delivered to four sinks: reports and signals, read back from each. CloudWatch, SNS
and SQS are emulated by moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.report import Signal, WindowReport
from tests.servers.gate import Gate
from tests.servers.moto import MotoServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.service import RunningService, newest
from tests.support import events, jobs

START_MS = 1_750_000_020_000
PER_S = 50
EVENTS = 24_000
NAMESPACE = "driftline/data-metrics"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline, and captures in which the amount is in cents from the fifth minute on; eight
    windows of 3,000 events."""
    folder = tmp_path_factory.mktemp("inputs")
    jobs.learn(folder, rows=20_000)
    columns = events.values(EVENTS, 6)
    amounts = [
        str(float(x) * 100) if k >= EVENTS // 2 else x for k, x in enumerate(columns["amount"])
    ]
    lines = events.capture_lines(
        {**columns, "amount": amounts}, start_ms=START_MS, events_a_second=PER_S
    )
    (folder / "captures").mkdir()
    (folder / "captures" / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


def config(inputs: Path, sinks: list[dict[str, Any]], follow: bool = False) -> dict[str, Any]:
    return jobs.config(
        inputs / "baseline",
        job="sinks",
        source={"type": "jsonl", "path": str(inputs / "captures"), "follow": follow},
        sinks=[{"type": "jsonl", "path": "reports"}, *sinks],
    )


def aws(moto: MotoServer, kind: str, **more: str) -> dict[str, Any]:
    return {"type": kind, "endpoint_url": moto.url, "region": "us-east-1", **more}


def statistics(moto: MotoServer, metric: str) -> dict[datetime, dict[str, Any]]:
    names = {"Endpoint": "m", "MonitoringSchedule": "sinks"}
    response = moto.cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in names.items()],
        StartTime=datetime.fromtimestamp(START_MS / 1000 - 60, UTC),
        EndTime=datetime.fromtimestamp(START_MS / 1000 + 3_600, UTC),
        Period=60,
        Statistics=["Sum", "SampleCount", "Minimum", "Maximum", "Average"],
    )
    return {point["Timestamp"]: point for point in response["Datapoints"]}


def moment(report: WindowReport) -> datetime:
    return datetime.fromtimestamp((report.end_ms or 0) / 1000, UTC)


def test_cloudwatch_holds_the_figures_of_the_reports(
    inputs: Path, moto: MotoServer, tmp_path: Path
) -> None:
    with RunningService(tmp_path, config(inputs, [aws(moto, "cloudwatch")]), moto.env) as service:
        assert service.wait() == 0, service.log
        reports = newest(service.reports()).values()
    assert len(reports) == EVENTS // PER_S // 60
    drift, filled, data = (
        statistics(moto, f"feature_{name}_amount")
        for name in ("baseline_drift", "non_null", "data")
    )
    for report in reports:
        feature = next(feature for feature in report.features if feature.name == "amount")
        assert drift[moment(report)]["Sum"] == pytest.approx(feature.value)
        assert filled[moment(report)]["Sum"] == 1.0
        point = data[moment(report)]
        assert point["SampleCount"] == 3_000
        assert (point["Minimum"], point["Maximum"]) == (feature.min, feature.max)
        assert point["Sum"] == pytest.approx(feature.sum)


def test_the_signal_reaches_a_queue_whose_filter_policy_matches(
    inputs: Path, moto: MotoServer, tmp_path: Path
) -> None:
    topic, queue = moto.topic_with_queue("retrain")
    other = moto.sqs.create_queue(QueueName="others")["QueueUrl"]
    arn = moto.sqs.get_queue_attributes(QueueUrl=other, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {"FilterPolicy": json.dumps({"model": ["another model"]})}
    moto.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=policy)
    with RunningService(
        tmp_path, config(inputs, [aws(moto, "sns", topic_arn=topic)]), moto.env
    ) as service:
        assert service.wait() == 0, service.log
        written = service.signals()
    envelopes = [json.loads(message["Body"]) for message in moto.messages(queue)]
    received = [msgspec.json.decode(envelope["Message"], type=Signal) for envelope in envelopes]
    assert received == written
    assert [
        (signal.kind, [reason.feature for reason in signal.reasons]) for signal in received
    ] == [("opened", ["amount"])]
    assert received[0].reasons[0].n == 3_000
    assert received[0].first_violation_ms == START_MS + EVENTS // 2 * 1000 // PER_S
    attributes = {name: value["Value"] for name, value in envelopes[0]["MessageAttributes"].items()}
    assert attributes["model"] == "m"
    assert attributes["feature"] == "amount"
    assert attributes["dedupe_id"] == received[0].dedupe_id
    assert len(envelopes[0]["Message"]) < 256_000
    assert moto.messages(other) == []


def test_a_scrape_returns_the_newest_window(
    inputs: Path, prometheus: Callable[..., PrometheusServer], tmp_path: Path
) -> None:
    sinks = [{"type": "prometheus", "per_feature": ["mean", "ks"]}]
    with RunningService(tmp_path, config(inputs, sinks, follow=True)) as service:
        service.until(lambda: service.accepted() == EVENTS)
        service.until(lambda: service.metric("driftline_window_rows") == 3_000)
        server = prometheus(service.port)
        server.wait_for('driftline_feature_drift_distance{feature="amount"}')
        last = max(newest(service.reports()).values(), key=lambda report: report.end_ms or 0)
        amount = next(feature for feature in last.features if feature.name == "amount")
        assert server.value('driftline_feature_drift_distance{feature="amount"}') == pytest.approx(
            amount.value
        )
        assert server.value('driftline_feature_drift_limit{feature="amount"}') == pytest.approx(
            amount.limit
        )
        assert server.value(
            'driftline_feature_statistic{feature="amount",statistic="mean"}'
        ) == pytest.approx(amount.mean)
        assert server.value(
            'driftline_feature_statistic{feature="amount",statistic="ks"}'
        ) == pytest.approx(amount.distances["ks"])
        assert server.value("driftline_window_rows") == last.rows
        assert server.value("driftline_window_end_timestamp_seconds") == (last.end_ms or 0) / 1000
        assert server.value('driftline_window_state{state="violations"}') == 1
        assert server.value("driftline_ledger_imbalance") == 0
        assert service.stop() == 0


def test_a_sink_that_is_down_delays_only_itself_and_loses_no_signal(
    inputs: Path, moto: MotoServer, tmp_path: Path
) -> None:
    topic, queue = moto.topic_with_queue("late")
    gate = Gate(int(moto.url.rpartition(":")[2]))
    sink = {
        "type": "sns",
        "topic_arn": topic,
        "region": "us-east-1",
        "endpoint_url": f"http://127.0.0.1:{gate.port}",
    }
    try:
        with RunningService(tmp_path, config(inputs, [sink], follow=True), moto.env) as service:
            service.until(lambda: len(newest(service.reports())) >= 7)
            service.until(
                lambda: service.metric("driftline_sink_attempts_retried_total", sink="sns") >= 2
            )
            assert gate.refused
            assert moto.messages(queue) == []
            gate.open()
            service.until(
                lambda: service.metric("driftline_sink_items_delivered_total", sink="sns") >= 1
            )
            assert service.stop() == 0
            written = service.signals()
    finally:
        gate.close()
    received = [
        msgspec.json.decode(json.loads(message["Body"])["Message"], type=Signal)
        for message in moto.messages(queue)
    ]
    assert received == written
    assert len(received) == 1
