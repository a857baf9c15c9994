"""Distances, change detectors and checks with one planted fault each, and the law that finds it.

``test_planted_faults.py`` runs this file: a law in :data:`FOUND_BY` that passes here finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.changes.base import Change
from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.decisions.checks.baseline_drift_check import BaselineDriftCheck
from detectors.decisions.checks.missing_column_check import MissingColumnCheck
from detectors.statistics.distances.base import Pair
from detectors.statistics.distances.psi import Psi
from detectors.violation import Violation
from stream.testing.change_detector import ChangeDetectorContract
from stream.testing.check import CheckContract
from stream.testing.distance import DistanceContract

FOUND_BY: dict[str, str] = {
    "TestScaled": "test_all_features_at_once_are_what_each_is_alone",
    "TestNegative": "test_it_is_never_negative_and_grows_with_the_drift",
    "TestConstantNoise": "test_noise_falls_with_the_rows_and_rises_as_alpha_falls",
    "TestChangedCounts": "test_it_depends_on_the_counts_alone_and_changes_none",
    "TestEveryAlarm": "test_only_an_alarm_at_the_last_value_counts",
    "TestRandomAlarm": "test_the_same_values_give_the_same_answers",
    "TestExposedValue": "test_its_sentences_hold_no_feature_value_unless_that_is_allowed",
    "TestAlwaysViolated": "test_a_window_like_the_baseline_breaks_nothing",
    "TestOtherName": "test_a_violation_is_complete_and_carries_the_name_of_its_check",
    "TestCheckWithoutDocstring": "test_its_docstring_says_what_it_reports",
}
"""Class of a planted fault -> the law that finds it."""


# Distances


class Scaled(Psi):
    """PSI as a share of that of all features."""

    def distances(self, pair: Pair) -> Floats:
        values = super().distances(pair)
        return values / max(float(np.nansum(values)), 1e-9) if len(values) else values


class Negative(Psi):
    """PSI with its sign turned."""

    def distances(self, pair: Pair) -> Floats:
        return -super().distances(pair)


class ConstantNoise(Psi):
    """PSI with a sampling law that knows nothing of rows."""

    def noise(self, pair: Pair, alpha: float) -> Floats:
        return pair.where_both(np.full(len(pair.layout.features), 0.1))


class ChangedCounts(Psi):
    """PSI that adds a row to the window."""

    def distances(self, pair: Pair) -> Floats:
        values = super().distances(pair)
        if len(pair.window.counts):
            pair.window.counts[0] += 1
        return values


class TestScaled(DistanceContract):
    @pytest.fixture
    def distance(self) -> Psi:
        return Scaled()


class TestNegative(DistanceContract):
    @pytest.fixture
    def distance(self) -> Psi:
        return Negative()


class TestConstantNoise(DistanceContract):
    @pytest.fixture
    def distance(self) -> Psi:
        return ConstantNoise()


class TestChangedCounts(DistanceContract):
    @pytest.fixture
    def distance(self) -> Psi:
        return ChangedCounts()


# Change detectors


class EveryAlarm(Change, frozen=True, tag="every_alarm"):
    """Alarms for each value far from the first ones."""

    def alarms(self, series: Sequence[float]) -> bool:
        return bool(series) and abs(series[-1] - float(np.mean(series[:10]))) > 0.4


class RandomAlarm(Change, frozen=True, tag="random_alarm"):
    """Alarms at random."""

    def alarms(self, series: Sequence[float]) -> bool:
        return bool(np.random.default_rng().random() < 0.5)


class TestEveryAlarm(ChangeDetectorContract):
    @pytest.fixture
    def detector(self) -> Change:
        return EveryAlarm(feature="x")


class TestRandomAlarm(ChangeDetectorContract):
    @pytest.fixture
    def detector(self) -> Change:
        return RandomAlarm(feature="x")


# Checks


class ExposedValue(BaselineDriftCheck):
    """A drift check that names the value that moved most."""

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        violation = super().of_feature(window, i, reported)
        if violation is None:
            return None
        labels = " ".join(window.layout.cell_labels(i))
        return msgspec.structs.replace(violation, summary=labels)


class AlwaysViolated(MissingColumnCheck):
    """A check that every feature violates."""

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        return self.violation(
            window, i, statistic="x", value=1.0, limit=0.0, description="x", summary="x"
        )


class OtherName(BaselineDriftCheck):
    """A drift check whose violations carry another name."""

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        violation = super().of_feature(window, i, reported)
        return violation and msgspec.structs.replace(violation, check="another")


class CheckWithoutDocstring(MissingColumnCheck):
    pass


class TestExposedValue(CheckContract):
    @pytest.fixture
    def check(self) -> Check:
        return ExposedValue("planted")


class TestAlwaysViolated(CheckContract):
    @pytest.fixture
    def check(self) -> Check:
        return AlwaysViolated("planted")


class TestOtherName(CheckContract):
    @pytest.fixture
    def check(self) -> Check:
        return OtherName("planted")


class TestCheckWithoutDocstring(CheckContract):
    @pytest.fixture
    def check(self) -> Check:
        return CheckWithoutDocstring("planted")
