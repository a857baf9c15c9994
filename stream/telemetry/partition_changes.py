"""Log lines about partitions that come, end, fall idle and come back: few of them, however many
partitions there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from stream.event_time import PartitionState

MOST_NAMED: Final = 10
PAUSE_S: Final = 10.0
"""How long a kind of change that was just told waits for more of its kind."""

Shown = Literal["read", "idle", "ended"]
FOUND: Final = "partitions found"
WORDS: Final[dict[Shown, str]] = {
    "read": "partitions not idle any more",
    "idle": "partitions idle",
    "ended": "partitions ended",
}


class PartitionChangeLog:
    """One line for each kind of change, with the number of partitions and the names of the first
    ten.

    A change is told at the first :meth:`look` that sees it, but a kind at most once in ten seconds:
    what comes meanwhile is told together, and what has changed back by then not at all. ``log`` is
    a structlog logger.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._told: dict[str, Shown] = {}
        self._last_s: dict[str, float] = {}

    def begin(self, partitions: Mapping[str, PartitionState]) -> None:
        """These partitions are known from an earlier process: one line counts them. Whether they
        are idle must show anew.
        """
        self._told = {
            name: "ended" if place.ended else "read" for name, place in partitions.items()
        }
        if partitions:
            self._log.info(
                "partitions known",
                count=len(partitions),
                ended=sum(place.ended for place in partitions.values()),
            )

    def look(self, partitions: Mapping[str, PartitionState]) -> None:
        """Tell what has changed since it was told last; no line if nothing has."""
        changed: dict[str, list[str]] = {}
        for name, place in partitions.items():
            before, now = self._told.get(name), _shown(place)
            if before != now:
                changed.setdefault(FOUND if before is None else WORDS[now], []).append(name)
        for what, names in changed.items():
            self._tell(what, names, partitions)

    def _tell(self, what: str, names: list[str], partitions: Mapping[str, PartitionState]) -> None:
        now_s = self._clock()
        if now_s - self._last_s.get(what, -PAUSE_S) < PAUSE_S:
            return
        self._last_s[what] = now_s
        self._log.info(what, count=len(names), partitions=names[:MOST_NAMED])
        for name in names:
            self._told[name] = "read" if what == FOUND else _shown(partitions[name])


def _shown(place: PartitionState) -> Shown:
    return "ended" if place.ended else "idle" if place.idle else "read"
