"""The books: every record that was read has exactly one outcome, every accepted row lies in a
window or is told.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.events import CoveredRange

GONE: Final = "ended"
"""The account of partitions that are gone for ever."""


class Account(msgspec.Struct):
    """One partition: records read, and how they came out (``accepted``, ``too_late``, reasons of
    rejection).
    """

    read: int = 0
    outcomes: dict[str, int] = {}


class Ledger(msgspec.Struct):
    """The counts of a job since its state began.

    Laws: for each partition, ``read`` is the sum of its outcomes; ``rows_accepted`` (counted by the
    reader from what was decoded) = ``rows_folded`` (counted from the profiles) = ``rows_in_panes``
    + ``rows_closed`` + ``rows_late_after_idle``. Rows that were in panes when they were let go are
    counted from the panes, and so are those in panes when the state is opened.
    ``width_mismatches_late_after_idle`` are records with a wrong number of columns that no window could tell
    any more. ``unremembered`` are ids for which there was no room (``dedupe.most``): if those
    events come again they are counted again. ``partials_dropped`` (with their records) count what
    had to be read again; ``future`` events were taken at arrival. ``bytes`` is how long the records
    of all partitions are, by outcome.
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

    def enter(self, cover: CoveredRange) -> None:
        """Book the records of one accepted range."""
        account = self.partitions.setdefault(cover.partition, Account(0, {}))
        account.read += cover.read
        self.rows_accepted += cover.rows
        for name, count in cover.outcomes.items():
            account.outcomes[name] = account.outcomes.get(name, 0) + count
        for name, length in cover.bytes.items():
            self.bytes[name] = self.bytes.get(name, 0) + length

    def fold(self, partition: str) -> None:
        """Add what a partition that is gone for ever has had to the one account of all such
        partitions.
        """
        account = self.partitions.pop(partition, Account(0, {}))
        gone = self.partitions.setdefault(GONE, Account(0, {}))
        gone.read += account.read
        for name, count in account.outcomes.items():
            gone.outcomes[name] = gone.outcomes.get(name, 0) + count

    def lost(self) -> dict[str, int]:
        """What was read and lies in no window, by reason: rejected and late records, rows and
        misfits late after idle.
        """
        out: dict[str, int] = {}
        for account in self.partitions.values():
            for name, count in account.outcomes.items():
                out[name] = out.get(name, 0) + count
        out.pop("accepted", None)
        out["late_after_idle"] = self.rows_late_after_idle + self.width_mismatches_late_after_idle
        return {name: count for name, count in sorted(out.items()) if count}

    def total(self, outcome: str) -> int:
        """Records with one outcome over all partitions."""
        return sum(account.outcomes.get(outcome, 0) for account in self.partitions.values())

    def imbalance(self) -> dict[str, int]:
        """What does not add up, by name: empty if all laws hold."""
        out = {
            f"partition {name}": account.read - sum(account.outcomes.values())
            for name, account in self.partitions.items()
            if account.read != sum(account.outcomes.values())
        }
        out["rows accepted"] = self.rows_accepted - self.rows_folded
        out["rows in panes"] = (
            self.rows_folded - self.rows_in_panes - self.rows_closed - self.rows_late_after_idle
        )
        return {name: off for name, off in out.items() if off}
