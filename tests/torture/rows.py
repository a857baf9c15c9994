"""What a section of the torture says: a row a trial, and what the trials have met."""

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
    """What was tried, how often, what was wrong each time it was, and how long all of it took."""

    what: str
    times: int
    wrong: tuple[str, ...]
    seconds: float


class Told(NamedTuple):
    """The rows of a section; ``met`` counts what the trials came across."""

    rows: list[Row]
    met: Counter[str] = Counter()


Section = Callable[[], Told]


def on_all_cores(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """The results in the order of the tasks; each core takes the next task when it is free."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        return list(pool.map(work, tasks))
