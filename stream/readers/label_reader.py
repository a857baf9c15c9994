"""The reader of labels: polls their source, decodes, and returns them as rows by range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.dedupe.filter import hashes_of
from stream.event_time import JobSettings
from stream.events import Assign, Gap, RawBatch, Rejection
from stream.labels.base import DecodedLabels, LabelDecoder, LabelFormat, LabelValue
from stream.labels.rows import MOST_TEXTS, LabelRange
from stream.labels.sampling import sampled
from stream.outcomes import FAILS_DECODING, NOT_SAMPLED, WITHOUT_LETTER
from stream.readers.arrival import Arrivals, ForwardClock, bounded_arrivals
from stream.readers.covers import record_bounds
from stream.readers.isolation import decoded_parts
from stream.readers.label_rows import LabelColumns, label_columns, label_rows
from stream.readers.lateness import NO_MARK, ahead_of_arrival, running_marks
from stream.readers.letters import dead_letter
from stream.sources.base import Reading

MAX_RECORDS: Final = 10_000
"""The largest number of records of one poll: enough for work on columns, few enough to wait for."""
OVERFULL: Final = f"more than {MOST_TEXTS:,} different texts in one poll"


class LabelReading(NamedTuple):
    """How labels are read.

    ``sample`` is the share of the ids that is kept. ``dates_records``: the log states the arrival
    of each record, which is the time of a label that states none. ``keep_payload``: dead letters
    hold the records.
    """

    sample: float = 1.0
    dates_records: bool = True
    keep_payload: bool = False


class _Assigned(NamedTuple):
    claim: int
    mark_ms: int | None


class LabelReader:
    """Reads the partitions of a label log, and returns the labels of each range that it reads.

    A range is a function of its records (with their arrival) and of the mark at its start. The mark
    of a partition is the highest time of a label so far: the time that a label states, or else the
    time at which the log took it. A time more than the tolerance after its arrival does not move
    the mark, since one wrong date would make all waiting predictions expire, and neither do records
    that are no labels. Labels of a file that state no time leave the mark as it is: the file's own
    time says nothing about them.
    """

    def __init__(
        self,
        reading: Reading,
        label_format: LabelFormat,
        settings: JobSettings,
        rules: LabelReading | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._reading = reading
        self._decoder = label_format.open()
        self._settings = settings
        self._rules = rules or LabelReading()
        self._clock = clock or ForwardClock()
        self._assigned: dict[str, _Assigned] = {}

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Read these partitions from the assigned positions on.

        Returns a gap for each position that the log no longer has.
        """
        for assign in assigns:
            self._assigned[assign.partition] = _Assigned(assign.claim, assign.mark_ms)
        return self._reading.assign(list(assigns))

    def poll(self, timeout_s: float, max_records: int = MAX_RECORDS) -> list[Gap | LabelRange]:
        """Return the gaps, and the labels of each range that was read, in order by partition.

        Waits at most ``timeout_s`` for the first record.
        """
        polled = self._reading.poll(timeout_s, max_records)
        gaps = [item for item in polled if isinstance(item, Gap)]
        raws = [item for item in polled if isinstance(item, RawBatch)]
        known = [raw for raw in raws if raw.partition in self._assigned]
        return [*gaps, *self.ranges(known)] if known else [*gaps]

    def ranges(self, raws: Sequence[RawBatch]) -> list[LabelRange]:
        """Return the labels of some raw batches that follow each other in their partitions."""
        raws, arrivals = bounded_arrivals(raws, self._clock())
        bounds = record_bounds(raws)
        decoded = _decoded(self._decoder, raws)
        marks, end_marks = self._marks(decoded, raws, bounds, arrivals)
        hashes, _ = hashes_of(decoded.ids)
        labels = _Labels(decoded, hashes, sampled(hashes, self._rules.sample), marks)
        ranges = [
            self._range(raw, labels.between(int(start), int(stop)), mark_ms)
            for raw, start, stop, mark_ms in zip(
                raws, bounds[:-1], bounds[1:], end_marks, strict=True
            )
        ]
        for of_range in ranges:
            if of_range.ended:
                self._assigned.pop(of_range.partition, None)
        return ranges

    def _marks(
        self, decoded: DecodedLabels, raws: Sequence[RawBatch], bounds: Ints, arrivals: Arrivals
    ) -> tuple[Ints, list[int | None]]:
        """Return the running mark at each record, and the mark at the end of each raw batch."""
        record = np.array(decoded.record, np.int64)
        stated_ms = np.full(int(bounds[-1]), NO_MARK, np.int64)
        stated_ms[record] = decoded.times_ms
        marks = {raw.partition: self._assigned[raw.partition].mark_ms for raw in raws}
        ahead = ahead_of_arrival(stated_ms, raws, marks, arrivals, self._settings)
        moving_ms = np.where(ahead, NO_MARK, stated_ms)
        if self._rules.dates_records:
            undated = np.zeros(len(stated_ms), bool)
            undated[record] = stated_ms[record] < 0
            arrival_ms = np.concatenate([raw.arrival_ms for raw in raws])
            moving_ms = np.where(undated & arrivals.stated, arrival_ms, moving_ms)
        return running_marks(moving_ms, raws, bounds, marks)

    def _range(self, raw: RawBatch, labels: _RangeLabels, mark_ms: int | None) -> LabelRange:
        columns = label_columns(labels.values)
        faults = sorted([*labels.rejects, *_overfull(labels.records, columns)])
        rejected = Counter(fault.reason for fault in faults)
        if labels.not_sampled:
            rejected[NOT_SAMPLED] = labels.not_sampled
        assigned = self._assigned[raw.partition]
        self._assigned[raw.partition] = assigned._replace(mark_ms=mark_ms)
        arrival_ms = int(raw.arrival_ms[-1]) if len(raw.arrival_ms) else -1
        return LabelRange(
            partition=raw.partition,
            claim=assigned.claim,
            first=raw.first,
            next=raw.next,
            mark_ms=mark_ms,
            at_end=raw.at_end,
            read=len(raw.values),
            rows=label_rows(labels.ids, labels.records, labels.marks, columns).tobytes(),
            texts=columns.texts,
            positions=list(raw.positions),
            rejected=dict(rejected),
            letters=[
                dead_letter(raw, k, reason, detail, self._rules.keep_payload)
                for k, reason, detail in faults
                if reason not in WITHOUT_LETTER
            ],
            arrival_ms=arrival_ms if arrival_ms >= 0 else None,
            ended=raw.ended,
            children=raw.children,
        )


