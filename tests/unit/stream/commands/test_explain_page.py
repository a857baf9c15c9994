"""The page of explain on a terminal: nothing is cut off in 80 columns or shown twice, and it is
readable without colours."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.report import WindowReport
from stream.baselining.build import BuiltBaseline, write
from stream.commands.explain import explain
from stream.testing.baselines import Values, baseline, normal, texts, window

LONG = (
    "a value that is longer than half of a line, and then continues for another half of a line,"
    " 中文 too"
)
CONTROLS = "\x1b[2J\x07\n"
BASE = baseline({
    "big": 1_234_567 + np.random.default_rng(1).uniform(0, 3, 5_000),
    "words": texts({LONG: 2_000, "w" * 70: 1_500, CONTROLS: 1_000, "b": 500}),
    "a name of a feature that is so long that a table of it would not fit": normal(2, 5_000),
})  # fmt: skip
NAMES = [feature.name for feature in BASE.layout.features]
BOX = tuple("┏┡└│┃")


def report() -> WindowReport:
    data: dict[str, Values] = {
        "big": 1_234_568 + np.random.default_rng(3).uniform(0, 3, 1_000),
        "words": texts({LONG: 500, "new": 500}),
        NAMES[2]: normal(4, 1_000, 2.0),
    }
    span = WindowSpan(
        model="a-model-with-a-name",
        variant="AllTraffic",
        start_ms=1_795_590_000_000,
        end_ms=1_795_590_060_000,
    )
    return Judge("a-job-with-a-long-name", Rules(mode="threshold")).report(
        span, BASE, window(BASE.layout, data), EpisodeState()
    )


def page_of(
    folder: Path, name: str, published: WindowReport, width: int = 80, colours: bool = False
) -> list[str]:
    """The lines of the page."""
    write(BuiltBaseline(BASE, {}, {}, {}), folder / "b")
    (folder / "b" / "constraints.json").unlink()
    (folder / "reports-1.jsonl").write_bytes(msgspec.json.encode(published) + b"\n")
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colours,
        color_system="standard" if colours else None,
    )
    explain([published.id, name], None, folder, folder / "b", console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_in_80_columns(tmp_path: Path, name: str) -> None:
    first, *lines = page_of(tmp_path, name, report())
    assert first == report().id, "not wrapped, so that it can be copied"
    assert [line for line in lines if cell_len(line) > 80] == []
    tables = [line.rstrip() for line in lines if line.startswith(BOX)]
    assert all(line[-1] in "┓┩┘│┃" for line in tables)
    widths = [cell_len(line) for line in tables]
    assert len(set(widths)) == 2, "two tables, each as wide as its first line"
    assert lines[-1] == "all recomputed values match"


def test_a_metric_is_in_one_line(tmp_path: Path) -> None:
    lines = page_of(tmp_path, "big", report())
    [row] = [line for line in lines if line.startswith("│ jensen_shannon")]
    feature = next(feature for feature in report().features if feature.name == "big")
    value = feature.distances["jensen_shannon"]
    assert [cell.strip() for cell in row.split("│")[1:5]] == [
        "jensen_shannon",
        "",
        f"{value:.10g}",
        f"{value:.10g}",
    ]
    assert not [line for line in lines if line.startswith(("│ chi_squared", "│ l_infinity"))], (
        "numbers do not have these"
    )


def test_each_bin_of_close_numbers_is_named_once(tmp_path: Path) -> None:
    lines = page_of(tmp_path, "big", report())
    labels = [line.split("│")[1].strip() for line in lines if line.startswith(("│ [", "│ ("))]
    assert len(labels) == len(set(labels)) == 10
    assert all(label.count("1234") == (1 if "inf" in label else 2) for label in labels)


def test_a_violation_shows_its_numbers_once_and_its_cause_below(tmp_path: Path) -> None:
    lines = page_of(tmp_path, "words", report())
    violation = next(
        violation
        for violation in report().violations
        if (violation.feature, violation.check) == ("words", "baseline_drift_check")
    )
    first = lines.index(
        f"baseline_drift_check: psi {violation.value:.6g}, limit {violation.limit:.6g}"
    )
    assert violation.diagnosis == "new category values rose from 0 % to 50 %"
    assert [line.strip() for line in lines[first + 1 : first + 4]] == [
        violation.diagnosis,
        "cause: new_value (share 0.5, share before 0)",
        "what to do: repair the pipeline",
    ]
    assert not any("exceeds threshold" in line or "does not meet" in line for line in lines)


def test_long_values_are_shown_whole_and_none_can_control_the_terminal(tmp_path: Path) -> None:
    lines = page_of(tmp_path, "words", report())
    column = "".join(line.split("│")[1].strip() + " " for line in lines if line.count("│") == 7)
    assert LONG in " ".join(column.split())
    assert "w" * 70 in column.replace(" ", "")
    assert "\\x1b[2J\\x07\\n" in column
    assert not any(character in "".join(lines) for character in "\x1b\x07")


def test_differences_are_marked_without_colours_too(tmp_path: Path) -> None:
    published = report()
    features = (replace(published.features[0], mean=7.0), *published.features[1:])
    changed = replace(published, rows=999, features=features, violations=())
    lines = page_of(tmp_path, "big", changed)
    assert [
        line.split("│")[1].strip() for line in lines if line.count("differs") and "│" in line
    ] == ["mean"]
    assert "the counts hold 1,000 rows" in lines
    assert any(
        line.startswith("baseline_drift_check: psi") and line.endswith("not published")
        for line in lines
    )
    assert lines[-1] == "recomputed values differ from the published ones"


def test_colours_are_used_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mall recomputed" in page_of(tmp_path, "big", report(), colours=True)[-1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any("\x1b[3" in line for line in page_of(tmp_path, "big", report(), colours=True))
