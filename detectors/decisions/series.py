"""The series of change detectors: one value per window, until a change is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import msgspec

from detectors.changes.base import MAX_VALUES, Change
from detectors.changes.level_change import LevelChange, level_change
from detectors.components import type_of
from detectors.decisions.checks.change_check import NAME, ChangeCheck
from detectors.decisions.episode_state import EpisodeState
from detectors.profiles.baseline import Baseline
from detectors.report import FeatureReport, WindowReport
from detectors.violation import Violation

_CHECK = ChangeCheck(NAME)


class Observation(NamedTuple):
    """The newest value of a change detector's series, and the feature that it was taken from."""

    change: Change
    feature: FeatureReport
    value: float


class SeriesWatch:
    """The change detectors of a job, by model. Holds no state: series are in the episode state."""

    def __init__(self, changes: Mapping[str, Sequence[Change]]) -> None:
        self._changes = changes

    def detectors(self, model: str) -> Sequence[Change]:
        """The change detectors of a model."""
        return self._changes.get(model, ())

    def violations(
        self,
        model: str,
        features: Sequence[FeatureReport],
        baseline: Baseline,
        state: EpisodeState,
    ) -> list[Violation]:
        """Violations of the series that change at this window, or changed and have not returned.

        One for each series, however many detectors watch it.
        """
        violations: dict[str, Violation] = {}
        for change, feature, value in self._observe(model, features, baseline):
            found = _change_at(change, state, value)
            if found is not None and found.holds(value) and change.key not in violations:
                violations[change.key] = _CHECK.of_change(change, feature, found, value)
        return list(violations.values())

    def extend(self, state: EpisodeState, report: WindowReport, baseline: Baseline) -> EpisodeState:
        """The state with the window's values.

        While a change lasts its series has no values; when it ends the series starts anew. Windows
        without a verdict, and revisions, add nothing.
        """
        if report.state not in ("ok", "violations") or report.revision:
            return state
        alarmed = {
            (violation.feature, violation.statistic)
            for violation in report.violations
            if violation.check == NAME
        }
        series, changed = dict(state.series), dict(state.changed)
        for change, _, value in self._observe(report.model, report.features, baseline):
            key = change.key
            if key in state.changed:
                _set(changed, key, state.changed[key].with_value(value))
                continue
            if key in changed:
                continue
            series[key] = (*state.series.get(key, ()), value)[-MAX_VALUES:]
            if (change.feature, change.series) in alarmed:
                found = _change_at(change, state, value)
                if found is not None:
                    series[key], changed[key] = (), found
        return msgspec.structs.replace(state, series=series, changed=changed)

    def _observe(
        self, model: str, features: Sequence[FeatureReport], baseline: Baseline
    ) -> list[Observation]:
        """The values of this window; detectors without a value are left out."""
        by_name = {
            feature.name: feature for feature in features if feature.verdict != "insufficient"
        }
        observations = []
        for change in self._changes.get(model, ()):
            feature = by_name.get(change.feature)
            value = None if feature is None else change.value(feature, baseline)
            if feature is not None and value is not None and isfinite(value):
                observations.append(Observation(change, feature, value))
        return observations


def _change_at(change: Change, state: EpisodeState, value: float) -> LevelChange | None:
    """The change that lasts, else the one that the detector finds at this value."""
    if change.key in state.changed:
        return state.changed[change.key]
    series = (*state.series.get(change.key, ()), value)
    return level_change(type_of(change), series) if change.alarms(series) else None


def _set(changed: dict[str, LevelChange], key: str, change: LevelChange | None) -> None:
    if change is None:
        changed.pop(key, None)
    else:
        changed[key] = change
