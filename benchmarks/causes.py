"""Whether the cause that is named is the right one: faults of known causes, drawn anew.

``python -m benchmarks.causes --seed 1 --rows 1000 --trials 20`` prints a table: how often each
fault got the right cause, one that says less (``vague``), ``unknown``, or a wrong one.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from detectors.diagnosis.cause import likely_cause
from tests.support.cause_faults import Fault, baseline_of, outcome, window_of
from tests.support.known_faults import FAULTS
from tests.support.more_faults import MORE

WINDOWS: Final = 4
"""The number of windows that are compared with one baseline."""


def trials(
    seed: int, rows: int, count: int, faults: tuple[Fault, ...]
) -> Iterator[tuple[Fault, Counter[str], Counter[str]]]:
    """Of each fault, how often each outcome came, and each cause."""
    for number, fault in enumerate(faults):
        outcomes: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        for trial in range(count):
            rng = np.random.default_rng([seed, number, trial])
            if trial % WINDOWS == 0:
                base = baseline_of(fault, rng)
            cause = likely_cause(window_of(fault, base, rng, rows), 0)
            outcomes[outcome(fault, cause)] += 1
            causes[cause.name] += 1
        yield fault, outcomes, causes


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--trials", type=int, default=20)
    options.add_argument("--only", default="", help="a part of the name of a fault")
    given = options.parse_args()
    for title, faults in (("known", FAULTS), ("more", MORE)):
        total: Counter[str] = Counter()
        reached = 0
        chosen = tuple(fault for fault in faults if given.only in fault.name)
        for fault, outcomes, causes in trials(given.seed, given.rows, given.trials, chosen):
            total += outcomes
            reached += outcomes["right"] >= 0.9 * given.trials
            cells = "  ".join(f"{outcomes[k]:3}" for k in ("right", "vague", "unknown", "wrong"))
            print(f"{fault.name:34} {cells}  {dict(causes.most_common(3))}", flush=True)
        print(f"{title}: {reached} of {len(faults)} right in 90 % of the trials; {dict(total)}\n")


if __name__ == "__main__":
    main()
