"""Finding reports by time, signal or age, and the list of windows."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import click
import msgspec
import pytest
from rich.console import Console

from detectors.report import Signal, WindowReport
from sinks.day_files import compress
from stream.commands.explain_target import find_target
from stream.commands.live_view import Column, LiveView, Row
from stream.commands.report_files import ReportFiles
from stream.commands.reports import ReportsFilter, list_reports
from stream.commands.window_text import findings_text, worst_first
from stream.errors import DataError
from stream.testing.reports import feature, report, signal, violation

CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
DAY_MS = 86_400_000
START_MS = 1_795_590_000_000 // DAY_MS * DAY_MS + 7 * 3_600_000  # 07:00 of a day
MINUTE_MS = 60_000
MILD = violation("mild", value=0.2, limit=0.1)
STRONG = violation("strong", value=5.0, limit=0.1)


def window(minute: int, day: int = 0, **changes: object) -> WindowReport:
    start = START_MS + day * DAY_MS + minute * MINUTE_MS
    made = report(start_ms=start, end_ms=start + MINUTE_MS)
    calm = {"state": "ok", "violations": (), "features": (feature("strong"), feature("mild"))}
    made = msgspec.structs.replace(made, **{**calm, **changes})
    number = f"{made.model}/{made.start_ms}/{made.generation}/{made.revision}"
    return msgspec.structs.replace(made, id=number)


CALM = window(0)
FOUND = window(1, state="violations", violations=(MILD, STRONG))
CALM_AGAIN = window(2)
NEXT_DAY = window(1, day=1)
SIGNAL = msgspec.structs.replace(
    signal(), id="a signal", report=FOUND.id, reasons=(MILD, STRONG), end_ms=FOUND.end_ms or 0
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    revised = window(0, revision=1, rows=777)
    again = window(2, generation="20260101T000000.000Z", rows=555)
    for name, items in (
        ("reports-1.jsonl", [again, CALM, FOUND, revised, CALM_AGAIN]),
        ("reports-2.jsonl", [NEXT_DAY]),
        ("signals.jsonl", [SIGNAL]),
    ):
        lines = [msgspec.json.encode(item) for item in items]
        (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n" + lines[0][:40])
    return tmp_path


def found(folder: Path, *arguments: str, last: bool = False) -> tuple[str, str]:
    target, feature = find_target(arguments, ReportFiles(None, folder), last=last)
    return target.id, feature


def test_an_id_of_a_report_or_of_a_signal_leads_to_the_window_and_its_worst_feature(
    folder: Path,
) -> None:
    assert found(folder, CALM.id, "x") == (CALM.id, "x")
    assert found(folder, "a signal") == (FOUND.id, "strong")
    assert found(folder, SIGNAL.dedupe_id, "mild") == (FOUND.id, "mild")
    assert found(folder, SIGNAL.episode) == (FOUND.id, "strong")


@pytest.mark.parametrize(
    "time",
    [
        "{day}T07:01",
        "{day} 07:01:59",
        "{day}T08:01:00+01:00",
        str(START_MS + MINUTE_MS),
        str(START_MS + 2 * MINUTE_MS - 1),
    ],
)
def test_a_model_and_a_time_lead_to_the_window_that_holds_it(folder: Path, time: str) -> None:
    day = "2026-11-25"
    assert found(folder, FOUND.model, time.format(day=day), "mild") == (FOUND.id, "mild")
    assert found(folder, FOUND.model, time.format(day=day))[0] == FOUND.id


def test_a_time_of_day_means_the_newest_day_that_has_it(folder: Path) -> None:
    assert found(folder, FOUND.model, "07:01", "x") == (NEXT_DAY.id, "x")
    assert found(folder, FOUND.model, "07:02", "x")[0].endswith("/20260101T000000.000Z/0")


def test_the_newest_revision_of_the_newest_generation_counts(folder: Path) -> None:
    newest = ReportFiles(None, folder).newest()
    rows = [ReportFiles(None, folder).load(report).rows for report in newest]
    assert rows == [777, FOUND.rows, 555, NEXT_DAY.rows]


def test_the_last_window_with_violations_counts(folder: Path) -> None:
    assert found(folder, last=True) == (FOUND.id, "strong")
    assert found(folder, "mild", last=True) == (FOUND.id, "mild")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "MODEL TIME FEATURE"),
        (["a", "b", "c", "d"], "MODEL TIME FEATURE"),
        ([FOUND.model, "25:01", "x"], "'25:01' is no time; expected"),
        (["flihgts", "07:01", "x"], "unknown model in the reports 'flihgts'"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(
    folder: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(click.UsageError, match=message):
        found(folder, *arguments)


def test_a_time_without_a_window_names_the_windows_that_exist(folder: Path) -> None:
    with pytest.raises(DataError, match=r"there are 2026-11-25 07:00 - 07:01 to 2026-11-26 07:01"):
        found(folder, FOUND.model, "2026-12-24T10:00", "x")
    with pytest.raises(DataError, match="report 'nothing': not found; searched"):
        found(folder, "nothing", "x")


def listed(folder: Path, width: int = 0, **wanted: object) -> str:
    terminal = {"width": width, "force_terminal": True, "color_system": None} if width else {}
    console = Console(file=io.StringIO(), **terminal)  # type: ignore[arg-type]
    list_reports(None, folder, ReportsFilter(**wanted), console)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_list_has_times_states_and_findings_and_the_worst_feature_first(folder: Path) -> None:
    lines = listed(folder).splitlines()
    assert lines[0].split() == ["window", "rows", "state", "findings"]
    assert lines[2].startswith("2026-11-25 07:01 - 07:02")
    assert lines[2].index("strong psi 5 > 0.1") < lines[2].index("mild psi 0.2 > 0.1")
    assert len(lines) == 7
    assert lines[5] == f"4 windows of model {FOUND.model}; times are UTC"


def test_the_list_can_be_restricted(folder: Path) -> None:
    assert listed(folder, violations=True).splitlines()[1].startswith("2026-11-25 07:01 - 07:02")
    assert "4 windows of model" in listed(folder, last=2)
    assert ", the last 2 shown" in listed(folder, last=2)
    assert listed(folder, model="other") == "0 windows; times are UTC\n"
    assert len(listed(folder, last=0).splitlines()) == 7


def test_the_list_fits_a_terminal_of_80_columns(folder: Path) -> None:
    assert max(map(len, listed(folder, width=80).splitlines())) <= 80


def test_text_from_data_cannot_control_the_terminal(tmp_path: Path) -> None:
    evil = "a\x1b[2J"
    named = window(0, model=evil, state="violations", violations=(violation(evil, value=9.0),))
    (tmp_path / "reports-1.jsonl").write_bytes(msgspec.json.encode(named) + b"\n")
    page = listed(tmp_path)
    assert "\x1b" not in page
    assert "a\\x1b[2J" in page


def test_each_feature_is_named_once_by_its_worst_violation() -> None:
    both = [violation("x", value=0.2, limit=0.1), violation("x", value=3.0, limit=0.1), STRONG]
    assert [(reason.feature, reason.value) for reason in worst_first(both)] == [
        ("strong", 5.0),
        ("x", 3.0),
    ]


@pytest.mark.parametrize("width", [20, 30, 45, 80])
def test_findings_never_exceed_their_width(width: int) -> None:
    many = tuple(violation(f"feature_{k}", value=1.0 + k) for k in range(9))
    text = findings_text(msgspec.structs.replace(FOUND, violations=many), width)
    assert len(text) <= width
    assert text.startswith("feature_8")
    assert text.endswith(("+8", "+7", "+6"))


def test_a_feature_that_is_not_judged_is_not_the_nearest_to_its_limit() -> None:
    judged = CALM.features[0]
    serial = msgspec.structs.replace(judged, name="serial", verdict="disabled", value=7.0)
    both = msgspec.structs.replace(CALM, features=(serial, judged))
    assert findings_text(both, 80) == findings_text(
        msgspec.structs.replace(CALM, features=(judged,)), 80
    )
    assert findings_text(both, 80)


def viewed(width: int, *rows: Row, signals: tuple[Signal, ...] = ()) -> list[str]:
    """The lines that are sent to a terminal of this width, without its control codes."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    view = LiveView(console, lambda: "the footer", [Column("error", 9, "right")])
    with view:
        for sent in signals:
            view.print_signal(sent)
        for row in rows:
            view.add_window(row)
    assert isinstance(console.file, io.StringIO)
    return CONTROL.sub("", console.file.getvalue()).replace("\r", "\n").splitlines()


