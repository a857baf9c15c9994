"""Rejected labels, and predictions that cannot wait, are logged by reason with advice."""

from __future__ import annotations

from structlog.testing import CapturingLogger

from stream.aggregation.label_ledger import LabelLedger
from stream.telemetry.labels_log import LabelsLog


def test_new_reasons_are_logged_at_once_and_more_of_them_once_a_minute() -> None:
    seconds = iter((0.0, 1.0, 61.0))
    logger = CapturingLogger()
    ledger = LabelLedger(labels={"label_invalid": 5, "matched": 9})
    log = LabelsLog(logger, lambda: next(seconds))
    log.begin(ledger)
    log.write(ledger, "dead.jsonl")
    assert logger.calls == []  # an earlier process has logged them
    for count in (7, 8, 10):
        ledger.labels |= {"unknown_class": count, "matched": 100, "waiting": 5, "not_sampled": 3}
        log.write(ledger, "dead.jsonl")
    assert [call.kwargs["by_reason"] for call in logger.calls] == [
        {"unknown_class": 7},
        {"unknown_class": 3},
    ]
    assert "none of the model's" in logger.calls[0].kwargs["advice"]


def test_predictions_that_cannot_wait_are_a_warning_but_not_those_out_of_the_sample() -> None:
    logger = CapturingLogger()
    log = LabelsLog(logger)
    log.write(LabelLedger(untaken={"not_sampled": 5}), "dead.jsonl")
    assert logger.calls == []
    log.write(LabelLedger(untaken={"not_sampled": 5, "unusable_prediction": 2}), "dead.jsonl")
    [call] = logger.calls
    assert (call.method_name, call.args) == ("warning", ("predictions_untaken",))
    assert call.kwargs["by_reason"] == {"unusable_prediction": 2}
    assert "`prediction`" in call.kwargs["advice"]


def test_labels_of_a_model_whose_quality_was_removed_are_no_warning() -> None:
    logger = CapturingLogger()
    LabelsLog(logger).write(LabelLedger(labels={"model_removed": 3}), "dead.jsonl")
    [call] = logger.calls
    assert call.args == (20, "labels_rejected")
