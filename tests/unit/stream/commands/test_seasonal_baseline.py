"""`driftline baseline --season`: seasons of training data and of past reports."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from detectors.profiles.baseline import Baseline
from detectors.profiles.dependence import Dependence
from detectors.profiles.profile import Profile
from stream.baselining.build import load_baseline
from stream.cli import main

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOURS = 14 * 24
ROWS_OF_HOUR = 15
HOUR_MS = 3_600_000


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["baseline", *map(str, arguments)])


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Two weeks with 15 rows an hour, whose number is the hour of the day and a bit."""
    file = tmp_path / "train.csv"
    lines = ["date,x,city"]
    for hour in range(HOURS):
        at = START + timedelta(hours=hour)
        lines += [
            f"{at.isoformat()},{at.hour + k / 100},{'ab'[k % 2]}" for k in range(ROWS_OF_HOUR)
        ]
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def base(train: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    assert driftline(train, "--out", folder, "--exclude", "date").exit_code == 0
    return folder


def written(folder: Path) -> Baseline:
    return Baseline.decode((folder / "baseline.msgpack").read_bytes())


def test_a_baseline_keeps_the_rows_of_each_season(train: Path, tmp_path: Path) -> None:
    out = tmp_path / "seasonal"
    result = driftline(
        *(train, "--out", out, "--season", "hour_of_day,weekend", "--time", "date"),
        *("--timezone", "Asia/Kolkata"),
    )
    assert result.exit_code == 0, result.output
    seasons = load_baseline(out).seasons
    assert seasons is not None
    assert {key: profile.rows for key, profile in seasons.profiles.items()} == {
        (str(hour), part): days * ROWS_OF_HOUR
        for hour in range(24)
        # In India two Mondays begin in the middle of a day of UTC, and end so.
        for part, days in (("weekday", 10), ("weekend", 4))
    }
    assert "0 of 48 seasons have 200 rows or more" in result.stdout
    assert "210 rows of hour_of_day 7" in result.stdout


def test_the_rows_of_a_season_are_counted_by_segment_as_well(train: Path, tmp_path: Path) -> None:
    out = tmp_path / "both"
    result = driftline(
        *(train, "--out", out, "--season", "hour_of_day", "--time", "date", "--segment", "city")
    )
    assert result.exit_code == 0, result.output
    assert "segments: 2 values of city, and all others" in result.stdout
    baseline = load_baseline(out)
    assert baseline.by_segment is not None
    seasons = baseline.by_segment.seasons
    assert seasons is not None
    assert len(seasons.profiles) == 24
    # Of 15 rows an hour, 8 say a and 7 say b, on each of 14 days.
    of_x = [seasons.profiles[("7",)].feature_rows[s * 2] for s in range(3)]
    assert of_x == [8 * 14, 7 * 14, 0]
    plain = baseline.segmented(())
    assert plain.seasons is not None
    assert plain.by_segment is None


def test_seasons_do_not_change_the_baseline_itself(train: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "seasonal"
    assert driftline(train, "--out", out, "--season", "month", "--time", "date").exit_code == 0
    assert load_baseline(out).fingerprint == load_baseline(base).fingerprint
    assert "date" not in load_baseline(out).columns
    # The sketches of the references differ by chance.
    plain = load_baseline(out).seasonal(None).encode(with_references=False)
    assert plain == load_baseline(base).encode(with_references=False)


def test_a_cycle_that_seasons_explain_is_no_dependence(
    train: Path, base: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    result = driftline(train, "--out", out, "--season", "hour_of_day", "--time", "date")
    assert result.exit_code == 0, result.output
    assert load_baseline(base).dependence != Dependence()
    assert load_baseline(out).dependence == Dependence()


def test_rows_without_a_time_are_told(train: Path, tmp_path: Path) -> None:
    train.write_text(train.read_text() + "\n,3.5,a\nsoon,3.5,b\n")
    result = driftline(train, "--out", tmp_path / "s", "--season", "month", "--time", "date")
    assert result.exit_code == 0, result.output
    assert "2 rows without a time in 'date' that can be read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--season", "hour_of_dy"), "did you mean"),
        (("--season", "hour_of_day"), "--season needs --time"),
        (("--season", "month", "--time", "x"), "no row has a time"),
        (("--season", "month", "--time", "when"), "Invalid value for '--time'"),
        (
            ("--season", "month", "--time", "x", "--predictions", "x"),
            "for '--time': 'x' is a prediction",
        ),
        (("--season", "month", "--time", "date", "--timezone", "Berlin"), "'Europe/Berlin'"),
        (("--season", "weekend", "--time", "date", "--holidays", "Germany"), "'DE'"),
        (("--season", "month", "--time", "date", "--holidays", "DE"), "weekday or weekend"),
        (("--time", "date"), "--time can be given only with --season"),
        (("--season", "month", "--time", "date", "--model", "m"), "only with --from-reports"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    train: Path, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    result = driftline(train, "--out", tmp_path / "s", *arguments)
    assert result.exit_code == 2
    assert expected in " ".join(result.output.replace("│", " ").split())


def report(baseline: Baseline, hour: int, rows: int, **other: object) -> bytes:
    """A line of a report on an hour, with ``rows`` rows whose counts are all zero."""
    profile = Profile(baseline.layout)
    profile.rows = rows
    start_ms = int(START.timestamp()) * 1000 + hour * HOUR_MS
    fields = {
        "model": "m",
        "variant": "v",
        "start_ms": start_ms,
        "end_ms": start_ms + HOUR_MS,
        "revision": 0,
        "state": "ok",
        "layout": baseline.layout.fingerprint,
        "profile": b64encode(profile.encode()).decode(),
    }
    return msgspec.json.encode({**fields, **other}) + b"\n"


def violated(check: str) -> dict[str, object]:
    return {"state": "violations", "violations": [{"check": check}]}


def test_the_seasons_of_reports_are_those_of_whole_windows(base: Path, tmp_path: Path) -> None:
    baseline = written(base)
    reports = tmp_path / "reports"
    reports.mkdir()
    overlapping = int(START.timestamp()) * 1000 + HOUR_MS // 2
    (reports / "reports-2026-01-05.jsonl").write_bytes(
        b"".join(
            [
                report(baseline, 0, 5),
                report(baseline, 0, 7, revision=1),  # late events: this one counts
                report(baseline, 1, 11, **violated("baseline_drift_check")),
                report(baseline, 24, 13),
                report(baseline, 2, 101, **violated("completeness_check")),
                report(baseline, 3, 102, **violated("data_type_check")),
                report(baseline, 4, 103, state="incomplete"),
                report(baseline, 5, 104, state="learning"),
                report(baseline, 6, 105, layout="0" * 16),
                report(baseline, 0, 106, start_ms=overlapping, end_ms=overlapping + HOUR_MS),
                report(baseline, 7, 107, start_ms=10**18, end_ms=10**18 + HOUR_MS),
                report(baseline, 8, 108, end_ms=0),
                b"no report\n",
            ]
        )
    )
    result = driftline(base, "--season", "hour_of_day", "--from-reports", reports)
    assert result.exit_code == 0, result.output
    seasons = written(base).seasons
    assert seasons is not None
    found = {key: profile.rows for key, profile in seasons.profiles.items()}
    assert found == {("0",): 20, ("1",): 11}
    assert "seasons of 3 windows" in result.stdout
    assert "4 windows that are incomplete, or their data were broken" in result.stderr
    assert "1 window that have other bins" in result.stderr
    assert "1 window that overlap" in result.stderr


def test_another_folder_gets_the_whole_baseline(base: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports.jsonl"
    reports.write_bytes(report(written(base), 0, 5))
    folder = tmp_path / "reports"
    folder.mkdir()
    reports.rename(folder / "reports-2026-01-05.jsonl")
    out = tmp_path / "other"
    before = (base / "baseline.msgpack").read_bytes()
    result = driftline(base, "--out", out, "--season", "weekend", "--from-reports", folder)
    assert result.exit_code == 0, result.output
    assert load_baseline(out).seasons is not None
    assert (base / "baseline.msgpack").read_bytes() == before
    for name in ("statistics.json", "constraints.json"):
        assert (out / name).read_bytes() == (base / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "--from-reports needs --season"),
        (("--season", "month", "--time", "date"), "--time has no meaning with --from-reports"),
        (("--season", "month"), "no window to learn from"),
        (("--season", "month", "--text", "x"), "--text can be given only without --from-reports"),
    ],
)
def test_reports_that_give_no_seasons_are_refused(
    base: Path, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    result = driftline(base, "--from-reports", reports, *arguments)
    assert result.exit_code == 2
    assert expected in " ".join(result.output.replace("│", " ").split())


def test_reports_of_two_models_need_a_name(base: Path, tmp_path: Path) -> None:
    baseline = written(base)
    reports = tmp_path / "reports"
    reports.mkdir()
    lines = report(baseline, 0, 5) + report(baseline, 0, 9, model="other")
    (reports / "reports-2026-01-05.jsonl").write_bytes(lines)
    arguments = (base, "--season", "month", "--from-reports", reports)
    result = driftline(*arguments)
    assert result.exit_code == 2
    assert "--model m or other" in result.output
    assert driftline(*arguments, "--model", "other").exit_code == 0
    seasons = written(base).seasons
    assert seasons is not None
    assert [profile.rows for profile in seasons.profiles.values()] == [9]


def test_a_folder_without_a_baseline_is_refused(train: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    result = driftline(train.parent, "--season", "month", "--from-reports", reports)
    assert result.exit_code == 2
    assert "baseline.msgpack" in result.output
