"""A failed trial is in the report and in the exit code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.torture import __main__ as torture
from tests.torture.rows import Row, SectionResult
from tests.torture.schedules import Chunk, run_chunk


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


@pytest.mark.parametrize("live", [False, True])
def test_a_chunk_of_schedules_counts_its_events(live: bool) -> None:
    counts, failures = run_chunk(Chunk(live, 3, 6))
    assert failures == []
    assert counts["records"] > 0
