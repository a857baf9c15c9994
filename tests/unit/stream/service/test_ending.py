"""How a run ends that has read its source to the end."""

from __future__ import annotations

import pytest

from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.ledger import Account, Ledger
from stream.service.ending import NOTHING_JUDGED, RunTally
from stream.testing.reports import feature, report


@pytest.mark.parametrize(
    ("state", "verdict", "code"),
    [
        ("ok", "ok", 0),
        ("violations", "violation", 0),
        ("incomplete", "ok", 0),
        ("ok", "disabled", 0),  # constraints.json may switch off the comparison, and leave checks
        ("incomplete", "disabled", NOTHING_JUDGED),
        ("insufficient", "insufficient", NOTHING_JUDGED),
        ("learning", "ok", NOTHING_JUDGED),
    ],
)
def test_a_run_ends_well_if_a_window_was_judged(state: str, verdict: str, code: int) -> None:
    tally = RunTally(Ledger())
    tally.report(report(state=state, violations=(), features=(feature(verdict=verdict),)))
    ledger = Ledger(partitions={"p": Account(outcomes={"accepted": 100})})
    assert tally.ending(ledger, "source", "state").code == code


def test_a_run_that_found_labels_alone_does_not_say_that_nothing_was_new() -> None:
    ledger = Ledger(partitions={"p": Account(outcomes={"accepted": 100})})
    labels = LabelLedger(read={"l": 40})
    tally = RunTally(ledger, labels)
    assert tally.ending(ledger, "source", "state", labels).text.startswith("nothing new")
    labels.read["l"] += 1
    assert tally.ending(ledger, "source", "state", labels) == (0, "")
