"""An hour of constant traffic through the whole service: one datum, whose sum is its value."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from sinks.cloudwatch import Cloudwatch
from stream.testing.schedule_reports import schedule_report
from tests.servers.moto import REGION, MotoServer
from tests.servers.service import RunningService
from tests.support import jobs

NOON_MS = 1_750_075_200_000
"""The start of an hour."""
MINUTE_MS = 60_000
DISTANCE = 1.0 - 1.8 * sqrt((1_000 + 30) / (1_000 * 30))
"""Model Monitor's distance between 1,000 and 30 different values that lie apart: L is 1. An hour
has at most 2,048 rows, so that they count once."""
STATISTICS = ["SampleCount", "Sum", "Minimum", "Maximum"]


def lines(minutes: int) -> list[bytes]:
    """An event each two seconds, the same thirty in each minute: 6 of 30 areas are missing."""
    return [
        json.dumps(
            {
                "time": NOON_MS + minute * MINUTE_MS + k * 2_000,
                "area": None if k % 5 == 0 else 1_001.0 + k,
                "price": 2_001.0 + k,
            }
        ).encode()
        for minute in range(minutes)
        for k in range(30)
    ]


def config(folder: Path, moto: MotoServer) -> dict[str, Any]:
    cells = {name: [str(float(k)) for k in range(1, 1_001)] for name in ("area", "price")}
    aws = {"type": "cloudwatch", "region": REGION, "endpoint_url": moto.url}
    return jobs.config(
        jobs.learn_from(cells, ("price",), folder),
        job="hourly",
        source={"type": "jsonl", "path": str(folder / "events.jsonl")},
        format={"type": "json"},
        time={"unit": "ms"},
        window="60s",
        rules={"mode": "threshold", "min_n": 30},
        sinks=[aws, {**aws, "layout": "sagemaker", "schedule": "1h", "endpoint": "prices"}],
    )


def hours(moto: MotoServer, namespace: str, endpoint: str, metric: str) -> list[dict[str, Any]]:
    """What an alarm with a period of an hour sees, oldest first."""
    answer = moto.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[
            {"Name": "Endpoint", "Value": endpoint},
            {"Name": "MonitoringSchedule", "Value": "hourly"},
        ],
        StartTime=datetime.fromtimestamp(NOON_MS / 1_000, UTC),
        EndTime=datetime.fromtimestamp(NOON_MS / 1_000 + 4 * 3_600, UTC),
        Period=3_600,
        Statistics=STATISTICS,
    )
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])


def test_the_sum_of_an_hour_of_constant_traffic_is_the_value(
    moto: MotoServer, tmp_path: Path
) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines(61)) + b"\n")
    with RunningService(tmp_path, config(tmp_path, moto), moto.env) as service:
        assert service.wait() == 0, service.log
    namespace = "aws/sagemaker/Endpoints/data-metrics"
    for metric, expected in (
        ("feature_baseline_drift_price", DISTANCE),
        ("feature_non_null_area", 0.8),
        ("feature_non_null_price", 1.0),
    ):
        first = hours(moto, namespace, "prices", metric)[0]
        assert first["Timestamp"].timestamp() * 1_000 == NOON_MS + 3_600_000
        assert first["SampleCount"] == 1
        for statistic in STATISTICS[1:]:
            assert first[statistic] == pytest.approx(expected, abs=1e-9)
    numbers = hours(moto, namespace, "prices", "feature_data_price")[0]
    assert [numbers[name] for name in STATISTICS] == [
        1_800,
        60 * sum(range(2_001, 2_031)),
        2_001,
        2_030,
    ]
    by_window = hours(moto, "driftline/data-metrics", "m", "feature_non_null_area")
    assert sum(point["SampleCount"] for point in by_window) == 61
    assert by_window[0]["Sum"] > 59 * 0.79, "what the alarms would have read"


def test_the_permission_to_put_metrics_is_enough(
    moto: MotoServer, allowed: Callable[[str], None]
) -> None:
    """moto checks the prefix of the endpoint (``monitoring``); AWS checks ``cloudwatch``."""
    statement = {"Effect": "Allow", "Action": "monitoring:PutMetricData", "Resource": "*"}
    sink = Cloudwatch(layout="sagemaker", region=REGION, endpoint_url=moto.url)
    allowed(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    with closing(sink.open("job")) as delivery:
        delivery.deliver([schedule_report(0), schedule_report(1)])
        assert not delivery.needs(schedule_report(1))
