"""What every change detector promises; a new file in the folder is tested by itself."""

from __future__ import annotations

from functools import reduce
from operator import or_

import msgspec
import numpy as np
import pytest

from detectors.changes.base import MAX_VALUES, Change
from detectors.components import find
from detectors.statistics.catalogue import DISTANCES
from tests.support.baselines import normal

KINDS: dict[str, type[Change]] = find("detectors.changes", Change, "driftline.change_detectors")
ANY = reduce(or_, KINDS.values())
NOISE = 0.05
"""Deviation of the mean of 400 rows, in baseline deviations."""

every_kind = pytest.mark.parametrize("name", sorted(KINDS))


def first_alarm(change: Change, series: list[float]) -> int | None:
    """Number of values at the first alarm; ``None`` without any."""
    return next((k for k in range(1, len(series) + 1) if change.alarms(series[:k])), None)


def steady(seed: int, length: int, mean: float = 0.0) -> list[float]:
    values: list[float] = normal(seed, length, mean=mean, std=NOISE).tolist()
    return values


def test_both_detectors_are_found_by_their_file() -> None:
    assert {"adwin", "page_hinkley"} <= set(KINDS)


@every_kind
def test_the_files_name_is_the_type_in_the_configuration(name: str) -> None:
    change = msgspec.convert({"type": name, "feature": "x", "series": "completeness"}, ANY)
    assert type(change) is KINDS[name]
    assert msgspec.to_builtins(change)["type"] == name
    assert change.key == "x/completeness"


@every_kind
@pytest.mark.parametrize("series", ["mean", "completeness", *DISTANCES])
def test_every_distance_can_be_the_series(name: str, series: str) -> None:
    change = msgspec.convert({"type": name, "feature": "x", "series": series}, ANY)
    assert change.series == series


@every_kind
def test_no_series_is_no_change(name: str) -> None:
    assert not KINDS[name](feature="x").alarms(())


@every_kind
@pytest.mark.parametrize("value", [0.0, 1.0, -3_600.0])
def test_a_constant_series_is_no_change(name: str, value: float) -> None:
    assert first_alarm(KINDS[name](feature="x"), [value] * 150) is None


@every_kind
def test_sampling_noise_is_no_change(name: str) -> None:
    alarms = [first_alarm(KINDS[name](feature="x"), steady(seed, 150)) for seed in range(5)]
    assert alarms == [None] * 5


@every_kind
@pytest.mark.parametrize("step", [1.0, -1.0, 60.0])
def test_a_step_is_a_change_within_ten_windows_and_not_before_it(name: str, step: float) -> None:
    alarm = first_alarm(KINDS[name](feature="x"), [*steady(1, 40), *steady(2, 12, mean=step)])
    assert alarm is not None
    assert 40 < alarm <= 50


@every_kind
def test_only_an_alarm_at_the_last_value_counts(name: str) -> None:
    change, series = KINDS[name](feature="x"), [*steady(1, 40), *steady(2, 12, mean=1.0)]
    alarm = first_alarm(change, series)
    assert alarm is not None
    assert change.alarms(series[:alarm])
    assert not change.alarms([*series[:alarm], series[alarm - 1]])


@every_kind
def test_the_same_values_give_the_same_answers(name: str) -> None:
    change, series = KINDS[name](feature="x"), [*steady(3, 30), *steady(4, 10, mean=0.5)]
    answers = [change.alarms(series[:k]) for k in range(len(series))]
    np.random.default_rng(0).normal(size=9)
    assert [change.alarms(tuple(series[:k])) for k in range(len(series))] == answers


@every_kind
def test_the_longest_series_is_replayed(name: str) -> None:
    assert not KINDS[name](feature="x").alarms([0.25] * MAX_VALUES)


@every_kind
@pytest.mark.parametrize(
    "wrong", [{"series": "mode"}, {"delta": -1.0}, {"delta": "x"}, {"thresh": 1.0}]
)
def test_a_wrong_parameter_is_refused(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": name, "feature": "x", **wrong}, ANY)


@every_kind
def test_the_docstring_names_its_source(name: str) -> None:
    assert "Source:" in (KINDS[name].__doc__ or "")
