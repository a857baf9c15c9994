"""Faults of known causes: how often the cause that is named is the right one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from tests.support.cause_faults import outcome, said_of_fault
from tests.support.further_faults import FURTHER
from tests.support.known_faults import FAULTS
from tests.support.more_faults import MORE

KNOWN: Final = {fault.name: fault for fault in (*FAULTS, *MORE, *FURTHER)}
ROWS: Final = 1_000
RIGHT_SHARE: Final = 0.9
"""The share of the trials of a fault that must be named rightly for it to count as right."""


class FaultTrials(NamedTuple):
    """Trials of one fault in windows of ``ROWS`` rows."""

    fault: str
    repeats: int


def name_causes(task: FaultTrials, seed: int) -> tuple[FaultTrials, dict[str, int]]:
    """How often each outcome came: ``right``, ``vague``, ``unknown``, ``silent`` or ``wrong``."""
    fault, number = KNOWN[task.fault], list(KNOWN).index(task.fault)
    outcomes: Counter[str] = Counter()
    for repeat in range(task.repeats):
        random = np.random.default_rng([seed, 8, number, repeat])
        outcomes[outcome(fault, said_of_fault(fault, random, ROWS))] += 1
    return task, dict(outcomes)


def trials(scale: float) -> list[FaultTrials]:
    """Twenty trials of each fault at a scale of 1."""
    return [FaultTrials(fault, max(2, round(20 * scale))) for fault in KNOWN]


def figures(results: Sequence[tuple[FaultTrials, dict[str, int]]]) -> dict[str, Any]:
    """Faults that are named rightly in nine of ten trials, and all trials by outcome."""
    total: Counter[str] = Counter()
    for _, outcomes in results:
        total.update(outcomes)
    right = [t for t, o in results if o.get("right", 0) >= RIGHT_SHARE * t.repeats]
    return {
        "faults": len(results),
        "right": len(right),
        "with_a_wrong_cause": sorted(t.fault for t, o in results if o.get("wrong")),
        "trials": dict(total),
        "by_fault": {t.fault: o for t, o in results},
    }
