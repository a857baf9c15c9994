"""The quality of a model in lists, on the page of a window, and in the view of a running job."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from detectors.quality_report import EstimateReport, EstimateSection, QualityReport
from stream.commands.explain import explain
from stream.commands.job_view import RunningJobView
from stream.commands.quality_page import QualityPage
from stream.commands.quality_text import CELL_WIDTH, quality_cell
from stream.commands.report_files import ReportFiles
from stream.commands.reports import ReportsFilter, list_reports
from stream.testing.quality_reports import (
    awaiting,
    metric,
    quality_report,
    quality_signal,
    quality_violation,
)
from stream.testing.reports import report, signal

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def console(width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width, color_system=None)


def printed(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    calm: dict[str, Any] = {"state": "ok", "violations": ()}
    files: dict[str, list[Any]] = {
        "reports-1.jsonl": [report(0, **calm), report(1, **calm), report(2, **calm)],
        "quality-1.jsonl": [awaiting(0), quality_report(0), awaiting(1)],
        "signals.jsonl": [quality_signal(), signal(5)],
    }
    for name, items in files.items():
        lines = [msgspec.json.encode(item) for item in items]
        (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n" + lines[0][:40])
    return tmp_path


def listed(folder: Path, width: int = 0, **wanted: Any) -> list[str]:
    terminal: dict[str, Any] = {"width": width, "force_terminal": True, "color_system": None}
    to = Console(file=io.StringIO(), **(terminal if width else {}))
    list_reports(None, folder, ReportsFilter(**wanted), to)
    return printed(to).splitlines()


def test_the_list_shows_the_newest_quality_beside_each_window(folder: Path) -> None:
    head, first, second, third, *_ = listed(folder)
    assert head.split() == ["window", "rows", "state", "quality", "findings"]
    assert "accuracy 0.8 < 0.9" in first
    assert "quality opened:" in first
    assert "awaiting 8 %" in second
    assert "awaiting" not in third


def test_a_window_of_bad_quality_has_violations(folder: Path) -> None:
    lines = listed(folder, violations=True)
    assert [line[:16] for line in lines[1:2]] == ["2025-06-15 15:07"]
    assert lines[2].startswith("1 window")


def test_the_list_with_quality_fits_a_terminal_of_80_columns(folder: Path) -> None:
    assert max(map(len, listed(folder, width=80))) <= 80


def test_a_list_without_quality_has_no_column_for_it(folder: Path) -> None:
    (folder / "quality-1.jsonl").unlink()
    assert "quality" not in listed(folder)[0]


@pytest.mark.parametrize("name", [quality_report().id, quality_signal().id, "d1-opened", "e1"])
def test_the_id_of_a_quality_report_or_of_its_signal_leads_to_its_page(
    folder: Path, name: str
) -> None:
    to = console()
    assert explain([name], None, folder, None, to)
    page = printed(to)
    assert quality_report().id in page
    assert "2025-06-15 15:07 - 15:08 (UTC): violations" in page


def test_a_metric_of_a_window_leads_to_the_page_of_its_quality(folder: Path) -> None:
    to = console()
    assert explain(["flights", "15:07", "accuracy"], None, folder, None, to)
    assert quality_report().id in printed(to)


def test_a_window_finds_its_quality_by_model_variant_and_span(folder: Path) -> None:
    files = ReportFiles(None, folder)
    assert files.quality_of(report(0)) == quality_report(0)
    assert files.quality_of(report(1)) == awaiting(1)
    assert files.quality_of(report(2)) is None
    assert files.quality_of(report(0, variant="Shadow")) is None


def test_a_signal_about_quality_says_nothing_about_a_drift_of_the_data(folder: Path) -> None:
    (folder / "signals.jsonl").write_bytes(msgspec.json.encode(quality_signal(baseline="b0")))
    assert ReportFiles(None, folder).since_ms(report(0)) is None


def page(shown: QualityReport, width: int = 100) -> str:
    to = console(width)
    QualityPage(to).print(shown)
    return printed(to)


def test_the_page_shows_metrics_with_interval_baseline_limit_and_verdict() -> None:
    text = page(quality_report())
    row = next(line for line in text.splitlines() if line.startswith("accuracy "))
    assert re.split(r"  +", row.strip()) == [
        "accuracy",
        "0.9",
        "0.8",
        "0.75 to 0.85",
        ">= 0.9",
        "violation",
    ]
    assert "undefined: no probabilities" in text


def test_the_page_shows_coverage_and_age_of_the_labels() -> None:
    assert (
        "100 of 125 predictions have a label (80 %); half of them within 10 min, 95 % within 50 min"
        in page(quality_report())
    )
    assert "labels are counted up to 2025-06-15 16:07 (UTC)" in page(quality_report())


def test_the_page_says_why_a_window_awaits_labels() -> None:
    text = page(awaiting())
    assert "awaiting labels" in text
    assert "10 of 125 predictions have a label; judged at 80 %, or at the horizon" in text


def test_the_page_shows_the_confusion_matrix_with_true_classes_as_rows() -> None:
    matrix = {"1": {"1": 41, "0": 12}, "0": {"1": 13, "0": 44}}
    rows = [
        re.findall(r"\d+", line)
        for line in page(quality_report(confusion_matrix=matrix)).splitlines()
        if re.match(r"[01] ", line)
    ]
    assert rows == [["1", "41", "12"], ["0", "13", "44"]]


def test_a_large_confusion_matrix_is_left_to_the_report() -> None:
    names = [f"c{k}" for k in range(13)]
    large = {true: dict.fromkeys(names, 1) for true in names}
    text = page(quality_report(confusion_matrix=large))
    assert "the confusion matrix of 13 classes is in the report" in text


def test_estimates_are_marked_as_such() -> None:
    estimate = EstimateReport(name="f1", value=0.91, low=0.9, high=0.92, n=125)
    section = EstimateSection(method="cbpe", metrics=(estimate,), warning="The data has drifted.")
    text = page(awaiting(estimates=section))
    before, after = text.split("estimated by cbpe, without labels:")
    assert "0.91" in after
    assert "0.91" not in before
    assert "The data has drifted." in after


def test_names_of_classes_cannot_control_the_terminal() -> None:
    evil = "a\x1b[2J"
    text = page(
        quality_report(
            confusion_matrix={evil: {evil: 1}},
            per_class={evil: {"recall": 0.5}},
            metrics=(metric(evil, reason=evil, value=None),),
        )
    )
    assert "\x1b" not in text
    assert text.count("a\\x1b[2J") >= 4


@pytest.mark.parametrize("width", [14, CELL_WIDTH])
def test_a_cell_never_exceeds_its_width_and_keeps_the_numbers(width: int) -> None:
    name = "false_positive_rate_of_all"
    bad = quality_violation(name, value=0.123456, limit=0.1234)
    text = quality_cell(quality_report(violations=(bad, quality_violation())), width)
    assert len(text) <= width
    assert quality_cell(quality_report(), width).endswith(" 0.8 < 0.9")
    assert quality_cell(None) == ""
    assert quality_cell(quality_report(state="ok", violations=()), width) == "ok 80 %"


def test_the_view_fills_in_the_quality_of_a_window_when_its_labels_are_there() -> None:
    to = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with RunningJobView("sample", to, has_quality=True) as view:
        view.show([report(0), report(1)])
        view.show([awaiting(0), awaiting(1)])
        view.show([quality_report(0), quality_signal()])
    lines = CONTROL.sub("", printed(to)).replace("\r", "\n").splitlines()
    rows = [line for line in lines if line.startswith("2025-06-15 15:0") and "psi" in line]
    assert "accuracy 0.8 < 0.9" in rows[-2]
    assert "awaiting 8 %" in rows[-1]
    assert max(map(len, lines)) <= 120


def test_without_a_terminal_a_verdict_on_quality_is_a_line() -> None:
    to = console()
    with RunningJobView("sample", to, has_quality=True) as view:
        view.show([report(0), awaiting(0)])
        view.show([quality_report(0)])
    assert "2025-06-15 15:08" in printed(to)
    said = [line for line in printed(to).splitlines() if "quality of flights" in line]
    assert said == ["2025-06-15 15:08  quality of flights: accuracy 0.8 < 0.9"]
