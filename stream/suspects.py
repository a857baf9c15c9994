"""Which record kills its reader? Found by reading ever smaller steps at the place where readers died. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from stream.events import Position

STEPS: Final = (0, 0, 64, 1)
"""Records that are counted at a time, by how many readers have died here: a single death may have any reason."""
CERTAIN: Final = 3
"""So many readers that died at one single record are its doing."""
PASSED: Final = 5_000
"""A partition that is read so far without a death is trusted again: as many as a reader counts at a time."""


class _Suspect(msgspec.Struct):
    level: int = 1
    at: Position | None = None
    deaths: int = 0
    read: int = 0
    skip: bool = False


class Suspects:
    """Remembers where readers died, and how carefully each partition must be read.

    After the second death in a range it is read in steps of 64 records, after the third one by one; a record at which three
    readers have died alone is skipped: it becomes a dead letter (``kills_reader``).

    >>> suspects = Suspects()
    >>> for _ in range(3):
    ...     suspects.died([("p", 40)])
    >>> suspects.step(["p"])
    1
    >>> for _ in range(3):
    ...     suspects.died([("p", 57)])
    >>> suspects.skipped(["p"])
    ['p']
    """

    def __init__(self) -> None:
        self._known: dict[str, _Suspect] = {}

    def died(self, began: Sequence[tuple[str, Position]]) -> None:
        """A reader died while it counted records from these positions on; none if it was not counting."""
        for partition, position in began:
            suspect = self._known.get(partition)
            if suspect is None:
                self._known[partition] = _Suspect()
                continue
            alone = STEPS[suspect.level] == 1 and len(began) == 1
            suspect.deaths = suspect.deaths + 1 if alone and suspect.at == position else int(alone)
            suspect.at = position
            suspect.skip = suspect.deaths >= CERTAIN
            suspect.level = min(suspect.level + 1, len(STEPS) - 1)
            suspect.read = 0

    def passed(self, partition: str, records: int) -> None:
        """So many records of a partition were counted and accepted."""
        suspect = self._known.get(partition)
        if suspect is None or not records:
            return
        suspect.read += records
        if suspect.skip:
            self._known.clear()  # the culprit is found: what was read beside it is trusted again
        elif suspect.level == 1 or suspect.read >= PASSED:
            del self._known[partition]

    def step(self, partitions: Iterable[str]) -> int:
        """How many records a reader of these partitions may count at a time; 0 if as many as usual."""
        return min((step for name in partitions if name in self._known and (step := STEPS[self._known[name].level])), default=0)

    def skipped(self, partitions: Iterable[str]) -> list[str]:
        """Those whose next record must be skipped."""
        return [name for name in partitions if name in self._known and self._known[name].skip]