def test_rows_and_signals_of_the_view_show_the_same_end_of_a_window() -> None:
    lines = viewed(80, Row(FOUND, "opened", ("1.0 min",)), signals=(SIGNAL,))
    [row] = [line for line in lines if "violations" in line and "error" not in line][-1:]
    [said] = [line for line in lines if "signal opened: strong, mild" in line]
    assert row[:16] == said[:16] == "2026-11-25 07:02"


@pytest.mark.parametrize("width", [80, 120])
def test_the_view_fits_its_terminal(width: int) -> None:
    other = msgspec.structs.replace(FOUND, model="a second model with a very long name")
    long = msgspec.structs.replace(SIGNAL, reasons=(violation("y" * 70, value=2.0),))
    rows = Row(FOUND, "opened", ("1,234 min",)), Row(other, "reminder", ("2 min",))
    assert max(map(len, viewed(width, *rows, signals=(long,)))) <= width


def test_compressed_days_are_read_like_the_others(folder: Path, tmp_path: Path) -> None:
    """Also a day with later lines beside its compressed ones, and one whose file is damaged."""
    before = [found.head for found in ReportFiles(None, folder).newest()]
    report_of = ReportFiles(None, folder).report(FOUND.id)
    (tmp_path / "reports-1.jsonl").rename(tmp_path / "reports-3.jsonl")
    assert compress(tmp_path / "reports-3.jsonl")
    late = window(2, generation="20260101T000000.000Z", revision=1, rows=556)
    (tmp_path / "reports-3.jsonl").write_bytes(msgspec.json.encode(late) + b"\n")
    files = ReportFiles(None, folder)
    found = files.newest()
    assert [entry.head.id for entry in found][:2] == [head.id for head in before][:2]
    assert [files.load(entry).rows for entry in found] == [777, 100, 556, 100]
    assert files.report(FOUND.id) == report_of


