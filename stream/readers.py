"""The reader: polls a source, decodes, folds, and says exactly which offsets the counts cover. It keeps no counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.profile import Profile
from stream.events import Assign, Cover, DeadLetter, Decoded, Gap, Misfits, ModelKey, Partial, RawBatch, Sample
from stream.formats.base import Format, Origin
from stream.grouping import grouped, merged, samples_of, taken
from stream.payloads import FEWER, MORE
from stream.plan import ReadingPlan
from stream.sources.base import Reading

CELLS_A_BATCH: Final = 400_000
"""Rows times columns of one batch: of fewer, calls cost more than cells; more falls out of the processor's cache."""
MOST_RECORDS: Final = 5_000
KILLS: Final = "kills_reader"
"""Why a record was not counted at which reader processes die, again and again."""

Ints = NDArray[np.int64]


class Times(NamedTuple):
    """What the reader must know of time, in milliseconds: pane length, grace, lateness, tolerance for the future."""

    pane_ms: int
    grace_ms: int
    lateness_ms: int
    tolerance_ms: int


class _Place(NamedTuple):
    claim: int
    mark_ms: int | None


class Reader:
    """Reads the partitions that it was assigned; one partial a poll.

    A partial is a pure function of the ranges it covers, the layouts, and the marks at their start. What is late is
    decided here, a record at a time, against the running mark of the record's own partition: too late if
    ``pane end + grace + lateness <= mark``. A time more than the tolerance after arrival is replaced by the arrival, and does
    not move the mark: nobody knows when that was, and one wrong date must not make all others late.
    """

    def __init__(self, reading: Reading, form: Format, origin: Origin, times: Times, keep_payload: bool = False) -> None:
        self._reading, self._form, self._origin, self._times = reading, form, origin, times
        self._keep_payload = keep_payload
        self._places: dict[str, _Place] = {}
        self._plan: ReadingPlan | None = None
        self._careful, self._skip = 0, set[str]()

    def use(self, plan: ReadingPlan) -> None:
        """Count with these models from the next poll on."""
        self._plan = plan
        self._decoder = self._form.open(self._origin, plan.plan)
        self.max_records = max(20, min(MOST_RECORDS, CELLS_A_BATCH // max(plan.width, 1)))

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Read these partitions from where the aggregator says; gaps for positions that the log does not have."""
        for order in assigns:
            self._places[order.partition] = _Place(order.claim, order.mark_ms)
        return self._reading.assign(list(assigns))

    def care(self, most: int, skip: Sequence[str] = ()) -> None:
        """Count at most ``most`` records at a time (0: as usual), and pass over the next record of the partitions in ``skip``."""
        self._careful, self._skip = most, set(skip)

    def poll(self, timeout_s: float) -> tuple[list[Gap], list[RawBatch]]:
        """What came: gaps, and the raw batches of one partial."""
        came = self._reading.poll(timeout_s, self._careful or self.max_records)
        raws = [one for one in came if isinstance(one, RawBatch) and one.partition in self._places]
        return [one for one in came if isinstance(one, Gap)], raws

    def count(self, raws: Sequence[RawBatch]) -> list[Partial]:
        """The partial of what a poll brought; and one for each batch that is passed over."""
        over = [raw for raw in raws if raw.values and raw.partition in self._skip]
        self._skip -= {raw.partition for raw in over}
        rest = [raw for raw in raws if not any(raw is one for one in over)]
        return [*map(self._pass_over, over), *([self.fold(rest)] if rest else [])]

    def read(self, timeout_s: float) -> list[Partial | Gap]:
        """One poll: its gaps, then one partial over all batches; nothing if nothing came."""
        gaps, raws = self.poll(timeout_s)
        return [*gaps, *self.count(raws)]

    def fold(self, raws: Sequence[RawBatch]) -> Partial:
        """The partial of some raw batches that follow each other in their partitions."""
        if self._plan is None:
            raise RuntimeError("the reader has no plan yet: call use() first")
        decoded = self._decoder.decode(raws)
        bounds = np.concatenate(([0], np.cumsum([len(raw.values) for raw in raws]))).astype(np.int64)
        times, future = _arrived(decoded.time_ms, raws, self._times.tolerance_ms)
        dated = (decoded.time_ms >= 0) & ~future
        pane = times // self._times.pane_ms * self._times.pane_ms
        late, marks = self._late(times, dated, pane, bounds, raws)
        profiles, samples = self._count(self._plan, decoded, pane, late)
        covers, dead = self._cover(raws, decoded, dated, bounds, late, marks)
        return Partial(covers, self._plan.fingerprints, profiles, dead, samples, int(future.sum()), _misfits(decoded, pane, late))

    def _late(
        self, times: Ints, dated: NDArray[np.bool_], pane: Ints, bounds: Ints, raws: Sequence[RawBatch]
    ) -> tuple[NDArray[np.bool_], list[int | None]]:
        """Which records are too late for their pane, and the mark of each partition behind its batch."""
        late, marks = np.zeros(len(times), bool), list[int | None]()
        wait = self._times.pane_ms + self._times.grace_ms + self._times.lateness_ms
        running: dict[str, int | None] = {}
        told = np.where(dated, times, -1)
        for raw, start, stop in zip(raws, bounds[:-1], bounds[1:], strict=True):
            mark = running.get(raw.partition, self._places[raw.partition].mark_ms)
            if dated[start:stop].any() or (mark is not None and stop > start):
                part = told[start:stop]
                seen = np.maximum.accumulate(part if mark is None else np.maximum(part, mark))
                late[start:stop] = (pane[start:stop] + wait <= seen) & (times[start:stop] >= 0)
                mark = int(seen[-1])
            running[raw.partition] = mark
            marks.append(mark)
        return late, marks

    def _count(
        self, plan: ReadingPlan, decoded: Decoded, pane: Ints, late: NDArray[np.bool_]
    ) -> tuple[list[tuple[ModelKey, int, Profile]], list[Sample]]:
        profiles: list[tuple[ModelKey, int, Profile]] = []
        samples: list[Sample] = []
        for batch in decoded.batches:
            groups = grouped(batch, decoded.model, pane, late)
            if not len(groups.rows):
                continue
            columns = batch.columns if groups.in_place else {n: taken(c, groups.rows) for n, c in batch.columns.items()}
            keys = [decoded.keys[m] for m in groups.model]
            places = [plan.position[key.model] for key in keys]
            folded = plan.folds[batch.schema].fold(columns, places, groups.bounds)
            profiles += zip(keys, groups.pane.tolist(), folded, strict=True)
            samples += samples_of(plan, keys, groups.bounds, columns)
        return merged(profiles), samples

    def _cover(
        self,
        raws: Sequence[RawBatch],
        decoded: Decoded,
        dated: NDArray[np.bool_],
        bounds: Ints,
        late: NDArray[np.bool_],
        marks: Sequence[int | None],
    ) -> tuple[tuple[Cover, ...], list[DeadLetter]]:
        accepted, rows = _accepted(decoded, late, bounds)
        rejected = np.array([reject.record for reject in decoded.rejects], np.int64)
        batch_of = np.searchsorted(bounds, rejected, side="right") - 1
        reasons: list[Counter[str]] = [Counter() for _ in raws]
        dead = []
        for b, reject in zip(batch_of.tolist(), decoded.rejects, strict=True):
            reasons[b][reject.reason] += 1
            dead.append(self._letter(raws[b], reject.record - int(bounds[b]), reject.reason))
        lost = late.copy()
        lost[rejected] = False
        lates, sure = _between(lost, bounds), _between(dated, bounds)
        covers: dict[str, Cover] = {}
        for b, (raw, mark) in enumerate(zip(raws, marks, strict=True)):
            outcomes = {"accepted": accepted[b], "too_late": lates[b], **reasons[b]}
            claim, read = self._places[raw.partition].claim, len(raw.values)
            arrival_ms = int(raw.arrival_ms[-1]) if read and raw.arrival_ms[-1] >= 0 else None
            cover = Cover(
                raw.partition, claim, raw.first, raw.next, mark, raw.at_end, read, outcomes, sure[b], rows[b],
                arrival_ms, raw.ended, raw.children,
            )  # fmt: skip
            covers[raw.partition] = _joined(covers.get(raw.partition), cover)
            self._places[raw.partition] = _Place(claim, mark)
        return tuple(covers.values()), dead

    def _pass_over(self, raw: RawBatch) -> Partial:
        """Dead letters of records that kill whoever looks into them: nobody knows when they were, or whose."""
        place, read = self._places[raw.partition], len(raw.values)
        cover = Cover(raw.partition, place.claim, raw.first, raw.next, place.mark_ms, False, read, {KILLS: read}, 0, 0)
        dead = [self._letter(raw, k, KILLS) for k in range(read)]
        return Partial((cover,), self._plan.fingerprints if self._plan else {}, [], dead)

    def _letter(self, raw: RawBatch, k: int, reason: str) -> DeadLetter:
        value = raw.values[k] or b""
        kept = value if self._keep_payload else None
        return DeadLetter(raw.partition, raw.positions[k], reason, len(value), sha256(value).hexdigest(), kept)


def _arrived(time_ms: Ints, raws: Sequence[RawBatch], tolerance_ms: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Event times with those too far ahead of arrival set to it, and which these were."""
    arrival = np.concatenate([raw.arrival_ms for raw in raws]) if raws else np.empty(0, np.int64)
    ahead: NDArray[np.bool_] = (time_ms >= 0) & (arrival >= 0) & (time_ms > arrival + tolerance_ms)
    return np.where(ahead, arrival, time_ms), ahead


def _joined(before: Cover | None, cover: Cover) -> Cover:
    if before is None:
        return cover
    outcomes = dict(Counter(before.outcomes) + Counter(cover.outcomes))
    sums = {name: getattr(before, name) + getattr(cover, name) for name in ("read", "dated", "rows")}
    arrival_ms = before.arrival_ms if cover.arrival_ms is None else cover.arrival_ms
    return cover._replace(first=before.first, outcomes=outcomes, arrival_ms=arrival_ms, **sums)


def _accepted(decoded: Decoded, late: NDArray[np.bool_], bounds: Ints) -> tuple[list[int], list[int]]:
    """Accepted records and their rows, a raw batch each, counted from what was decoded: the ledger compares them with the rest."""
    taken, rows = np.zeros(len(late), bool), np.zeros(len(bounds) - 1, np.int64)
    for batch in decoded.batches:
        kept = batch.record[~late[batch.record]]
        taken[kept] = True
        rows += np.diff(np.searchsorted(kept, bounds))
    return _between(taken, bounds), rows.tolist()


def _between(flags: NDArray[np.bool_], bounds: Ints) -> list[int]:
    """How many flags are set between neighbouring bounds."""
    return [int(np.count_nonzero(flags[start:stop])) for start, stop in pairwise(bounds.tolist())]


def _misfits(decoded: Decoded, pane: Ints, late: NDArray[np.bool_]) -> list[tuple[ModelKey, int, Misfits]]:
    """Records with a wrong number of columns that are not too late, by model and pane."""
    out: dict[tuple[ModelKey, int], Misfits] = {}
    for record, reason in decoded.rejects:
        if reason in (FEWER, MORE) and not late[record]:
            place = decoded.keys[decoded.model[record]], int(pane[record])
            out[place] = out.get(place, Misfits()).plus(Misfits(int(reason == FEWER), int(reason == MORE)))
    return [(key, pane_ms, misfits) for (key, pane_ms), misfits in out.items()]


__all__ = ["MOST_RECORDS", "Reader", "Times"]
