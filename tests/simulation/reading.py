"""Readers of the small world: what they make of a range, and what of it is still under way."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np

from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.layout import HEAD, INTEGRAL, Feature, Layout
from detectors.profiles.profile import Profile
from stream.event_time import JobSettings
from stream.events import (
    Assign,
    CoveredRange,
    DiscoveredPartition,
    ModelKey,
    Partial,
    WidthMismatches,
)
from tests.simulation.logs import MISFIT, MODELS, Logs, Record, too_late

LAYOUT = Layout((Feature("x", "Integral", "grid", edges=(0.5, 1.5, 2.5), cells=(0, 1, 2, 3)),))
BASELINE = Baseline(LAYOUT, Profile(LAYOUT), Constraints(), ("x",))
FINGERPRINTS = dict.fromkeys(MODELS, LAYOUT.fingerprint)

Panes = dict[tuple[str, int], list[int]]


def count(
    log: list[Record],
    first: int,
    stop: int,
    mark: int | None,
    settings: JobSettings,
    claim: int,
    name: str,
) -> tuple[CoveredRange, Panes]:
    """What a reader makes of a range: a pure function of the range and the mark. A pane holds its
    four values and its misfits."""
    outcomes, lengths = Counter[str](), Counter[str]()
    panes: Panes = {}
    for record in log[first:stop]:
        if record.model is None:
            outcomes["undecodable"] += 1
            lengths["undecodable"] += record.length
            continue
        mark = record.time_ms if mark is None else max(mark, record.time_ms)
        late = too_late(record, mark, settings)
        outcome = (
            "too_few_columns" if record.value == MISFIT else "too_late" if late else "accepted"
        )
        outcomes[outcome] += 1
        lengths[outcome] += record.length
        if not late:
            pane = record.time_ms // settings.every_ms * settings.every_ms
            panes.setdefault((record.model, pane), [0] * 5)[record.value] += 1
    dated = stop - first - outcomes["undecodable"]
    at_end, rows = stop == len(log), outcomes["accepted"]
    cover = CoveredRange(
        name,
        claim,
        first,
        stop,
        mark,
        at_end,
        stop - first,
        dict(outcomes),
        dated,
        rows,
        bytes=dict(lengths),
    )
    return cover, panes


def profile_of(values: list[int]) -> Profile:
    """A profile with so many of each of the four values."""
    profile = Profile(LAYOUT)
    profile.rows = sum(values)
    profile.counts[HEAD : HEAD + 4] = np.array(values)
    profile.counts[INTEGRAL] = profile.rows
    return profile


class Reader:
    """Reads partitions under claims and makes partials of them; ``flying`` is what it has sent and
    nobody has taken.

    It ``holds`` a partition from its assignment until somebody has taken the partial that ends it.
    """

    def __init__(
        self, logs: Logs, settings: JobSettings, random: Random, tells: dict[str, bool]
    ) -> None:
        self._logs, self._settings, self._random, self._tells = logs, settings, random, tells
        self.partitions: dict[str, tuple[int, int, int | None]] = {}
        self.holds: set[str] = set()
        self.flying: list[Partial] = []

    def assign(self, one: Assign) -> None:
        """Read a partition from there on."""
        assert isinstance(one.next, int)
        self.partitions[one.partition] = one.claim, one.next, one.mark_ms
        self.holds.add(one.partition)

    def taken(self, partial: Partial) -> Partial:
        """A partial of it arrives."""
        self.holds -= {cover.partition for cover in partial.covers if cover.ended}
        return partial

    def read(self, most: int = 12) -> None:
        """Make a partial of one or two partitions and send it off."""
        names = list(self.partitions)
        covers, together = [], dict[tuple[str, int], list[int]]()
        for name in self._random.sample(names, min(len(names), self._random.choice((1, 1, 2)))):
            cover, panes = self._range(name, most)
            covers.append(cover)
            for place, values in panes.items():
                kept = together.setdefault(place, [0] * 5)
                kept[:] = [a + b for a, b in zip(kept, values, strict=True)]
        if covers:
            profiles = [
                (ModelKey(m, "v"), pane, profile_of(v[:MISFIT]))
                for (m, pane), v in together.items()
                if any(v[:MISFIT])
            ]
            odd = [
                (ModelKey(m, "v"), pane, WidthMismatches(too_narrow=v[MISFIT]))
                for (m, pane), v in together.items()
                if v[MISFIT]
            ]
            self.flying.append(
                Partial(tuple(covers), FINGERPRINTS, profiles, [], width_mismatches=odd)
            )

    def _range(self, name: str, most: int) -> tuple[CoveredRange, Panes]:
        claim, first, mark = self.partitions[name]
        log = self._logs.records[name]
        stop = min(first + self._random.randint(0, most), len(log))
        cover, panes = count(log, first, stop, mark, self._settings, claim, name)
        self.partitions[name] = claim, stop, cover.mark_ms
        if stop == len(log) and name in self._logs.children:
            if self._random.random() < 0.3:
                return cover._replace(
                    at_end=False
                ), panes  # that it is closed shows at the next look
            del self.partitions[name]
            told = self._logs.children[name] if self._tells.get(name, True) else ()
            cover = cover._replace(
                ended=True,
                children=tuple(
                    DiscoveredPartition(child, 0, self._logs.parents[child]) for child in told
                ),
            )
        return cover, panes
