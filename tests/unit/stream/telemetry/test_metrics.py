"""The service's own figures and log lines: right, and without values of features."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from detectors.decisions.episodes import Episode, EpisodeState
from sinks.courier import CourierCounts
from stream.aggregation.ledger import Account, Ledger
from stream.aggregation.state import JobState, KeyState
from stream.event_time import PartitionState
from stream.events import CoveredRange
from stream.telemetry.log_setup import LogSetup
from stream.telemetry.metrics import Telemetry
from tests.support.samples import START_MS, report, signal, violation

COVER = CoveredRange(
    "t-0", 1, 0, 100, START_MS, False, 100, {"accepted": 100}, 100, 100, bytes={"accepted": 400}
)


def state(**ledger: int) -> JobState:
    accounts = {
        "t-0": Account(12, {"accepted": 9, "json": 2, "too_late": 1}),
        "t-1": Account(5, {"accepted": 5}),
    }
    partitions = {
        "t-0": PartitionState(1, 12, START_MS),
        "t-1": PartitionState(1, 5, None, idle=True),
    }
    return JobState(
        watermark_ms=START_MS,
        partitions=partitions,
        ledger=Ledger(accounts, {"accepted": 140, "json": 21}, **ledger),
    )


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"driftline_{name}", {"job": "sample", **labels})


def test_a_commit_shows_the_ledger_of_the_state() -> None:
    telemetry = Telemetry("sample")
    books = {
        "rows_accepted": 20,
        "rows_folded": 20,
        "rows_in_panes": 5,
        "rows_closed": 14,
        "rows_late_after_idle": 1,
    }
    telemetry.commit(
        0.25,
        1_000,
        state(**books, partials_accepted=7, partials_dropped=2, gaps=1, gap_records=40, future=3),
        {},
    )
    records = {
        (p, o): value(telemetry, "ledger_records", partition=p, outcome=o)
        for p in ("t-0", "t-1")
        for o in ("accepted", "json", "too_late")
    }
    assert records == {
        ("t-0", "accepted"): 9,
        ("t-0", "json"): 2,
        ("t-0", "too_late"): 1,
        ("t-1", "accepted"): 5,
        ("t-1", "json"): None,
        ("t-1", "too_late"): None,
    }
    rows = {
        place: value(telemetry, "ledger_rows", place=place)
        for place in ("folded", "in_panes", "closed", "late_after_idle")
    }
    assert rows == {"folded": 20, "in_panes": 5, "closed": 14, "late_after_idle": 1}
    assert {
        outcome: value(telemetry, "ledger_bytes", outcome=outcome)
        for outcome in ("accepted", "json")
    } == {"accepted": 140, "json": 21}
    assert value(telemetry, "ledger_imbalance") == 0
    assert value(telemetry, "partials", outcome="accepted") == 7
    assert value(telemetry, "partials", outcome="dropped") == 2
    assert (
        value(telemetry, "gaps"),
        value(telemetry, "gap_records_lost"),
        value(telemetry, "future_events"),
    ) == (1, 40, 3)
    assert value(telemetry, "commit_seconds_sum") == 0.25


def test_marks_and_watermark_are_seconds_and_a_partition_without_a_mark_has_none() -> None:
    telemetry = Telemetry("sample")
    telemetry.commit(0.1, 1_000, state(), {})
    assert value(telemetry, "watermark_timestamp_seconds") == START_MS / 1000
    assert value(telemetry, "partition_mark_timestamp_seconds", partition="t-0") == START_MS / 1000
    assert value(telemetry, "partition_mark_timestamp_seconds", partition="t-1") is None
    assert value(telemetry, "partition_idle", partition="t-0") == 0
    assert value(telemetry, "partition_idle", partition="t-1") == 1
    assert (value(telemetry, "watermark_delay_seconds") or 0) > 0


def test_a_partition_that_is_gone_leaves_the_figures() -> None:
    telemetry, shown = Telemetry("sample"), state()
    telemetry.commit(0.1, 1_000, shown, {})
    shown.ledger.fold("t-0")
    telemetry.commit(0.1, 1_000, shown, {})
    assert [
        value(telemetry, "ledger_records", partition=name, outcome="accepted")
        for name in ("t-0", "t-1", "ended")
    ] == [None, 5, 9]


def test_an_episode_shows_while_it_is_open_and_a_model_that_is_not_watched_shows_nothing() -> None:
    telemetry, drifted = Telemetry("sample"), state()
    opened = EpisodeState(
        open=Episode(
            id="e",
            first_violation_ms=START_MS,
            last_signal_ms=START_MS,
            features=("amount",),
            ever=("amount",),
            reasons=(),
            sizes={},
        )
    )
    for model, heard_ms, episodes in (
        ("new", START_MS, EpisodeState()),
        ("drifted", START_MS, opened),
        ("retired", None, opened),
    ):
        drifted.keys[f"{model}\x1fv"] = KeyState(heard_ms=heard_ms, episodes=episodes)

    def shown() -> dict[str, float | None]:
        telemetry.commit(0.1, 1_000, drifted, {})
        return {
            model: value(telemetry, "episode_open", model=model, variant="v")
            for model in ("new", "drifted", "retired")
        }

    assert shown() == {"new": 0, "drifted": 1, "retired": None}
    drifted.keys["drifted\x1fv"].episodes = EpisodeState()
    assert shown() == {"new": 0, "drifted": 0, "retired": None}


def test_an_imbalance_is_the_sum_of_what_is_off() -> None:
    telemetry = Telemetry("sample")
    broken = state(rows_accepted=10, rows_folded=10, rows_closed=13)
    broken.ledger.partitions["t-0"].read += 4
    telemetry.commit(0.1, 1_000, broken, {})
    assert value(telemetry, "ledger_imbalance") == 4 + 3


def test_batches_and_sinks_are_counted() -> None:
    telemetry = Telemetry("sample")
    for _ in range(3):
        telemetry.batch(0.5, [COVER])
    telemetry.sinks({"sns": CourierCounts(1, 2, 3, 4, 5, 0.75, 30.0, 3_600.0, 6)}, paused=True)
    assert (value(telemetry, "records_read_total"), value(telemetry, "bytes_read_total")) == (
        300,
        1_200,
    )
    assert value(telemetry, "batch_seconds_sum") == 1.5
    names = ("delivered", "retried", "rejected", "dropped", "waiting", "left_out")
    assert [value(telemetry, f"sink_{name}", sink="sns") for name in names] == [1, 2, 3, 4, 5, 6]
    assert value(telemetry, "sink_busy_seconds", sink="sns") == 0.75
    assert (
        value(telemetry, "sink_stuck_seconds", sink="sns"),
        value(telemetry, "sink_oldest_seconds", sink="sns"),
    ) == (30, 3_600)
    assert value(telemetry, "reading_paused") == 1


def test_a_process_tells_when_it_began() -> None:
    before = time.time()
    began = value(Telemetry("sample"), "start_timestamp_seconds")
    assert began is not None
    assert before <= began <= time.time()


def test_two_services_do_not_share_their_figures() -> None:
    first, second = Telemetry("sample"), Telemetry("sample")
    first.batch(0.5, [COVER])
    assert value(second, "records_read_total") == 0


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What is written to stderr once logs are set up."""
    root, stderr = logging.getLogger(), StringIO()
    level = root.level
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(sys, "stderr", stderr)
    LogSetup().set_up()
    yield stderr
    structlog.reset_defaults()
    root.setLevel(level)


