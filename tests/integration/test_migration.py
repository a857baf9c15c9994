"""A reader who follows docs/migration.md command by command, on an emulator of AWS (moto).

Only the commands of the AWS command line are not run: the descriptions that they print are files
of the generated endpoint (:mod:`tests.support.monitored`). All others run as the page has them, in
an empty folder; a service is stopped with Ctrl-C once the hours that are over have their reports.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from tests.packaging.pages import FENCE
from tests.packaging.test_docs_blocks import commands
from tests.servers.moto import MotoServer
from tests.support import monitored
from tests.support.monitored import BUCKET, ENDPOINT, HOURS, REGION, SCHEDULE, MonitoredEndpoint
from tests.support.paths import ROOT
from tests.support.processes import killed_at_end

TEXT: Final = (ROOT / "docs" / "migration.md").read_text()
NAMESPACE: Final = "aws/sagemaker/Endpoints/data-metrics"
FILES: Final = {
    "statistics.json",
    "constraints.json",
    "constraint_violations.json",
    "driftline-report.json",
}
NAMED: Final = re.compile(r"Save as `([\w.-]+)`:?\s*$")
FIXTURES: Final = ROOT.parent / "shared" / "fixtures" / "golden_data_quality_100rows"


def steps(heading: str) -> Iterator[tuple[str, str, str]]:
    """The blocks of a section of the page: language, text, and the name to save it under."""
    of_section = TEXT.split(f"\n## {heading}")[1].split("\n## ")[0]
    before = 0
    for match in FENCE.finditer(of_section):
        named = NAMED.search(of_section[before : match.start()])
        yield match[3], match[5], named[1] if named else ""
        before = match.end()


class Reader:
    """A person in an empty folder, with the credentials of the emulator's account."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT), "COLUMNS": "140"}
        self.not_run: list[list[str]] = []
        self.shown: list[tuple[str, str]] = []
        """Lines of output on the page, with what the commands before them printed."""

    def follow(self, heading: str, has_reported: Callable[[], bool] = lambda: True) -> str:
        """Run the commands of a section; return all they print.

        A service runs until ``has_reported``.
        """
        output = printed = ""
        for language, text, name in steps(heading):
            if name:
                (self.folder / name).write_text(text)
            if language == "sh":
                printed = "".join(self.run(line, has_reported) for line in lines_of(text))
                output += printed
            elif language == "text":
                self.shown += [(line, printed) for line in text.splitlines()]
        return output

    def run(self, line: str, has_reported: Callable[[], bool] = lambda: True) -> str:
        """Run a line of shell; return what it prints."""
        words = next(commands(line))
        if words[0] == "aws":
            self.not_run.append(words)
            return ""
        line = re.sub(r"^driftline\b", f"{sys.executable} -m stream.cli", line)
        if words[:2] == ["driftline", "run"] and "follow: true" in self.read(words[2]):
            return self.serve(line, has_reported)
        done = subprocess.run(
            line,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def serve(self, line: str, has_reported: Callable[[], bool]) -> str:
        """Run a service until it has reported, and stop it with Ctrl-C; return its log."""
        with (
            (self.folder / "log").open("w+") as log,
            subprocess.Popen(line.split(), cwd=self.folder, env=self.environment, stderr=log) as up,
            killed_at_end(up),
        ):
            deadline = time.monotonic() + 180
            while not (has_reported() and '"ready"' in self.read("log")):
                assert up.poll() is None, self.read("log")[-3000:]
                assert time.monotonic() < deadline, self.read("log")[-3000:]
                time.sleep(0.2)
            up.send_signal(signal.SIGINT)
            assert up.wait(120) == 0
        return self.read("log")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


class Account:
    """The account of the endpoint: its objects, an alarm on a feature, and a topic."""

    def __init__(self, moto: MotoServer, endpoint: MonitoredEndpoint) -> None:
        self.url = moto.url
        self.s3, self.cloudwatch = self.client("s3"), self.client("cloudwatch")
        place = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        objects = endpoint.baseline_files() | endpoint.captures() | endpoint.reports()
        for key, text in objects.items():
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())
        topic = self.client("sns").create_topic(Name="on-call")["TopicArn"]
        self.cloudwatch.put_metric_alarm(
            AlarmName="churn-day_mins",
            Namespace=NAMESPACE,
            MetricName="feature_baseline_drift_day_mins",
            Dimensions=dimensions(SCHEDULE),
            Statistic="Sum",
            Period=600,
            EvaluationPeriods=1,
            Threshold=0.1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="breaching",
            AlarmActions=[topic],
        )

    def client(self, service: str) -> Any:
        return boto3.Session().client(service, region_name=REGION, endpoint_url=self.url)

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def content(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def drift(self, schedule: str, endpoint: MonitoredEndpoint) -> list[float]:
        """The ``Sum`` of each hour of the metric that the alarm watches, oldest first."""
        found = self.cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName="feature_baseline_drift_day_mins",
            Dimensions=dimensions(schedule),
            StartTime=endpoint.hours[0],
            EndTime=datetime.now(UTC),
            Period=600,
            Statistics=["Sum"],
        )["Datapoints"]
        return [point["Sum"] for point in sorted(found, key=lambda each: each["Timestamp"])]


