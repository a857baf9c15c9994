"""The event ledger: each record read has one outcome; each accepted row is in a window or lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from stream.events import CoveredRange
from stream.outcomes import ACCEPTED, LATE_AFTER_IDLE

EXPIRED: Final = "ended"
"""The name of the account of all partitions that the source no longer has."""


class Account(msgspec.Struct):
    """The records of one partition.

    ``read`` is their number, and ``outcomes`` splits it into ``accepted``, ``too_late``,
    ``late_after_idle``, ``duplicate`` and the reasons of rejection.
    """

    read: int = 0
    outcomes: dict[str, int] = {}


class Ledger(msgspec.Struct):
    """The counts of a job since its state was created.

    Laws: in each partition, ``read`` is the sum of the outcomes. ``rows_accepted`` (counted by the
    reader from what was decoded) = ``rows_folded`` (counted from the profiles) = ``rows_in_panes``
    + ``rows_closed`` + ``rows_late_after_idle``. The rows of a pane are counted from its profile
    when it is dropped, and the rows of all panes when the state is opened.

    ``bytes`` is the length of the records of all partitions by outcome.
    ``width_mismatches_late_after_idle`` are records with a wrong number of columns that came too
    late to be reported by any window. ``partials_dropped`` counts the partials whose records had to
    be read again. ``gap_records`` is the known number of records lost in ``gaps``. ``future``
    events were counted at their arrival. ``unremembered`` are ids for which there was no room
    (``dedupe.most``): if their events are repeated, they are counted again.
    ``rows_of_other_variants`` are the folded rows of variants beyond ``most_variants``.
    """

    partitions: dict[str, Account] = {}
    bytes: dict[str, int] = {}
    rows_accepted: int = 0
    rows_folded: int = 0
    rows_in_panes: int = 0
    rows_closed: int = 0
    rows_late_after_idle: int = 0
    width_mismatches_late_after_idle: int = msgspec.field(name="misfits_late_after_idle", default=0)
    partials_accepted: int = 0
    partials_dropped: int = 0
    gaps: int = 0
    gap_records: int = 0
    future: int = 0
    unremembered: int = 0
    rows_of_other_variants: int = 0

    def enter(self, cover: CoveredRange, settled: Collection[int] = ()) -> None:
        """Add the records of one accepted range.

        Records of the ``settled`` panes, which get no more events, are late after idle.
        """
        account = self.partitions.setdefault(cover.partition, Account())
        account.read += cover.read
        self.rows_accepted += cover.rows
        add(account.outcomes, cover.outcomes)
        add(self.bytes, cover.bytes)
        for pane_ms in settled:
            records, length = cover.by_pane[pane_ms]
            _move(account.outcomes, records)
            _move(self.bytes, length)

    def close_account(self, partition: str) -> None:
        """Move the records of an expired partition to the account of all expired ones."""
        account = self.partitions.pop(partition, Account())
        expired = self.partitions.setdefault(EXPIRED, Account())
        expired.read += account.read
        add(expired.outcomes, account.outcomes)

    def rename_outcome(self, old: str, new: str) -> None:
        """Rename an outcome in a ledger that an earlier version wrote."""
        for counts in (self.bytes, *(account.outcomes for account in self.partitions.values())):
            if old in counts:
                add(counts, {new: counts.pop(old)})

    def lost(self) -> dict[str, int]:
        """Return the number of records and rows that are in no window, by reason.

        These are rejected records, late records, duplicates, and rows and width mismatches that
        were late after idle. Reasons without a record are left out.
        """
        lost: Counter[str] = Counter()
        for account in self.partitions.values():
            lost.update(account.outcomes)
        lost.pop(ACCEPTED, None)
        lost[LATE_AFTER_IDLE] = self.rows_late_after_idle + self.width_mismatches_late_after_idle
        return {reason: count for reason, count in sorted(lost.items()) if count}

    def total(self, outcome: str) -> int:
        """Return the number of records with one outcome over all partitions."""
        return sum(account.outcomes.get(outcome, 0) for account in self.partitions.values())

    def imbalance(self) -> dict[str, int]:
        """Return the difference of each law that is violated, by name; empty if all laws hold."""
        differences = {
            f"partition {name}": account.read - sum(account.outcomes.values())
            for name, account in self.partitions.items()
        }
        differences["rows accepted"] = self.rows_accepted - self.rows_folded
        differences["rows in panes"] = (
            self.rows_folded - self.rows_in_panes - self.rows_closed - self.rows_late_after_idle
        )
        return {name: difference for name, difference in differences.items() if difference}


def _move(totals: dict[str, int], count: int) -> None:
    """Move a count from the accepted records to those that are late after idle."""
    add(totals, {ACCEPTED: -count, LATE_AFTER_IDLE: count})


def add(totals: dict[str, int], counts: Mapping[str, int]) -> None:
    """Add counts to totals by name."""
    for name, count in counts.items():
        totals[name] = totals.get(name, 0) + count
