"""The likely cause of a drift: named where it clearly fits, and not guessed otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.diagnosis.unit_change import CONVERSIONS, Conversion
from detectors.violation import Cause
from stream.testing.baselines import Values, baseline, normal, texts, window
from tests.support.cause_faults import said_of

FAHRENHEIT = normal(1, 5_000, mean=55.0, std=18.0)
CELSIUS = (normal(3, 2_000, mean=55.0, std=18.0) - 32) * 5 / 9
MINUTES = np.random.default_rng(2).gamma(2.0, 8.0, 5_000)

BEFORE = texts({"a": 500, "b": 400, "c": 100})
WEIGHTS = normal(5, 5_000, mean=75.0, std=12.0)


def likely_cause(before: Values, after: Values) -> Cause:
    """The cause that a report names for a window of one feature."""
    known = baseline({"x": before})
    return said_of(known, window(known.layout, {"x": after})).cause


def cause(before: Values, after: Values) -> str:
    """The words of the cause; empty if it is unknown."""
    found = likely_cause(before, after)
    return "" if found.name == "unknown" else found.words


def name(before: Values, after: Values) -> str:
    return likely_cause(before, after).name


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (FAHRENHEIT, CELSIUS, "0.556 x - 17.8, as from Fahrenheit to Celsius"),
        (
            (FAHRENHEIT - 32) * 5 / 9,
            normal(3, 2_000, mean=55.0, std=18.0),
            "1.8 x + 32, as from Celsius to Fahrenheit",
        ),
        (MINUTES, MINUTES[:2_000] * 60, "60 x, as from minutes to seconds"),
        (MINUTES * 60, MINUTES[:2_000], "0.0167 x, as from seconds to minutes"),
        (MINUTES, MINUTES[:2_000] * 100, "100 x, as from shares to percent"),
        (MINUTES, MINUTES[:2_000] / 100, "0.01 x, as from percent to shares"),
        (MINUTES, -MINUTES[:2_000], "-1 x, with the sign changed"),
        (WEIGHTS, WEIGHTS[:2_000] * 2.20462, "2.2 x, as from kilograms to pounds"),
        (WEIGHTS, WEIGHTS[:500] + 273.15, "x + 273, as from Celsius to kelvin"),
    ],
)
def test_a_change_of_unit_is_named_with_its_formula(
    before: Floats, after: Floats, expected: str
) -> None:
    assert cause(before, after) == f"unit change: values are about {expected}"


@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_every_known_conversion_is_recognized(conversion: Conversion) -> None:
    factor, offset, example, most = conversion
    spread = np.random.default_rng(7).gamma(9.0, 8.0, 5_000)
    spread *= min(1.0, most / spread.max())
    found = likely_cause(spread, factor * spread[:2_000] + offset)
    assert (found.name, found.action) == ("unit_change", "repair_pipeline")
    assert example in found.words
    assert found.numbers["factor"] == pytest.approx(factor, rel=0.05)


def test_a_thousand_and_1024_are_told_apart_where_the_data_allow() -> None:
    narrow = normal(1, 20_000, mean=500.0, std=20.0)
    wide = np.random.default_rng(2).lognormal(3.0, 1.5, 20_000)
    assert cause(narrow, narrow[:2_000] * 1_024).endswith("1,024 x, as from kibi to units")
    both = cause(wide, wide[:1_000] * 1_000)
    assert "with a factor between" in both
    assert both.endswith("as from kilo to units, or as from kibi to units")


@pytest.mark.parametrize("after", [normal(4, 2_000, mean=0.1), normal(4, 2_000) ** 2])
def test_no_cause_is_named_if_none_fits(after: Floats) -> None:
    assert cause(normal(1, 5_000), after) == ""


@pytest.mark.parametrize("rows", [200, 1_000, 20_000])
@pytest.mark.parametrize("mean", [0.0, 50.0])
@pytest.mark.parametrize("factor", [0.45, 0.621, 1.609, 1.8, 2.2])
def test_a_wider_or_narrower_distribution_is_no_change_of_unit(
    rows: int, mean: float, factor: float
) -> None:
    after = normal(4, rows, mean=mean, std=10.0 * factor)
    found = likely_cause(normal(1, 20_000, mean=mean, std=10.0), after)
    assert found.name in ("variance_change", "unknown")
    if found.name == "variance_change":
        assert found.numbers["deviation_ratio"] == pytest.approx(factor, rel=0.2)


def delays(seed: int, rows: int, late: float, mean: float) -> Floats:
    """Delays in whole minutes: most flights leave a little early, some very late."""
    rng = np.random.default_rng(seed)
    early = rng.normal(-4.0, 4.0, rows)
    minutes = np.where(rng.random(rows) < late, rng.exponential(mean, rows), early)
    return np.rint(minutes).astype(np.float64)


def test_delays_of_bad_and_good_days_are_no_change_of_unit() -> None:
    usual = delays(1, 20_000, late=0.35, mean=40.0)
    days = [(late, mean) for late in (0.1, 0.2, 0.5, 0.6, 0.8) for mean in (25.0, 65.0, 90.0)]
    said = [name(usual, delays(2 + k, 900, *day)) for k, day in enumerate(days)]
    assert "unit_change" not in said


def test_shifts_and_spreads_at_random_are_hardly_ever_called_a_change_of_unit() -> None:
    rng = np.random.default_rng(8)
    before = rng.normal(60.0, 15.0, 5_000)
    said = []
    for _ in range(60):
        mean, std = 60.0 + 15.0 * rng.uniform(-2, 2), 15.0 * np.exp(rng.uniform(-0.9, 0.9))
        said.append(name(before, rng.normal(mean, std, 1_000)))
    ordinary = ("mean_shift", "variance_change", "scaling", "unknown")
    assert sum(found not in ordinary for found in said) <= 1


def test_whole_numbers_that_grow_stay_whole_and_are_not_converted_miles() -> None:
    counts = np.random.default_rng(3).poisson(200.0, 20_000).astype(float)
    grown = np.random.default_rng(4).poisson(200.0 * 1.609, 2_000).astype(float)
    assert name(counts, np.round(counts[:2_000] * 1.609)) != "unit_change"
    assert name(counts, grown) != "unit_change"
    assert "miles to kilometres" in cause(counts, counts[:2_000] * 1.609344)


def test_a_symmetric_distribution_on_the_other_side_of_zero_has_only_moved() -> None:
    found = likely_cause(normal(1, 20_000, mean=1.0), normal(2, 2_000, mean=-1.0))
    assert (found.name, found.action) == ("mean_shift", "look")
    assert found.words == "the mean is 2.1 deviations lower, or the sign has changed"


def test_a_share_of_zeros_does_not_hide_a_change_of_unit() -> None:
    shares = np.random.default_rng(6).beta(2.0, 5.0, 5_000)
    shares[::2] = 0.0
    assert "shares to percent" in cause(shares, shares[:1_000] * 100)


def test_a_single_absurd_value_does_not_hide_a_change_of_unit() -> None:
    assert "Fahrenheit to Celsius" in cause(FAHRENHEIT, np.append(CELSIUS, 1e9))


def test_a_feature_that_no_longer_varies_is_frozen() -> None:
    assert cause(normal(1, 5_000), [0.25] * 1_000) == "frozen: a single value"


def test_a_feature_that_never_varied_is_not_frozen() -> None:
    assert cause([3.0] * 500, [3.0] * 500) == ""


def test_a_dry_day_is_not_frozen() -> None:
    """Most of the baseline has this value, so a window may well have nothing else."""
    dry_hours = likely_cause([0.0] * 900 + [1.5, 2.5] * 50, [0.0] * 1_000)
    assert dry_hours.name == "vanished_value"
    dry = texts({"dry": 900, "rain": 100}), texts({"dry": 1_000})
    assert cause(*dry) == "a known value has vanished"


def test_a_word_that_is_written_in_every_row_is_frozen_and_not_vanished() -> None:
    assert cause(BEFORE, texts({"b": 1_000})) == "frozen: a single value"


@pytest.mark.parametrize("on", [400, 490, 510, 700])
def test_a_flag_that_sticks_is_frozen_whichever_of_its_values_is_the_more_frequent(on: int) -> None:
    before = texts({"on": on, "off": 1_000 - on})
    assert cause(before, texts({"on": 1_000})) == "frozen: a single value"
    assert cause(before, texts({"off": 1_000})) == "frozen: a single value"


def test_rows_that_are_all_new_are_new_and_not_frozen() -> None:
    """Words outside of the vocabulary share bins: that they are one word is not certain."""
    assert cause(BEFORE, texts({"z": 1_000})) == "new category values rose from 0 % to 100 %"


def test_a_rare_value_that_a_small_window_lacks_has_not_vanished() -> None:
    before = texts({"a": 4_800, "b": 4_900, "c": 300})
    assert name(before, texts({"a": 48, "b": 52})) == "unknown"
    assert name(before, texts({"a": 80, "b": 20})) == "mix_shift"


def test_new_values_that_the_baseline_leads_one_to_expect_are_not_the_cause() -> None:
    """A quarter of the rows are values that occur once, so a quarter of new values is usual."""
    before = texts({"a": 1_700, "b": 1_000, **{f"once {k}": 1 for k in range(900)}})
    usual = {f"new {k}": 1 for k in range(245)}
    assert name(before, texts({"a": 105, "b": 650, **usual})) == "mix_shift"
    new = {f"new {k}": 1 for k in range(600)}
    assert cause(before, texts({"a": 250, "b": 150, **new})) == (
        "new category values rose from 25 % to 60 %"
    )


def test_a_few_new_values_by_chance_are_not_the_cause() -> None:
    before = texts({**{f"w{k}": 12 for k in range(1_000)}, **{f"x{k}": 1 for k in range(500)}})
    after = texts({"w0": 94, **{f"x{k}": 1 for k in range(6)}})
    assert name(before, after) != "new_value"


def test_new_category_values_are_named_with_their_shares() -> None:
    after = texts({"a": 450, "b": 350, "c": 100, "z": 100})
    assert cause(BEFORE, after) == "new category values rose from 0 % to 10 %"


def test_a_vanished_value_is_named_without_the_value() -> None:
    assert cause(BEFORE, texts({"a": 600, "b": 400})) == "a known value has vanished"


def test_known_values_that_exchange_their_shares_are_another_mix() -> None:
    found = likely_cause(BEFORE, texts({"a": 300, "b": 600, "c": 100}))
    assert (found.name, found.action) == ("mix_shift", "retrain")
    assert found.numbers["moved_share"] == pytest.approx(0.2)


def test_a_growth_that_is_near_a_known_conversion_is_no_change_of_unit() -> None:
    rng = np.random.default_rng(9)
    before = 10.0 * rng.weibull(1.5, 20_000)
    found = likely_cause(before, 10.0 / 1.6 * rng.weibull(1.5, 1_000))
    assert (found.name, found.action) == ("scaling", "look")
    assert "as from kilometres to miles" in found.words


@pytest.mark.parametrize("by", [-2, -1, 1, 3])
def test_codes_that_all_moved_by_one_number_have_moved(by: int) -> None:
    before = np.random.default_rng(3).poisson(9.0, 20_000).astype(float)
    after = np.random.default_rng(4).poisson(9.0, 1_000).astype(float) + by
    found = likely_cause(before, after)
    assert (found.name, found.action) == ("mean_shift", "look")
    assert found.words.startswith(f"all codes are {abs(by)} {'higher' if by > 0 else 'lower'}")
    assert found.numbers["shift_deviations"] == pytest.approx(by / 3.0, rel=0.05)


def test_a_value_that_replaces_only_larger_ones_is_no_default() -> None:
    rng = np.random.default_rng(6)
    before, after = rng.normal(60, 15, 20_000), rng.normal(60, 15, 4_000)
    some = rng.random(4_000) < 0.4
    assert name(before, np.where(some, np.minimum(after, 75.0), after)) != "default_value"
    # The same share of rows, whatever they were.
    assert name(before, np.where(some & (rng.random(4_000) < 0.16), 75.0, after)) == "default_value"
