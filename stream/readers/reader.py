"""The reader: polls a source, decodes, drops late and repeated records, and counts the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles.profile import Profile
from stream.dedupe.filter import Dedupe, DedupeResult, DuplicateFilter, hashes_of
from stream.event_time import JobSettings
from stream.events import (
    Assign,
    CoveredRange,
    DeadLetter,
    DecodedRecords,
    Gap,
    ModelKey,
    Partial,
    Position,
    RawBatch,
    Rejection,
    Sample,
    SeenIds,
)
from stream.formats.base import Format, IdentityConfig, PacedDecoder
from stream.outcomes import CRASHES_READER, WITHOUT_LETTER
from stream.readers.arrival import ForwardClock, bounded_arrivals
from stream.readers.covers import (
    count_outcomes,
    count_width_mismatches,
    covered_ranges,
    locate_records,
    record_bounds,
    skipped_range,
)
from stream.readers.grouping import group_rows, merge_by_pane, samples_of, take_rows
from stream.readers.isolation import decode_isolated, isolate, without_records
from stream.readers.lateness import RecordTimes, record_times
from stream.readers.letters import dead_letter
from stream.readers.plan import ReadingPlan
from stream.readers.predictions import PredictionCollector
from stream.sources.base import Reading

CELLS_PER_BATCH: Final = 400_000
"""Rows times columns of one batch.