class _RangeLabels(NamedTuple):
    """The labels of one raw batch that are in the sample, and what became of its other records.

    ``records`` are indices in the batch, as are those of ``rejects``.
    """

    records: Ints
    ids: NDArray[np.uint64]
    marks: Ints
    values: list[LabelValue | list[LabelValue]]
    rejects: list[Rejection]
    not_sampled: int


class _Labels:
    """The labels of some raw batches, to be divided by batch."""

    def __init__(
        self,
        decoded: DecodedLabels,
        hashes: NDArray[np.uint64],
        in_sample: NDArray[np.bool_],
        marks: Ints,
    ) -> None:
        self._decoded = decoded
        self._record = np.array(decoded.record, np.int64)
        self._rejected = np.array([reject.record for reject in decoded.rejects], np.int64)
        self._hashes, self._in_sample, self._marks = hashes, in_sample, marks

    def between(self, start: int, stop: int) -> _RangeLabels:
        """Return what the records ``[start, stop)`` hold."""
        first, last = np.searchsorted(self._record, [start, stop]).tolist()
        low, high = np.searchsorted(self._rejected, [start, stop]).tolist()
        chosen = first + np.flatnonzero(self._in_sample[first:last])
        values = self._decoded.values[first:last]
        if len(chosen) < len(values):
            values = [self._decoded.values[k] for k in chosen.tolist()]
        rejects = self._decoded.rejects[low:high]
        records = self._record[chosen]
        return _RangeLabels(
            records=records - start,
            ids=self._hashes[chosen],
            marks=self._marks[records],
            values=values,
            rejects=[reject._replace(record=reject.record - start) for reject in rejects],
            not_sampled=last - first - len(chosen),
        )


def _overfull(records: Ints, columns: LabelColumns) -> list[Rejection]:
    overfull = records[columns.overfull].tolist()
    return [Rejection(record, "label_invalid", OVERFULL) for record in overfull]


def _decoded(decoder: LabelDecoder, raws: Sequence[RawBatch]) -> DecodedLabels:
    """Return the decoded labels; records on which the decoder raises are rejected."""
    parts, failed = decoded_parts(decoder.decode, raws)
    if not failed and len(parts) == 1:
        return parts[0][1]
    rejects = [Rejection(record, FAILS_DECODING, error) for record, error in failed.items()]
    joined = DecodedLabels([], [], [], [], rejects)
    for start, part in sorted(parts, key=lambda part: part[0]):
        joined.record.extend(start + record for record in part.record)
        joined.ids.extend(part.ids)
        joined.values.extend(part.values)
        joined.times_ms.extend(part.times_ms)
        rejects += [reject._replace(record=reject.record + start) for reject in part.rejects]
    return joined._replace(rejects=sorted(rejects))
