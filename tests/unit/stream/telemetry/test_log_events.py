"""Log events about verdicts and dropped records: one each, without values of features."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import pyarrow as pa
from structlog.testing import CapturingLogger, capture_logs

from detectors.profiles.columns import numbers_from_array
from detectors.profiles.fold import fold
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from stream.aggregation.ledger import Account, Ledger
from stream.events import DeadLetter, ModelKey
from stream.telemetry.inputs_log import InputsLog
from stream.telemetry.log_events import DroppedLog, VariantLimitLog
from stream.telemetry.metrics import Telemetry
from stream.testing.quality_reports import awaiting, quality_report
from stream.testing.reports import report, signal, violation
from stream.testing.schedule_reports import empty_hour, schedule_report


def test_a_window_and_a_signal_are_one_event_each_without_values() -> None:
    telemetry = Telemetry("sample")
    secret = violation(description="SECRET", diagnosis="SECRET")
    with capture_logs() as events:
        telemetry.log_verdicts(
            [
                report(violations=(secret,)),
                report(1, violations=(), state="ok"),
                signal(reasons=(secret,)),
                object(),
            ]
        )
    violated, calm, opened = events
    assert violated == {
        "event": "window_closed",
        "log_level": "warning",
        "job": "sample",
        "id": report().id,
        "state": "violations",
        "rows": 100,
        "violations": 1,
        "failed_checks": ["amount: baseline_drift_check"],
    }
    assert (calm["event"], calm["log_level"], calm["state"]) == ("window_closed", "info", "ok")
    assert (calm["violations"], calm["failed_checks"]) == (0, [])
    assert opened == {
        "event": "signal_raised",
        "log_level": "warning",
        "job": "sample",
        "kind": "opened",
        "id": signal().id,
        "since": "2025-06-15T15:07:00+00:00",
        "features": ["amount"],
        "reasons": ["amount: baseline_drift_check"],
        "report": report().id,
    }
    assert "SECRET" not in json.dumps(events)


def test_a_period_of_a_schedule_is_one_event_without_values() -> None:
    secret = violation(description="SECRET", diagnosis="SECRET")
    with capture_logs() as events:
        Telemetry("sample").log_verdicts(
            [schedule_report(violations=(secret,), notes=("a note",)), empty_hour(1)]
        )
    violated, empty = events
    assert violated == {
        "event": "schedule_reported",
        "log_level": "warning",
        "job": "sample",
        "id": schedule_report().id,
        "schedule_ms": 3_600_000,
        "status": schedule_report().status,
        "rows": schedule_report().rows,
        "violations": 1,
        "failed_checks": ["amount: baseline_drift_check"],
        "notes": ["a note"],
    }
    assert (empty["log_level"], empty["status"], empty["rows"]) == ("info", "NoData", 0)


def test_quality_is_logged_once_it_is_judged() -> None:
    telemetry = Telemetry("sample")
    calm = quality_report(1, state="ok", violations=(), notes=(), final=True)
    with capture_logs() as events:
        telemetry.log_verdicts([awaiting(), quality_report(), calm])
    violated, well = events
    assert violated == {
        "event": "quality_judged",
        "log_level": "warning",
        "job": "sample",
        "id": quality_report().id,
        "state": "violations",
        "final": False,
        "labelled": 100,
        "coverage": 0.8,
        "violations": 1,
        "failed_checks": ["accuracy: model_quality_check"],
        "notes": ["20 % of the predictions have no label yet, and need not be like the others"],
    }
    assert (well["log_level"], well["final"], well["state"]) == ("info", True, "ok")


def test_a_recovered_model_is_information_and_names_no_past_reason() -> None:
    with capture_logs() as events:
        Telemetry("sample").log_verdicts(
            [signal(0, kind) for kind in ("opened", "worsened", "reminder", "recovered")]
        )
    levels = {event["kind"]: event["log_level"] for event in events}
    assert levels == {
        "opened": "warning",
        "worsened": "warning",
        "reminder": "warning",
        "recovered": "info",
    }
    assert (events[-1]["features"], events[-1]["reasons"]) == (["amount"], [])


def test_a_signal_of_many_features_names_the_first_ten() -> None:
    names = tuple(f"f{k:02}" for k in range(30))
    with capture_logs() as events:
        Telemetry("sample").log_verdicts(
            [signal(features=names, reasons=tuple(violation(name) for name in names))]
        )
    assert events[0]["features"] == list(names[:10])
    assert events[0]["reasons"] == [f"{name}: baseline_drift_check" for name in names[:10]]


class Dropped:
    """A log of dropped records with a clock that the test sets."""

    def __init__(self, **outcomes: int) -> None:
        self.now_s = 1_000.0
        self.ledger = Ledger({"t-0": Account(0, {"accepted": 100, **outcomes})})
        self._logger = CapturingLogger()
        self.log = DroppedLog(self._logger, lambda: self.now_s)
        self.log.begin(self.ledger)

    def after(self, seconds: float, **outcomes: int) -> list[dict[str, object]]:
        """The events after these records were dropped."""
        self.now_s += seconds
        counts = self.ledger.partitions["t-0"].outcomes
        for reason, count in outcomes.items():
            counts[reason] = counts.get(reason, 0) + count
        self.log.write(self.ledger, "dead.jsonl")
        calls = self._logger.calls
        self._logger.calls = []
        assert all(
            (call.method_name, call.args) == ("log", (logging.WARNING, "records_dropped"))
            for call in calls
        )
        return [call.kwargs for call in calls]


def letter(reason: str, detail: str) -> DeadLetter:
    return DeadLetter(
        partition="t-0", position=7, reason=reason, length=3, sha256="", detail=detail
    )


def test_the_event_has_the_latest_detail_of_the_most_frequent_reason() -> None:
    dropped = Dropped()
    dropped.log.note([letter("wrong_type", "x holds a list of 2"), letter("row_count", "0 rows")])
    dropped.log.note([letter("wrong_type", "y holds a list of 3"), letter("tombstone", "")])
    [event] = dropped.after(0.1, wrong_type=2, row_count=1)
    assert event["detail"] == "y holds a list of 3"
    [event] = dropped.after(61.0, wrong_type=1)
    assert "detail" not in event


def test_a_source_that_is_not_counted_is_no_warning() -> None:
    log = CapturingLogger()
    dropped = DroppedLog(log, lambda: 0.0)
    dropped.write(Ledger({"t-0": Account(0, {"skipped_source": 3})}), "dead.jsonl")
    dropped.write(Ledger({"t-0": Account(0, {"skipped_source": 4, "tombstone": 1})}), "dead.jsonl")
    assert [call.args[0] for call in log.calls] == [logging.INFO, logging.WARNING]
    assert "dead_letters" not in log.calls[0].kwargs


def profile_of(rows: Sequence[tuple[float | None, float | None]]) -> Profile:
    """The profile of rows of a prediction ``p`` and an input ``x``."""
    columns = {
        name: numbers_from_array(pa.array(cells, pa.float64()), False)
        for name, cells in zip(("p", "x"), zip(*rows, strict=True), strict=True)
    }
    prediction = Feature(
        name="p", type="Fractional", kind="grid", role="prediction", edges=(0.0,), cells=(0, 1)
    )
    x = Feature(name="x", type="Fractional", kind="grid", edges=(0.0,), cells=(0, 1))
    return fold(Layout((prediction, x)), columns)


def test_a_model_without_any_input_is_an_error_once_after_enough_rows() -> None:
    log = CapturingLogger()
    watch = InputsLog(log)
    partials: list[tuple[str, list[tuple[float | None, float | None]]]] = [
        ("wrong", [(0.5, None)] * 15),
        ("right", [(0.5, None)] * 19),
        ("right", [(0.5, 1.0)]),
        ("wrong", [(0.5, None)] * 5),
        ("wrong", [(0.5, None)] * 99),
        ("right", [(0.5, None)] * 99),
    ]
    for model, rows in partials:
        watch.note([(ModelKey(model, "v"), 0, profile_of(rows))])
    [call] = log.calls
    assert (call.method_name, call.args) == ("error", ("inputs_missing",))
    assert (call.kwargs["model"], call.kwargs["rows"]) == ("wrong", 20)


def test_dropped_records_are_logged_once_a_minute_with_all_since_the_last_event() -> None:
    dropped = Dropped()
    first = dropped.after(0.1, too_late=2)
    assert [event["by_reason"] for event in first] == [{"too_late": 2}]
    assert dropped.after(1.0) == []
    assert dropped.after(1.0, too_late=3) == []
    assert dropped.after(57.0, too_late=4) == []
    later = dropped.after(2.0, too_late=5)
    assert [event["by_reason"] for event in later] == [{"too_late": 12}]


def test_a_new_reason_is_logged_at_once() -> None:
    dropped = Dropped()
    dropped.after(0.1, too_late=2)
    assert dropped.after(0.1, too_late=1) == []
    [event] = dropped.after(0.1, undecodable=3)
    assert event["by_reason"] == {"too_late": 1, "undecodable": 3}
    assert event["dead_letters"] == "dead.jsonl"
    assert "cannot be parsed" in str(event["advice"])
    assert dropped.after(59.0, undecodable=1) == []


def test_late_records_have_no_dead_letters() -> None:
    [event] = Dropped().after(0.1, too_late=2, duplicate=1)
    assert "dead_letters" not in event


def test_records_dropped_by_an_earlier_process_are_not_logged_again() -> None:
    dropped = Dropped(too_late=500)
    assert dropped.after(100.0) == []
    assert [event["by_reason"] for event in dropped.after(0.1, too_late=1)] == [{"too_late": 1}]


def test_rows_of_further_variants_are_logged_once_a_minute_without_their_names() -> None:
    now_s = 1_000.0
    logger = CapturingLogger()
    ledger = Ledger(rows_of_other_variants=40)
    log = VariantLimitLog(logger, lambda: now_s)
    log.begin(ledger)
    for second, rows in ((0.0, 0), (1.0, 5), (2.0, 7), (62.0, 1)):
        now_s = 1_000.0 + second
        ledger.rows_of_other_variants += rows
        log.write(ledger)
    assert [(call.args, call.kwargs["rows"]) for call in logger.calls] == [
        (("variants_over_limit",), 5),
        (("variants_over_limit",), 8),
    ]
