"""The keys and files of sink ``s3``, and what it does while S3 fails."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import msgspec
import pytest

from detectors.schedule_report import ScheduleReport
from sinks.aws.monitor_files import run_files, run_folder
from sinks.aws.pace import Pace
from sinks.base import ConfiguredNames, Published
from sinks.errors import SinkRetry
from sinks.s3 import S3, S3Delivery, objects
from stream.testing.reports import MINUTE_MS, START_MS, report, signal, silence
from stream.testing.schedule_reports import HOUR_MS, schedule_report

RUN = "monitor/churn/hourly/2025/06/15/17/"
"""The folder of the hour from 16:00 to 17:00."""


class Bucket:
    """The puts that a client was asked for; ``fails(key)`` returns the code of an error, if any."""

    def __init__(self, fails: Callable[[str], str] = lambda key: "") -> None:
        self.fails = fails
        self.puts: list[dict[str, Any]] = []

    def put_object(self, **arguments: Any) -> dict[str, str]:
        if code := self.fails(arguments["Key"]):
            raise botocore.exceptions.ClientError({"Error": {"Code": code}}, "PutObject")
        self.puts.append(arguments)
        return {"ETag": "1"}

    def close(self) -> None:
        pass

    @property
    def keys(self) -> list[str]:
        return [put["Key"] for put in self.puts]

    def json(self, key: str) -> Any:
        """The content of the newest object with this key."""
        return json.loads([put["Body"] for put in self.puts if put["Key"] == key][-1])

    def lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for put in self.puts
            if put["Key"].endswith(".gz")
            for line in gzip.decompress(put["Body"]).splitlines()
        ]


def sagemaker(**changes: Any) -> S3:
    keys = {"endpoint": "churn", "schedule_name": "hourly", "schedule": "1h", **changes}
    return S3(bucket="reports", prefix="monitor/", layout="sagemaker", **keys)


def opened(sink: S3, bucket: Bucket, waits: list[float] | None = None) -> S3Delivery:
    times = iter(range(10_000))
    pace = Pace(10, 30, clock=lambda: 0.0 if waits is None else float(next(times)))
    return S3Delivery(sink, "sample", bucket, pace)


def test_a_run_is_filed_under_the_hour_in_which_its_period_ends() -> None:
    assert run_folder(schedule_report(), "churn", "hourly") == "churn/hourly/2025/06/15/17/"
    assert run_folder(schedule_report(7), "churn", "hourly") == "churn/hourly/2025/06/16/00/"
    day = schedule_report(
        start_ms=1_749_945_600_000, end_ms=1_750_032_000_000, schedule_ms=24 * HOUR_MS
    )
    assert run_folder(day, "churn", "daily") == "churn/daily/2025/06/16/00/"


def test_no_two_runs_have_one_folder() -> None:
    minute = {"schedule_ms": MINUTE_MS, "end_ms": START_MS - 20_000 + MINUTE_MS}
    runs = [
        schedule_report(),
        schedule_report(variant="blue"),
        schedule_report(start_ms=START_MS - 20_000, **minute),
        schedule_report(start_ms=START_MS - 20_000, schedule_ms=20_000, end_ms=START_MS),
    ]
    assert [run_folder(run, "churn", "hourly") for run in runs] == [
        "churn/hourly/2025/06/15/17/",
        "churn/hourly/blue/2025/06/15/17/",
        "churn/hourly/2025/06/15/15/07/",
        "churn/hourly/2025/06/15/15/07-00/",
    ]


def test_names_are_parts_of_a_key_and_stay_distinct() -> None:
    names = ["a/b", "a_b", "..", "größe", "x" * 300, "x" * 301, " "]
    folders = [run_folder(schedule_report(), name, "hourly") for name in names]
    assert len({folder.split("/")[0] for folder in folders}) == len(names)
    assert all(folder.count("/") == 6 for folder in folders)


def test_violations_have_the_shape_and_the_sentences_of_model_monitor() -> None:
    files = run_files(schedule_report())
    assert json.loads(files["constraint_violations.json"]) == {
        "violations": [
            {
                "feature_name": "amount",
                "constraint_check_type": "baseline_drift_check",
                "description": "The distance is above its limit.",
            }
        ]
    }
    none = run_files(schedule_report(status="Completed", violations=()))
    assert json.loads(none["constraint_violations.json"]) == {"violations": []}


def test_the_report_is_whole_but_for_the_statistics_and_comes_last() -> None:
    files = run_files(schedule_report())
    assert list(files)[-1] == "driftline-report.json"
    own = msgspec.json.decode(files["driftline-report.json"], type=ScheduleReport)
    assert own == msgspec.structs.replace(schedule_report(), statistics=None)
    statistics = json.loads(files["statistics.json"])
    assert statistics["dataset"] == {"item_count": 4}
    amount, carrier = statistics["features"]
    assert amount["numerical_statistics"]["distribution"]["kll"]["sketch"]["data"] == [[1, 2, 4]]
    assert carrier["string_statistics"]["distribution"]["categorical"]["buckets"] == [
        {"value": "a", "count": 2},
        {"value": "b", "count": 1},
    ]


def test_the_constraints_are_those_that_the_period_suggests() -> None:
    amount, carrier = json.loads(run_files(schedule_report())["constraints.json"])["features"]
    assert amount == {
        "name": "amount",
        "inferred_type": "Integral",
        "completeness": 0.75,
        "num_constraints": {"is_non_negative": True},
    }
    assert (carrier["inferred_type"], carrier["completeness"]) == ("String", 0.75)


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        ({"status": "NoData", "rows": 0, "statistics": None, "violations": ()}, set()),
        ({"status": "Learning", "violations": ()}, {"statistics.json", "constraints.json"}),
        ({"status": "Incomplete", "violations": ()}, {"statistics.json", "constraints.json"}),
        (
            {"status": "Completed", "violations": ()},
            {"statistics.json", "constraints.json", "constraint_violations.json"},
        ),
    ],
)
def test_what_was_not_judged_has_no_file_that_says_so(
    changes: dict[str, Any], files: set[str]
) -> None:
    """A file with no violation would be read as a verdict."""
    assert run_files(schedule_report(**changes)).keys() == {"driftline-report.json"} | files


def test_a_late_revision_replaces_the_files_of_its_run() -> None:
    bucket = Bucket()
    delivery = opened(sagemaker(lines=False), bucket)
    delivery.deliver([schedule_report()])
    first = set(bucket.keys)
    delivery.deliver([schedule_report(0, 1, rows=5, status="Completed", violations=())])
    assert set(bucket.keys) == first
    assert bucket.json(f"{RUN}constraint_violations.json") == {"violations": []}
    assert bucket.json(f"{RUN}driftline-report.json")["revision"] == 1


def test_only_the_periods_of_its_own_schedule_are_put() -> None:
    bucket = Bucket()
    daily = schedule_report(schedule_ms=24 * HOUR_MS)
    opened(sagemaker(), bucket).deliver([daily, report()])
    assert [line["id"] for line in bucket.lines()] == [report().id]
    assert len(bucket.keys) == 1


def test_lines_are_filed_by_kind_job_and_day_and_a_repeat_has_the_same_name() -> None:
    items: list[Published] = [report(0), silence(2), signal(), schedule_report(), report(1)]
    items.append(report(0, start_ms=1, end_ms=2))
    keys = [lines.key for lines in objects(items, "sample")]
    assert [key.rpartition("/")[0] for key in keys] == [
        "windows/job=sample/day=2025-06-15",
        "signals/job=sample/day=2025-06-15",
        "executions/job=sample/day=2025-06-15",
        "windows/job=sample/day=1970-01-01",
    ]
    again = objects(items, "sample")
    assert [(lines.key, lines.body()) for lines in again] == [
        (lines.key, lines.body()) for lines in objects(items, "sample")
    ]
    assert keys[0] != objects(items[:1], "sample")[0].key


def test_a_retry_puts_what_is_left_and_no_line_twice() -> None:
    """The third put of the first attempts fails, and more items wait with each retry."""
    down = ["", "", "SlowDown"]
    bucket = Bucket(lambda key: down.pop(0) if down else "")
    delivery = opened(sagemaker(), bucket)
    items: list[Any] = [schedule_report(), report(0)]
    with pytest.raises(SinkRetry) as throttled:
        delivery.deliver(items)
    assert throttled.value.after_s == 5.0
    down[:] = ["", "", "", "", "", "RequestTimeout"]
    with pytest.raises(SinkRetry):
        delivery.deliver([*items, signal()])
    delivery.deliver([*items, signal(), report(1)])
    assert sorted(line["id"] for line in bucket.lines()) == sorted(
        item.id for item in [*items, signal(), report(1)]
    )


@pytest.mark.parametrize(
    "code", ["SlowDown", "AccessDenied", "NoSuchBucket", "ExpiredToken", "InternalError", "503"]
)
def test_every_error_is_retried_as_the_setup_may_be_repaired(code: str) -> None:
    with pytest.raises(SinkRetry, match=code):
        opened(sagemaker(), Bucket(lambda key: code)).deliver([report()])


def test_a_key_encrypts_every_object_and_without_one_the_bucket_decides() -> None:
    with_key, without = Bucket(), Bucket()
    opened(sagemaker(kms_key_id="alias/reports"), with_key).deliver([schedule_report(), report()])
    opened(sagemaker(), without).deliver([schedule_report(), report()])
    encryption = ("ServerSideEncryption", "SSEKMSKeyId")
    assert {tuple(put.get(name) for name in encryption) for put in with_key.puts} == {
        ("aws:kms", "alias/reports")
    }
    assert not any(name in put for put in without.puts for name in encryption)


def test_small_deliveries_wait_after_thirty_and_large_ones_never_do() -> None:
    """The clock of the pace stands still: nothing is refilled, and a wait would be seconds."""
    bucket = Bucket()
    delivery = opened(sagemaker(), bucket)
    for window in range(30):
        delivery.deliver([report(window)])
    delivery.deliver([report(window) for window in range(100, 200)])
    assert len(bucket.lines()) == 130
    delivery.close()  # ends a wait at once
    with pytest.raises(SinkRetry, match="stopped"):
        delivery.deliver([report(31)])


def test_the_pace_is_ten_a_minute_and_thirty_at_once_after_a_pause() -> None:
    """A sender that always has something to send, for ten minutes; then one that paused."""
    now_s, sent = 0.0, 0
    pace = Pace(10, 30, clock=lambda: now_s)
    while now_s <= 600.0:
        now_s += pace.wait_s()
        sent += 1
    assert sent in (130, 131)
    now_s += 3_600.0
    waits = [pace.wait_s() for _ in range(31)]
    assert waits[:30] == [0.0] * 30
    assert waits[30] == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"bucket": "s3://b/reports"}, "bucket: b` and `prefix: reports/"),
        ({"bucket": "B"}, "not the name of a bucket"),
        ({"layout": "sagemaker"}, "needs a schedule"),
        ({"schedule": "0s"}, "whole number of seconds"),
        ({"schedule": "1500ms"}, "whole number of seconds"),
        ({"endpoint": "churn"}, "only with"),
        ({"schedule_name": "hourly"}, "only with"),
        ({"lines": False}, "put nothing"),
        ({"prefix": "x" * 401}, "at most 400"),
        ({"endpoint_url": "127.0.0.1:1"}, "not a URL"),
    ],
)
def test_a_faulty_setting_is_told_with_what_to_write(keys: dict[str, Any], fault: str) -> None:
    (found,) = S3(**{"bucket": "reports", **keys}).check()
    assert fault in found.message


def test_names_that_no_folder_can_have_are_told() -> None:
    names = ConfiguredNames("a job", {"m/1": [], "m2": []}, "blue")
    replaced = dict(S3(bucket="reports", layout="sagemaker", schedule="1h").replaced_names(names))
    assert replaced.keys() == {"a job", "m/1"}
    assert sagemaker(lines=False).replaced_names(names) == []


def test_two_sinks_must_not_share_a_folder() -> None:
    hourly, daily = sagemaker(), sagemaker(schedule="1d", schedule_name="daily", lines=False)
    assert not set(hourly.destinations()) & set(daily.destinations())
    assert set(hourly.destinations()) & set(S3(bucket="reports", prefix="monitor").destinations())
