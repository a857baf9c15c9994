"""Faults of known causes, one draw each: the right cause is named, and never a wrong one."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.diagnosis.cause import likely_cause
from detectors.diagnosis.swapped_columns import swapped_columns
from tests.support.cause_faults import Fault, outcome, pair_of
from tests.support.known_faults import FAULTS, SWAPS, swapped_pair
from tests.support.more_faults import MORE

AMBIGUOUS = ("clipped at 99 %", "sign changed, N(1, 1)")
"""Ten rows beyond a limit do not show it; a symmetric law on the other side of 0 may have moved."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_right_cause_is_named(fault: Fault) -> None:
    cause = likely_cause(pair_of(fault, np.random.default_rng(11), rows=1_000), 0)
    allowed = ("right", "vague", "unknown") if fault.name in AMBIGUOUS else ("right",)
    assert outcome(fault, cause) in allowed, cause


@pytest.mark.parametrize("rows", [200, 3_000])
@pytest.mark.parametrize("fault", MORE, ids=lambda fault: fault.name)
def test_no_wrong_cause_is_named(fault: Fault, rows: int) -> None:
    cause = likely_cause(pair_of(fault, np.random.default_rng(12), rows), 0)
    assert outcome(fault, cause) != "wrong", cause


@pytest.mark.parametrize("swap", range(len(SWAPS)))
def test_swapped_columns_are_named_where_they_can_be_told_apart(swap: int) -> None:
    pair = swapped_pair(swap, np.random.default_rng(13), rows=1_000)
    causes = swapped_columns(pair, [0, 1])
    if not SWAPS[swap][3]:
        assert causes == {}
    else:
        assert {i: cause.name for i, cause in causes.items()} == {
            0: "swapped_columns",
            1: "swapped_columns",
        }
        assert causes[0].numbers["column"] == "b"
