"""``driftline check --live`` against a real topic, real files, and AWS as emulated by moto's
server."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest
import yaml

from detectors.decisions.catalogue import CHECKS
from detectors.report import State
from sinks.prometheus import Prometheus
from stream.check.cloudwatch_cost import metrics_cost, puts_cost
from stream.check.sinks.prometheus import series_finding
from tests.servers.kafka import PASSWORD, USER, KafkaBroker
from tests.servers.moto import CREDENTIALS, MotoServer
from tests.servers.service import RunningService
from tests.support import events, jobs

OF_MODEL = 4 + len(get_args(State)) + len(CHECKS) + 3
"""The most series of a model without those of its features."""


def produce(kafka: KafkaBroker, topic: str, partition: int, count: int, start_ms: int) -> None:
    lines = events.capture_lines(events.values(count, 3), start_ms=start_ms, events_a_second=10)
    kafka.produce(topic, [(partition, None, line, (), int(time.time() * 1000)) for line in lines])


def test_a_topic_is_reported_with_timestamps_retention_skew_and_undecodable_records(
    kafka: KafkaBroker, make_topic: Callable[..., str], check_live: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(2, {"retention.ms": "3600000"})
    now_ms = int(time.time() * 1000)
    produce(kafka, topic, 0, 150, now_ms - 300_000)
    produce(kafka, topic, 1, 150, now_ms - 20_000)
    kafka.produce(topic, [(1, None, b"no json", (), now_ms)] * 50)
    code, text = check_live(
        {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic},
        [{"type": "prometheus"}],
        readers=4,
    )
    assert code == 0, text
    assert "CreateTime" in text
    assert "retention: 1 h" in text
    assert "Raise retention.ms" in text
    assert "2 partitions for 4 readers" in text
    assert "holds 350 offsets" in text
    assert "14.3 % of 350 sampled records rejected: undecodable 14.3 %" in text
    assert "4 min 40 s apart" in text
    assert "no json" not in text
    assert "checked" not in str(kafka.admin.list_groups())


def test_a_topic_with_timestamps_of_the_broker_has_no_fault(
    kafka: KafkaBroker, make_topic: Callable[..., str], check_live: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(1, {"message.timestamp.type": "LogAppendTime"})
    produce(kafka, topic, 0, 50, int(time.time() * 1000) - 5_000)
    code, text = check_live(
        {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, []
    )
    assert code == 0, text
    assert "LogAppendTime" in text
    assert "retention: no limit of time" in text
    assert "0 % of 50 sampled records rejected" in text


def test_a_topic_of_another_format_is_a_fault(
    kafka: KafkaBroker, make_topic: Callable[..., str], check_live: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(1)
    kafka.produce(topic, [(0, None, b"a,b,c", (), int(time.time() * 1000))] * 20)
    code, text = check_live(
        {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, []
    )
    assert code == 2
    assert "100 % of 20 sampled records rejected" in text


def test_a_state_that_cannot_be_read_is_a_fault_among_the_other_findings(
    tmp_path: Path,
    kafka: KafkaBroker,
    make_topic: Callable[..., str],
    check_live: Callable[..., tuple[int, str]],
) -> None:
    (tmp_path / "state.db").write_bytes(b"no database" * 100)
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": make_topic(1)}
    code, text = check_live(
        source, [{"type": "prometheus"}], state={"path": str(tmp_path / "state.db")}
    )
    assert code == 2
    assert f"fault    state {tmp_path / 'state.db'}: " in text
    assert "CreateTime" in text
    assert "series" in text


def test_a_log_that_is_bounded_in_size_is_not_bounded_in_time(
    kafka: KafkaBroker, make_topic: Callable[..., str], check_live: Callable[..., tuple[int, str]]
) -> None:
    topic = make_topic(1, {"retention.ms": "86400000", "retention.bytes": "1073741824"})
    code, text = check_live(
        {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, []
    )
    assert code == 0, text
    assert f"warning  topic {topic}: retention: 1.0 GB per partition, at most 1 d" in text
    topic = make_topic(1, {"cleanup.policy": "compact"})
    code, text = check_live(
        {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}, []
    )
    assert "compacted" in text
    assert "retention" not in text, "retention.ms has no effect on a compacted topic"


def test_a_missing_topic_or_broker_is_a_fault_among_the_other_findings(
    kafka: KafkaBroker, check_live: Callable[..., tuple[int, str]]
) -> None:
    sinks = [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}]
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": "not-there"}
    code, text = check_live(source, sinks)
    assert code == 2
    assert "fault    kafka topic 'not-there' at " in text
    assert "Create the topic, or correct source.topic" in text
    assert "series" in text
    assert "state" in text
    code, text = check_live(
        {**source, "bootstrap_servers": ["127.0.0.1:1"], "give_up_after": "0.5s"}, sinks
    )
    assert code == 2
    assert "check source.bootstrap_servers" in text
    assert "state" in text


def guarded(kafka: KafkaBroker, topic: str, **more: str) -> dict[str, Any]:
    produce(kafka, topic, 0, 50, int(time.time() * 1000) - 5_000)
    options = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}
    options |= {"sasl_plain_username": USER, "sasl_plain_password": PASSWORD}
    return {
        "type": "kafka",
        "bootstrap_servers": [kafka.sasl_bootstrap],
        "topic": topic,
        "options": options,
        **more,
    }


def test_each_missing_permission_is_reported_with_the_acl_that_grants_it(
    guarded_kafka: KafkaBroker, check_live: Callable[..., tuple[int, str]]
) -> None:
    guarded_kafka.create_topic("orders")
    source = guarded(guarded_kafka, "orders")
    acl = f"kafka-acls.sh --add --allow-principal User:{USER} --operation"
    code, text = check_live(source, [{"type": "prometheus"}])
    assert code == 2
    assert "fault    topic orders: permissions: Read and Describe on the topic are missing" in text
    assert "fault    topic orders: permissions: Read on the group checked is missing" in text
    assert f"{acl} Read --group checked" in text
    assert "series" in text

    guarded_kafka.allow("DESCRIBE", "GROUP", "checked")
    text = wait_for(
        lambda: check_live(source, []),
        "warning  topic orders: permissions: Read on the group checked is missing",
    )[1]
    assert "its offsets are not published" in text
    assert f"{acl} Read --group checked" in text

    guarded_kafka.allow("DESCRIBE", "TOPIC", "orders")
    guarded_kafka.allow("READ", "GROUP", "checked")
    code, text = wait_for(lambda: check_live(source, []), "Read on the topic is missing")
    assert code == 2
    assert f"{acl} Read --topic orders" in text
    assert "group checked is missing" not in text

    guarded_kafka.allow("READ", "TOPIC", "orders")
    code, text = wait_for(
        lambda: check_live(source, []), "the topic can be read, group checked too"
    )
    assert code == 0, text
    assert "warning  topic orders: settings unknown" in text
    assert f"{acl} DescribeConfigs --topic orders" in text
    assert "CreateTime" not in text
    assert "retention" not in text.replace("timestamp type and retention may not", "")
    assert "0 % of 50 sampled records rejected" in text

    guarded_kafka.allow("DESCRIBE_CONFIGS", "TOPIC", "orders")
    code, text = wait_for(lambda: check_live(source, []), "CreateTime")
    assert code == 0, text
    assert "settings unknown" not in text


def wait_for(check: Callable[[], tuple[int, str]], expected: str) -> tuple[int, str]:
    """Repeat a check until its output contains ``expected``: ACLs take effect after a moment."""
    deadline = time.monotonic() + 30
    code, text = check()
    while expected not in text:
        assert time.monotonic() < deadline, text
        code, text = check()
    return code, text


@pytest.mark.parametrize("client", ["columns", "plain", "fast"])
def test_a_check_creates_no_group_and_no_topic_of_offsets(
    guarded_kafka: KafkaBroker, check_live: Callable[..., tuple[int, str]], client: str
) -> None:
    guarded_kafka.create_topic(f"check-{client}")
    for kind, name in (("TOPIC", f"check-{client}"), ("GROUP", "checked")):
        guarded_kafka.allow("ALL", kind, name)
    code, text = wait_for(
        lambda: check_live(guarded(guarded_kafka, f"check-{client}", client=client), []),
        "records rejected",
    )
    assert code == 0, text
    assert "__consumer_offsets" not in guarded_kafka.admin.list_topics()


def test_options_that_only_librdkafka_refuses_are_a_fault(
    guarded_kafka: KafkaBroker, check_live: Callable[..., tuple[int, str]]
) -> None:
    guarded_kafka.create_topic("options")
    source = {
        "type": "kafka",
        "bootstrap_servers": [guarded_kafka.bootstrap],
        "topic": "options",
        "client": "fast",
    }
    code, text = check_live({**source, "options": {"fetch_max_bytes": 1000}}, [])
    assert code == 2
    assert "`fetch_max_bytes` must be >=" in text


def test_aws_sinks_report_their_bill_and_a_missing_topic(
    tmp_path: Path, moto: MotoServer, check_live: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "captures.jsonl").write_bytes(
        b"\n".join(events.capture_lines(events.values(50, 3))) + b"\n"
    )
    arn = moto.topic_with_queue("there")[0]
    aws = {"endpoint_url": moto.url, "region": "us-east-1"}
    sinks = [
        {"type": "cloudwatch", **aws},
        {"type": "sns", "topic_arn": arn, **aws},
        {"type": "jsonl", "path": "reports"},
    ]
    code, text = check_live({"type": "jsonl", "path": "captures.jsonl"}, sinks)
    assert code == 0, text
    # 17 numbers and 3 texts: 57 x 0.30, and 43,200 calls
    assert "57 metrics per variant: about $17.53 per month" in text
    assert "list price of us-east-1; other regions differ" in text
    assert "the topic exists" in text
    assert "1 file, the newest changed" in text
    code, text = check_live(
        {"type": "jsonl", "path": "captures.jsonl"}, [{**sinks[1], "topic_arn": arn + "-not"}]
    )
    assert code == 2
    assert "the topic does not exist" in text


def test_a_model_still_to_be_learned_is_counted_by_its_columns(
    tmp_path: Path, moto: MotoServer, check_live: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "captures.jsonl").write_bytes(
        b"\n".join(events.capture_lines(events.values(50, 3))) + b"\n"
    )
    models = {"m": {"baseline": "learn", "outputs": ["p"], "inputs": [f"x{k}" for k in range(19)]}}
    sinks = [
        {"type": "cloudwatch", "endpoint_url": moto.url, "region": "us-east-1"},
        {"type": "prometheus"},
    ]
    code, text = check_live({"type": "jsonl", "path": "captures.jsonl"}, sinks, models=models)
    assert code == 0, text
    # 60 x 0.30, and 43,200 calls
    assert "at most 60 metrics per variant: at most $18.43 per month" in text
    assert f"at most {OF_MODEL + 20 * 11} series per variant" in text


def test_a_learned_model_is_counted_by_what_was_learned(
    tmp_path: Path, moto: MotoServer, check_live: Callable[..., tuple[int, str]]
) -> None:
    lines = [
        f'{{"time": "2026-11-25T07:{k // 60 % 60:02}:{k % 60:02}Z", "p": {k % 9}, "t":'
        f' "{"ab"[k % 2]}"}}'
        for k in range(600)
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    changes: dict[str, Any] = {
        "format": {"type": "json"},
        "learn": {"events": 200},
        "state": {"path": str(tmp_path / "run" / "state.sqlite")},
        "models": {"m": {"baseline": "learn", "outputs": ["p"], "inputs": ["t"]}},
    }
    source = {"type": "jsonl", "path": str(tmp_path / "events.jsonl")}
    sinks = [{"type": "cloudwatch", "endpoint_url": moto.url, "region": "us-east-1"}]
    assert "at most 6 metrics" in check_live(source, sinks, **changes)[1]
    settings = yaml.safe_load((tmp_path / "config.yaml").read_text()) | {"sinks": []}
    with RunningService(tmp_path / "run", settings) as service:
        assert service.wait() == 12, "60 rows in a window are too few for a verdict"
    code, text = check_live(source, sinks, **changes)
    assert code == 0, text
    assert "cloudwatch: 5 metrics per variant: about " in text
    assert "state.sqlite: 600 events accepted so far" in text
    code, text = check_live(source, sinks, window="30s", **changes)
    assert code == 0, text
    assert re.search(
        r"warning  state .*: window was 60000 ms, configured is 30000 ms\n +->"
        r" .*--accept-change",
        text,
    )
    (tmp_path / "other.jsonl").touch()
    code, text = check_live(
        {"type": "jsonl", "path": str(tmp_path / "other.jsonl")}, sinks, **changes
    )
    assert code == 2
    assert re.search(
        r"fault    state .*: source was jsonl .*events\.jsonl, configured is jsonl"
        r" .*other\.jsonl",
        text,
    )


def test_costs_and_series_follow_the_price_list_and_the_cap() -> None:
    assert metrics_cost(0) == 0
    assert metrics_cost(260_000) == pytest.approx(10_000 * 0.30 + 240_000 * 0.10 + 10_000 * 0.05)
    assert puts_cost(3, 60_000) == pytest.approx(3 * 43_200 / 1000 * 0.01)
    series = OF_MODEL + 20 * 11
    assert series_finding(Prometheus(), [20]).message.startswith(
        f"at most {series} series per variant of 1 model (max_series 20,000)"
    )
    assert series_finding(Prometheus(), [20] * 81).level == "ok"
    assert series_finding(Prometheus(), [20] * 83).level == "warning"


def test_the_predicted_series_are_those_of_the_running_service(
    tmp_path: Path, check_live: Callable[..., tuple[int, str]]
) -> None:
    """Traffic without drift: all checks but one have no series, no report is named, and three
    features are texts, which have no mean in window and baseline, and no KS."""
    lines = events.capture_lines(
        events.values(3_000, 3), start_ms=int(time.time() * 1000) - 420_000, events_a_second=10
    )
    (tmp_path / "captures.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    source = {"type": "jsonl", "path": str(tmp_path / "captures.jsonl")}
    code, text = check_live(source, [{"type": "prometheus", "per_feature": ["mean", "ks"]}])
    assert code == 0, text
    predicted = re.search(r"at most (\d+) series per variant", text)
    assert predicted is not None
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["source"]["follow"] = True
    config["models"]["m"]["baseline"] = str(tmp_path / "baseline")
    with RunningService(tmp_path / "run", config) as service:
        service.until(lambda: service.metric("driftline_window_rows") > 0)
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=5) as page:
            text = page.read().decode()
    series = re.findall(r"^driftline_(?:window|worst_feature|feature)_.*$", text, re.MULTILINE)
    assert len(series) == int(predicted[1]) - (len(CHECKS) - 1) - 1 - 3 * 3


def test_events_without_a_readable_time_are_reported_with_its_path(
    tmp_path: Path, check_live: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "events.jsonl").write_text('{"time": 1795590000000, "p": 1}\n' * 3)
    models = {"m": {"baseline": "learn", "outputs": ["p"], "inputs": []}}
    code, text = check_live(
        {"type": "jsonl", "path": "events.jsonl"}, [], format={"type": "json"}, models=models
    )
    assert code == 2
    assert "time_absurd 100 % (time: time, iso)" in text
    assert "The time does not match `time.unit`" in text


def test_a_missing_folder_is_reported_with_advice(
    tmp_path: Path, check_live: Callable[..., tuple[int, str]]
) -> None:
    code, text = check_live(
        {"type": "jsonl", "path": "captures", "follow": True},
        [{"type": "jsonl", "path": "reports"}],
    )
    assert code == 2
    assert f"jsonl {tmp_path / 'captures'}: No such file or directory" in text
    assert "Make the folder (or the file), or correct source.path" in text


def test_aws_out_of_reach_is_not_reported_as_wrong_credentials(
    tmp_path: Path, check_live: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    (tmp_path / "captures.jsonl").write_bytes(
        b"\n".join(events.capture_lines(events.values(50, 3))) + b"\n"
    )
    code, text = check_live(
        {"type": "jsonl", "path": "captures.jsonl"},
        [{"type": "cloudwatch", "endpoint_url": "http://127.0.0.1:1"}],
    )
    assert code == 2
    assert "AWS does not respond (EndpointConnectionError)" in text
    assert "credentials" not in text


def test_a_job_that_began_at_the_end_of_the_log_is_reported_as_healthy(
    tmp_path: Path,
    kafka: KafkaBroker,
    make_topic: Callable[..., str],
    check_live: Callable[..., tuple[int, str]],
) -> None:
    """Its first events were in the log before it began; it has read all that came later."""
    topic = make_topic(1)
    now_ms = int(time.time() * 1000)
    produce(kafka, topic, 0, 50, now_ms - 30_000)
    source = {
        "type": "kafka",
        "bootstrap_servers": [kafka.bootstrap],
        "topic": topic,
        "start": "latest",
    }
    state = {"path": str(tmp_path / "latest.sqlite")}
    code, text = check_live(source, [], state=state)
    assert code == 0, text
    assert "0 % of 50 sampled records rejected" in text
    job = jobs.config(tmp_path / "baseline", job="checked", source=source, state=state)
    with RunningService(tmp_path / "job", job) as service:
        service.until(lambda: service.ready().startswith("200"))
        produce(kafka, topic, 0, 40, now_ms)
        service.until(lambda: service.accepted() == 40)
        assert service.stop() == 0
    code, text = check_live(source, [], state=state)
    assert code == 0, text
    assert "position of this job: 0 offsets to read" in text
    assert "0 % of 90 sampled records rejected" in text
