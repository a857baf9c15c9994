"""The range of each partition that a partial covers, with its outcomes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.events import CoveredRange, DecodedRecords, ModelKey, RawBatch, WidthMismatches
from stream.formats.rows import TOO_NARROW, TOO_WIDE


def join_covers(before: CoveredRange | None, cover: CoveredRange) -> CoveredRange:
    """One cover for two consecutive ranges of a partition."""
    if before is None:
        return cover
    outcomes, lengths = (
        dict(Counter(a) + Counter(b))
        for a, b in ((before.outcomes, cover.outcomes), (before.bytes, cover.bytes))
    )
    sums = {
        name: getattr(before, name) + getattr(cover, name) for name in ("read", "dated", "rows")
    }
    arrival_ms = before.arrival_ms if cover.arrival_ms is None else cover.arrival_ms
    return cover._replace(
        first=before.first, outcomes=outcomes, bytes=lengths, arrival_ms=arrival_ms, **sums
    )


def bytes_by_outcome(raw: RawBatch, uncounted: Counter[str]) -> dict[str, int]:
    """The length of a batch's records by outcome: accepted is what is left of the whole, so no
    accepted record is looked at alone.
    """
    accepted = sum(map(len, filter(None, raw.values))) - uncounted.total()
    return {name: length for name, length in {"accepted": accepted, **uncounted}.items() if length}


def locate_records(records: Ints, bounds: Ints) -> list[tuple[int, int]]:
    """The raw batch of each record, and its place in there."""
    batches = np.searchsorted(bounds, records, side="right") - 1
    return list(zip(batches.tolist(), (records - bounds[batches]).tolist(), strict=True))


def count_accepted(
    decoded: DecodedRecords, late: NDArray[np.bool_], bounds: Ints
) -> tuple[list[int], list[int]]:
    """Accepted records and their rows, a raw batch each, counted from what was decoded: the ledger
    compares them with the rest.
    """
    taken, rows = np.zeros(len(late), bool), np.zeros(len(bounds) - 1, np.int64)
    for batch in decoded.batches:
        kept = batch.record[~late[batch.record]]
        taken[kept] = True
        rows += np.diff(np.searchsorted(kept, bounds))
    return count_between(taken, bounds), rows.tolist()


def count_between(flags: NDArray[np.bool_], bounds: Ints) -> list[int]:
    """How many flags are set between neighbouring bounds."""
    return [int(np.count_nonzero(flags[start:stop])) for start, stop in pairwise(bounds.tolist())]


def count_width_mismatches(
    decoded: DecodedRecords, pane: Ints, late: NDArray[np.bool_]
) -> list[tuple[ModelKey, int, WidthMismatches]]:
    """Records with a wrong number of columns that are not too late, by model and pane."""
    out: dict[tuple[ModelKey, int], WidthMismatches] = {}
    for record, reason in decoded.rejects:
        if reason in (TOO_NARROW, TOO_WIDE) and not late[record]:
            place = decoded.keys[decoded.model[record]], int(pane[record])
            out[place] = out.get(place, WidthMismatches()).plus(
                WidthMismatches(int(reason == TOO_NARROW), int(reason == TOO_WIDE))
            )
    return [(key, pane_ms, width_mismatches) for (key, pane_ms), width_mismatches in out.items()]
