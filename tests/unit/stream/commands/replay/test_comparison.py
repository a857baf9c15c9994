"""The comparison of periods with runs of Model Monitor, the page, and the reports that it reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectors.report import SagemakerFigures
from detectors.schedule_report import ScheduleReport
from stream.commands.replay.comparison import ComparedPeriod, compared, hour_is_start
from stream.commands.replay.model_monitor import MonitorRun, MonitorViolation, monitor_runs
from stream.commands.replay.page import Heading, page, write_page
from stream.commands.replay.text import names_of
from stream.errors import DataError
from stream.testing.reports import calm, feature, violation

HOUR_MS = 3_600_000
FIRST_MS = 480_000 * HOUR_MS
RULES: dict[str, float | int | str] = {
    "mode": "threshold",
    "min_n": 100,
    "type_match": 0.99,
    "domain_match": 0.99,
    "completeness_gap": 0.01,
}


def period_report(hour: int = 0, **changes: Any) -> ScheduleReport:
    start_ms = FIRST_MS + hour * HOUR_MS
    defaults: dict[str, Any] = {
        "version": 1,
        "id": f"id-{hour}",
        "job": "sample",
        "model": "flights",
        "variant": "AllTraffic",
        "schedule_ms": HOUR_MS,
        "start_ms": start_ms,
        "end_ms": start_ms + HOUR_MS,
        "revision": 0,
        "status": "Completed",
        "rows": 1_000 + hour,
        "baseline": "b0",
        "features": (calm("amount"), calm("carrier")),
        "rules": RULES,
    }
    return ScheduleReport(**{**defaults, **changes})


def run(hour: int = 0, *violations: MonitorViolation, rows: int | None = None) -> MonitorRun:
    return MonitorRun(
        hour_ms=FIRST_MS + hour * HOUR_MS, path="reports", violations=violations, rows=rows
    )


def found(name: str, check: str, description: str = "Value: 0.5") -> MonitorViolation:
    return MonitorViolation(constraint_check_type=check, description=description, feature_name=name)


def only(period: ComparedPeriod) -> Any:
    (finding,) = period.findings
    return finding


def test_the_hour_in_a_path_is_the_end_of_the_data_unless_the_rows_say_otherwise() -> None:
    reports = [period_report(hour) for hour in range(3)]
    assert not hour_is_start(reports, [run(1)])
    assert not hour_is_start(reports, [run(1, rows=1_000), run(2, rows=1_001)])
    assert hour_is_start(reports, [run(1, rows=1_001), run(2, rows=1_002)])
    (first, *_) = compared(reports, [run(1, found("amount", "data_type_check"), rows=1_000)])
    assert first.start_ms == FIRST_MS
    assert first.run is not None
    assert first.run.rows == 1_000


def test_a_finding_of_both_needs_no_reason() -> None:
    report = period_report(violations=(violation("amount", summary="PSI 0.3"),))
    runs = [run(1, found("amount", "baseline_drift_check", "Baseline drift distance: 0.2"))]
    finding = only(compared([report], runs)[0])
    assert (finding.agreement, finding.reason) == ("both", "")
    assert (finding.ours, finding.theirs) == ("PSI 0.3", "Baseline drift distance: 0.2")


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (
            "data_type_check",
            "99 % of the values (rules.type_match) must be of type String, not all",
        ),
        ("completeness_check", "100 % of the rows have a value: within 1 %"),
        ("categorical_values_check", "99 % of the values (rules.domain_match) must be known"),
        ("baseline_drift_check", "psi is 0.05, its limit 0.1; Model Monitor counts each distinct"),
        ("some_check_of_tomorrow", "driftline has no such check"),
    ],
)
def test_what_only_model_monitor_found_is_explained(check: str, reason: str) -> None:
    finding = only(compared([period_report()], [run(1, found("amount", check))])[0])
    assert finding.agreement == "only Model Monitor"
    assert reason in finding.reason


def test_few_rows_and_unknown_features_are_the_reason_before_any_limit() -> None:
    runs = [run(1, found("other", "data_type_check"))]
    few = compared([period_report(rows=99)], runs)[0]
    assert only(few).reason == "99 rows, fewer than the 100 of rules.min_n: no verdict"
    assert only(compared([period_report()], runs)[0]).reason == "the baseline has no such feature"


def test_what_only_driftline_found_is_explained_by_the_distance_of_model_monitor() -> None:
    figures = SagemakerFigures(
        method="Robust",
        distance=0.0,
        uncorrected=0.29,
        n=6.0,
        m=17.0,
        threshold=0.1,
        exceeds=False,
    )
    report = period_report(
        features=(feature("amount", sagemaker=figures),), violations=(violation("amount"),)
    )
    finding = only(compared([report], [run(1)])[0])
    assert finding.agreement == "only driftline"
    assert "its own distance is 0, from 6 distinct values here and 17 in" in finding.reason
    own = period_report(violations=(violation("amount", check="vanished_value_check"),))
    assert only(compared([own], [run(1)])[0]).reason == "Model Monitor has no such check"


def test_the_column_checks_of_both_are_one_finding() -> None:
    report = period_report(violations=(violation("(columns)", check="missing_column_check"),))
    runs = [run(1, found("Missing columns", "missing_column_check"))]
    assert only(compared([report], runs)[0]).agreement == "both"


def test_a_run_without_events_here_is_a_period_of_its_own() -> None:
    periods = compared([period_report()], [run(5, found("amount", "data_type_check"))])
    assert [period.start_ms for period in periods] == [FIRST_MS, FIRST_MS + 4 * HOUR_MS]
    assert periods[1].report is None
    assert not periods[1].agrees
    assert only(periods[1]).reason == "the captures have no event of this period"


def test_a_run_at_another_time_of_the_day_is_not_said_to_be_without_events() -> None:
    (_, other) = compared(
        [period_report(0)],
        [
            MonitorRun(
                hour_ms=FIRST_MS + HOUR_MS + HOUR_MS // 2,
                path="r",
                violations=(found("amount", "completeness_check"),),
            )
        ],
    )
    assert only(other).reason.startswith("no period begins at this time")


def test_models_and_variants_are_named_where_there_are_several() -> None:
    reports = [period_report(variant=name) for name in ("AllTraffic", "<canary>")]
    assert names_of(compared(reports[:1], [])) == [""]
    both = compared(reports, [])
    assert names_of(both) == ["flights/AllTraffic", "flights/<canary>"]
    other = compared([period_report(), period_report(1, model="prices")], [])
    assert names_of(other) == ["flights", "prices"]
    heading = Heading(source="s", mode="threshold", beside="", version="1")
    assert "<td>flights/&lt;canary&gt;</td>" in page(heading, both)
    assert "<th>Model</th>" not in page(heading, both[:1])


def test_reports_of_two_schedules_are_told_apart_by_nothing_and_refused(tmp_path: Path) -> None:
    for schedule in ("a", "b"):
        folder = tmp_path / schedule / "2026/11/29/17"
        folder.mkdir(parents=True)
        (folder / "statistics.json").write_text("{}")
    with pytest.raises(DataError, match="several reports on one hour, .*: name one schedule"):
        monitor_runs(str(tmp_path))


def test_in_the_compatible_reading_a_difference_is_not_explained_away() -> None:
    report = period_report(rules={**RULES, "mode": "sagemaker-compat"})
    runs = [run(1, found("amount", "data_type_check"))]
    assert only(compared([report], runs)[0]).reason.startswith("not explained")


def write_run(folder: Path, hour: str, violations: list[dict[str, str]], rows: int | None) -> None:
    place = folder / "endpoint" / "schedule" / "2026" / "11" / "29" / hour
    place.mkdir(parents=True)
    content = json.dumps({"violations": violations})
    (place / "constraint_violations.json").write_text(content)
    if rows is not None:
        statistics = {"version": 0.0, "dataset": {"item_count": rows}, "features": []}
        (place / "statistics.json").write_text(json.dumps(statistics))


def test_reports_of_model_monitor_are_read_from_their_folders(tmp_path: Path) -> None:
    one = {
        "feature_name": "amount",
        "constraint_check_type": "data_type_check",
        "description": "Value: 0.5 does not meet the constraint requirement! ",
    }
    write_run(tmp_path, "17", [one], 1_977)
    write_run(tmp_path, "16", [], None)
    (tmp_path / "constraint_violations.json").write_text("not of a run")
    runs = monitor_runs(str(tmp_path))
    assert [(run.rows, len(run.violations)) for run in runs] == [(None, 0), (1_977, 1)]
    assert runs[1].hour_ms - runs[0].hour_ms == HOUR_MS


@pytest.mark.parametrize("content", ["", "[]", "{'violations': 1}", '{"violations": [{}]}'])
def test_a_damaged_report_is_named(tmp_path: Path, content: str) -> None:
    write_run(tmp_path, "17", [], 5)
    (path,) = tmp_path.rglob("constraint_violations.json")
    path.write_text(content)
    with pytest.raises(
        DataError, match=r"17/constraint_violations\.json: no file of Model Monitor"
    ):
        monitor_runs(str(tmp_path))


def test_a_folder_without_reports_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no reports of Model Monitor, such as"):
        monitor_runs(str(tmp_path))


def test_the_page_is_self_contained_and_escapes_what_it_shows(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    report = period_report(violations=(violation(name),))
    heading = Heading(source="captures/", mode="threshold", beside="reports/", version="1")
    text = page(heading, compared([report], [run(1)]))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http:" not in text
    assert "https:" not in text
    write_page(tmp_path / "new" / "verdicts.html", heading, [])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["verdicts.html"]


def test_a_period_without_a_report_of_one_system_has_no_common_verdict() -> None:
    heading = Heading(source="captures/", mode="threshold", beside="reports/", version="1")
    periods = compared([period_report(0), period_report(1), period_report(2)], [run(1), run(2)])
    assert [period.both_reported for period in periods] == [True, True, False]
    assert "in 2 of the 2 periods that both reported, of 3" in page(heading, periods)


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    heading = Heading(source="captures/", mode="threshold", beside="", version="1")
    with pytest.raises(DataError, match="cannot be written"):
        write_page(tmp_path / "file" / "verdicts.html", heading, [])
