"""A failed trial is in the report and in the exit code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.torture import __main__ as torture
from tests.torture.rows import Row, SectionResult
from tests.torture.schedules import KINDS, Chunk, run_chunk
from tests.torture.waiting import beyond, killed
from tests.torture.waiting_leg import Figures, measure


def passing() -> SectionResult:
    return SectionResult([Row("kills", 1_000, (), 2.0)], Counter(records=12_345))


def failing() -> SectionResult:
    return SectionResult.of(Row("kills", 20, ("seed 7: a window is wrong",), 2.0))


def test_the_report_has_trials_runs_failures_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torture, "REPORT", tmp_path / "torture.md")
    monkeypatch.setattr(torture, "SECTIONS", [("Kills", passing)])
    assert torture.main([]) == 0
    text = (tmp_path / "torture.md").read_text()
    assert "## Kills" in text
    assert "| kills | 1,000 | 0 | 2.0 |" in text
    assert "12,345 records" in text


def test_a_failure_is_printed_and_sets_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torture, "SECTIONS", [("Kills", failing), ("Others", passing)])
    assert torture.main(["kill"]) == 1
    assert "* seed 7: a window is wrong" in capsys.readouterr().out
    assert torture.main(["others"]) == 0
    assert torture.main(["nothing"]) == 2


def test_sections_are_joined_with_their_counts() -> None:
    both = passing() | failing()
    assert [row.times for row in both.rows] == [1_000, 20]
    assert both.counts == Counter(records=12_345)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_of_schedules_counts_its_events(kind: str) -> None:
    counts, failures = run_chunk(Chunk(kind, 3, 6))
    assert failures == []
    assert counts["records"] > 0


def test_labels_match_the_predictions_that_wait(tmp_path: Path) -> None:
    figures = measure(tmp_path, rows=150_000, labels=10_000)
    assert (figures.matched, figures.slices) == (10_000, 30)
    assert min(figures.labels_per_s, figures.predictions_per_s, figures.bytes_per_row) > 0


def test_figures_beyond_their_limits_are_failures() -> None:
    figures = Figures(labels=2, matched=1, bytes_per_row=40.1, peak_mb=501.0, reopen_s=5.1)
    assert len(beyond(figures)) == 4
    assert beyond(Figures(bytes_per_row=40.0, peak_mb=499.0, reopen_s=4.9)) == ()


def test_a_killed_store_has_every_acknowledged_batch() -> None:
    assert killed(4).failures == ()
