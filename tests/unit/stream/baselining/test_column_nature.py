"""Columns whose values do not return: how they are recognised, and what is judged of them."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET, msgpack

from detectors.decisions.rules import Rules
from detectors.decisions.rulings import rule
from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column, Texts, numbers_from_text
from detectors.profiles.fold import fold
from detectors.profiles.layout import Feature
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.findings import Allowance, findings
from detectors.statistics.evidence.tallies import TallyLayout
from detectors.statistics.measures import measure
from stream.baselining.build import BuiltBaseline, make

ROWS = 2_000
CHANCE = random.Random(11)
START = 1_767_225_600


def built(
    cell: Callable[[int], str | None], first: int = 0, **options: Sequence[str]
) -> BuiltBaseline:
    cells = [cell(k) for k in range(first, first + ROWS)]
    return make(lambda: [pa.table({"x": pa.array(cells, pa.string())})], **options)


def shuffled(k: int) -> str:
    return str(3 * 10**9 + k * 7_919 % 1_000_003)


def nearly_rising(k: int) -> str:
    return repr(k + CHANCE.random() * 3.0)


def day(k: int) -> str:
    return str(np.datetime64("2026-01-01") + k // 100)


RISING: list[tuple[Callable[[int], str | None], str]] = [
    (lambda k: str(START + 60 * k), "time"),
    (lambda k: str((START + 60 * k) * 1_000), "time"),
    (day, "time"),
    (lambda k: f"{day(k)}T10:00:0{k % 10}Z", "time"),
    (lambda k: str(5_000 + k), "identifier"),
    (shuffled, "identifier"),
    (lambda k: f"user {k}", "identifier"),
    (lambda k: str(1_000 * k), "sequence"),
    (lambda k: str(3 * (k // 2) + 100_000), "sequence"),
    (nearly_rising, "sequence"),
    (lambda k: None if k % 3 else str(50 * (ROWS * 9 - k)), "sequence"),
]


@pytest.mark.parametrize(("cell", "nature"), RISING)
def test_values_that_do_not_return_are_recognised(
    cell: Callable[[int], str | None], nature: str
) -> None:
    made = built(cell)
    feature = made.baseline.layout.features[0]
    assert feature.nature == nature
    assert feature.compared != feature.numeric  # texts by their format
    again = Baseline.decode(made.baseline.encode())
    assert again.layout == made.baseline.layout


@pytest.mark.parametrize(
    "cell",
    [
        lambda k: repr(CHANCE.gauss(0.0, 1.0)),
        lambda k: repr(k / 7.0),
        lambda k: str(k // 100),
        lambda k: str(CHANCE.randrange(90_000)),
        lambda k: str(START + k % 7),
        lambda k: f"user {k % 1_500}",
    ],
    ids=["noise", "sorted fractions", "sorted codes", "numbers", "few times", "users"],
)
def test_values_that_return_are_compared(cell: Callable[[int], str]) -> None:
    feature = built(cell).baseline.layout.features[0]
    assert feature.nature is UNSET
    assert feature.compared
    assert b"nature" not in msgpack.encode(feature.set_fields)


def test_numbers_near_the_largest_float_do_not_overflow() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = built(lambda k: repr((-1.0) ** k * 1.7e308 * CHANCE.random()))
    assert made.baseline.layout.features[0].compared


def test_the_users_choice_and_predictions_are_compared() -> None:
    assert built(lambda k: str(1_000 * k), numbers=["x"]).baseline.layout.features[0].compared
    assert built(lambda k: str(1_000 * k), predictions=["x"]).baseline.layout.features[0].compared


@pytest.mark.parametrize(("cell", "nature"), RISING)
def test_later_values_are_no_drift_and_missing_ones_are_found(
    cell: Callable[[int], str | None], nature: str
) -> None:
    baseline = built(cell).baseline
    window = [cell(k) for k in range(10 * ROWS, 10 * ROWS + 3_000)]
    assert judged(baseline, window) == (set(), False)
    assert "missing" in judged(baseline, [None] * 3_000)[0]


def judged(baseline: Baseline, cells: Sequence[str | None]) -> tuple[set[str], bool]:
    """The subjects of evidence that holds, and whether a distance is a violation."""
    text, feature = pa.array(cells, pa.string()), baseline.layout.features[0]
    profile = fold(baseline.layout, {"x": _column(text, feature)})
    tallies = TallyLayout(baseline)
    limits = Allowance(alpha=np.array([1e-4]), effect_limit=np.array([0.02]), windows=np.array([1]))
    sums = tallies.tallies(profile.counts)[None]
    found = findings(Pooled(tallies, sums, np.ones(1)), limits)[0]
    (ruling,) = rule(Rules(), {}, baseline.constraints, measure(baseline, profile), len(cells))
    holding = {subject for subject, finding in found.items() if finding.holds}
    return holding, ruling.verdict == "violation"


def _column(text: pa.StringArray, feature: Feature) -> Column:
    if feature.numeric:
        return numbers_from_text(text, feature.type == "Integral", feature.cell_reading)
    return Texts(text)


def test_dates_have_no_domain() -> None:
    def features(made: BuiltBaseline) -> list[dict[str, object]]:
        found: list[dict[str, object]] = made.constraints["features"]
        return found

    assert "string_constraints" not in features(built(day))[0]
    assert "string_constraints" in features(built(lambda k: "ab"[k % 2]))[0]
