"""Sink ``s3`` against moto's server (an emulator): outages, encryption and permissions."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sinks.courier import Courier
from sinks.errors import SinkRetry
from sinks.s3 import S3
from stream.cli import main
from stream.testing.reports import report, signal
from stream.testing.schedule_reports import schedule_report
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.moto import REGION, MotoServer
from tests.support import events

BUCKET = "reports"
ALLOWED = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{BUCKET}/monitor/*",
            }
        ],
    }
)
"""The policy of docs/sagemaker-compatibility.md."""


def sink(url: str, **changes: Any) -> S3:
    keys = {"prefix": "monitor/", "layout": "sagemaker", "schedule": "1h", **changes}
    return S3(bucket=BUCKET, region=REGION, endpoint_url=url, **keys)


@pytest.fixture
def bucket(moto: MotoServer) -> Any:
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def courier() -> Iterator[Callable[..., Courier[Any]]]:
    """Starts couriers with a compressed back-off, and stops them after the test."""
    couriers: list[Courier[Any]] = []

    def start(configured: S3, backoff_s: tuple[float, ...] = (0.01, 0.05)) -> Courier[Any]:
        couriers.append(Courier("s3", configured.open("sample"), 0, True, backoff_s))
        couriers[-1].start()
        return couriers[-1]

    yield start
    for started in couriers:
        started.stop(5)


def lines(bucket: Any) -> list[str]:
    """The ids of all lines in the bucket."""
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    bodies = [
        bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        for key in keys
        if key.endswith(".gz")
    ]
    return [
        json.loads(line)["id"] for body in bodies for line in gzip.decompress(body).splitlines()
    ]


def test_nothing_is_lost_while_s3_is_down(moto: MotoServer, bucket: Any, courier: Any) -> None:
    """Ten minutes of windows (and a run) while connections are refused, time compressed."""
    with FaultyProxy(moto.port) as proxy:
        started = courier(sink(proxy.url))
        started.offer([(1, report(0))])
        assert started.drain(10)
        proxy.fault = "down"
        items: list[Any] = [
            *(report(window) for window in range(1, 11)),
            schedule_report(),
            signal(),
        ]
        for number, item in enumerate(items, 2):
            started.offer([(number, item)])
            time.sleep(0.02)
        assert not started.drain(0.3)
        assert started.counts.retried > 2
        assert started.cursor == 1
        proxy.fault = ""
        assert started.drain(20)
    counts = started.counts
    assert (counts.delivered, counts.rejected, counts.dropped) == (len(items) + 1, 0, 0)
    assert sorted(lines(bucket)) == sorted(item.id for item in [report(0), *items])
    run = "monitor/flights/sample/2025/06/15/17/"
    names = [
        found["Key"] for found in bucket.list_objects_v2(Bucket=BUCKET, Prefix=run)["Contents"]
    ]
    assert f"{run}driftline-report.json" in names
    assert f"{run}constraint_violations.json" in names


@pytest.mark.slow
def test_what_waited_arrives_after_the_emulator_was_killed_and_restarted(
    moto: MotoServer, courier: Any
) -> None:
    """The emulator forgets its objects: what was delivered before is not put again."""
    with MotoServer() as own:
        own.client("s3").create_bucket(Bucket=BUCKET)
        started = courier(sink(own.url))
        started.offer([(1, report(0))])
        assert started.drain(10)
        own.process.kill9()
        waiting: list[Any] = [*(report(window) for window in range(1, 11)), schedule_report()]
        started.offer(list(enumerate(waiting, 2)))
        assert not started.drain(0.5)
        with own:  # on the same port
            assert not started.drain(0.5), "there is no bucket yet"
            own.client("s3").create_bucket(Bucket=BUCKET)
            assert started.drain(20)
            assert sorted(lines(own.client("s3"))) == sorted(item.id for item in waiting)


def test_a_missing_bucket_is_retried_until_it_exists(moto: MotoServer, courier: Any) -> None:
    started = courier(sink(moto.url))
    started.offer([(1, report(0)), (2, schedule_report())])
    assert not started.drain(0.3)
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    assert started.drain(10)
    assert sorted(lines(client)) == sorted([report(0).id, schedule_report().id])


def test_objects_are_encrypted_with_the_given_key(moto: MotoServer, bucket: Any) -> None:
    key = moto.client("kms").create_key()["KeyMetadata"]["Arn"]
    delivery = sink(moto.url, kms_key_id=key).open("sample")
    delivery.deliver([schedule_report(), report()])
    delivery.close()
    found = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    heads = [bucket.head_object(Bucket=BUCKET, Key=entry["Key"]) for entry in found]
    assert len(heads) >= 5
    assert {(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads} == {
        ("aws:kms", key)
    }


def test_the_documented_policy_is_enough_and_another_prefix_is_refused(
    moto: MotoServer, bucket: Any, allowed: Callable[[str], None]
) -> None:
    allowed(ALLOWED)
    inside, outside = sink(moto.url).open("sample"), sink(moto.url, prefix="other").open("sample")
    inside.deliver([schedule_report(), report(), signal()])
    with pytest.raises(SinkRetry, match="AccessDenied"):
        outside.deliver([report()])
    assert not sink(moto.url).has_reports_of("sample"), "listing is not allowed"
    for delivery in (inside, outside):
        delivery.close()


def test_a_job_recognises_its_own_lines(moto: MotoServer, bucket: Any) -> None:
    delivery = sink(moto.url).open("sample")
    delivery.deliver([signal()])
    delivery.close()
    assert sink(moto.url).has_reports_of("sample")
    assert not sink(moto.url).has_reports_of("another")
    assert not sink(moto.url, prefix="other").has_reports_of("sample")


def windows(config: Path, *options: str) -> list[str]:
    """The ids that ``driftline windows --json`` prints."""
    done = CliRunner().invoke(main, ["windows", str(config), "--json", *options])
    assert done.exit_code == 0, done.output
    return [json.loads(line)["id"] for line in done.output.splitlines()]


def test_executions_are_listed_from_the_bucket_where_there_are_no_files(
    tmp_path: Path, moto: MotoServer, bucket: Any, allowed: Callable[[str], None]
) -> None:
    """Three days, whose objects a command reads only as far as it needs them."""
    days = [report(day * 1_440) for day in range(3)]
    revised = report(2 * 1_440, 1, state="ok", violations=())
    delivery = sink(moto.url).open("sample")
    delivery.deliver([*days, schedule_report(0), signal()])
    delivery.deliver([revised])
    delivery.close()
    config = tmp_path / "config.yaml"
    keys = {"type": "s3", "bucket": BUCKET, "prefix": "monitor", "endpoint_url": moto.url}
    sinks = [{"type": "prometheus"}, {**keys, "region": "${REGION:-us-east-1}"}]
    config.write_text(json.dumps({"job": "sample", "sinks": sinks}))
    assert windows(config, "--last", "0") == [days[0].id, days[1].id, revised.id]
    assert windows(config) == [days[1].id, revised.id], "the newest two days"
    assert windows(config, "--since", "2025-06-17T12:00") == [revised.id]
    assert windows(config, "--state", "violations", "--since", "1d") == []
    assert windows(config, "--schedule", "1h") == [schedule_report(0).id]
    allowed(ALLOWED)
    done = CliRunner().invoke(main, ["windows", str(config)])
    assert done.exit_code == 2
    assert "s3:ListBucket and s3:GetObject are needed" in done.output


def test_a_stop_ends_a_wait(moto: MotoServer, bucket: Any) -> None:
    delivery: Any = sink(moto.url, lines=True).open("sample")
    for _ in range(30):
        delivery._pace.wait_s()
    threading.Timer(0.2, delivery.close).start()
    began_s = time.monotonic()
    with pytest.raises(SinkRetry, match="stopped"):
        delivery.deliver([report()])
    assert time.monotonic() - began_s < 5


def test_the_live_check_tells_bucket_permissions_and_cost_and_puts_nothing(
    tmp_path: Path, moto: MotoServer, bucket: Any, allowed: Callable[[str], None], check_live: Any
) -> None:
    captures = tmp_path / "captures.jsonl"
    captures.write_bytes(b"\n".join(events.capture_lines(events.values(50, 3))) + b"\n")
    keys = {"type": "s3", "layout": "sagemaker", "schedule": "1h", "region": REGION}

    def told(name: str) -> tuple[int, str]:
        keys_of = {**keys, "bucket": name, "endpoint_url": moto.url, "kms_key_id": "alias/x"}
        code, text = check_live({"type": "jsonl", "path": [str(captures)]}, [keys_of])
        return code, text

    code, text = told(BUCKET)
    assert code == 0, text
    assert "the bucket exists; s3:PutObject cannot be checked without using it" in text
    # 43,200 windows of a minute, and 720 runs of four files and a line
    assert "about 46,800 requests a month: $0.23" in text
    code, text = told("no-such-bucket")
    assert code == 2
    assert "the bucket does not exist" in text
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
    allowed(ALLOWED)
    code, text = told(BUCKET)
    assert code == 0, text
    assert "whether the bucket exists is unknown: AccessDenied" in text
    assert "this check needs s3:ListBucket" in text