With fewer, calls cost more than cells; more do not fit into the processor's cache.
"""
MIN_RECORDS: Final = 20
MAX_RECORDS: Final = 5_000


class _Assigned(NamedTuple):
    """An assigned partition: its claim, its mark, and its remembered ids if ``dedupe`` is set."""

    claim: int
    mark_ms: int | None
    filter: DuplicateFilter | None


class _CountedRows(NamedTuple):
    """The counts of some records: profiles by model and pane, samples, and encoded predictions.

    ``failed`` has an error for each record on which counting fails.
    """

    profiles: list[tuple[ModelKey, int, Profile]]
    samples: list[Sample]
    predictions: bytes
    failed: dict[int, str]


class Reader:
    """Reads the partitions assigned to it, and returns one partial per poll. It keeps no counts.

    A partial is a pure function of the ranges it covers, the layouts, and the marks and ids at
    their start. Lateness is decided here, record by record
    (:func:`stream.readers.lateness.record_times`). A time more than the tolerance after arrival is
    replaced by the arrival and does not advance the mark: the true time is unknown, and one wrong
    date must not make all other events late. Where the log states no credible arrival, the clock
    takes its place, which never goes back (:mod:`stream.readers.arrival`).
    """

    def __init__(
        self,
        reading: Reading,
        record_format: Format,
        identity: IdentityConfig,
        settings: JobSettings,
        keep_payload: bool = False,
        dedupe: Dedupe | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._reading = reading
        self._clock = clock or ForwardClock()
        self._format = record_format
        self._identity = identity
        self._settings = settings
        self._keep_payload = keep_payload
        self._dedupe = dedupe
        self._assigned: dict[str, _Assigned] = {}
        self._plan: ReadingPlan | None = None
        self.on_wait: Callable[[], object] = lambda: None
        """Called again and again while a decoder waits, to show that the reader does not hang."""
        self._careful_records = 0
        self._skip: dict[str, Position] = {}

    def use(self, plan: ReadingPlan) -> None:
        """Count with these models from the next poll on."""
        self._plan = plan
        self._decoder = self._format.open(self._identity, plan.decoding)
        self._paced = self._decoder if isinstance(self._decoder, PacedDecoder) else None
        if self._paced:
            self._paced.on_wait = self.on_wait
        records = CELLS_PER_BATCH // max(plan.width, 1)
        self.max_records = max(MIN_RECORDS, min(MAX_RECORDS, records))

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Read these partitions from the assigned positions on.

        Returns a gap for each position that the log no longer has.
        """
        for assign in assigns:
            known_ids = (
                DuplicateFilter(self._dedupe, assign.partition, assign.seen)
                if self._dedupe
                else None
            )
            self._assigned[assign.partition] = _Assigned(assign.claim, assign.mark_ms, known_ids)
        return self._reading.assign(list(assigns))

    def read_carefully(self, max_records: int, skip: Sequence[tuple[str, Position]] = ()) -> None:
        """Count at most ``max_records`` at a time (0: as usual), to find a poison record.

        The records in ``skip`` (partitions and positions) become dead letters without being
        decoded.
        """
        self._careful_records = max_records
        self._skip = dict(skip)

    def poll(self, timeout_s: float) -> tuple[list[Gap], list[RawBatch]]:
        """Return the gaps and the raw batches that the source has, of assigned partitions only."""
        polled = self._reading.poll(timeout_s, self._careful_records or self._most_records())
        gaps = [item for item in polled if isinstance(item, Gap)]
        raws = [item for item in polled if isinstance(item, RawBatch)]
        return gaps, [raw for raw in raws if raw.partition in self._assigned]

    def _most_records(self) -> int:
        """Return the number of records of the next poll: fewer where decoding takes long."""
        if self._paced is None:
            return self.max_records
        return min(self.max_records, self._paced.most_records)

    def count(self, raws: Sequence[RawBatch]) -> list[Partial]:
        """Return the partial of some raw batches, and one for each batch that is skipped."""
        partials = [self._skip_batch(raw) for raw in raws if self._is_skipped(raw)]
        rest = [raw for raw in raws if not self._is_skipped(raw)]
        if rest:
            partials.append(self.fold(rest))
        for partial in partials:
            for cover in partial.covers:
                if cover.ended:
                    self._assigned.pop(cover.partition, None)
        return partials

    def fold(self, raws: Sequence[RawBatch]) -> Partial:
        """Return the partial of some raw batches that follow each other in their partitions."""
        if self._plan is None:
            raise RuntimeError("the reader has no plan yet: call use() first")
        raws, arrivals = bounded_arrivals(raws, self._clock())
        decoded = decode_isolated(self._decoder, raws)
        bounds = record_bounds(raws)
        marks = {raw.partition: self._assigned[raw.partition].mark_ms for raw in raws}
        times = record_times(
            time_ms=decoded.time_ms,
            raws=raws,
            bounds=bounds,
            marks=marks,
            settings=self._settings,
            arrivals=arrivals,
        )
        dedupe = self._find_duplicates(decoded, times, bounds, raws)
        uncounted = times.late | dedupe.duplicate
        counted = self._count_rows(self._plan, decoded, times.pane_ms, uncounted)
        decoded = without_records(decoded, counted.failed)
        outcomes = count_outcomes(
            raws=raws, bounds=bounds, decoded=decoded, times=times, duplicate=dedupe.duplicate
        )
        claims = {raw.partition: self._assigned[raw.partition].claim for raw in raws}
        covers = covered_ranges(raws, outcomes, times.end_marks, claims)
        self._move_marks(covers)
        return Partial(
            covers=covers,
            layouts=self._plan.fingerprints,
            profiles=counted.profiles,
            dead_letters=self._dead_letters(raws, bounds, decoded.rejects),
            samples=counted.samples,
            future=int(times.ahead.sum()),
            width_mismatches=count_width_mismatches(decoded, times),
            seen=dedupe.new_ids,
            unremembered=dedupe.unremembered,
            predictions=counted.predictions,
        )

    def _find_duplicates(
        self, decoded: DecodedRecords, times: RecordTimes, bounds: Ints, raws: Sequence[RawBatch]
    ) -> DedupeResult:
        """Find the records that would be accepted but were accepted before."""
        duplicate = np.zeros(len(times.late), bool)
        if self._dedupe is None:
            return DedupeResult(duplicate, [], 0)
        by_event = self._dedupe.by == "event_id"
        ids, has_id = hashes_of(decoded.event_ids if by_event else decoded.inference_ids)
        candidates = has_id & ~times.late & _have_rows(decoded)
        new_ids: list[SeenIds] = []
        unremembered = 0
        for raw, start, stop in zip(raws, bounds[:-1], bounds[1:], strict=True):
            known_ids = self._assigned[raw.partition].filter
            if known_ids is None or stop == start:
                continue
            records = slice(start, stop)
            result = known_ids.find(ids[records], candidates[records], times.mark_ms[records])
            duplicate[records] = result.duplicate
            new_ids += result.new_ids
            unremembered += result.unremembered
        return DedupeResult(duplicate, new_ids, unremembered)

    def _count_rows(
        self,
        plan: ReadingPlan,
        decoded: DecodedRecords,
        pane_ms: Ints,
        uncounted: NDArray[np.bool_],
    ) -> _CountedRows:
        """Count the rows of all records but the uncounted ones."""
        samples: list[Sample] = []
        collector = PredictionCollector(plan.predictions, decoded) if plan.predictions else None

        def count(start: int, stop: int) -> list[tuple[ModelKey, int, Profile]]:
            left_out = uncounted
            if stop - start < len(uncounted):
                left_out = np.ones(len(uncounted), bool)
                left_out[start:stop] = uncounted[start:stop]
            profiles, sampled = _fold(plan, decoded, pane_ms, left_out)
            if collector:
                collector.add(pane_ms, left_out)
            samples.extend(sampled)
            return profiles

        parts, failed = isolate(len(uncounted), count)
        return _CountedRows(
            merge_by_pane([entry for _, part in parts for entry in part]),
            samples,
            collector.encode() if collector else b"",
            failed,
        )

    def _move_marks(self, covers: Sequence[CoveredRange]) -> None:
        for cover in covers:
            assigned = self._assigned[cover.partition]
            self._assigned[cover.partition] = assigned._replace(mark_ms=cover.mark_ms)

    def _is_skipped(self, raw: RawBatch) -> bool:
        return bool(raw.values) and self._skip.get(raw.partition) == raw.first

    def _skip_batch(self, raw: RawBatch) -> Partial:
        """Return the partial of records that crash readers: their times and models are unknown."""
        assigned = self._assigned[raw.partition]
        return Partial(
            covers=(skipped_range(raw, assigned.claim, assigned.mark_ms),),
            layouts=self._plan.fingerprints if self._plan else {},
            dead_letters=[
                self._dead_letter(raw, k, CRASHES_READER) for k in range(len(raw.values))
            ],
        )

    def _dead_letters(
        self, raws: Sequence[RawBatch], bounds: Ints, rejects: Sequence[Rejection]
    ) -> list[DeadLetter]:
        faults = [reject for reject in rejects if reject.reason not in WITHOUT_LETTER]
        located = locate_records(np.array([r.record for r in faults], np.int64), bounds)
        return [
            self._dead_letter(raws[b], k, reject.reason, reject.detail)
            for (b, k), reject in zip(located, faults, strict=True)
        ]

    def _dead_letter(self, raw: RawBatch, k: int, reason: str, detail: str = "") -> DeadLetter:
        return dead_letter(raw, k, reason, detail, self._keep_payload)


