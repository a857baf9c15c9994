"""The reader: polls a source, decodes, folds, and says exactly which offsets the counts cover. It
keeps no counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles.profile import Profile
from stream.dedupe.filter import Dedupe, DedupeResult, DuplicateFilter, hashes_of
from stream.event_time import Times
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
    Sample,
)
from stream.formats.base import Format, IdentityConfig
from stream.readers.covers import (
    bytes_by_outcome,
    count_accepted,
    count_between,
    count_width_mismatches,
    join_covers,
    locate_records,
)
from stream.readers.grouping import grouped, merged, samples_of, taken
from stream.readers.plan import ReadingPlan
from stream.sources.base import Reading

CELLS_A_BATCH: Final = 400_000
"""Rows times columns of one batch: of fewer, calls cost more than cells; more falls out of the
processor's cache."""
MOST_RECORDS: Final = 5_000
CRASHES_READER: Final = "crashes_reader"
"""Why a record was not counted at which reader processes die, again and again."""


class _Place(NamedTuple):
    claim: int
    mark_ms: int | None
    seen: DuplicateFilter | None


class _Gone(NamedTuple):
    """Which records no window counts though they can be read."""

    late: NDArray[np.bool_]
    duplicate: NDArray[np.bool_]


class Reader:
    """Reads the partitions that it was assigned; one partial a poll.

    A partial is a pure function of the ranges it covers, the layouts, and the marks at their start.
    What is late is decided here, a record at a time, against the running mark of the record's own
    partition: too late if ``pane end + grace + lateness <= mark``. A time more than the tolerance
    after arrival is replaced by the arrival, and does not move the mark: nobody knows when that
    was, and one wrong date must not make all others late.
    """

    def __init__(
        self,
        reading: Reading,
        form: Format,
        origin: IdentityConfig,
        times: Times,
        keep_payload: bool = False,
        dedupe: Dedupe | None = None,
    ) -> None:
        self._reading, self._form, self._origin, self._times = reading, form, origin, times
        self._keep_payload, self._dedupe = keep_payload, dedupe
        self._places: dict[str, _Place] = {}
        self._plan: ReadingPlan | None = None
        self._careful, self._skip = 0, dict[str, Position]()

    def use(self, plan: ReadingPlan) -> None:
        """Count with these models from the next poll on."""
        self._plan = plan
        self._decoder = self._form.open(self._origin, plan.plan)
        self.max_records = max(20, min(MOST_RECORDS, CELLS_A_BATCH // max(plan.width, 1)))

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Read these partitions from where the aggregator says; gaps for positions that the log
        does not have.
        """
        for order in assigns:
            seen = (
                DuplicateFilter(self._dedupe, order.partition, order.seen) if self._dedupe else None
            )
            self._places[order.partition] = _Place(order.claim, order.mark_ms, seen)
        return self._reading.assign(list(assigns))

    def care(self, most: int, skip: Sequence[tuple[str, Position]] = ()) -> None:
        """Count at most ``most`` records at a time (0: as usual), and pass over those in ``skip``:
        partitions and positions.
        """
        self._careful, self._skip = most, dict(skip)

    def poll(self, timeout_s: float) -> tuple[list[Gap], list[RawBatch]]:
        """What came: gaps, and the raw batches of one partial."""
        came = self._reading.poll(timeout_s, self._careful or self.max_records)
        raws = [one for one in came if isinstance(one, RawBatch) and one.partition in self._places]
        return [one for one in came if isinstance(one, Gap)], raws

    def count(self, raws: Sequence[RawBatch]) -> list[Partial]:
        """The partial of what a poll brought; and one for each batch that is passed over."""
        over = [raw for raw in raws if raw.values and self._skip.get(raw.partition) == raw.first]
        rest = [raw for raw in raws if not any(raw is one for one in over)]
        partials = [*map(self._pass_over, over), *([self.fold(rest)] if rest else [])]
        for cover in (cover for partial in partials for cover in partial.covers if cover.ended):
            self._places.pop(cover.partition, None)  # and with it the ids that were seen there
        return partials

    def fold(self, raws: Sequence[RawBatch]) -> Partial:
        """The partial of some raw batches that follow each other in their partitions."""
        if self._plan is None:
            raise RuntimeError("the reader has no plan yet: call use() first")
        decoded = self._decoder.decode(raws)
        bounds = np.concatenate(([0], np.cumsum([len(raw.values) for raw in raws]))).astype(
            np.int64
        )
        times, future = _arrived(decoded.time_ms, raws, self._times.tolerance_ms)
        dated = (decoded.time_ms >= 0) & ~future
        pane = times // self._times.pane_ms * self._times.pane_ms
        late, running = self._late(times, dated, pane, bounds, raws)
        found = self._again(decoded, late, running, bounds, raws)
        profiles, samples = self._count(self._plan, decoded, pane, late | found.duplicate)
        covers, dead = self._cover(
            raws, decoded, dated, bounds, _Gone(late, found.duplicate), running
        )
        width_mismatches = count_width_mismatches(decoded, pane, late)
        rest = int(future.sum()), width_mismatches, found.fresh, found.unremembered
        return Partial(covers, self._plan.fingerprints, profiles, dead, samples, *rest)

    def _late(
        self,
        times: Ints,
        dated: NDArray[np.bool_],
        pane: Ints,
        bounds: Ints,
        raws: Sequence[RawBatch],
    ) -> tuple[NDArray[np.bool_], Ints]:
        """Which records are too late for their pane, and the running mark of the partition at each
        (-1: none yet).
        """
        late, running = np.zeros(len(times), bool), np.full(len(times), -1, np.int64)
        wait = self._times.pane_ms + self._times.grace_ms + self._times.lateness_ms
        marks: dict[str, int] = {}
        told = np.where(dated, times, -1)
        for raw, start, stop in zip(raws, bounds[:-1], bounds[1:], strict=True):
            before = self._places[raw.partition].mark_ms
            mark = marks.get(raw.partition, -1 if before is None else before)
            if stop > start:
                seen = running[start:stop] = np.maximum.accumulate(
                    np.maximum(told[start:stop], mark)
                )
                late[start:stop] = (pane[start:stop] + wait <= seen) & (times[start:stop] >= 0)
                marks[raw.partition] = int(seen[-1])
        return late, running

    def _again(
        self,
        decoded: DecodedRecords,
        late: NDArray[np.bool_],
        running: Ints,
        bounds: Ints,
        raws: Sequence[RawBatch],
    ) -> DedupeResult:
        """Which of the records that would be accepted were accepted before."""
        found = DedupeResult(np.zeros(len(late), bool), [], 0)
        if self._dedupe is None:
            return found
        ids, has = hashes_of(
            decoded.event_ids if self._dedupe.by == "event_id" else decoded.inference_ids
        )
        asked = np.zeros(len(late), bool)
        for batch in decoded.batches:
            asked[batch.record] = True
        asked &= has & ~late
        for raw, start, stop in zip(raws, bounds[:-1], bounds[1:], strict=True):
            seen = self._places[raw.partition].seen
            if seen is not None and stop > start:
                one = seen.look(ids[start:stop], asked[start:stop], running[start:stop])
                found.duplicate[start:stop] = one.duplicate
                found = DedupeResult(
                    found.duplicate,
                    [*found.fresh, *one.fresh],
                    found.unremembered + one.unremembered,
                )
        return found

    def _count(
        self, plan: ReadingPlan, decoded: DecodedRecords, pane: Ints, gone: NDArray[np.bool_]
    ) -> tuple[list[tuple[ModelKey, int, Profile]], list[Sample]]:
        profiles: list[tuple[ModelKey, int, Profile]] = []
        samples: list[Sample] = []
        for batch in decoded.batches:
            groups = grouped(batch, decoded.model, pane, gone)
            if not len(groups.rows):
                continue
            columns = (
                batch.columns
                if groups.in_place
                else {n: taken(c, groups.rows) for n, c in batch.columns.items()}
            )
            keys = [decoded.keys[m] for m in groups.model]
            places = [plan.position[key.model] for key in keys]
            folded = plan.folds[batch.schema].fold(columns, places, groups.bounds)
            profiles += zip(keys, groups.pane.tolist(), folded, strict=True)
            samples += samples_of(plan, keys, groups.bounds, columns)
        return merged(profiles), samples

    def _cover(
        self,
        raws: Sequence[RawBatch],
        decoded: DecodedRecords,
        dated: NDArray[np.bool_],
        bounds: Ints,
        gone: _Gone,
        running: Ints,
    ) -> tuple[tuple[CoveredRange, ...], list[DeadLetter]]:
        accepted, rows = count_accepted(decoded, gone.late | gone.duplicate, bounds)
        rejected = np.array([reject.record for reject in decoded.rejects], np.int64)
        reasons, lengths, dead = self._rejects(raws, decoded, rejected, bounds)
        lost = gone.late.copy()
        lost[rejected] = False
        lates, again, sure = (
            count_between(flags, bounds) for flags in (lost, gone.duplicate, dated)
        )
        for name, flags in (("too_late", lost), ("duplicate", gone.duplicate)):
            for b, k in locate_records(np.flatnonzero(flags), bounds):
                lengths[b][name] += len(raws[b].values[k] or b"")
        covers: dict[str, CoveredRange] = {}
        for b, raw in enumerate(raws):
            outcomes = {
                "accepted": accepted[b],
                "too_late": lates[b],
                **({"duplicate": again[b]} if again[b] else {}),
                **reasons[b],
            }
            mark = self._places[raw.partition].mark_ms
            if bounds[b + 1] > bounds[b] and running[bounds[b + 1] - 1] >= 0:
                mark = int(running[bounds[b + 1] - 1])
            claim, read = self._places[raw.partition].claim, len(raw.values)
            arrival_ms = int(raw.arrival_ms[-1]) if read and raw.arrival_ms[-1] >= 0 else None
            cover = CoveredRange(
                raw.partition, claim, raw.first, raw.next, mark, raw.at_end, read, outcomes, sure[b], rows[b],
                arrival_ms, raw.ended, raw.children, bytes_by_outcome(raw, lengths[b]),
            )  # fmt: skip
            covers[raw.partition] = join_covers(covers.get(raw.partition), cover)
            self._places[raw.partition] = self._places[raw.partition]._replace(mark_ms=mark)
        return tuple(covers.values()), dead

    def _rejects(
        self, raws: Sequence[RawBatch], decoded: DecodedRecords, rejected: Ints, bounds: Ints
    ) -> tuple[list[Counter[str]], list[Counter[str]], list[DeadLetter]]:
        """How many records of each raw batch were rejected, by reason, how long they are together,
        and their dead letters.
        """
        reasons: list[Counter[str]] = [Counter() for _ in raws]
        lengths: list[Counter[str]] = [Counter() for _ in raws]
        dead = []
        for (b, k), reject in zip(locate_records(rejected, bounds), decoded.rejects, strict=True):
            dead.append(self._letter(raws[b], k, reject.reason))
            reasons[b][reject.reason] += 1
            lengths[b][reject.reason] += dead[-1].length
        return reasons, lengths, dead

    def _pass_over(self, raw: RawBatch) -> Partial:
        """Dead letters of records that kill whoever looks into them: nobody knows when they were,
        or whose.
        """
        place, read = self._places[raw.partition], len(raw.values)
        dead = [self._letter(raw, k, CRASHES_READER) for k in range(read)]
        lengths = {CRASHES_READER: sum(letter.length for letter in dead)}
        cover = CoveredRange(
            raw.partition,
            place.claim,
            raw.first,
            raw.next,
            place.mark_ms,
            False,
            read,
            {CRASHES_READER: read},
            0,
            0,
            bytes=lengths,
        )
        return Partial((cover,), self._plan.fingerprints if self._plan else {}, [], dead)

    def _letter(self, raw: RawBatch, k: int, reason: str) -> DeadLetter:
        value = raw.values[k] or b""
        kept = value if self._keep_payload else None
        return DeadLetter(
            raw.partition, raw.positions[k], reason, len(value), sha256(value).hexdigest(), kept
        )


def _arrived(
    time_ms: Ints, raws: Sequence[RawBatch], tolerance_ms: int
) -> tuple[Ints, NDArray[np.bool_]]:
    """Event times with those too far ahead of arrival set to it, and which these were."""
    arrival = np.concatenate([raw.arrival_ms for raw in raws]) if raws else np.empty(0, np.int64)
    ahead: NDArray[np.bool_] = (time_ms >= 0) & (arrival >= 0) & (time_ms > arrival + tolerance_ms)
    return np.where(ahead, arrival, time_ms), ahead
