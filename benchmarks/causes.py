"""Whether the cause that is named is the right one: faults of known causes, drawn anew.

``python -m benchmarks.causes --seed 1 --rows 1000 --trials 20`` prints a table: how often each
fault got the right cause, one that says less (``vague``), ``unknown``, a wrong one or a wrong
action, and how often nothing was violated (``silent``): as a report by evidence and its signal say.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from tests.support.cause_faults import Fault, baseline_of, outcome, said_of_fault
from tests.support.further_faults import FURTHER
from tests.support.known_faults import FAULTS
from tests.support.more_faults import MORE

KINDS: Final = ("right", "vague", "unknown", "silent", "wrong")
"""The columns of the table."""
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
            said = said_of_fault(fault, rng, rows, base)
            found = outcome(fault, said)
            outcomes[found] += 1
            mark = "WRONG " if found == "wrong" else ""
            causes[mark + "+".join(sorted({*said.names, *said.actions}))] += 1
        yield fault, outcomes, causes


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--trials", type=int, default=20)
    options.add_argument("--only", default="", help="a part of the name of a fault")
    given = options.parse_args()
    for title, faults in (("known", FAULTS), ("more", MORE), ("further", FURTHER)):
        total: Counter[str] = Counter()
        reached = 0
        chosen = tuple(fault for fault in faults if given.only in fault.name)
        for fault, outcomes, causes in trials(given.seed, given.rows, given.trials, chosen):
            total += outcomes
            reached += outcomes["right"] >= 0.9 * given.trials
            cells = "  ".join(f"{outcomes[k]:3}" for k in KINDS)
            print(f"{fault.name:34} {cells}  {dict(causes.most_common())}", flush=True)
        print(f"{title}: {reached} of {len(faults)} right in 90 % of the trials; {dict(total)}\n")


if __name__ == "__main__":
    main()
