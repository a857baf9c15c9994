"""``driftline check --alarms`` against emulators: pages of alarms, and a missing permission."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from click.testing import CliRunner

from stream.cli import main
from tests.servers.ministack import Ministack
from tests.servers.moto import CREDENTIALS, REGION, MotoServer
from tests.support import jobs

DIMENSIONS = [
    {"Name": "Endpoint", "Value": "m"},
    {"Name": "MonitoringSchedule", "Value": "hourly"},
]
SINK = {"type": "cloudwatch", "layout": "sagemaker", "schedule_name": "hourly"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def check_alarms(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Check a configuration with ``--alarms``; return the exit code and the output."""
    jobs.learn(tmp_path, rows=300)

    def check(url: str, region: str = REGION, **sink: Any) -> tuple[int, str]:
        sinks = [{**SINK, "endpoint_url": url, "region": region, **sink}]
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(jobs.config("baseline", sinks=sinks)))
        result = CliRunner().invoke(main, ["check", "--alarms", str(config)])
        return result.exit_code, result.output

    return check


def put_alarm(aws: Any, name: str, **changes: Any) -> None:
    demo = {
        "Namespace": "aws/sagemaker/Endpoints/data-metrics",
        "MetricName": "feature_baseline_drift_distance",
        "Dimensions": DIMENSIONS,
        "Statistic": "Sum",
        "Period": 600,
        "EvaluationPeriods": 1,
        "Threshold": 0.1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "breaching",
    }
    aws.put_metric_alarm(AlarmName=name, **{**demo, **changes})


def policy(action: str) -> str:
    """A policy that permits one action of CloudWatch, by the prefix that moto checks: that of the
    endpoint (``monitoring``). AWS checks ``cloudwatch``."""
    statement = {"Effect": "Allow", "Action": f"monitoring:{action}", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_all_pages_of_alarms_are_read(
    ministack: Ministack, check_alarms: Callable[..., tuple[int, str]]
) -> None:
    region = "ap-south-1"
    aws = boto3.client("cloudwatch", endpoint_url=ministack.url, region_name=region)
    for k in range(230):
        put_alarm(aws, f"other-{k:03}", Namespace="AWS/EC2", MetricName="CPUUtilization")
    put_alarm(aws, "kept")
    put_alarm(aws, "zz-slash", Namespace="/aws/sagemaker/Endpoints/data-metrics")
    aws.close()
    code, text = check_alarms(ministack.url, region)
    assert code == 0, text
    assert "alarm zz-slash on feature_baseline_drift_distance: reads '/aws/sagemaker" in text
    assert "1 alarm changes, 1 keeps its meaning, of 232 alarms" in text


def test_a_missing_permission_is_a_fault_with_its_name(
    moto: MotoServer,
    allowed: Callable[[str], None],
    check_alarms: Callable[..., tuple[int, str]],
) -> None:
    allowed(policy("PutMetricData"))
    code, text = check_alarms(moto.url)
    assert code == 2, text
    assert "the permission cloudwatch:DescribeAlarms is missing" in text
    assert "Grant it on *" in text


def test_the_documented_permission_is_enough(
    moto: MotoServer,
    allowed: Callable[[str], None],
    check_alarms: Callable[..., tuple[int, str]],
) -> None:
    put_alarm(moto.cloudwatch, "kept")
    allowed(policy("DescribeAlarms"))
    code, text = check_alarms(moto.url)
    assert code == 0, text
    assert "0 alarms change, 1 keeps its meaning, of 1 alarm" in text


def test_an_account_out_of_reach_is_a_fault(check_alarms: Callable[..., tuple[int, str]]) -> None:
    code, text = check_alarms("http://127.0.0.1:1")
    assert code == 2, text
    assert "AWS does not respond" in text
