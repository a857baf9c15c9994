"""Computes the range of each partition that a partial covers, with the outcomes of its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.events import CoveredRange, DecodedRecords, ModelKey, RawBatch, WidthMismatches
from stream.formats.csv_rows import TOO_NARROW, TOO_WIDE
from stream.outcomes import ACCEPTED, CRASHES_READER, DUPLICATE, TOO_LATE
from stream.readers.lateness import RecordTimes


class BatchOutcomes(NamedTuple):
    """The records of one raw batch, and their bytes, by outcome.

    ``by_pane`` has the accepted records and their bytes by pane. ``rows`` are the rows of accepted
    records. ``dated`` records state their event time; ``first_ms`` is the mark at the first of
    them.
    """

    records: dict[str, int]
    bytes: dict[str, int]
    by_pane: dict[int, tuple[int, int]]
    rows: int
    dated: int
    first_ms: int | None


def record_bounds(raws: Sequence[RawBatch]) -> Ints:
    """Return the bounds of raw batches among their records, which are numbered consecutively.

    Batch ``b`` has the records ``[bounds[b], bounds[b + 1])``.
    """
    return np.cumsum([0, *(len(raw.values) for raw in raws)], dtype=np.int64)


def locate_records(records: Ints, bounds: Ints) -> list[tuple[int, int]]:
    """Return the raw batch of each record, and its index in there."""
    batches = np.searchsorted(bounds, records, side="right") - 1
    return list(zip(batches.tolist(), (records - bounds[batches]).tolist(), strict=True))


def count_outcomes(
    raws: Sequence[RawBatch],
    bounds: Ints,
    decoded: DecodedRecords,
    times: RecordTimes,
    duplicate: NDArray[np.bool_],
) -> list[BatchOutcomes]:
    """Return the outcomes of each raw batch.

    Accepted records and their rows are counted from the decoded batches, not as the rest of the
    records, so that the ledger can compare the two. Their bytes are the rest, so that no accepted
    record is inspected by itself.
    """
    accepted, rows = _find_accepted(decoded, times.late | duplicate, bounds)
    dated = _count_between(times.dated, bounds)
    counts: list[dict[str, int]] = [
        {ACCEPTED: count, TOO_LATE: 0} for count in _count_between(accepted, bounds)
    ]
    lengths: list[dict[str, int]] = [{} for _ in raws]
    for outcome, records in _not_accepted(decoded, times, duplicate).items():
        for b, inside in _by_batch(records, bounds):
            counts[b][outcome] = len(inside)
            lengths[b][outcome] = sum(len(raws[b].values[k] or b"") for k in inside)
    totals = [_with_accepted(raw, length) for raw, length in zip(raws, lengths, strict=True)]
    return [
        BatchOutcomes(
            records=counts[b],
            bytes=totals[b],
            by_pane=_accepted_by_pane(
                raw,
                accepted[bounds[b] : bounds[b + 1]],
                times.pane_ms[bounds[b] : bounds[b + 1]],
                totals[b].get(ACCEPTED, 0),
            ),
            rows=rows[b],
            dated=dated[b],
            first_ms=_first_mark(times, int(bounds[b]), int(bounds[b + 1])),
        )
        for b, raw in enumerate(raws)
    ]


def covered_ranges(
    raws: Sequence[RawBatch],
    outcomes: Sequence[BatchOutcomes],
    end_marks: Sequence[int | None],
    claims: Mapping[str, int],
) -> tuple[CoveredRange, ...]:
    """Return one range for each partition of some raw batches.

    ``end_marks`` has the mark at the end of each batch; ``claims`` has the claim of each partition.
    """
    covers: dict[str, CoveredRange] = {}
    for raw, outcome, mark_ms in zip(raws, outcomes, end_marks, strict=True):
        cover = CoveredRange(
            partition=raw.partition,
            claim=claims[raw.partition],
            first=raw.first,
            next=raw.next,
            mark_ms=mark_ms,
            at_end=raw.at_end,
            read=len(raw.values),
            outcomes=outcome.records,
            dated=outcome.dated,
            rows=outcome.rows,
            first_ms=outcome.first_ms,
            arrival_ms=_last_arrival(raw),
            ended=raw.ended,
            children=raw.children,
            bytes=outcome.bytes,
            by_pane=outcome.by_pane,
        )
        before = covers.get(raw.partition)
        covers[raw.partition] = cover if before is None else join_covers(before, cover)
    return tuple(covers.values())


def skipped_range(raw: RawBatch, claim: int, mark_ms: int | None) -> CoveredRange:
    """Return the range of a raw batch that is skipped without decoding it, as a poison record.

    The batch may be the last one of its partition, which a source reports only once.
    """
    read = len(raw.values)
    return CoveredRange(
        partition=raw.partition,
        claim=claim,
        first=raw.first,
        next=raw.next,
        mark_ms=mark_ms,
        at_end=False,
        read=read,
        outcomes={CRASHES_READER: read},
        dated=0,
        rows=0,
        ended=raw.ended,
        children=raw.children,
        bytes={CRASHES_READER: _length(raw)},
    )


def join_covers(before: CoveredRange, after: CoveredRange) -> CoveredRange:
    """Return one range for two that follow each other in a partition."""
    return msgspec.structs.replace(
        after,
        first=before.first,
        read=before.read + after.read,
        outcomes=dict(Counter(before.outcomes) + Counter(after.outcomes)),
        dated=before.dated + after.dated,
        rows=before.rows + after.rows,
        first_ms=after.first_ms if before.first_ms is None else before.first_ms,
        arrival_ms=before.arrival_ms if after.arrival_ms is None else after.arrival_ms,
        bytes=dict(Counter(before.bytes) + Counter(after.bytes)),
        by_pane=_add_panes(before.by_pane, after.by_pane),
    )


def count_width_mismatches(
    decoded: DecodedRecords, times: RecordTimes
) -> list[tuple[ModelKey, int, WidthMismatches]]:
    """Count the records with a wrong number of columns that are not too late, by model and pane."""
    totals: dict[tuple[ModelKey, int], WidthMismatches] = {}
    for record, reason, _ in decoded.rejects:
        if reason in (TOO_NARROW, TOO_WIDE) and not times.late[record]:
            pane = decoded.keys[decoded.model[record]], int(times.pane_ms[record])
            mismatch = WidthMismatches(int(reason == TOO_NARROW), int(reason == TOO_WIDE))
            totals[pane] = totals.get(pane, WidthMismatches()).plus(mismatch)
    return [(key, pane_ms, mismatches) for (key, pane_ms), mismatches in totals.items()]


def _first_mark(times: RecordTimes, start: int, stop: int) -> int | None:
    """Return the mark at the first dated record of ``[start, stop)``; ``None`` without any.

    In a partition without a mark before it, that is the time of this record.
    """
    dated = np.flatnonzero(times.dated[start:stop])
    return int(times.mark_ms[start + dated[0]]) if len(dated) else None


def _find_accepted(
    decoded: DecodedRecords, uncounted: NDArray[np.bool_], bounds: Ints
) -> tuple[NDArray[np.bool_], list[int]]:
    """Return a mask of the accepted records, and the number of their rows in each raw batch."""
    accepted, rows = np.zeros(len(uncounted), bool), np.zeros(len(bounds) - 1, np.int64)
    for batch in decoded.batches:
        counted = batch.record[~uncounted[batch.record]]
        accepted[counted] = True
        rows += np.diff(np.searchsorted(counted, bounds))
    return accepted, rows.tolist()


def _accepted_by_pane(
    raw: RawBatch, accepted: NDArray[np.bool_], pane_ms: Ints, length: int
) -> dict[int, tuple[int, int]]:
    """Return the accepted records of a raw batch, and their bytes, by pane.

    No record of the largest pane is inspected: it has the rest of the ``length`` bytes.
    """
    panes = pane_ms[accepted]
    if not len(panes):
        return {}
    if (panes == panes[0]).all():
        return {int(panes[0]): (len(panes), length)}
    values = raw.values if accepted.all() else [raw.values[k] for k in np.flatnonzero(accepted)]
    order = np.arange(len(panes))
    if (np.diff(panes) < 0).any():
        order = np.argsort(panes, kind="stable")
        values = [values[k] for k in order.tolist()]
    cuts = [0, *(np.flatnonzero(np.diff(panes[order])) + 1).tolist(), len(panes)]
    ranges = sorted(pairwise(cuts), key=lambda bounds: bounds[1] - bounds[0])
    by_pane: dict[int, tuple[int, int]] = {}
    for start, stop in ranges[:-1]:
        size = sum(map(len, filter(None, values[start:stop])))
        by_pane[int(panes[order[start]])] = stop - start, size
        length -= size
    start, stop = ranges[-1]
    by_pane[int(panes[order[start]])] = stop - start, length
    return by_pane


def _add_panes(
    before: Mapping[int, tuple[int, int]], after: Mapping[int, tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    total = dict(before)
    for pane_ms, (records, length) in after.items():
        records_before, length_before = total.get(pane_ms, (0, 0))
        total[pane_ms] = records_before + records, length_before + length
    return total


def _count_between(flags: NDArray[np.bool_], bounds: Ints) -> list[int]:
    """Return the number of flags that are set between consecutive bounds."""
    return [int(np.count_nonzero(flags[start:stop])) for start, stop in pairwise(bounds.tolist())]


def _not_accepted(
    decoded: DecodedRecords, times: RecordTimes, duplicate: NDArray[np.bool_]
) -> dict[str, Ints]:
    """Return the records that are not accepted by outcome; a rejected one is not also too late."""
    reasons: dict[str, list[int]] = {}
    late = times.late.copy()
    for record, reason, _ in decoded.rejects:
        reasons.setdefault(reason, []).append(record)
        late[record] = False
    rejected = {reason: np.array(sorted(records)) for reason, records in reasons.items()}
    return {TOO_LATE: np.flatnonzero(late), DUPLICATE: np.flatnonzero(duplicate), **rejected}


def _by_batch(records: Ints, bounds: Ints) -> Iterator[tuple[int, list[int]]]:
    """Yield each raw batch that has some of the (rising) records, and their indices in there."""
    cuts = np.searchsorted(records, bounds)
    for b in np.flatnonzero(np.diff(cuts)).tolist():
        yield b, (records[cuts[b] : cuts[b + 1]] - bounds[b]).tolist()


def _with_accepted(raw: RawBatch, lengths: dict[str, int]) -> dict[str, int]:
    """Return the bytes of a raw batch by outcome; outcomes without a byte are left out."""
    accepted = _length(raw) - sum(lengths.values())
    return {name: length for name, length in {ACCEPTED: accepted, **lengths}.items() if length}


def _length(raw: RawBatch) -> int:
    return sum(map(len, filter(None, raw.values)))


def _last_arrival(raw: RawBatch) -> int | None:
    arrival_ms = int(raw.arrival_ms[-1]) if raw.values else -1
    return arrival_ms if arrival_ms >= 0 else None
