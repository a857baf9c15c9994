"""Decides which label belongs to which prediction: a function of both sets, in any order.

A label at time ``u`` may belong to a prediction of the pane that starts at ``t`` if both have the
same id and ``-early <= u - t <= horizon``. A label without a time may belong to any. Of several
labels the first or the last counts, in the order of their time, their partition, and their place in
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.labels.rows import UNTIMED_MS, Rows, is_untimed, taken

Bools = NDArray[np.bool_]
Duplicates = Literal["first", "last", "reject"]

WAITING: Final = 0
MATCHED: Final = 1
DUPLICATE: Final = 2
CONFLICTING: Final = 3
REJECTED: Final = 4
"""Outcomes of a label; a higher number is the reason of a rejection: ``REJECTED + reason``."""
LENGTH_DIFFERS: Final = REJECTED
"""The label has another number of rows than the event."""
NO_LABEL: Final = -1
"""The label of a prediction that has none."""

_ROW_STEP: Final = np.uint64(0x9E3779B97F4A7C15)

Fits = Callable[[Rows, Rows], Ints]
"""Tells for pairs of a prediction and a label whether the label can be one of the model: 0 if so,
else the number of a reason, from 1.
"""


class JoinRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of the join; times are in milliseconds."""

    horizon_ms: int
    early_ms: int
    duplicates: Duplicates


class Resolution(NamedTuple):
    """The outcome of a join.

    ``label`` has the index of the label row of each prediction row, or ``NO_LABEL``. ``outcome``
    has the outcome of each label row; it is that of its record, so all rows of one label agree.
    """

    label: Ints
    outcome: Ints


class _Pairs(NamedTuple):
    """Pairs of rows with the same id and row number, within the horizon."""

    prediction: Ints
    label: Ints


def resolve(predictions: Rows, labels: Rows, rule: JoinRule, fits: Fits) -> Resolution:
    """Return which label belongs to each prediction, and the outcome of each label.

    The result does not depend on the order of the rows. Without rows on one side no label matches.
    """
    label = np.full(len(predictions), NO_LABEL, np.int64)
    outcome = np.full(len(labels), WAITING, np.int64)
    pairs = _paired(predictions, labels, rule)
    if not len(pairs.label):
        return Resolution(label, outcome)
    record = _records(labels)
    reason = _reasons(predictions, labels, pairs, record, fits)
    signature = _signatures(labels, record)
    rank = _ranks(labels)
    valid = _Pairs(pairs.prediction[reason == 0], pairs.label[reason == 0])
    chosen = _chosen(len(predictions), valid, rank, rule.duplicates)
    if rule.duplicates == "reject":
        chosen = _agreed(chosen, valid, signature)
    kept = chosen != NO_LABEL
    label[kept] = np.argsort(rank)[chosen[kept]]
    _set_outcomes(outcome, pairs, reason, valid, label, signature)
    return Resolution(label, _of_records(outcome, record))


def _paired(predictions: Rows, labels: Rows, rule: JoinRule) -> _Pairs:
    keys = predictions["id"] + predictions["row"].astype(np.uint64) * _ROW_STEP
    wanted = labels["id"] + labels["row"].astype(np.uint64) * _ROW_STEP
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.searchsorted(ordered, wanted, "left")
    count = np.searchsorted(ordered, wanted, "right") - first
    label = np.repeat(np.arange(len(labels)), count)
    within = np.arange(len(label)) - np.repeat(np.cumsum(count) - count, count)
    prediction = order[np.repeat(first, count) + within]
    at, t = labels["time_ms"][label], predictions["time_ms"][prediction]
    later = at - t
    near = (later <= rule.horizon_ms) & (later >= -rule.early_ms) | is_untimed(at)
    same = (predictions["id"][prediction] == labels["id"][label]) & (
        predictions["row"][prediction] == labels["row"][label]
    )
    kept = near & same
    return _Pairs(prediction[kept], label[kept])


def _records(labels: Rows) -> Ints:
    """Return the number of each row's record: rows with the same id, partition and sequence."""
    names = ("id", "partition", "sequence")
    order = np.lexsort([labels[name] for name in reversed(names)])
    changed = np.zeros(len(labels), bool)
    for name in names:
        column = labels[name][order]
        changed[1:] |= column[1:] != column[:-1]
    record = np.empty(len(labels), np.int64)
    record[order] = np.cumsum(changed)
    return record


