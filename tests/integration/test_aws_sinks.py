"""The AWS sinks against moto's server (an emulator): stored data, routed and refused messages."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from detectors.report import Signal, WindowReport
from detectors.violation import Violation
from sinks.cloudwatch import Cloudwatch
from sinks.courier import Courier
from sinks.errors import SinkRejected, SinkRetry
from sinks.sns import Sns
from stream.testing.reports import MINUTE_MS, START_MS, calm, feature, report, signal
from tests.servers.moto import REGION, MotoServer

SPAN_S = 3_600


def statistics(moto: MotoServer, metric: str, period_s: int = 60) -> list[dict[str, Any]]:
    """The points of a metric of model flights, oldest first."""
    response = moto.cloudwatch.get_metric_statistics(
        Namespace="driftline/data-metrics",
        MetricName=metric,
        Dimensions=[
            {"Name": "Endpoint", "Value": "flights"},
            {"Name": "MonitoringSchedule", "Value": "job"},
        ],
        StartTime=datetime.fromtimestamp(START_MS / 1000, UTC),
        EndTime=datetime.fromtimestamp(START_MS / 1000 + SPAN_S, UTC),
        Period=period_s,
        Statistics=["SampleCount", "Sum", "Minimum", "Maximum", "Average"],
    )
    return sorted(response["Datapoints"], key=lambda point: point["Timestamp"])


def cloudwatch(moto: MotoServer) -> Any:
    return closing(Cloudwatch(region=REGION, endpoint_url=moto.url).open("job"))


def test_cloudwatch_returns_one_point_per_window_with_its_numbers(moto: MotoServer) -> None:
    windows = [
        report(k, features=(feature(sum=80.0 * k, min=-k - 1.0, max=k + 0.5, value=k / 8), calm()))
        for k in range(5)
    ]
    with cloudwatch(moto) as delivery:
        delivery.deliver([*windows, report(0, 1, features=(feature(value=99.0),))])
    points = statistics(moto, "feature_data_amount")
    assert [
        (point["SampleCount"], point["Sum"], point["Minimum"], point["Maximum"]) for point in points
    ] == [(80.0, 80.0 * k, -k - 1.0, k + 0.5) for k in range(5)]
    assert [point["Timestamp"].timestamp() * 1000 for point in points] == [
        START_MS + (k + 1) * MINUTE_MS for k in range(5)
    ]
    assert [point["Sum"] for point in statistics(moto, "feature_baseline_drift_amount")] == [
        k / 8 for k in range(5)
    ]
    assert [point["Sum"] for point in statistics(moto, "feature_non_null_amount")] == [0.9] * 5
    assert [point["Sum"] for point in statistics(moto, "feature_non_null_carrier")] == [1.0] * 5
    assert statistics(moto, "feature_data_carrier") == []


def test_a_wide_window_arrives_completely(moto: MotoServer) -> None:
    with cloudwatch(moto) as delivery:
        delivery.deliver([report(features=tuple(feature(f"f{k}") for k in range(1_200)))])
    pages = moto.cloudwatch.get_paginator("list_metrics").paginate(
        Namespace="driftline/data-metrics"
    )
    names = {metric["MetricName"] for page in pages for metric in page["Metrics"]}
    assert len(names) == 3 * 1_200
    assert [point["Sum"] for point in statistics(moto, "feature_baseline_drift_f1199")] == [0.3]


@pytest.fixture
def sns(moto: MotoServer) -> Iterator[Callable[[str], Any]]:
    deliveries: list[Any] = []

    def open_sns(topic: str) -> Any:
        deliveries.append(Sns(topic_arn=topic, endpoint_url=moto.url).open("job"))
        return deliveries[-1]

    yield open_sns
    for delivery in deliveries:
        delivery.close()


OpenSns = Callable[[str], Any]


def queue(moto: MotoServer, topic: str, name: str, policy: dict[str, Any]) -> str:
    """A queue that subscribes to the topic with a filter policy."""
    url = str(moto.sqs.create_queue(QueueName=name)["QueueUrl"])
    arn = moto.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    moto.sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"FilterPolicy": json.dumps(policy)},
    )
    return url


def received(moto: MotoServer, url: str) -> list[Signal]:
    envelopes = [json.loads(message["Body"]) for message in moto.messages(url)]
    return [msgspec.json.decode(envelope["Message"], type=Signal) for envelope in envelopes]


def test_a_subscriber_receives_the_signals_unchanged(moto: MotoServer, sns: OpenSns) -> None:
    topic, everything = moto.topic_with_queue("everything")
    sent = [signal(0), signal(0, "worsened"), signal(1), signal(1, "recovered", reasons=())]
    sns(topic).deliver(sent)
    assert received(moto, everything) == sent


@pytest.mark.parametrize(
    ("policy", "kinds"),
    [
        ({"kind": ["opened"]}, ["opened"]),
        ({"model": ["flights"], "kind": [{"anything-but": ["recovered"]}]}, ["opened", "worsened"]),
        ({"feature": ["carrier"]}, ["worsened"]),
        ({"check": ["baseline_drift_check"], "episode": ["e0"]}, ["opened"]),
        ({"feature": [{"exists": False}]}, ["recovered"]),
        ({"model": ["another"]}, []),
    ],
)
def test_a_filter_policy_selects_by_attributes(
    moto: MotoServer, sns: OpenSns, policy: dict[str, Any], kinds: list[str]
) -> None:
    topic = moto.sns.create_topic(Name="chosen")["TopicArn"]
    url = queue(moto, topic, "chosen", policy)
    carrier = Violation(
        feature="carrier",
        check="vanished_value_check",
        statistic="share",
        value=0.0,
        limit=0.1,
        n=100,
        description="vanished",
    )
    sns(topic).deliver(
        [
            signal(0),
            signal(1, "worsened", reasons=(*signal().reasons, carrier)),
            signal(2, "recovered", reasons=()),
        ]
    )
    assert [arrived.kind for arrived in received(moto, url)] == kinds


def test_a_signal_of_many_reasons_passes_the_limit_of_256_kb(
    moto: MotoServer, sns: OpenSns
) -> None:
    topic, url = moto.topic_with_queue("large")
    many = signal(reasons=signal().reasons * 2_000)
    with pytest.raises(moto.sns.exceptions.InvalidParameterException):
        moto.sns.publish(TopicArn=topic, Message=msgspec.json.encode(many).decode())
    sns(topic).deliver([many])
    (arrived,) = received(moto, url)
    assert 0 < len(arrived.reasons) < 2_000


def test_a_fifo_topic_drops_a_repeat(moto: MotoServer) -> None:
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    topic = moto.sns.create_topic(Name="retrain.fifo", Attributes=fifo)["TopicArn"]
    url = moto.sqs.create_queue(QueueName="retrain.fifo", Attributes={"FifoQueue": "true"})[
        "QueueUrl"
    ]
    arn = moto.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    moto.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for _ in range(2):
        with closing(Sns(topic_arn=topic, endpoint_url=moto.url).open("job")) as delivery:
            delivery.deliver([signal(0), signal(1)])
    assert [arrived.dedupe_id for arrived in received(moto, url)] == ["d0-opened", "d1-opened"]


def test_a_missing_topic_is_retried_until_it_exists(moto: MotoServer, sns: OpenSns) -> None:
    topic, url = moto.topic_with_queue("deleted")
    moto.sns.delete_topic(TopicArn=topic)
    delivery = sns(topic)
    with pytest.raises(SinkRetry, match="NotFound"):
        delivery.deliver([signal()])
    topic, url = moto.topic_with_queue("deleted")
    delivery.deliver([signal()])
    assert received(moto, url) == [signal()]


@pytest.fixture
def guarded(moto: MotoServer) -> Iterator[MotoServer]:
    """moto with permissions enforced, until the test ends."""
    enforce_permissions(moto, "0")
    yield moto
    enforce_permissions(moto, "inf")


def enforce_permissions(moto: MotoServer, free_calls: str) -> None:
    """Make moto check signatures and policies after ``free_calls`` more calls."""
    post = urllib.request.Request(
        f"{moto.url}/moto-api/reset-auth",
        free_calls.encode(),
        {"Content-Type": "text/plain"},
        method="POST",
    )
    with urllib.request.urlopen(post, timeout=10) as response:
        response.read()


def test_refused_credentials_are_retried_and_never_logged(
    guarded: MotoServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRETSECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRETSECRETSECRET")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    deliveries = [
        Sns(topic_arn=f"arn:aws:sns:{REGION}:123456789012:t", endpoint_url=guarded.url).open("job"),
        Cloudwatch(region=REGION, endpoint_url=guarded.url).open("job"),
    ]
    items: list[Any] = [signal(), report()]
    for delivery, item in zip(deliveries, items, strict=True):
        courier: Courier[Any] = Courier("refused", delivery, 0, True, (3_600.0,))
        courier.offer([(1, item)])
        courier.start()
        while not courier.counts.retried:
            assert not courier.drain(0.05)
        counts = courier.counts
        assert (counts.retried, counts.waiting) == (1, 1)
        assert (counts.delivered, counts.rejected, counts.dropped) == (0, 0, 0)
        courier.stop(5)
    written = "".join(capsys.readouterr())
    assert "InvalidClientTokenId" in written
    assert "SECRET" not in written


class FixedResponses:
    """Accepts HTTP requests on a loopback port, sends the same bytes to each, and disconnects."""

    def __init__(self, raw: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._raw = raw
        self.requests = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.requests += 1
            with client:
                client.settimeout(5)
                self._read_all(client)
                client.sendall(self._raw)

    @staticmethod
    def _read_all(client: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += client.recv(65_536)
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length")
        )
        while len(body) < length:
            body += client.recv(65_536)

    def close(self) -> None:
        self._listener.close()


CUT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 400\r\n\r\n"
    b"<PublishResponse><PublishResult>"
)
CUT_AT_ONCE = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 400\r\n\r\n"
NO_ID = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n"
    b"<PublishResponse><PublishResult></PublishResult></PublishResponse>"
)
RESET = b""
ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n"
    b"<html></html>"
)


@pytest.mark.parametrize(
    "raw",
    [CUT, CUT_AT_ONCE, NO_ID, RESET, ERROR],
    ids=["cut off", "cut at once", "no id", "reset", "a page"],
)
def test_a_truncated_or_invalid_response_is_retried(moto: MotoServer, raw: bytes) -> None:
    items: list[tuple[Any, Signal | WindowReport]] = []
    with closing(FixedResponses(raw)) as broken:
        topic = f"arn:aws:sns:{REGION}:123456789012:t"
        items.append((Sns(topic_arn=topic, endpoint_url=broken.url), signal()))
        if raw != NO_ID:  # the response of PutMetricData is empty: it has only a length to check
            items.append((Cloudwatch(region=REGION, endpoint_url=broken.url), report()))
        for sink, item in items:
            with closing(sink.open("job")) as delivery, pytest.raises(SinkRetry):
                delivery.deliver([item])
        assert broken.requests == len(items)


def test_an_invalid_message_is_rejected_and_the_others_arrive(
    moto: MotoServer, sns: OpenSns
) -> None:
    topic, url = moto.topic_with_queue("mixed")
    delivery = sns(topic)
    huge = signal(1, model="m" * 270_000)
    with pytest.raises(SinkRejected) as rejected:
        delivery.deliver([signal(0), huge, signal(2)])
    assert rejected.value.index == 1
    delivery.deliver([signal(2)])
    assert [arrived.dedupe_id for arrived in received(moto, url)] == ["d0-opened", "d2-opened"]
