"""Joins predictions with labels, whichever comes first, and keeps both until nothing can match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.labels.classes import REASONS, LabelMeaning
from stream.labels.resolve import (
    NO_LABEL,
    REJECTED,
    WAITING,
    JoinRule,
    Resolution,
    resolve,
)
from stream.labels.rows import (
    LABEL,
    PREDICTION,
    UNTIMED_BELOW_MS,
    UNTIMED_MS,
    Rows,
    concatenated,
    distinct,
    is_untimed,
    taken,
)
from stream.labels.store import JoinStore, Kind, Slice

Ids = NDArray[np.uint64]

OUTCOMES: Final = ("waiting", "matched", "duplicate", "conflicting", *REASONS)
"""The names of the outcomes of a label, by number."""


class JoinChange(NamedTuple):
    """What an item changed.

    Row ``i`` of ``predictions`` got (``weight[i]`` is 1) or lost (-1) the label ``labels[i]``.
    ``outcomes`` are the changes of the numbers of labels by outcome, ``labelled`` is that of the
    number of labelled events. ``rejected`` are the labels that are found not to fit their
    predictions: row 0 of each, and ``reasons`` has the number of its outcome.
    """

    predictions: Rows
    labels: Rows
    weight: Ints
    outcomes: Counter[str]
    labelled: int = 0
    rejected: Rows = np.empty(0, LABEL)
    reasons: tuple[int, ...] = ()


NO_CHANGE: Final = JoinChange(
    np.empty(0, PREDICTION), np.empty(0, LABEL), np.empty(0, np.int64), Counter()
)


class SliceCounts(NamedTuple):
    """Events of a slice: all of them, and those with a label (of labels: with a prediction)."""

    events: int = 0
    settled: int = 0


class Join:
    """The symmetric join of predictions and labels, on a store of both.

    ``counts`` has the events of each slice in the store; the caller keeps it with the store.
    ``partitions`` has the name of each partition of labels, by its number: labels of the same time
    are in the order of the names, because the numbers depend on which partition was read first.
    """

    def __init__(
        self,
        rule: JoinRule,
        slice_ms: int,
        store: JoinStore,
        meaning: LabelMeaning,
        counts: dict[Slice, SliceCounts],
        partitions: Sequence[str] = (),
    ) -> None:
        self._rule = rule
        self._slice_ms = slice_ms
        self._store = store
        self._meaning = meaning
        self._counts = counts
        self._partitions = partitions

    def take_predictions(self, rows: Rows) -> JoinChange:
        """Add predictions; those whose labels came before get them now."""
        ids = distinct(rows["id"])
        since_ms = int(rows["time_ms"].min()) - self._rule.early_ms
        slices = [
            slice_
            for slice_ in self._slices("labels")
            if slice_.start_ms + slice_.length_ms > since_ms or slice_.start_ms < 0
        ]
        early = concatenated([self._store.find(slice_, ids) for slice_ in slices], LABEL)
        known = distinct(early["id"])
        change = NO_CHANGE
        if len(known):
            new = taken(rows, np.isin(rows["id"], known))
            change = self._change(known, new, np.empty(0, LABEL))
        self._add("predictions", rows)
        return change

    def take_labels(self, rows: Rows) -> JoinChange:
        """Add labels; those whose predictions are there match now."""
        change = self._change(distinct(rows["id"]), np.empty(0, PREDICTION), rows)
        self._add("labels", rows)
        return change

    def expire(self, kind: Kind, before_ms: int) -> int:
        """Remove the slices that end at or before a time; return the events that never matched."""
        expired = 0
        for slice_ in self._slices(kind):
            if UNTIMED_BELOW_MS <= slice_.start_ms <= before_ms - slice_.length_ms:
                expired += self._drop(slice_)
        return expired

    def expire_untimed(self, before: int) -> int:
        """Remove the labels without a time whose number is below ``before``; as :meth:`expire`."""
        due = [s for s in self._slices("labels") if s.start_ms < UNTIMED_MS + before]
        return sum(self._drop(slice_) for slice_ in due if slice_.start_ms < UNTIMED_BELOW_MS)

    def _drop(self, slice_: Slice) -> int:
        counts = self._counts.pop(slice_, SliceCounts())
        self._store.drop(slice_)
        return counts.events - counts.settled

    def _slices(self, kind: Kind) -> list[Slice]:
        return [slice_ for slice_ in self._counts if slice_.kind == kind]

    def _change(self, ids: Ids, new_predictions: Rows, new_labels: Rows) -> JoinChange:
        """Return what new rows change for these ids, compared with the rows that are stored."""
        predictions = self._stored("predictions", ids, PREDICTION)
        labels = self._stored("labels", ids, LABEL)
        before = self._resolve(predictions, labels)
        all_predictions = concatenated([predictions, new_predictions], PREDICTION)
        all_labels = concatenated([labels, new_labels], LABEL)
        after = self._resolve(all_predictions, all_labels)
        padded = Resolution(
            _padded(before.label, len(all_predictions), NO_LABEL),
            _padded(before.outcome, len(all_labels), -1),
        )
        self._settle(all_predictions, all_labels, padded, after)
        return _difference(all_predictions, all_labels, padded, after)

    def _resolve(self, predictions: Rows, labels: Rows) -> Resolution:
        if len(self._partitions) > 1:
            order = sorted(range(len(self._partitions)), key=self._partitions.__getitem__)
            places = np.empty(len(order), np.uint16)
            places[order] = np.arange(len(order))
            labels = labels.copy()
            labels["partition"] = places[labels["partition"]]
        return resolve(predictions, labels, self._rule, self._meaning.fits)

    def _stored(self, kind: Kind, ids: Ids, dtype: np.dtype[np.void]) -> Rows:
        return concatenated([self._store.find(s, ids) for s in self._slices(kind)], dtype)

    def _settle(
        self, predictions: Rows, labels: Rows, before: Resolution, after: Resolution
    ) -> None:
        """Note in which slices events got or lost a label, and labels their predictions."""
        gained = (after.label != NO_LABEL).astype(np.int64) - (before.label != NO_LABEL)
        self._count("predictions", predictions, 0, gained)
        settled = (after.outcome > WAITING).astype(np.int64) - (before.outcome > WAITING)
        self._count("labels", labels, 0, settled)

    def _add(self, kind: Kind, rows: Rows) -> None:
        starts = self._starts(rows)
        for start in np.unique(starts).tolist():
            slice_ = self._slice(kind, start)
            self._store.add(slice_, taken(rows, starts == start))
        self._count(kind, rows, 1, np.zeros(len(rows), np.int64))

    def _count(self, kind: Kind, rows: Rows, events: int, settled: Ints) -> None:
        """Add events to the counts of their slices; ``settled`` has a change for each row."""
        starts = self._starts(rows)
        first = rows["row"] == 0
        for start in np.unique(starts[first & ((settled != 0) | bool(events))]).tolist():
            here = first & (starts == start)
            slice_ = self._slice(kind, start)
            old = self._counts.get(slice_, SliceCounts())
            self._counts[slice_] = SliceCounts(
                old.events + events * int(here.sum()), old.settled + int(settled[here].sum())
            )

    def _slice(self, kind: Kind, start_ms: int) -> Slice:
        return Slice(kind, start_ms, 1 if start_ms < UNTIMED_BELOW_MS else self._slice_ms)

    def _starts(self, rows: Rows) -> Ints:
        times = rows["time_ms"]
        return np.where(is_untimed(times), times, times // self._slice_ms * self._slice_ms)


def _padded(values: Ints, length: int, fill: int) -> Ints:
    return np.concatenate([values, np.full(length - len(values), fill, np.int64)])


def _difference(
    predictions: Rows, labels: Rows, before: Resolution, after: Resolution
) -> JoinChange:
    changed = before.label != after.label
    lost = np.flatnonzero(changed & (before.label != NO_LABEL))
    got = np.flatnonzero(changed & (after.label != NO_LABEL))
    first = labels["row"] == 0
    outcomes: Counter[str] = Counter()
    for resolution, sign in ((before, -1), (after, 1)):
        numbers = np.bincount(resolution.outcome[first & (resolution.outcome >= 0)])
        for name, count in zip(OUTCOMES, numbers.tolist(), strict=False):
            outcomes[name] += sign * count
    events = predictions["row"] == 0
    labelled = (after.label[events] != NO_LABEL).sum() - (before.label[events] != NO_LABEL).sum()
    refused = np.flatnonzero(first & (before.outcome <= WAITING) & (after.outcome >= REJECTED))
    return JoinChange(
        predictions=taken(predictions, np.concatenate([lost, got])),
        labels=taken(labels, np.concatenate([before.label[lost], after.label[got]])),
        weight=np.repeat(np.array([-1, 1]), [len(lost), len(got)]),
        outcomes=outcomes,
        labelled=int(labelled),
        rejected=taken(labels, refused),
        reasons=tuple(after.outcome[refused].tolist()),
    )
