"""``driftline check --live`` against a real topic, real files, and moto's server (an emulator) for AWS."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner

from benchmarks import events
from sinks.prometheus import Prometheus
from stream import baselining
from stream.cli import main
from stream.doctor.bill import metrics_cost, puts_cost
from stream.doctor.sinks.prometheus import series_finding
from tests.parts.kafka import KafkaBroker
from tests.parts.kinesis import KinesisEmulator
from tests.parts.moto import MotoServer
from tests.parts.service import RunningService


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs the live check on a configuration; returns exit code and output."""
    baselining.write(baselining.make(lambda: [pa.table(events.values(2_000, 4))], events.OUTPUTS), tmp_path / "baseline")

    def check(source: dict[str, Any], sinks: list[dict[str, Any]], **more: Any) -> tuple[int, str]:
        config = {
            "job": "doctor",
            "source": source,
            "format": {"type": "sagemaker"},
            "model": {"from": "const", "name": "m"},
            "models": {"m": {"baseline": "baseline"}},
            "sinks": sinks,
            **more,
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        done = CliRunner().invoke(main, ["check", "--live", str(tmp_path / "config.yaml")])
        return done.exit_code, done.output

    return check


def produce(kafka: KafkaBroker, topic: str, partition: int, count: int, start_ms: int) -> None:
    lines = events.capture_lines(events.values(count, 3), start_ms=start_ms, events_a_second=10)
    kafka.produce(topic, [(partition, None, line, (), int(time.time() * 1000)) for line in lines])


def test_a_topic_tells_its_time_its_retention_its_skew_and_what_cannot_be_read(
    kafka: KafkaBroker, make_topic: Callable[..., str], job: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(2, {"retention.ms": "3600000"})
    now_ms = int(time.time() * 1000)
    produce(kafka, topic, 0, 150, now_ms - 300_000)
    produce(kafka, topic, 1, 150, now_ms - 20_000)
    kafka.produce(topic, [(1, None, b"no json", (), now_ms)] * 50)
    code, text = job({"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, [{"type": "prometheus"}], readers=4)
    assert code == 0, text
    assert "CreateTime" in text
    assert "retention: 1 h" in text
    assert "Raise retention.ms" in text
    assert "2 partitions for 4 readers" in text
    assert "holds 350 records" in text
    assert "14.3 % of 350 sampled records rejected: undecodable 14.3 %" in text
    assert "4 min 40 s apart" in text
    assert "no json" not in text
    assert kafka.admin.list_groups() == [] or "doctor" not in str(kafka.admin.list_groups())


def test_a_topic_with_the_brokers_time_is_well(
    kafka: KafkaBroker, make_topic: Callable[..., str], job: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(1, {"message.timestamp.type": "LogAppendTime"})
    produce(kafka, topic, 0, 50, int(time.time() * 1000) - 5_000)
    code, text = job({"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, [])
    assert code == 0, text
    assert "LogAppendTime" in text
    assert "retention: no limit of time" in text
    assert "0 % of 50 sampled records rejected" in text


def test_a_topic_of_another_format_is_a_fault(
    kafka: KafkaBroker, make_topic: Callable[..., str], job: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(1)
    kafka.produce(topic, [(0, None, b"a,b,c", (), int(time.time() * 1000))] * 20)
    code, text = job({"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, [])
    assert code == 2
    assert "100 % of 20 sampled records rejected" in text


def test_a_stream_tells_its_retention_and_its_shards(
    kinesis: KinesisEmulator, make_stream: Callable[[int], str], monkeypatch: pytest.MonkeyPatch, job: Callable[..., tuple[int, str]]
) -> None:
    """kinesis-local is an emulator."""
    for name, value in kinesis.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of the tests before
    stream = make_stream(2)
    kinesis.put(stream, events.capture_lines(events.values(40, 3), start_ms=int(time.time() * 1000) - 5_000, events_a_second=10))
    source = {"type": "kinesis", "stream": stream, "region": "us-east-1", "endpoint_url": kinesis.url}
    code, text = job(source, [])
    assert code == 0, text
    assert "retention: 1 d, so long the service may be down" in text
    assert "2 shards for 1 reader" in text
    assert "0 % of 40 sampled records rejected" in text


def test_aws_sinks_tell_their_bill_and_a_topic_that_is_missing(
    tmp_path: Path, moto: MotoServer, job: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "captures.jsonl").write_bytes(b"\n".join(events.capture_lines(events.values(50, 3))) + b"\n")
    arn = moto.topic_with_queue("there")[0]
    aws = {"endpoint_url": moto.url, "region": "us-east-1"}
    sinks = [{"type": "cloudwatch", **aws}, {"type": "sns", "topic_arn": arn, **aws}, {"type": "jsonl", "path": "reports"}]
    code, text = job({"type": "jsonl", "path": "captures.jsonl"}, sinks)
    assert code == 0, text
    assert "57 metrics a variant: about $17.53 a month" in text  # 17 numbers and 3 texts: 57 x 0.30, and 43,200 calls
    assert "the topic is there" in text
    assert "1 file, the newest changed" in text
    code, text = job({"type": "jsonl", "path": "captures.jsonl"}, [{**sinks[1], "topic_arn": arn + "-not"}])
    assert code == 2
    assert "the topic does not exist" in text


def test_prices_and_series_are_those_of_the_lists() -> None:
    assert metrics_cost(0) == 0
    assert metrics_cost(260_000) == pytest.approx(10_000 * 0.30 + 240_000 * 0.10 + 10_000 * 0.05)
    assert puts_cost(2_500, 60_000) == pytest.approx(3 * 43_200 / 1000 * 0.01)
    assert series_finding(Prometheus(), [20]).what.startswith("at most 81 series a variant of 1 model (max_series 20,000)")
    assert series_finding(Prometheus(), [20] * 246).level == "ok"
    assert series_finding(Prometheus(), [20] * 247).level == "warning"


def test_the_series_that_are_told_before_are_those_of_the_running_service(tmp_path: Path, job: Callable[..., tuple[int, str]]) -> None:
    """Calm traffic: eight of the nine checks find nothing and are not shown, and three of the features are texts without mean and KS."""
    lines = events.capture_lines(events.values(3_000, 3), start_ms=int(time.time() * 1000) - 420_000, events_a_second=10)
    (tmp_path / "captures.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    source = {"type": "jsonl", "path": str(tmp_path / "captures.jsonl")}
    code, text = job(source, [{"type": "prometheus", "per_feature": ["mean", "ks"]}])
    assert code == 0, text
    told = re.search(r"at most (\d+) series a variant", text)
    assert told is not None
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["source"]["follow"], config["models"]["m"]["baseline"] = True, str(tmp_path / "baseline")
    with RunningService(tmp_path / "run", config) as service:
        service.until(lambda: service.metric("driftline_window_rows") > 0)
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=5) as page:
            text = page.read().decode()
    there = re.findall(r"^driftline_(?:window|worst_feature|feature)_.*$", text, re.MULTILINE)
    assert len(there) == int(told[1]) - 8 - 3 * 2