def test_a_damaged_file_is_read_up_to_the_damage_and_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compress(tmp_path / "reports-1.jsonl")
    archive = tmp_path / "reports-1.jsonl.gz"
    archive.write_bytes(archive.read_bytes()[:-20])
    found = ReportFiles(None, folder).newest()
    assert NEXT_DAY.id in [entry.head.id for entry in found]
    assert "reports-1.jsonl.gz: read up to where it is damaged" in capsys.readouterr().err


DAY_FILE = "reports-2026-11-25.jsonl"


def close_the_day(folder: Path) -> None:
    """The service compresses the day, and then adds a late revision of another window."""
    assert compress(folder / DAY_FILE)
    late = msgspec.json.encode(window(3, revision=1))
    (folder / DAY_FILE).write_bytes(late + b"\n")


@pytest.fixture
def open_day(tmp_path: Path) -> ReportFiles:
    """Reports whose file is listed before its day is closed."""
    lines = [msgspec.json.encode(item) + b"\n" for item in (CALM, FOUND)]
    (tmp_path / DAY_FILE).write_bytes(b"".join(lines))
    return ReportFiles(None, tmp_path)


def test_a_day_that_is_closed_while_it_is_read_is_read_whole(
    open_day: ReportFiles, tmp_path: Path
) -> None:
    close_the_day(tmp_path)
    ids = [found.head.id for found in open_day.newest()]
    assert ids == [CALM.id, FOUND.id, window(3, revision=1).id]
    assert open_day.report(FOUND.id) == FOUND


def test_a_report_is_loaded_after_its_file_was_compressed_behind_others(
    open_day: ReportFiles, tmp_path: Path
) -> None:
    (tmp_path / f"{DAY_FILE}.gz").write_bytes(gzip.compress(msgspec.json.encode(NEXT_DAY) + b"\n"))
    calm, found, _ = open_day.newest()
    close_the_day(tmp_path)
    assert (open_day.load(calm), open_day.load(found)) == (CALM, FOUND)


def test_a_report_that_was_removed_since_it_was_found_is_missed_in_words(
    open_day: ReportFiles, tmp_path: Path
) -> None:
    calm, _ = open_day.newest()
    (tmp_path / DAY_FILE).unlink()
    with pytest.raises(DataError, match="not found; searched"):
        open_day.load(calm)
    assert open_day.newest() == []