def _reasons(predictions: Rows, labels: Rows, pairs: _Pairs, record: Ints, fits: Fits) -> Ints:
    """Return 0 for each pair that may match, else why not; a label fits a model as a whole."""
    left, right = taken(predictions, pairs.prediction), taken(labels, pairs.label)
    reason = fits(left, right).astype(np.int64)
    reason[reason > 0] += LENGTH_DIFFERS
    reason[left["rows"] != right["rows"]] = LENGTH_DIFFERS
    if (right["rows"] > 1).any():
        event = left["key"].astype(np.int64) << 16 | left["rows"]
        whole = np.stack([record[pairs.label], event])
        distinct, group = np.unique(whole, axis=1, return_inverse=True)
        worst = np.zeros(distinct.shape[1], np.int64)
        np.maximum.at(worst, group, reason)
        reason = worst[group]
    return reason


def _signatures(labels: Rows, record: Ints) -> NDArray[np.uint64]:
    """Return a number for each row that is the same for labels with the same values."""
    bits = np.where(labels["value"] == 0.0, 0.0, labels["value"]).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(29))) * _ROW_STEP + labels["code"].astype(np.uint64)
    mixed *= labels["row"].astype(np.uint64) * np.uint64(2) + np.uint64(1)
    totals = np.zeros(int(record.max(initial=-1)) + 1, np.uint64)
    np.add.at(totals, record, mixed ^ (mixed >> np.uint64(32)))
    return totals[record]


def _ranks(labels: Rows) -> Ints:
    """Return the place of each row in the order of the labels; those without a time are first."""
    times = np.where(is_untimed(labels["time_ms"]), UNTIMED_MS, labels["time_ms"])
    order = np.lexsort((labels["row"], labels["sequence"], labels["partition"], times))
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels))
    return rank


def _chosen(count: int, valid: _Pairs, rank: Ints, duplicates: Duplicates) -> Ints:
    """Return the rank of the label that counts for each prediction."""
    if duplicates == "last":
        chosen = np.full(count, NO_LABEL, np.int64)
        np.maximum.at(chosen, valid.prediction, rank[valid.label])
        return chosen
    beyond = len(rank)
    chosen = np.full(count, beyond, np.int64)
    np.minimum.at(chosen, valid.prediction, rank[valid.label])
    chosen[chosen == beyond] = NO_LABEL
    return chosen


def _agreed(chosen: Ints, valid: _Pairs, signature: NDArray[np.uint64]) -> Ints:
    """Return the choices without those of predictions whose labels contradict each other."""
    low = np.full(len(chosen), np.iinfo(np.uint64).max, np.uint64)
    high = np.zeros(len(chosen), np.uint64)
    np.minimum.at(low, valid.prediction, signature[valid.label])
    np.maximum.at(high, valid.prediction, signature[valid.label])
    return np.where(low == high, chosen, NO_LABEL)


def _set_outcomes(
    outcome: Ints,
    pairs: _Pairs,
    reason: Ints,
    valid: _Pairs,
    label: Ints,
    signature: NDArray[np.uint64],
) -> None:
    """Set the outcome of the label of each pair; a better outcome replaces a worse one."""
    refused = reason > 0
    np.maximum.at(outcome, pairs.label[refused], reason[refused])
    counts = label[valid.prediction]
    same = (counts != NO_LABEL) & (signature[valid.label] == signature[counts])
    outcome[valid.label[~same]] = CONFLICTING
    outcome[valid.label[same]] = DUPLICATE
    outcome[label[label != NO_LABEL]] = MATCHED


_PREFERENCE: Final = (MATCHED, DUPLICATE, CONFLICTING)


def _of_records(outcome: Ints, record: Ints) -> Ints:
    """Return the outcome of each row's record: the best one of its rows."""
    best = np.full(int(record.max()) + 1, WAITING, np.int64)
    np.maximum.at(best, record, outcome)  # a reason of rejection, unless a row has a match
    for wanted in reversed(_PREFERENCE):
        best[record[outcome == wanted]] = wanted
    return best[record]
