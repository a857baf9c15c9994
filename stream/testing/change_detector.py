"""The contract of a change detector: the laws of its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from detectors.changes.base import MAX_VALUES, Change
from detectors.statistics.catalogue import DISTANCES
from stream.testing.baselines import normal
from stream.testing.configuration import ConfigurationContract

NOISE = 0.05
"""Deviation of the mean of 400 rows, in baseline deviations."""


def first_alarm(change: Change, series: Sequence[float]) -> int | None:
    """Number of values at the first alarm; ``None`` without any."""
    return next((k for k in range(1, len(series) + 1) if change.alarms(series[:k])), None)


def steady(seed: int, length: int, mean: float = 0.0) -> list[float]:
    """A series that has sampling noise and nothing else."""
    series: list[float] = normal(seed, length, mean=mean, std=NOISE).tolist()
    return series


class ChangeDetectorContract(ConfigurationContract):
    """The laws of a change detector. A subclass overrides the fixture ``detector``::

        from stream.testing.change_detector import ChangeDetectorContract


        class TestStep(ChangeDetectorContract):
            @pytest.fixture
            def detector(self) -> Step:
                return Step(feature="x", height=0.5)

    The detector watches the mean of a feature ``x``, in standard deviations of the baseline. It
    must find each of ``steps`` within ten windows; a detector of something else than steps has
    steps that are large enough for it.
    """

    package: ClassVar = "detectors.changes"
    base: ClassVar = Change
    group: ClassVar = "driftline.change_detectors"
    steps: ClassVar[tuple[float, ...]] = (1.0, -1.0, 60.0)
    """Changes of the level of the series that the detector must find."""

    @pytest.fixture
    def detector(self) -> Change:
        """The detector under test, on feature ``x``."""
        raise NotImplementedError("override the fixture detector")

    @pytest.fixture
    def configuration(self, detector: Change) -> Change:
        return detector

    def test_its_key_names_feature_and_series(self, detector: Change) -> None:
        """Detectors of one series share its values in the state."""
        assert replace(detector, series="completeness").key == "x/completeness"

    def test_every_distance_can_be_the_series(self, detector: Change) -> None:
        data = msgspec.to_builtins(detector)
        for series in ("mean", "completeness", *DISTANCES):
            change = msgspec.convert({**data, "series": series}, type(detector))
            assert change.series == series
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**data, "series": "mode"}, type(detector))

    def test_no_series_is_no_change(self, detector: Change) -> None:
        assert not detector.alarms(())

    @pytest.mark.parametrize("value", [0.0, 1.0, -3_600.0])
    def test_a_constant_series_is_no_change(self, detector: Change, value: float) -> None:
        assert first_alarm(detector, [value] * 150) is None

    def test_sampling_noise_is_no_change(self, detector: Change) -> None:
        alarms = [first_alarm(detector, steady(seed, 150)) for seed in range(5)]
        assert alarms == [None] * 5

    def test_a_step_is_a_change_within_ten_windows_and_not_before_it(
        self, detector: Change
    ) -> None:
        for step in self.steps:
            alarm = first_alarm(detector, [*steady(1, 40), *steady(2, 12, mean=step)])
            assert alarm is not None, f"no alarm after a step of {step}"
            assert 40 < alarm <= 50, f"the alarm of a step of {step} at value 41"

    def test_only_an_alarm_at_the_last_value_counts(self, detector: Change) -> None:
        series = [*steady(1, 40), *steady(2, 12, mean=self.steps[0])]
        alarm = first_alarm(detector, series)
        assert alarm is not None
        assert detector.alarms(series[:alarm])
        assert not detector.alarms([*series[:alarm], series[alarm - 1]])

    def test_the_same_values_give_the_same_answers(self, detector: Change) -> None:
        series = [*steady(3, 30), *steady(4, 10, mean=self.steps[0] / 2)]
        answers = [detector.alarms(series[:k]) for k in range(len(series))]
        np.random.default_rng(0).normal(size=9)
        assert [detector.alarms(tuple(series[:k])) for k in range(len(series))] == answers

    def test_the_longest_series_is_replayed(self, detector: Change) -> None:
        assert not detector.alarms([0.25] * MAX_VALUES)

    def test_its_docstring_names_its_source(self, detector: Change) -> None:
        assert "Source:" in (type(detector).__doc__ or "")
