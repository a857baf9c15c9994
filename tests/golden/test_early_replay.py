"""Looks into open windows at other moments lead to the same reports, and tell each drift once."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.aggregation.early_looks import EarlyLooks
from stream.baselining.build import load_baseline
from stream.readers import reader as readers
from tests.golden.replay import (
    Results,
    assert_equal_reports,
    config,
    distribute,
    planted,
    write_baseline,
)
from tests.golden.runs import run_with_crashes

RULES = {"mode": "evidence", "early": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("early")
    write_baseline(path / "baseline")
    return path


def run(folder: Path, at: Path, turns: int, looks: bool = True) -> Results:
    """The results with a crash after every few turns; ``looks``: each turn looks into all windows
    that have changed, otherwise into none.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "MAX_RECORDS", 100)
        patch.setattr(EarlyLooks, "_is_due", lambda self, window, now_ms: looks)
        names = distribute(planted(), folder, 1)
        return run_with_crashes(config(at, folder / "baseline", names, rules=RULES), turns)[0]


@pytest.fixture(scope="module")
def unseen(folder: Path) -> Results:
    """The results without a look."""
    return run(folder, folder / "unseen", 10_000, looks=False)


@pytest.mark.parametrize("turns", [1, 2, 5, 10_000])
def test_looks_and_crashes_change_no_report(
    turns: int, unseen: Results, folder: Path, tmp_path: Path
) -> None:
    seen = run(folder, tmp_path, turns)
    baseline = load_baseline(folder / "baseline")
    assert any(signal.early for signal in seen.signals)
    assert seen.first_ids == unseen.first_ids
    for window, report in unseen.newest.items():
        assert_equal_reports(seen.newest[window], report, baseline)
    assert_each_episode_is_told_once(seen)


def assert_each_episode_is_told_once(results: Results) -> None:
    """No two signals have one id, and no episode of a model opens while another is open."""
    ids = [signal.id for signal in results.signals]
    assert len(set(ids)) == len(ids)
    now_open: dict[tuple[str, str], str] = {}
    for signal in results.signals:
        key = signal.model, signal.variant
        if signal.kind == "opened":
            assert key not in now_open
            now_open[key] = signal.episode
        elif key in now_open:
            assert signal.episode == now_open[key]
        if signal.kind == "recovered":
            now_open.pop(key, None)
