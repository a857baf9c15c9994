"""The series of change detectors: one value per window; an alarm restarts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import msgspec

from detectors.changes.base import MAX_VALUES, Change
from detectors.decisions.checks.change_check import NAME, ChangeCheck
from detectors.decisions.episodes import EpisodeState
from detectors.profiles.baseline import Baseline
from detectors.report import FeatureReport, Violation, WindowReport

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
        """Violations by the detectors that alarm at this window."""
        violations = []
        for change, feature, value in self._observe(model, features, baseline):
            series = (*state.series.get(change.key, ()), value)
            violation = _CHECK.of_series(change, feature, series)
            if violation is not None:
                violations.append(violation)
        return violations

    def extend(self, state: EpisodeState, report: WindowReport, baseline: Baseline) -> EpisodeState:
        """The state with the window's values; a series with an alarm restarts empty.

        Windows without a verdict, and revisions, add nothing.
        """
        if report.state not in ("ok", "violations") or report.revision:
            return state
        alarmed = {
            (violation.feature, violation.statistic)
            for violation in report.violations
            if violation.check == NAME
        }
        series = dict(state.series)
        for change, feature, value in self._observe(report.model, report.features, baseline):
            if (feature.name, change.series) in alarmed:
                series[change.key] = ()
            else:
                series[change.key] = (*state.series.get(change.key, ()), value)[-MAX_VALUES:]
        return msgspec.structs.replace(state, series=series)

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
