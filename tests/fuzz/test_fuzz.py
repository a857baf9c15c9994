"""Bytes of every kind: each record has one outcome, and a damaged line affects no neighbour."""

from __future__ import annotations

import os

import pytest

from tests.conftest import skip_or_fail
from tests.fuzz import long
from tests.servers import fuzzer
from tests.servers.base import DependencyMissing

LONG = os.environ.get("DRIFTLINE_LONG") == "all"
LINES = long.LINES if LONG else 20_000
INPUTS = 100_000 if LONG else 3_000


def test_each_line_has_one_outcome_and_a_damaged_one_affects_no_neighbour() -> None:
    figures = long.run(LINES)
    assert int(str(figures["lines"])) >= LINES
    assert int(str(figures["compared_with_the_oracle"])) > LINES // 20
    outcomes = figures["outcomes"]
    assert isinstance(outcomes, dict)
    assert {
        "accepted",
        "undecodable",
        "time_missing",
        "not_an_object",
        "too_many_columns",
        "too_few_columns",
    } <= set(outcomes), figures
    assert outcomes["accepted"] > LINES // 2


def test_each_record_of_coverage_guided_inputs_has_one_outcome() -> None:
    if reason := fuzzer.why_missing():
        skip_or_fail(DependencyMissing("atheris", reason))
    figures = long.guided(INPUTS)
    assert figures["inputs"] == INPUTS
    assert int(str(figures["edges"])) > 300


def test_a_planted_fault_that_lets_a_line_affect_its_neighbour_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The planted fault removes the guard against quotes that extend into the next line."""
    monkeypatch.setattr("stream.formats.csv_batch._unsafe_quotes", lambda letters, ends: ends < 0)
    with pytest.raises((AssertionError, ExceptionGroup)):
        long.run(20_000, size=4)
