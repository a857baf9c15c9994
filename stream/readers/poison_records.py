"""Finds poison records, which crash their readers: where they crashed, fewer records are read.

Pure: no process, no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from stream.events import Position

BATCH_SIZES: Final = (0, 0, 64, 1)
"""The number of records to count at a time, by the number of crashes in a range (0: as usual).

A single crash may have any cause.
"""
CRASHES_TO_SKIP: Final = 3
"""The number of consecutive crashes while decoding a single record after which it is skipped."""
CRASHES_TO_GIVE_UP: Final = 5
"""The number of consecutive crashes while fetching a single record after which reading ends."""
TRUSTED_RECORDS: Final = 5_000
"""The number of records without a crash after which a partition is trusted again.

A reader counts that many at a time. If readers crashed in the partition only while fetching, the
records of all partitions count, provided that it returned some as well.
"""


class _Suspect(msgspec.Struct):
    """A partition in which readers crashed.

    ``level`` is the index of its batch size. ``position`` is where readers last crashed while
    decoding, and ``crashes`` the number of consecutive crashes there with a single record;
    ``fetch_position`` and ``fetch_crashes`` are the same for crashes while fetching. ``read`` is
    the number of records counted since the last crash.
    """

    level: int = 0
    crashed_decoding: bool = False
    position: Position | None = None
    crashes: int = 0
    skip: bool = False
    fetch_position: Position | None = None
    fetch_crashes: int = 0
    read: int = 0

    @property
    def one_by_one(self) -> bool:
        """True if the partition is read one record at a time."""
        return BATCH_SIZES[self.level] == 1


class PoisonRecordSearch:
    """Notes where readers crashed, and in which steps each partition must be read.

    After the second crash in a range it is read in steps of 64 records, after the third one by one.
    A record at which three readers have crashed while it was decoded alone is skipped: it becomes a
    dead letter (``crashes_reader``). Crashes before the source has returned a record are counted
    separately: such a record cannot be skipped, because the position after it is unknown.

    >>> search = PoisonRecordSearch()
    >>> for _ in range(3):
    ...     search.crashed_decoding([("p", 40)])
    >>> search.max_records(["p"])
    1
    >>> for _ in range(3):
    ...     search.crashed_decoding([("p", 57)])
    >>> search.to_skip(["p"])
    [('p', 57)]
    """

    def __init__(self) -> None:
        self._suspects: dict[str, _Suspect] = {}
        self._read = 0

    def crashed_decoding(self, positions: Sequence[tuple[str, Position]]) -> None:
        """Note that a reader crashed while it decoded records from these positions on.

        ``positions`` is empty if it was not decoding.
        """
        for partition, position in positions:
            suspect = self._suspect(partition)
            alone = suspect.one_by_one and len(positions) == 1
            again = alone and suspect.position == position
            suspect.crashes = suspect.crashes + 1 if again else int(alone)
            suspect.position = position
            suspect.crashed_decoding = True
            suspect.skip = suspect.crashes >= CRASHES_TO_SKIP
            self._read_more_carefully(suspect)

    def crashed_fetching(self, positions: Mapping[str, Position]) -> list[tuple[str, Position]]:
        """Note that a reader crashed before the source returned a record from these positions on.

        Returns the partitions and positions of records that cannot be read at all.
        """
        for partition, position in positions.items():
            suspect = self._suspect(partition)
            again = suspect.one_by_one and suspect.fetch_position == position
            suspect.fetch_crashes = suspect.fetch_crashes + 1 if again else int(suspect.one_by_one)
            suspect.fetch_position = position
            self._read_more_carefully(suspect)
        return [
            (partition, position)
            for partition, position in positions.items()
            if self._suspects[partition].fetch_crashes >= CRASHES_TO_GIVE_UP
        ]

    def counted(self, partition: str, records: int, at_end: bool = False) -> None:
        """Note that a reader counted some records of a partition; ``at_end``: up to its end.

        If their partial is dropped afterwards, they are counted again and a poison record among
        them is found again.
        """
        self._read += records
        suspect = self._suspects.get(partition)
        if suspect is None:
            return
        suspect.fetch_crashes = 0
        suspect.read += records
        if suspect.skip and records:
            self._suspects.clear()  # the poison record is found, so all others are trusted again
        elif not suspect.skip and (at_end or self._is_trusted(suspect, records)):
            del self._suspects[partition]

    def max_records(self, partitions: Collection[str]) -> int:
        """Return the largest number of records to count at a time; 0: as usual.

        It is that of a reader of these partitions.
        """
        sizes = [
            BATCH_SIZES[suspect.level]
            for partition, suspect in self._suspects.items()
            if partition in partitions
        ]
        return min(filter(None, sizes), default=0)

    def to_skip(self, partitions: Iterable[str]) -> list[tuple[str, Position]]:
        """Return the partitions and positions of records among these that must be skipped."""
        suspects = [(name, self._suspects[name]) for name in partitions if name in self._suspects]
        return [
            (name, suspect.position)
            for name, suspect in suspects
            if suspect.skip and suspect.position is not None
        ]

    def _suspect(self, partition: str) -> _Suspect:
        return self._suspects.setdefault(partition, _Suspect())

    def _is_trusted(self, suspect: _Suspect, records: int) -> bool:
        """Return whether enough was read since the last crash; one crash is forgotten at once."""
        if records and suspect.level == 1:
            return True
        return (suspect.read if suspect.crashed_decoding else self._read) >= TRUSTED_RECORDS

    def _read_more_carefully(self, suspect: _Suspect) -> None:
        suspect.level = min(suspect.level + 1, len(BATCH_SIZES) - 1)
        suspect.read = self._read = 0
