"""The results of a section: a row for each trial, and counts of the events in the trials."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Row(NamedTuple):
    """A trial: its number of runs, a description of each failure, the duration of all runs."""

    trial: str
    times: int
    failures: tuple[str, ...]
    seconds: float


class SectionResult(NamedTuple):
    """The rows of a section; ``counts`` holds the events in its trials, by name."""

    rows: list[Row]
    counts: Counter[str]

    @classmethod
    def of(cls, *rows: Row) -> SectionResult:
        """A result without counts."""
        return cls(list(rows), Counter())

    def __or__(self, other: SectionResult) -> SectionResult:
        """Join two results into one section."""
        return SectionResult([*self.rows, *other.rows], self.counts + other.counts)


Section = Callable[[], SectionResult]


def on_all_cores(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Results in the order of the tasks; each core starts the next task when it is free."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        return list(pool.map(work, tasks))
