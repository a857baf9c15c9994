"""Which record kills its reader? Found by reading ever smaller steps at the place where readers
died. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from stream.events import Position

STEPS: Final = (0, 0, 64, 1)
"""Records that are counted at a time, by how many readers have died here: a single death may have
any reason."""
CERTAIN: Final = 3
"""So many readers that died at one single record are its doing."""
HOPELESS: Final = 5
"""So many readers that died in a row while they asked the source for one single record: nobody will
read it."""
PASSED: Final = 5_000
"""A partition that is read so far without a death is trusted again: as many as a reader counts at a
time. One that was only asked in vain is trusted when all partitions together were read so far, and
it gave something too."""


class _Suspect(msgspec.Struct):
    level: int = 0
    counted: bool = False
    at: Position | None = None
    deaths: int = 0
    read: int = 0
    skip: bool = False
    asked: Position | None = None
    unread: int = 0


class PoisonRecordSearch:
    """Remembers where readers died, and how carefully each partition must be read.

    After the second death in a range it is read in steps of 64 records, after the third one by one;
    a record at which three readers have died alone is skipped: it becomes a dead letter
    (``crashes_reader``). Deaths before the source has handed a record over are told apart: such a
    record cannot be skipped, since nobody knows where the next one begins.

    >>> suspects = PoisonRecordSearch()
    >>> for _ in range(3):
    ...     suspects.died([("p", 40)])
    >>> suspects.step(["p"])
    1
    >>> for _ in range(3):
    ...     suspects.died([("p", 57)])
    >>> suspects.skipped(["p"])
    [('p', 57)]
    """

    def __init__(self) -> None:
        self._known: dict[str, _Suspect] = {}
        self._read = 0

    def died(self, began: Sequence[tuple[str, Position]]) -> None:
        """A reader died while it counted records from these positions on; none if it was not
        counting.
        """
        for partition, position in began:
            suspect = self._known.setdefault(partition, _Suspect())
            alone = STEPS[suspect.level] == 1 and len(began) == 1
            suspect.deaths = suspect.deaths + 1 if alone and suspect.at == position else int(alone)
            suspect.at, suspect.counted = position, True
            suspect.skip = suspect.deaths >= CERTAIN
            self._worse(suspect)

    def died_unread(self, asked: Mapping[str, Position]) -> list[tuple[str, Position]]:
        """A reader died before the source gave it anything from these positions on; returns those
        that nobody will ever read.
        """
        for partition, position in asked.items():
            suspect = self._known.setdefault(partition, _Suspect())
            alone = STEPS[suspect.level] == 1
            suspect.unread = (
                suspect.unread + 1 if alone and suspect.asked == position else int(alone)
            )
            suspect.asked = position
            self._worse(suspect)
        return [
            (partition, position)
            for partition, position in asked.items()
            if self._known[partition].unread >= HOPELESS
        ]

    def passed(self, partition: str, records: int, at_end: bool = False) -> None:
        """So many records of a partition were counted; ``at_end``: more there are not now.

        A partial that is dropped after that is counted again, and what was forgotten here is found
        out again.
        """
        self._read += records
        suspect = self._known.get(partition)
        if suspect is None:
            return
        suspect.unread = 0
        suspect.read += records
        far = (suspect.read if suspect.counted else self._read) >= PASSED
        if suspect.skip and records:
            self._known.clear()  # the culprit is found: what was read beside it is trusted again
        elif not suspect.skip and (at_end or far or (records and suspect.level == 1)):
            del self._known[partition]

    def step(self, partitions: Collection[str]) -> int:
        """How many records a reader of these partitions may count at a time; 0 if as many as usual."""
        return min(
            (
                step
                for name, one in self._known.items()
                if (step := STEPS[one.level]) and name in partitions
            ),
            default=0,
        )

    def skipped(self, partitions: Iterable[str]) -> list[tuple[str, Position]]:
        """The records among these partitions that must be skipped."""
        suspects = [(name, self._known[name]) for name in partitions if name in self._known]
        return [(name, one.at) for name, one in suspects if one.skip and one.at is not None]

    def _worse(self, suspect: _Suspect) -> None:
        suspect.level = min(suspect.level + 1, len(STEPS) - 1)
        suspect.read = self._read = 0
