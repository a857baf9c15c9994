"""Files of incidents: times, faults, and which signals are about an incident."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.commands.backtest.incidents import ListedIncident, read_incidents
from stream.commands.backtest.tuning import rate_a_week
from stream.errors import ConfigError
from stream.testing.reports import signal

DAY_MS = 86_400_000


def read(tmp_path: Path, text: str, name: str = "i.yaml") -> list[ListedIncident]:
    (tmp_path / name).write_text(text)
    return read_incidents(tmp_path / name, ["m", "other"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("i.yaml", "- {model: m, from: 1970-01-02, to: 1970-01-03T00:00, name: n}"),
        (
            "i.yaml",
            "incidents:\n- {model: m, from: '1970-01-02T01:00+01:00', to: 1970-01-02, name: n}",
        ),
        ("i.csv", "model,from,to,name\nm,1970-01-02,1970-01-03T00:00:00Z,n\n"),
        ("i.csv", "name,to,from,model\nn,1970-01-02,1970-01-02 00:00,m\n"),
    ],
)
def test_times_are_utc_and_an_end_that_is_a_date_includes_that_day(
    tmp_path: Path, name: str, text: str
) -> None:
    wanted = ListedIncident(model="m", name="n", from_ms=DAY_MS, to_ms=2 * DAY_MS)
    assert read(tmp_path, text, name) == [wanted]


def test_incidents_are_in_order_of_time_and_a_name_is_not_needed(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "- {model: m, from: 1970-01-05, to: 1970-01-06}\n"
        "- {model: other, from: 1970-01-02, to: 1970-01-02}",
    )
    assert [each.model for each in found] == ["other", "m"]
    assert read(tmp_path, "") == []


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = (
        "- {model: n, from: 1970-01-02, to: 1970-01-02}\n"
        "- {model: m, from: soon, to: 1970-01-02}\n"
        "- {model: m, from: 1970-01-03, to: 1970-01-02}\n"
        "- {model: m, form: 1970-01-03, to: 1970-01-04}\n"
    )
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert [fault.path for fault in caught.value.faults] == [
        "[0].model",
        "[1].from",
        "[2].to",
        "[3].form",
        "[3].from",
    ]


@pytest.mark.parametrize("name", ["i.yaml", "i.csv"])
@pytest.mark.parametrize(
    ("key", "time"),
    [
        ("from", "2026-02-30"),
        ("to", "9999-12-31"),
        ("from", "0001-01-01T00:00:00+14:00"),
        ("to", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_a_time_that_is_none_or_of_another_age_is_a_fault_of_its_incident(
    tmp_path: Path, key: str, time: str, name: str
) -> None:
    entry = {"from": "2026-01-02", "to": "2026-01-03", key: time}
    text = f"- {{model: m, from: {entry['from']}, to: {entry['to']}}}"
    if name == "i.csv":
        text = f"model,from,to\nm,{entry['from']},{entry['to']}\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, name)
    (fault,) = caught.value.faults
    assert fault.path == f"[0].{key}"
    assert "expected a time from 1970 to 2099" in fault.reason


def test_an_incident_with_a_number_that_python_does_not_convert_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, f"- {{model: m, from: {'1' * 5_000}, to: 1970-01-02}}")


@pytest.mark.parametrize("text", ["a: [", "3", "- 3", "{a: 1}"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, text)


def test_a_signal_is_about_an_incident_if_its_window_overlaps_it() -> None:
    sent = signal()
    incident = ListedIncident(model=sent.model, from_ms=sent.start_ms, to_ms=sent.end_ms)
    before = ListedIncident(model=sent.model, from_ms=0, to_ms=sent.start_ms)
    after = ListedIncident(model=sent.model, from_ms=sent.end_ms, to_ms=sent.end_ms + 1)
    other = ListedIncident(model="another", from_ms=sent.start_ms, to_ms=sent.end_ms)
    assert [each.covers(sent) for each in (incident, before, after, other)] == [True] + [False] * 3


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("at most 2 a week", 2.0),
        ("1 per day", 7.0),
        ("At most  3 a month", 0.7),
        ("52 a year", 52 * 7 / 365),
    ],
)
def test_rates(text: str, rate: float) -> None:
    assert rate_a_week(text) == pytest.approx(rate)