def dimensions(schedule: str) -> list[dict[str, str]]:
    values = {"Endpoint": ENDPOINT, "MonitoringSchedule": schedule}
    return [{"Name": name, "Value": value} for name, value in values.items()]


def write_descriptions(folder: Path) -> None:
    """Write what the AWS command line prints of the schedule."""
    described = {
        "schedule.json": monitored.schedule(),
        "definition.json": monitored.definition(),
        "endpoint-config.json": monitored.endpoint_config(),
    }
    for name, description in described.items():
        (folder / name).write_text(json.dumps(description, indent=4))


def comparable(line: str) -> str:
    """A line without its times, dates and widths."""
    without = re.sub(r"\d{4}-\d\d-\d\d |\d\d:\d\d|: baseline.*", "", line)
    return " ".join(without.split())


@pytest.mark.slow
def test_a_reader_of_the_page_ends_with_reports_metrics_and_alarms(
    tmp_path: Path, moto: MotoServer
) -> None:
    endpoint = monitored.newest_hours()
    account = Account(moto, endpoint)
    history = {key: account.content(key) for key in account.keys(f"reports/{ENDPOINT}/{SCHEDULE}/")}
    write_descriptions(tmp_path)
    reader = Reader(tmp_path, {"AWS_ENDPOINT_URL": moto.url, "AWS_DEFAULT_REGION": REGION})

    imported = reader.follow("1. A configuration")
    assert "wrote config.yaml" in imported
    shown = next(text for language, text, _ in steps("1. A configuration") if language == "yaml")
    assert uncommented(reader.read("config.yaml")) == uncommented(shown)
    assert "1,500 rows, 4 features" in reader.follow("2. The baseline")
    assert f"the verdict of both is the same in {HOURS}" in reader.follow("3. The past")
    assert all(name in reader.read("own.html") for name in ("day_mins", "only driftline"))
    checked = reader.follow("4. A check")
    assert "0 alarms change, 1 keeps its meaning, of 1 alarm" in checked
    assert "no live check" not in checked
    reader.follow("5. Permissions")

    beside = f"reports/{ENDPOINT}/{SCHEDULE}-beside/"
    # An hour without events since then may be reported too, with one file.
    reader.follow("6. A day", lambda: len(account.keys(beside)) >= len(FILES) * HOURS)
    assert {key.rsplit("/", 1)[1] for key in account.keys(beside)} == FILES
    assert_same_verdicts(account, endpoint, beside)
    assert account.drift(SCHEDULE, endpoint) == []

    switched = reader.follow("7. The switch")
    assert "1 keeps its meaning" in switched
    assert '"signal_raised"' not in switched, "the past is not read again"
    reader.follow("8. The way back")
    unchanged = {
        key: account.content(key) for key in account.keys(f"reports/{ENDPOINT}/{SCHEDULE}/")
    }
    assert unchanged == history
    assert [words[2] for words in reader.not_run] == [
        *("describe-monitoring-schedule", "describe-data-quality-job-definition"),
        *("describe-endpoint-config", "put-role-policy"),
        *("stop-monitoring-schedule", "start-monitoring-schedule"),
    ]
    printed = [
        (line, [comparable(each) for each in output.splitlines()]) for line, output in reader.shown
    ]
    absent = [
        line for line, output in printed if "/" not in line and comparable(line) not in output
    ]
    assert len(reader.shown) > 12
    assert absent == []


