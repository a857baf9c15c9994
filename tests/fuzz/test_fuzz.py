"""Bytes of every kind: nothing crashes, everything is booked once, a bad line touches no neighbour."""

from __future__ import annotations

import os

import pytest

from tests.conftest import left_out
from tests.fuzz import long
from tests.servers import fuzzer
from tests.servers.base import PartMissing

LONG = os.environ.get("DRIFTLINE_LONG") == "all"
LINES = long.LINES if LONG else 20_000
INPUTS = 100_000 if LONG else 3_000


def test_a_bad_line_is_booked_and_touches_no_neighbour() -> None:
    told = long.run(LINES)
    assert int(str(told["lines"])) >= LINES
    assert int(str(told["compared_with_the_oracle"])) > LINES // 20
    outcomes = told["outcomes"]
    assert isinstance(outcomes, dict)
    assert {
        "accepted",
        "undecodable",
        "time_missing",
        "not_an_object",
        "too_many_columns",
        "too_few_columns",
    } <= set(outcomes), told
    assert outcomes["accepted"] > LINES // 2


def test_inputs_chosen_by_what_they_reach_are_booked_too() -> None:
    if reason := fuzzer.why_missing():
        left_out(PartMissing("atheris", reason))
    told = long.guided(INPUTS)
    assert told["inputs"] == INPUTS
    assert int(str(told["edges"])) > 300


def test_the_proof_sees_a_line_that_spoils_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the guard against quotes that reach into the next line, the batches above do not
    pass."""
    monkeypatch.setattr("stream.formats.csv_batch._unsafe_quotes", lambda letters, ends: ends < 0)
    with pytest.raises((AssertionError, ExceptionGroup)):
        long.run(20_000)
