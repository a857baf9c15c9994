"""Readers of the simulation: how they count a range, and the partials in flight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.binning import text_feature
from detectors.profiles.joint_levels import JointLevels
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.segmentation import Segmentation
from stream.event_time import JobSettings
from stream.events import (
    Assign,
    CoveredRange,
    DiscoveredPartition,
    ModelKey,
    Partial,
    Sample,
    WidthMismatches,
)
from stream.testing.baselines import window
from tests.simulation.logs import MODELS, TOO_NARROW, Logs, Record, too_late

LAYOUT = Layout(
    (
        Feature(
            name="x",
            type="Integral",
            kind="grid",
            edges=(0.5, 1.5, 2.5),
            cells=(0, 1, 2, 3),
            joint=JointLevels(cuts=(0.5, 1.5, 2.5)),
        ),
        replace(
            text_feature("shop", "feature", Counter(a=1, b=1)), joint=JointLevels(of_words=(0, 1))
        ),
    ),
    segmentations=(Segmentation("shop", (0, 1)),),
)
"""The value of a record, and its shop: the rows are divided by shop, and counted in pairs."""
SHOPS = ("a", "a", "b", "b")
"""The shop of each value."""
BASELINE = Baseline(LAYOUT, Profile(LAYOUT), Constraints(), ("x", "shop"))
ONE_OF_EACH = [
    window(LAYOUT, {"x": np.array([float(value)]), "shop": [shop]})
    for value, shop in enumerate(SHOPS)
]
"""The profile of one row of each value."""
FINGERPRINTS = dict.fromkeys(MODELS, LAYOUT.fingerprint)

Panes = dict[tuple[str, int], list[int]]
"""Records by value (the last are those of a wrong width), of the panes of models: model and
start."""


class Assigned(NamedTuple):
    """An assigned partition: its claim, the offset to read next, and the mark there."""

    claim: int
    next: int
    mark_ms: int | None


Counted = tuple[CoveredRange, Panes, list[Record]]
"""A range, its records by pane, and those that were accepted."""
Predict = Callable[[list[Record]], bytes]
"""Returns the encoded predictions of accepted records."""
SampleRows = Callable[[list[Record]], list[Sample]]
"""Returns the samples of accepted records, of models that learn their baseline."""


def count(
    records: list[Record], partition: str, assigned: Assigned, stop: int, settings: JobSettings
) -> Counted:
    """Count the range from the assigned offset to ``stop``.

    The result is a pure function of the range and the mark at its start.
    """
    kept: list[Record] = []
    outcomes = Counter[str]()
    lengths = Counter[str]()
    panes: Panes = {}
    by_pane: dict[int, tuple[int, int]] = {}
    mark_ms = assigned.mark_ms
    first_ms: int | None = None
    for record in records[assigned.next : stop]:
        if record.model is None:
            outcome = "undecodable"
        else:
            mark_ms = record.time_ms if mark_ms is None else max(mark_ms, record.time_ms)
            first_ms = mark_ms if first_ms is None else first_ms
            outcome = _outcome(record, mark_ms, settings)
            if not too_late(record, mark_ms, settings):
                pane_ms = record.time_ms // settings.every_ms * settings.every_ms
                panes.setdefault((record.model, pane_ms), [0] * 5)[record.value] += 1
                if outcome == "accepted":
                    kept.append(record)
                    accepted, length = by_pane.get(pane_ms, (0, 0))
                    by_pane[pane_ms] = accepted + 1, length + record.length
        outcomes[outcome] += 1
        lengths[outcome] += record.length
    read = stop - assigned.next
    cover = CoveredRange(
        partition=partition,
        claim=assigned.claim,
        first=assigned.next,
        next=stop,
        mark_ms=mark_ms,
        at_end=stop == len(records),
        read=read,
        outcomes=dict(outcomes),
        dated=read - outcomes["undecodable"],
        first_ms=first_ms,
        rows=outcomes["accepted"],
        bytes=dict(lengths),
        by_pane=by_pane,
    )
    return cover, panes, kept


def _outcome(record: Record, mark_ms: int, settings: JobSettings) -> str:
    if record.value == TOO_NARROW:
        return "too_few_columns"
    return "too_late" if too_late(record, mark_ms, settings) else "accepted"


def partial_of(covers: list[CoveredRange], panes: Panes, predictions: bytes = b"") -> Partial:
    return Partial(
        predictions=predictions,
        covers=tuple(covers),
        layouts=FINGERPRINTS,
        profiles=[
            (ModelKey(model, "v"), pane_ms, profile_of(counts[:TOO_NARROW]))
            for (model, pane_ms), counts in panes.items()
            if any(counts[:TOO_NARROW])
        ],
        width_mismatches=[
            (ModelKey(model, "v"), pane_ms, WidthMismatches(too_narrow=counts[TOO_NARROW]))
            for (model, pane_ms), counts in panes.items()
            if counts[TOO_NARROW]
        ],
    )


def profile_of(counts: list[int]) -> Profile:
    """Return a profile with these counts of the four values."""
    profile = Profile(LAYOUT)
    for one, count in zip(ONE_OF_EACH, counts, strict=True):
        for into, of in ((profile, one), (parts_of(profile), parts_of(one))):
            into.rows += count * of.rows
            into.counts += count * of.counts
            into.pairs += count * of.pairs
    return profile


def parts_of(profile: Profile) -> Profile:
    """The counts of its segments, which each profile of the simulation has."""
    assert profile.segments is not None
    return profile.segments


class Reader:
    """Reads assigned partitions and sends partials; ``in_flight`` are those not yet delivered.

    The reader ``holds`` a partition from its assignment until the partial that ends it is
    delivered. At the end of a partition it reports the children only if ``reports_children`` is
    true for it. ``predict`` makes the predictions of a partial, ``sample`` the rows of it that a
    baseline is learned from.
    """

    def __init__(
        self,
        logs: Logs,
        settings: JobSettings,
        random: Random,
        reports_children: dict[str, bool],
        predict: Predict = lambda records: b"",
        sample: SampleRows = lambda records: [],
    ) -> None:
        self._sample = sample
        self._predict = predict
        self._logs = logs
        self._settings = settings
        self._random = random
        self._reports_children = reports_children
        self._assigned: dict[str, Assigned] = {}
        self.holds: set[str] = set()
        self.in_flight: list[Partial] = []

    def assign(self, assign: Assign) -> None:
        assert isinstance(assign.next, int)
        self._assigned[assign.partition] = Assigned(assign.claim, assign.next, assign.mark_ms)
        self.holds.add(assign.partition)

    def delivered(self, partial: Partial) -> Partial:
        """Record that a partial arrives at an owner."""
        self.holds -= {cover.partition for cover in partial.covers if cover.ended}
        return partial

    def read(self, at_most: int = 12) -> None:
        """Count a range of one or two partitions, and send the partial."""
        names = list(self._assigned)
        covers = []
        panes = Panes()
        accepted: list[Record] = []
        for name in self._random.sample(names, min(len(names), self._random.choice((1, 1, 2)))):
            cover, counted, kept = self._read_partition(name, at_most)
            covers.append(cover)
            accepted += kept
            for pane, counts in counted.items():
                total = panes.setdefault(pane, [0] * 5)
                total[:] = [a + b for a, b in zip(total, counts, strict=True)]
        if covers:
            partial = partial_of(covers, panes, self._predict(accepted))
            self.in_flight.append(replace(partial, samples=self._sample(accepted)))

    def _read_partition(self, name: str, at_most: int) -> Counted:
        assigned = self._assigned[name]
        records = self._logs.records[name]
        stop = min(assigned.next + self._random.randint(0, at_most), len(records))
        cover, panes, kept = count(records, name, assigned, stop, self._settings)
        self._assigned[name] = Assigned(assigned.claim, stop, cover.mark_ms)
        if stop == len(records) and name in self._logs.children:
            cover = self._end_partition(name, cover)
        return cover, panes, kept

    def _end_partition(self, name: str, cover: CoveredRange) -> CoveredRange:
        """End a partition, or leave its end to a later poll, as a source may report it late."""
        if self._random.random() < 0.3:
            return replace(cover, at_end=False)
        del self._assigned[name]
        names = self._logs.children[name] if self._reports_children.get(name, True) else ()
        children = tuple(
            DiscoveredPartition(child, 0, self._logs.parents[child]) for child in names
        )
        return replace(cover, ended=True, children=children)
