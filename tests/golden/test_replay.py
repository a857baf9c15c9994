"""The same events give the same reports: straight, through crashes, by other readers, in other
batches, in other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.profiles.baseline import Baseline
from stream.baselining.build import load_baseline
from stream.readers import reader as readers
from tests.golden.replay import (
    Told,
    assert_equal_windows,
    config,
    deal,
    plain_rows,
    planted,
    write_baseline,
)
from tests.golden.runs import crashed, serve_few, served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden")
    write_baseline(path / "baseline")
    return path


@pytest.fixture(scope="module")
def baseline(folder: Path) -> Baseline:
    return load_baseline(folder / "baseline")


@pytest.fixture(scope="module")
def straight(folder: Path) -> Told:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "MOST_RECORDS", 100)
        return served(config(folder / "straight", folder / "baseline", deal(planted(), folder, 1)))


@pytest.fixture(scope="module")
def straight_of_six(folder: Path) -> Told:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "MOST_RECORDS", 100)
        return served(
            config(folder / "straight-6", folder / "baseline", deal(planted(), folder, 6))
        )


def test_the_straight_run_is_what_the_producer_counted_and_meets_everything(straight: Told) -> None:
    assert straight.rows == plain_rows(planted())
    assert {one.kind for one in straight.signals} >= {"opened", "recovered"}
    assert any(report.revision for report in straight.reports)
    assert {(report.model, report.variant) for report in straight.reports} == {
        (m, v) for m in "ab" for v in ("blue", "green")
    }
    assert any(
        one.check == "extra_column_check"
        for report in straight.reports
        for one in report.violations
    )


@pytest.mark.parametrize("every", [1, 2, 3, 7, 19])
def test_crashes_change_nothing(
    every: int,
    straight: Told,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MOST_RECORDS", 100)
    told, lives = crashed(config(tmp_path, folder / "baseline", deal(planted(), folder, 1)), every)
    assert lives > 40 // every
    assert len({report.id for report in told.reports}) == len(told.reports), (
        "each id is committed once"
    )
    assert_equal_windows(told, straight, baseline)


@pytest.mark.parametrize("most", [20, 97, 1_000])
def test_other_batches_change_nothing(
    most: int,
    straight: Told,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MOST_RECORDS", most)
    assert_equal_windows(
        served(config(tmp_path, folder / "baseline", deal(planted(), folder, 1))),
        straight,
        baseline,
    )


@pytest.mark.parametrize("processes", [2, 3])
def test_other_readers_change_nothing(
    processes: int,
    straight_of_six: Told,
    folder: Path,
    baseline: Baseline,
    tmp_path: Path,
) -> None:
    asked = config(tmp_path, folder / "baseline", deal(planted(), folder, 6), readers=processes)
    assert_equal_windows(served(asked, serve_few), straight_of_six, baseline)


@pytest.mark.parametrize("files", [1, 2, 4])
def test_events_dealt_over_other_files_are_counted_the_same(
    files: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = planted(seed=6, very_late=False)
    monkeypatch.setattr(readers, "MOST_RECORDS", 100)
    assert served(
        config(tmp_path, folder / "baseline", deal(came, tmp_path, files))
    ).rows == plain_rows(came)


def test_one_event_less_is_not_the_same(
    straight: Told, folder: Path, baseline: Baseline, tmp_path: Path
) -> None:
    """The comparison can fail."""
    came = planted()
    del came[next(k for k, one in enumerate(came) if one.row)]
    told = served(config(tmp_path, folder / "baseline", deal(came, tmp_path, 1)))
    with pytest.raises(AssertionError):
        assert_equal_windows(told, straight, baseline)
