"""Learns the seasons of models from the windows of the stream, and freezes them by a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from detectors.decisions.season_rows import is_season
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from detectors.report import WindowReport
from stream.aggregation.panes import NoProfiles, SeasonId, SeasonStore
from stream.aggregation.state import JobState, SeasonState

_SEPARATOR: Final = ","
"""Separates the values of a key in an id; no value has one."""


class SeasonPlan(msgspec.Struct, frozen=True):
    """The seasons that a model is to have, and how long a time they are learned from."""

    calendar: Calendar
    learn_ms: int


class SeasonLearning:
    """The seasons of the models with a plan: first their counts in a store, then a baseline's part.

    A window counts when it is reported first, if it shows what its season is like
    (:func:`detectors.decisions.season_rows.is_season`) and is later than those that counted before
    and overlaps none of them, or is the window of another variant at the same time.
    Once windows of ``learn_ms`` have counted, the next later one freezes the seasons: it and those
    that end after it are compared with them. They do not change any more.

    A baseline that has seasons of its own keeps them, and nothing is learned. Another baseline or
    calendar begins anew.
    """

    def __init__(
        self,
        plans: Mapping[str, SeasonPlan],
        store: SeasonStore | None,
        state: JobState,
        window_ms: int,
    ) -> None:
        self._plans = dict(plans)
        self._store = store or NoProfiles("seasons")
        self._state = state
        self._window_ms = window_ms
        self._plain: dict[str, Baseline] = {}

    def applied(self, baselines: Mapping[str, Baseline]) -> dict[str, Baseline]:
        """The baselines with the seasons that are frozen."""
        found = dict(baselines)
        for model in self._plans.keys() & found.keys():
            progress = self._progress(model, found[model])
            if progress is not None and progress.frozen_ms is not None:
                found[model] = self._frozen(model, found[model])
        return found

    def baseline(self, model: str, current: Baseline, end_ms: int) -> Baseline:
        """The baseline for a window that ends then: without the seasons frozen later than it."""
        progress = self._state.models[model].season if model in self._plain else None
        if progress is None or progress.frozen_ms is None or end_ms >= progress.frozen_ms:
            return current
        return self._plain[model]

    def freeze(self, model: str, current: Baseline, end_ms: int) -> Baseline | None:
        """The baseline with seasons, if the window that ends then is the first after enough."""
        progress = self._progress(model, current)
        if progress is None or progress.last_ms is None or end_ms <= progress.last_ms:
            return None
        if progress.learned_ms < self._plans[model].learn_ms:
            return None
        progress.frozen_ms = end_ms
        return self._frozen(model, current)

    def learn(self, report: WindowReport, current: Baseline, profile: Profile) -> None:
        """Count the window of a first report, if it shows what its season is like."""
        progress = self._progress(report.model, current)
        end_ms = report.end_ms
        if progress is None or progress.frozen_ms is not None or end_ms is None:
            return
        if not is_season(report.state, (each.check for each in report.violations)):
            return
        last_ms = progress.last_ms
        if last_ms is not None and last_ms != end_ms and end_ms < last_ms + self._window_ms:
            return
        if last_ms != end_ms:
            progress.learned_ms += self._window_ms
            progress.last_ms = end_ms
        self._add(report.model, self._plans[report.model].calendar.key(report.start_ms), profile)

    def clear(self, model: str) -> None:
        """Forget what was learned of a model, as its baseline is another one."""
        self._plain.pop(model, None)
        for id_ in [id_ for id_ in self._store.ids() if id_.model == model]:
            self._store.drop(id_)

    def _progress(self, model: str, current: Baseline) -> SeasonState | None:
        """The progress of a model; ``None`` for one that learns no seasons."""
        plan = self._plans.get(model)
        if plan is None or self._state.models[model].learning:
            return None
        if current.seasons is not None:
            return None
        state = self._state.models[model]
        if state.season is None or state.season.calendar != plan.calendar:
            if state.season is not None:
                self.clear(model)
            state.season = SeasonState(plan.calendar)
        return state.season

    def _add(self, model: str, key: Key, profile: Profile) -> None:
        id_ = SeasonId(model, profile.layout.fingerprint, _SEPARATOR.join(key))
        total = self._store.get(id_) or Profile(profile.layout)
        total.merge(profile)
        total.samples.clear()
        total.values.clear()
        self._store.put(id_, total)

    def _frozen(self, model: str, plain: Baseline) -> Baseline:
        layout = plain.layout.fingerprint
        ids = [id_ for id_ in self._store.ids() if id_.model == model and id_.layout == layout]
        found = {tuple(id_.season.split(_SEPARATOR)): self._store.get(id_) for id_ in ids}
        profiles = {key: profile.copy() for key, profile in found.items() if profile is not None}
        self._plain[model] = plain
        return plain.seasonal(Seasons(self._plans[model].calendar, profiles))
