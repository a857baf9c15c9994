"""Faults that are planted into the counts of segments and pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.profiles.profile import Profile
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.closing import WindowCloser
from stream.aggregation.histories import MemoryHistories, segments_key
from stream.aggregation.panes import PaneId
from stream.events import ModelKey
from tests.simulation.owner import Committed, Owner
from tests.simulation.reading import parts_of

Patch = pytest.MonkeyPatch


def _merges_with(change: Callable[[Profile, Profile], None]) -> Callable[[Patch], None]:
    """Change the counts of a partial that are added to a pane with events, which it is given."""
    merge = Aggregator._merge

    def merge_wrongly(self: Aggregator, key: ModelKey, pane_ms: int, profile: Profile) -> None:
        pane = PaneId(key.model, key.variant, profile.layout.fingerprint, pane_ms)
        total = self.panes.get(pane)
        if total is not None:
            profile = profile.copy()
            change(profile, total)
        merge(self, key, pane_ms, profile)

    return lambda patch: patch.setattr(Aggregator, "_merge", merge_wrongly)


def _without_segments(profile: Profile, total: Profile) -> None:
    profile.segments = Profile(parts_of(profile).layout)


def _pairs_of_the_last(profile: Profile, total: Profile) -> None:
    total.pairs[:] = 0


def windows_of_one_pane(patch: Patch) -> None:
    total = WindowCloser.sum

    def sum_wrongly(self: WindowCloser, key: ModelKey, end_ms: int) -> Profile:
        found = total(self, key, end_ms)
        newest = self.profile(key, end_ms - self._settings.every_ms)
        if newest is not None:
            found.pairs = newest.pairs.copy()
        return found

    patch.setattr(WindowCloser, "sum", sum_wrongly)


def forgets_histories_of_segments(patch: Patch) -> None:
    restore = Owner.restore_histories

    def restore_those_of_all_rows(self: Owner, committed: Committed) -> MemoryHistories:
        histories = restore(self, committed)
        suffix = segments_key(ModelKey("", "")).variant
        known = histories.keys()
        for key in [key for key in known if key.variant.endswith(suffix)]:
            del histories._histories[key]
        return histories

    patch.setattr(Owner, "restore_histories", restore_those_of_all_rows)


OF_PARTS: dict[str, Callable[[Patch], None]] = {
    "the segments of a pane are those of its first partial": _merges_with(_without_segments),
    "the pairs of a pane are those of its last partial": _merges_with(_pairs_of_the_last),
    "the pairs of a window are those of its newest pane": windows_of_one_pane,
    "a restart forgets the histories of segments": forgets_histories_of_segments,
}