def lines(written: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_window_and_a_signal_are_one_line_each_without_values(logs: StringIO) -> None:
    telemetry = Telemetry("sample")
    secret = violation(description="SECRET", diagnosis="SECRET")
    telemetry.told(
        [
            report(violations=(secret,)),
            report(1, violations=(), state="ok"),
            signal(reasons=(secret,)),
            object(),
        ]
    )
    window, calm, opened = written = lines(logs)
    assert (window["event"], window["level"], window["state"], window["violations"]) == (
        "window",
        "warning",
        "violations",
        1,
    )
    assert (calm["event"], calm["level"], calm["state"], calm["found"]) == (
        "window",
        "info",
        "ok",
        [],
    )
    assert window["found"] == opened["reasons"] == ["amount: baseline_drift_check"]
    assert (opened["event"], opened["kind"], opened["features"], opened["report"]) == (
        "signal",
        "opened",
        ["amount"],
        report().id,
    )
    assert "SECRET" not in json.dumps(written)
    assert all(line["job"] == "sample" for line in written)
    assert value(telemetry, "windows_closed_total", state="violations") == 1
    assert value(telemetry, "windows_closed_total", state="ok") == 1


def test_what_libraries_log_is_json_too_whatever_it_holds(logs: StringIO) -> None:
    logging.getLogger("some.library").warning('a "quoted" \\ text\nof two lines: %s', "\u00e9")
    logging.getLogger("some.library").info("not worth a line")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("some.library").exception("failed")
    first, second = lines(logs)
    assert first["event"] == 'a "quoted" \\ text\nof two lines: \u00e9'
    assert (first["logger"], first["level"]) == ("some.library", "warning")
    assert second["level"] == "error"
    assert "ValueError: why" in str(second["exception"])