def _fold(
    plan: ReadingPlan, decoded: DecodedRecords, pane_ms: Ints, uncounted: NDArray[np.bool_]
) -> tuple[list[tuple[ModelKey, int, Profile]], list[Sample]]:
    """Fold the rows of all records but the uncounted ones into profiles by model and pane."""
    profiles: list[tuple[ModelKey, int, Profile]] = []
    samples: list[Sample] = []
    for batch in decoded.batches:
        groups = group_rows(batch, decoded.model, pane_ms, uncounted)
        if not len(groups.rows):
            continue
        columns = batch.columns
        if not groups.in_place:
            columns = {name: take_rows(c, groups.rows) for name, c in columns.items()}
        keys = [decoded.keys[m] for m in groups.model]
        layouts = [plan.position[key.model] for key in keys]
        folded = plan.folds[batch.schema].fold(columns, layouts, groups.bounds)
        profiles += zip(keys, groups.pane_ms.tolist(), folded, strict=True)
        samples += samples_of(plan, keys, groups, columns)
    return profiles, samples


def _have_rows(decoded: DecodedRecords) -> NDArray[np.bool_]:
    """Return a mask of the records that have rows in a batch."""
    has_rows = np.zeros(len(decoded.time_ms), bool)
    for batch in decoded.batches:
        has_rows[batch.record] = True
    return has_rows
