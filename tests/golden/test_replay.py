"""The same events lead to the same reports: without interruption, through crashes, by other
readers, in other batches, and in other files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from detectors.profiles.baseline import Baseline
from stream.baselining.build import load_baseline
from stream.readers import reader as readers
from tests.golden.replay import (
    KEYS,
    RULES,
    Results,
    assert_equal_windows,
    config,
    distribute,
    plain_periods,
    plain_rows,
    planted,
    write_baseline,
)
from tests.golden.runs import run_service, run_with_crashes, serve_small_batches


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden")
    write_baseline(path / "baseline")
    return path


@pytest.fixture(scope="module")
def baseline(folder: Path) -> Baseline:
    return load_baseline(folder / "baseline")


def run_without_crashes(folder: Path, files: int, mode: str = "evidence") -> Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "MAX_RECORDS", 100)
        names = distribute(planted(), folder, files)
        at = folder / f"straight-{files}-{mode}"
        return run_service(config(at, folder / "baseline", names, rules=RULES[mode]))


@pytest.fixture(scope="module")
def straight(folder: Path) -> Results:
    """The results of one file, without interruption."""
    return run_without_crashes(folder, 1)


@pytest.fixture(scope="module")
def straight_by_threshold(folder: Path) -> Results:
    """The same in the mode ``threshold``."""
    return run_without_crashes(folder, 1, "threshold")


@pytest.fixture(scope="module")
def straight_of_six(folder: Path) -> Results:
    """The results of six files, without interruption."""
    return run_without_crashes(folder, 6)


@pytest.mark.parametrize("run", ["straight", "straight_by_threshold"])
def test_the_run_without_crashes_counts_every_event_and_has_results_of_every_kind(
    run: str, request: pytest.FixtureRequest
) -> None:
    straight: Results = request.getfixturevalue(run)
    assert straight.rows == plain_rows(planted())
    periods = {period: report.rows for period, report in straight.newest_periods.items()}
    assert Counter(periods) == plain_periods(planted())
    assert any(report.revision for report in straight.schedules)
    assert {report.status for report in straight.schedules} == {
        "Completed",
        "CompletedWithViolations",
    }
    assert {signal.kind for signal in straight.signals} >= {"opened", "recovered"}
    assert any(report.revision for report in straight.reports)
    assert {(report.model, report.variant) for report in straight.reports} == set(KEYS)
    checks = {violation.check for report in straight.reports for violation in report.violations}
    assert "extra_column_check" in checks


@pytest.mark.parametrize("turns", [1, 2, 3, 7, 19])
def test_crashes_do_not_change_the_results(
    turns: int,
    straight: Results,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MAX_RECORDS", 100)
    job = config(tmp_path, folder / "baseline", distribute(planted(), folder, 1))
    results, processes = run_with_crashes(job, turns)
    assert processes > 40 // turns
    ids = [report.id for report in results.reports] + [item.id for item in results.schedules]
    assert len(set(ids)) == len(ids), "each id is committed once"
    assert_equal_windows(results, straight, baseline)


@pytest.mark.parametrize("turns", [2, 19])
def test_crashes_do_not_change_the_results_by_threshold(
    turns: int,
    straight_by_threshold: Results,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MAX_RECORDS", 100)
    files = distribute(planted(), folder, 1)
    job = config(tmp_path, folder / "baseline", files, rules=RULES["threshold"])
    assert_equal_windows(run_with_crashes(job, turns)[0], straight_by_threshold, baseline)


@pytest.mark.parametrize("max_records", [20, 97, 1_000])
def test_other_batches_do_not_change_the_results(
    max_records: int,
    straight: Results,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MAX_RECORDS", max_records)
    job = config(tmp_path, folder / "baseline", distribute(planted(), folder, 1))
    assert_equal_windows(run_service(job), straight, baseline, pooled=False)


@pytest.mark.parametrize("processes", [2, 3])
def test_reader_processes_do_not_change_the_results(
    processes: int,
    straight_of_six: Results,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
) -> None:
    files = distribute(planted(), folder, 6)
    job = config(tmp_path, folder / "baseline", files, readers=processes)
    results = run_service(job, serve_small_batches)
    assert_equal_windows(results, straight_of_six, baseline, pooled=False)


@pytest.mark.parametrize("how", ["in small batches", "with crashes"])
def test_without_late_events_evidence_over_several_windows_is_the_same(
    how: str, folder: Path, baseline: Baseline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = distribute(planted(seed=6, very_late=False), tmp_path, 1)
    sinks = [{"type": "jsonl", "path": "reports"}]
    jobs = [config(tmp_path / name, folder / "baseline", files, sinks=sinks) for name in ("a", "b")]
    expected = run_service(jobs[0])
    monkeypatch.setattr(readers, "MAX_RECORDS", 100)
    actual = run_service(jobs[1]) if how == "in small batches" else run_with_crashes(jobs[1], 3)[0]
    assert_equal_windows(actual, expected, baseline)
    found = [each.evidence for report in expected.reports for each in report.features]
    assert any(finding.horizon > 1 for each in found if each for finding in each.findings)
    assert not any(report.revision for report in expected.reports if report.state != "no data")


@pytest.mark.parametrize("files", [1, 2, 4])
def test_events_distributed_over_other_files_lead_to_the_same_counts(
    files: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = planted(seed=6, very_late=False)
    monkeypatch.setattr(readers, "MAX_RECORDS", 100)
    job = config(tmp_path, folder / "baseline", distribute(arrived, tmp_path, files))
    assert run_service(job).rows == plain_rows(arrived)


def test_the_comparison_detects_a_single_missing_event(
    straight: Results, folder: Path, baseline: Baseline, tmp_path: Path
) -> None:
    arrived = planted()
    del arrived[next(k for k, event in enumerate(arrived) if event.row)]
    job = config(tmp_path, folder / "baseline", distribute(arrived, tmp_path, 1))
    with pytest.raises(AssertionError):
        assert_equal_windows(run_service(job), straight, baseline)
