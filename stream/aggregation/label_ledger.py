"""The label ledger: each label read has one outcome, and so has each prediction that waits."""

from __future__ import annotations

from typing import Final

import msgspec

from stream.outcomes import DUPLICATE, NOT_SAMPLED

MATCHED: Final = "matched"
CONFLICTING: Final = "conflicting"
WAITING: Final = "waiting"
EXPIRED: Final = "expired"
TAKEN: Final = "taken"
LABELLED: Final = "labelled"
NO_REJECTION: Final = frozenset(
    {MATCHED, DUPLICATE, CONFLICTING, WAITING, EXPIRED, NOT_SAMPLED, "tombstone"}
)
"""The outcomes of labels that are no reason of a rejection."""


class LabelLedger(msgspec.Struct):
    """The labels and predictions of a job since its state was created.

    Laws: the labels ``read`` of all partitions are the sum of the ``labels`` by outcome:
    ``matched``, ``duplicate`` (the same label again), ``conflicting`` (another label for the same
    prediction), ``waiting`` for their prediction, ``expired`` without one, ``not_sampled``, and
    the reasons of rejection. Of the ``predictions``, ``taken`` = ``labelled`` + ``waiting`` +
    ``expired``. Events whose predictions cannot wait are ``untaken``, by reason.

    The rows of the predictions taken are ``rows_in_panes`` + ``rows_closed``, and those with a
    label, counted by the join, are ``labelled_in_panes`` + ``labelled_closed``, counted from the
    panes.
    """

    read: dict[str, int] = {}
    labels: dict[str, int] = {}
    predictions: dict[str, int] = {}
    untaken: dict[str, int] = {}
    rows_taken: int = 0
    rows_in_panes: int = 0
    rows_closed: int = 0
    rows_labelled: int = 0
    labelled_in_panes: int = 0
    labelled_closed: int = 0
    gaps: int = 0
    gap_records: int = 0
    ranges_dropped: int = 0

    def rejected(self) -> dict[str, int]:
        """Return the labels that were rejected, by reason."""
        return {name: count for name, count in self.labels.items() if name not in NO_REJECTION}

    def unusable(self) -> dict[str, int]:
        """Return the events whose predictions cannot wait, by reason, but not by the sample."""
        return {name: count for name, count in self.untaken.items() if name != NOT_SAMPLED}

    def imbalance(self) -> dict[str, int]:
        """Return the difference of each law that is violated, by name; empty if all laws hold."""
        of = self.predictions.get
        differences = {
            "labels read": sum(self.read.values()) - sum(self.labels.values()),
            "predictions taken": of(TAKEN, 0) - of(LABELLED, 0) - of(WAITING, 0) - of(EXPIRED, 0),
            "predicted rows": self.rows_taken - self.rows_in_panes - self.rows_closed,
            "labelled rows": self.rows_labelled - self.labelled_in_panes - self.labelled_closed,
        }
        return {name: difference for name, difference in differences.items() if difference}