def uncommented(text: str) -> list[str]:
    lines = (re.sub(r"\s*#.*", "", line) for line in text.splitlines())
    return [line for line in lines if line]


def assert_same_verdicts(account: Account, endpoint: MonitoredEndpoint, beside: str) -> None:
    """Violations, distances in CloudWatch and numbers of rows are those of Model Monitor."""
    drifts = account.drift(f"{SCHEDULE}-beside", endpoint)
    wanted = [monitored.distance("day_mins", now, endpoint.baseline) for now in endpoint.traffic]
    assert drifts == pytest.approx(wanted, abs=1e-12)
    of_monitor = [key for key in endpoint.reports() if key.endswith("constraint_violations.json")]
    for key in of_monitor:
        theirs = json.loads(account.content(key))["violations"]
        ours = json.loads(account.content(key.replace(f"{SCHEDULE}/", f"{SCHEDULE}-beside/")))
        assert names(ours["violations"]) == names(theirs)


def names(violations: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(each["feature_name"], each["constraint_check_type"]) for each in violations]


def test_a_reader_without_aws_sees_the_same_verdicts(tmp_path: Path) -> None:
    endpoint = monitored.newest_hours()
    files = endpoint.baseline_files() | endpoint.captures() | endpoint.reports()
    for key, text in files.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text(text)
    output = Reader(tmp_path, {}).follow("Without AWS")
    assert "local.yaml: ok" in output
    assert f"the verdict of both is the same in {HOURS}" in output
    assert f"{HOURS} windows of model churn" in output


def test_files_of_the_service_itself_can_be_followed(tmp_path: Path) -> None:
    """A baseline that SageMaker wrote, and its rows as the traffic of two hours: no violation."""
    if not FIXTURES.exists():
        pytest.skip(f"the real files are not here: {FIXTURES.name}")
    statistics = json.loads((FIXTURES / "statistics.json").read_text())
    columns = [feature["name"] for feature in statistics["features"]]
    lines = (FIXTURES / "baseline_dataset.csv").read_text().split()
    captures = tmp_path / "datacapture" / "golden" / "AllTraffic" / "2026" / "11" / "29"
    for hour in ("07", "08"):
        (captures / hour).mkdir(parents=True)
        text = "".join(capture(line, hour, k) for k, line in enumerate(lines))
        (captures / hour / "59-00-000-a.jsonl").write_text(text)
    (tmp_path / "local.yaml").write_text(
        local_configuration()
        .replace("baselining/results/", f"{FIXTURES}/")
        .replace("outputs: [churned]", f"outputs: ['{columns[0]}']")
        .replace("datacapture/churn/", "datacapture/golden/")
    )
    reader = Reader(tmp_path, {})
    reader.run("driftline check local.yaml")
    replayed = reader.run("driftline replay datacapture/golden/ --config local.yaml")
    assert "2 periods, 0 with violations" in replayed
    assert replayed.count("Completed") == 2


def local_configuration() -> str:
    return next(text for _, text, name in steps("Without AWS") if name == "local.yaml")


def capture(line: str, hour: str, number: int) -> str:
    """A capture of a row: the first column is the answer."""
    answer, _, request = line.partition(",")
    sides = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"}
        for side, mode, data in (
            ("endpointInput", "INPUT", request),
            ("endpointOutput", "OUTPUT", answer),
        )
    }
    at = f"2026-11-29T{hour}:{number % 60:02}:{number // 60:02}Z"
    metadata = {"eventId": f"{hour}-{number}", "inferenceTime": at}
    return json.dumps({"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"
