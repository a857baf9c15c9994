"""``driftline windows``: the executions that are listed, and their statuses."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from click.testing import CliRunner, Result

from detectors.report import State
from detectors.schedule_report import Status
from sinks.day_files import DAY_MS, compress
from stream.cli import main
from stream.commands.executions import STATUS_OF, STATUSES, states_named
from stream.commands.report_files import ReportFiles
from stream.testing.reports import MINUTE_MS, report, silence, violation
from stream.testing.schedule_reports import empty_hour, schedule_report

MILD = violation("mild", value=0.2, limit=0.1)
STRONG = violation("strong", value=5.0, limit=0.1)
CALM = report(0, state="ok", violations=())
FOUND = report(1, violations=(MILD, STRONG))
REVISED = report(1, 1, violations=(MILD,), rows=120)
FEW = report(2, state="insufficient", violations=(), rows=3, notes=("3 rows",))
SILENT = silence(3)
OTHER = report(4, model="prices", state="incomplete", violations=())
DAILY = schedule_report(
    schedule_ms=DAY_MS, violations=(), status="Completed", start_ms=0, end_ms=DAY_MS
)


def write(path: Path, *items: Any) -> None:
    lines = [msgspec.json.encode(item) for item in items]
    path.write_bytes(b"\n".join([*lines, lines[0][:40]]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "reports"
    path.mkdir()
    write(path / "reports-2025-06-15.jsonl", CALM, FOUND, FEW, SILENT, REVISED, OTHER)
    write(path / "executions-2025-06-15.jsonl", schedule_report(0), empty_hour(1))
    write(path / "executions-1970-01-02.jsonl", DAILY)
    return path


def run(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["windows", "--reports", str(folder), *options])


def listed(folder: Path, *options: str) -> list[dict[str, Any]]:
    done = run(folder, "--json", *options)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def ids(folder: Path, *options: str) -> list[str]:
    return [execution["id"] for execution in listed(folder, *options)]


def test_every_state_and_every_status_of_a_period_has_a_word() -> None:
    assert set(STATUS_OF) == set(get_args(State))
    assert set(get_args(Status)) <= set(STATUSES)


def test_each_window_is_listed_once_with_its_newest_revision_in_order(folder: Path) -> None:
    assert ids(folder) == [item.id for item in (CALM, REVISED, FEW, SILENT, OTHER)]


@pytest.mark.parametrize(
    ("start_ms", "end_ms"), [(10**18, 10**18 + 1), (-1, 1), (7, 7), (8, 7), (10**18, None)]
)
def test_a_report_with_times_that_no_window_has_is_skipped_like_a_damaged_line(
    folder: Path, start_ms: int, end_ms: int | None
) -> None:
    wrong = msgspec.structs.replace(CALM, start_ms=start_ms, end_ms=end_ms)
    write(folder / "reports-2025-06-15.jsonl", wrong, FEW)
    assert ids(folder) == [FEW.id]
    assert [found.head.id for found in ReportFiles(None, folder).newest()] == [FEW.id]


def test_an_execution_has_status_numbers_and_the_worst_violation(folder: Path) -> None:
    calm, revised, few, silent, _ = listed(folder)
    assert (calm["status"], calm["state"], calm["violations"], calm["worst"]) == (
        "Completed",
        "ok",
        0,
        None,
    )
    assert (revised["status"], revised["rows"], revised["revision"]) == (
        "CompletedWithViolations",
        120,
        1,
    )
    assert (few["status"], few["notes"]) == ("Insufficient", ["3 rows"])
    assert (silent["status"], silent["end"], silent["end_ms"]) == ("NoData", None, None)
    assert (calm["start"], calm["end"]) == ("2025-06-15T15:07:00Z", "2025-06-15T15:08:00Z")
    assert calm["schedule"] is None
    write(folder / "reports-2025-06-15.jsonl", FOUND)
    (found,) = listed(folder)
    assert found["violations"] == 2
    assert found["worst"] == {
        name: getattr(STRONG, name)
        for name in ("feature", "check", "statistic", "value", "limit", "description")
    }


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["violations"], [REVISED]),
        (["CompletedWithViolations"], [REVISED]),
        (["completed"], [CALM]),
        (["no-data", "Insufficient"], [FEW, SILENT]),
        (["NoData"], [SILENT]),
        (["ok", "incomplete"], [CALM, OTHER]),
        (["learning"], []),
    ],
)
def test_both_vocabularies_name_states(folder: Path, states: list[str], expected: Any) -> None:
    options = [option for state in states for option in ("--state", state)]
    assert ids(folder, *options) == [item.id for item in expected]


def test_a_state_that_does_not_exist_is_refused_with_those_that_do(folder: Path) -> None:
    done = run(folder, "--state", "failed")
    assert done.exit_code == 2
    assert "'failed' is none of ok, violations" in done.output
    assert states_named(["no inputs"]) == {"no inputs"}


def test_since_takes_times_and_durations_and_an_end_decides(folder: Path) -> None:
    """A silence that lasts has not ended."""
    at = datetime.fromtimestamp((FEW.end_ms or 0) / 1000, UTC)
    assert ids(folder, "--since", f"{at:%Y-%m-%dT%H:%M:%S}") == [SILENT.id, OTHER.id]
    seconds = time.time() - ((REVISED.end_ms or 0) - MINUTE_MS / 2) / 1000
    assert ids(folder, "--since", f"{seconds:.0f}s")[0] == REVISED.id
    assert run(folder, "--since", "yesterday").exit_code == 2


def test_a_silence_that_ended_before_is_not_listed_as_one_that_lasts(folder: Path) -> None:
    ended = silence(3, ended=True)
    write(folder / "reports-2025-06-15.jsonl", FEW, SILENT, ended, OTHER)
    at = datetime.fromtimestamp((ended.end_ms or 0) / 1000, UTC)
    assert ids(folder, "--since", f"{at:%Y-%m-%dT%H:%M:%S}") == [OTHER.id]
    assert ids(folder) == [FEW.id, ended.id, OTHER.id]


def test_files_of_days_that_ended_before_are_not_read(folder: Path) -> None:
    (folder / "reports-2025-06-10.jsonl").mkdir()  # reading it would fail
    (folder / "reports-2025-06-10.jsonl").rmdir()
    write(folder / "reports-2025-06-10.jsonl", report(9))
    assert report(9).id in ids(folder)
    assert report(9).id not in ids(folder, "--since", "2025-06-15")


def test_models_variants_and_a_number_restrict_the_list(folder: Path) -> None:
    assert ids(folder, "--model", "prices") == [OTHER.id]
    assert ids(folder, "--variant", "blue") == []
    assert ids(folder, "--last", "2") == [SILENT.id, OTHER.id]
    many = [report(window) for window in range(30)]
    write(folder / "reports-2025-06-15.jsonl", *many)
    assert ids(folder) == [item.id for item in many[-20:]]
    assert len(ids(folder, "--last", "0")) == len(ids(folder, "--since", "2025-01-01")) == 30


def test_periods_are_listed_by_schedule(folder: Path) -> None:
    assert ids(folder, "--schedule") == [DAILY.id, schedule_report(0).id, empty_hour(1).id]
    assert ids(folder, "--schedule", "60m") == [schedule_report(0).id, empty_hour(1).id]
    (daily,) = listed(folder, "--schedule", "1d")
    assert (daily["schedule"], daily["status"], daily["state"]) == ("1d", "Completed", "Completed")
    assert ids(folder, "--schedule", "1h", "--state", "NoData") == [empty_hour(1).id]
    assert ids(folder, "--schedule", "1h", "--state", "violations") == [schedule_report(0).id]
    assert ids(folder, "--schedule", "1h", "--state", "ok") == []
    done = run(folder, "--schedule", "config.yaml")
    assert done.exit_code == 2
    assert "CONFIG stands before --schedule" in done.output


def test_compressed_days_are_listed_too(folder: Path) -> None:
    before = listed(folder), listed(folder, "--schedule")
    assert compress(folder / "reports-2025-06-15.jsonl")
    assert compress(folder / "executions-2025-06-15.jsonl")
    assert (listed(folder), listed(folder, "--schedule")) == before


def test_people_get_a_table(folder: Path) -> None:
    lines = run(folder).output.splitlines()
    assert lines[0].split() == ["window", "model", "status", "rows", "violations", "worst"]
    assert lines[2].split(None, 5) == [
        "2025-06-15",
        "15:08",
        "-",
        "15:09",
        "flights",
        "CompletedWithViolations  120   1           mild baseline_drift_check: psi 0.2 > 0.1",
    ]
    assert lines[-1] == "5 windows; times are UTC"
    assert "violations" not in run(folder, "--model", "prices").output.splitlines()[1]


def test_an_empty_list_says_what_there_is(folder: Path, tmp_path: Path) -> None:
    assert "the newest of all is 2025-06-15 15:11 - 15:12 (UTC), Incomplete" in (
        run(folder, "--state", "learning").output
    )
    (tmp_path / "none").mkdir()
    done = run(tmp_path / "none")
    assert done.exit_code == 0
    assert "there is no report on a window" in done.output
    assert "a sink needs `schedule`" in run(tmp_path / "none", "--schedule").output
    assert run(tmp_path / "none", "--json").output == ""


def test_text_from_data_cannot_control_the_terminal(folder: Path) -> None:
    evil = report(1, model="a\x1b[31mb", violations=(violation("c\x1b[2Jd"),))
    write(folder / "reports-2025-06-15.jsonl", evil, CALM)
    assert "\x1b" not in run(folder).output
