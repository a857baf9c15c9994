"""The log of the labels: which ranges are accepted, and up to which time labels are known.

No clock and no I/O: everything follows from the job's state and the arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from stream.aggregation.ledger import add
from stream.aggregation.partitions import Partitions
from stream.aggregation.state import LabelState, LogState
from stream.dedupe.index import DEDUPE_OFF
from stream.event_time import JobSettings, watermark
from stream.events import (
    Assign,
    CoveredRange,
    DiscoveredPartition,
    Gap,
)
from stream.labels.classes import UNKNOWN, ClassTable
from stream.labels.rows import LABEL, NUMBER, UNTIMED_MS, LabelRange, Rows, is_untimed, taken

TOO_MANY_CLASSES: Final = "too_many_classes"
"""The outcome of a label whose text the job has no room for."""


class NumberedLabels(NamedTuple):
    """The rows of a range with the job's numbers, and the sequences of labels that were refused."""

    rows: Rows
    refused: list[int]


class LabelLog:
    """The part of the aggregator that deals with the partitions of the label log.

    A range is accepted under the rule of event partials: it begins where the state expects it.
    """

    def __init__(self, settings: JobSettings, state: LabelState, table: ClassTable) -> None:
        self._settings = msgspec.structs.replace(settings, grace_ms=0, lateness_ms=0)
        self._state = state
        self._table = table
        self._partitions = Partitions(self._settings, state.log, DEDUPE_OFF)

    def assign_all(self) -> list[Assign]:
        """Assign all partitions from the committed positions, after a start."""
        self._state.log.now_ms = None
        return _of_labels(self._partitions.assign_all())

    def discover(self, discovered: DiscoveredPartition) -> list[Assign]:
        """Add a partition if it is new; returns its assignment."""
        return _of_labels(self._partitions.discover(discovered))

    def expire(self, names: Iterable[str]) -> None:
        """Forget ended partitions that the source no longer has."""
        self._partitions.expire(names)

    def skip(self, gap: Gap) -> list[Assign]:
        """Continue after a gap, in which labels are lost; raises ``GapFound`` if asked to stop."""
        if not self._partitions.meets(gap):
            return []
        assign = self._partitions.skip(gap)
        self._state.ledger.gaps += 1
        self._state.ledger.gap_records += gap.lost or 0
        return _of_labels([assign])

    def accept(self, labels: LabelRange) -> tuple[NumberedLabels | None, list[Assign]]:
        """Return the labels of a range with the job's numbers, and new assignments.

        The labels are ``None`` if the range does not continue its partition: its records are read
        again.
        """
        cover = _covered(labels)
        if not self._partitions.expects(cover):
            self._state.ledger.ranges_dropped += 1
            return None, _of_labels(self._partitions.refuse([cover]))
        add(self._state.ledger.read, {labels.partition: labels.read})
        add(self._state.ledger.labels, labels.rejected)
        numbered = self._numbered(labels)
        if len(numbered.rows) and labels.mark_ms is None:
            self._state.untimed.add(labels.partition)
        children = self._partitions.advance(cover)
        return numbered, _of_labels([self._partitions.assign(child) for child in children])

    def follow_clock(self, now_ms: int) -> None:
        """Update which partitions are idle."""
        self._state.log.now_ms = now_ms
        self._partitions.follow_clock(now_ms)

    def advance_watermark(self, events_ms: int | None) -> None:
        """Move the watermark of the labels, which never falls.

        It is the smallest mark of the partitions that are not idle. Partitions whose labels state
        no time do not hold it. If none holds it, it follows the watermark of the events: labels
        that are silent do not keep predictions waiting for ever. While a partition is idle it is
        ``idle`` behind, since the partition may have labels that are as old as its last report.
        """
        state = self._state
        if state.first_mark_ms is None:
            state.first_mark_ms = events_ms
        holding = [
            partition
            for name, partition in state.log.partitions.items()
            if name not in state.untimed or partition.mark_ms is not None
        ]
        known_ms = events_ms
        if any(partition.holds_watermark for partition in holding):
            known_ms = watermark(holding, None, self._settings)
        if known_ms is not None:
            if any(partition.idle for partition in holding):
                known_ms -= self._settings.idle_ms
            state.watermark_ms = max(known_ms, state.watermark_ms or known_ms)

    def _numbered(self, labels: LabelRange) -> NumberedLabels:
        """Return the labels with the numbers of the job: partition, sequence and texts."""
        state = self._state
        rows = np.frombuffer(bytearray(labels.rows), LABEL)
        if labels.partition not in state.partitions:
            state.partitions.append(labels.partition)
        before = state.sequences.get(labels.partition, 0)
        state.sequences[labels.partition] = before + labels.read
        rows["partition"] = state.partitions.index(labels.partition)
        rows["sequence"] += np.uint64(before)
        return self._with_codes(rows, labels.texts)

    def _with_codes(self, rows: Rows, texts: Sequence[str]) -> NumberedLabels:
        """Return the rows with the codes of the job; labels with a text too many are refused."""
        of_text = rows["code"] != NUMBER
        if not of_text.any():
            return NumberedLabels(rows, [])
        codes = np.array([self._table.code(text) for text in texts], np.int64)
        rows["code"][of_text] = codes[rows["code"][of_text]]
        refused = np.unique(rows["sequence"][of_text & (rows["code"] == UNKNOWN)])
        if len(refused):
            add(self._state.ledger.labels, {TOO_MANY_CLASSES: len(refused)})
            rows = taken(rows, ~np.isin(rows["sequence"], refused))
        return NumberedLabels(rows, refused.tolist())


def lost_labels(log: LogState, start_ms: int) -> list[str]:
    """Return the reasons why labels of a window that starts then may be missing, sorted."""
    reasons = {f"labels were lost: gap in {name}" for name in log.open_gaps}
    reasons |= {
        f"labels were lost: {span.reason}"
        for span in log.spans
        if span.to_ms is None or span.to_ms >= start_ms
    }
    return sorted(reasons)


def untimed_number(watermark_ms: int | None, slice_ms: int) -> int:
    """Return the number of the slice for labels without a time that are read now."""
    return 0 if watermark_ms is None else watermark_ms // slice_ms + 1


def set_untimed(rows: Rows, number: int) -> None:
    """Put labels without a time into the slice of this number."""
    rows["time_ms"][is_untimed(rows["time_ms"])] = UNTIMED_MS + number


def _covered(labels: LabelRange) -> CoveredRange:
    decoded = labels.read - sum(labels.rejected.values())
    return CoveredRange(
        partition=labels.partition,
        claim=labels.claim,
        first=labels.first,
        next=labels.next,
        mark_ms=labels.mark_ms,
        at_end=labels.at_end,
        read=labels.read,
        outcomes={},
        dated=decoded,
        rows=0,
        arrival_ms=labels.arrival_ms,
        ended=labels.ended,
        children=labels.children,
    )


def _of_labels(assigns: list[Assign]) -> list[Assign]:
    return [msgspec.structs.replace(assign, of_labels=True) for assign in assigns]
