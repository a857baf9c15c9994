"""What is wrong is said in the report and in the exit code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.torture import __main__ as torture
from tests.torture.rows import Row, Told
from tests.torture.schedules import Chunk, run_chunk


def calm() -> Told:
    return Told([Row("kills", 1_000, (), 2.0)], Counter(records=12_345))


def wild() -> Told:
    return Told([Row("kills", 20, ("seed 7: a window is off",), 2.0)])


def test_a_report_says_how_often_what_was_tried_and_what_was_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torture, "REPORT", tmp_path / "torture.md")
    monkeypatch.setattr(torture, "SECTIONS", [("Kills", calm)])
    assert torture.main([]) == 0
    text = (tmp_path / "torture.md").read_text()
    assert "## Kills" in text
    assert "| kills | 1,000 | 0 | 2.0 |" in text
    assert "12,345 records" in text


def test_one_fault_is_named_and_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torture, "SECTIONS", [("Kills", wild), ("Others", calm)])
    assert torture.main(["kill"]) == 1
    assert "* seed 7: a window is off" in capsys.readouterr().out
    assert torture.main(["others"]) == 0
    assert torture.main(["nothing"]) == 2


@pytest.mark.parametrize("live", [False, True])
def test_a_chunk_of_schedules_counts_what_it_met(live: bool) -> None:
    seen, wrong = run_chunk(Chunk(live, 3, 6))
    assert wrong == []
    assert seen["records"] > 0
