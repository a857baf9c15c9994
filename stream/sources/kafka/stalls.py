"""Detects partitions from which a client returns nothing, although their log goes on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

STALLED_S: Final = 30.0
"""The time after which a partition without progress is stalled: much longer than any fetch."""
MAX_PAUSE_S: Final = 2.0
"""The longest time between two polls: after a longer one, all partitions start anew."""


class StallDetector:
    """Notes since when partitions that are behind the end of their log make no progress.

    Times are monotonic seconds. Only the time in which the client is polled counts.

    >>> stalls = StallDetector()
    >>> stalls.stalled({0: 7}, behind={0}, now_s=0.0)
    set()
    >>> for second in range(1, 30):
    ...     assert not stalls.stalled({0: 7}, behind={0}, now_s=second)
    >>> stalls.stalled({0: 7}, behind={0}, now_s=30.0)
    {0}
    """

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, float]] = {}
        self._polled_s = 0.0

    def stalled(
        self, offsets: Mapping[int, int], behind: Collection[int], now_s: float
    ) -> set[int]:
        """Return the stalled partitions; each starts anew then.

        ``offsets`` are the positions of all partitions, ``behind`` those that have records to read.
        """
        if now_s - self._polled_s > MAX_PAUSE_S:
            self._since.clear()
        self._polled_s = now_s
        since: dict[int, tuple[int, float]] = {}
        for number in behind:
            before = self._since.get(number)
            unchanged = before is not None and before[0] == offsets[number]
            since[number] = before if before and unchanged else (offsets[number], now_s)
        stalled = {number for number, (_, at_s) in since.items() if now_s - at_s >= STALLED_S}
        self._since = {number: entry for number, entry in since.items() if number not in stalled}
        return stalled
