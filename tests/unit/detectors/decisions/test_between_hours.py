"""Windows within an hour: on the line between two hours, on the steps of the hours, or between."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.decisions.early_look import look, process_of
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from detectors.report import WindowReport
from detectors.statistics.evidence.early_starts import EarlyStarts
from detectors.statistics.evidence.horizons import (
    HORIZONS,
    History,
    PastWindow,
    factor_of_windows,
)
from detectors.statistics.evidence.seasonal import SeasonalTallies, seasonal_tallies
from detectors.statistics.evidence.tallies import tally_layout
from stream.commands.judged_again import judged_again
from stream.testing.baselines import baseline, window
from tests.support.seasons import BY_HOUR, HOUR_MS, joined

MINUTE_MS = HOUR_MS // 60
ROWS = 12_000
"""The rows of each hour of the baseline."""
STEP = 0.4
"""What the mean rises by from hour to hour, in deviations."""


def rising(hours: int = 3) -> Baseline:
    """Numbers whose mean is ``STEP * (hour - 1)``, in seasons by the hour."""
    rng = np.random.default_rng(401)
    parts = {h: {"x": rng.normal(STEP * (h - 1), 1.0, ROWS)} for h in range(hours)}
    whole = baseline(joined(parts))
    profiles: dict[Key, Profile] = {
        (str(hour),): window(whole.layout, part) for hour, part in parts.items()
    }
    return whole.seasonal(Seasons(BY_HOUR, profiles))


KNOWN = rising()
FULL_HOUR_MS = HOUR_MS
"""A window of a minute that begins here lies on the edge of the hours 0 and 1."""


def tallies() -> SeasonalTallies:
    found = seasonal_tallies(KNOWN)
    assert found is not None
    return found


def rows_of(mean: float, rows: int, seed: int) -> Floats:
    """Rows of a mean; at half a step, half of them are of each of the hours beside it."""
    rng = np.random.default_rng(seed)
    return rng.normal(mean, 1.0, rows)


def report(values: Floats, start_ms: int = FULL_HOUR_MS, minutes: int = 1) -> WindowReport:
    span = WindowSpan(
        model="m", variant="v", start_ms=start_ms, end_ms=start_ms + minutes * MINUTE_MS
    )
    counts = window(KNOWN.layout, {"x": values})
    return Judge("job", Rules(mode="evidence"), expose_values=True).report(
        span, KNOWN, counts, EpisodeState()
    )


@pytest.mark.parametrize(
    ("minute", "weights"),
    [
        (60, {0: 0.5, 1: 0.5}),
        (75, {0: 0.25, 1: 0.75}),
        (90, {1: 1.0}),
        (105, {1: 0.75, 2: 0.25}),
        (120, {1: 0.5, 2: 0.5}),
    ],
)
def test_a_window_within_an_hour_has_a_part_in_the_hour_beside_its_own(
    minute: int, weights: dict[int, float]
) -> None:
    layout, length_ms = tally_layout(KNOWN), 2 * MINUTE_MS
    reference = tallies().at(minute * MINUTE_MS - MINUTE_MS, length_ms)
    assert KNOWN.seasons is not None
    worth = ROWS / max(weights.values())
    expected = sum(
        weight * worth / ROWS * layout.tallies(KNOWN.seasons.profiles[(str(hour),)].counts)
        for hour, weight in weights.items()
    )
    np.testing.assert_allclose(reference.tallies[0], expected, rtol=1e-12)
    assert layout.named(reference.tallies, "rows")[0, 0] == pytest.approx(worth)


def test_windows_of_a_whole_hour_are_compared_with_that_hour_alone() -> None:
    seasonal = tallies()
    assert not seasonal.differs([hour * HOUR_MS for hour in range(3)], HOUR_MS)
    assert seasonal.at(HOUR_MS, HOUR_MS) is seasonal.at(HOUR_MS)
    assert seasonal.differs([HOUR_MS], MINUTE_MS)


def test_windows_together_have_the_mean_of_their_parts() -> None:
    layout, seasonal = tally_layout(KNOWN), tallies()
    half_ms, ones = HOUR_MS // 2, np.full(1, 100)
    past = [(HOUR_MS + half_ms, ones), (HOUR_MS, ones)]
    reference = seasonal.over(2 * HOUR_MS, ones, past, HORIZONS[:3], half_ms)
    # By the middles, a quarter of an hour from each edge: of hours 1 and 2, of 1 and 2, of 0 and 1.
    weights = [(0.0, 0.25, 0.75), (0.0, 0.5, 0.5), (0.25 / 3, 1.75 / 3, 1.0 / 3)]
    assert KNOWN.seasons is not None
    shares = [layout.tallies(each.counts) / ROWS for each in KNOWN.seasons.profiles.values()]
    for row, parts in zip(reference.tallies, weights, strict=True):
        worth = ROWS / max(parts)
        expected = sum(part * share for part, share in zip(parts, shares, strict=True))
        np.testing.assert_allclose(row, expected * worth, rtol=1e-9)


@pytest.mark.parametrize("mean", [-STEP / 2, 0.0, -STEP / 4])
def test_what_lies_on_the_line_on_the_step_or_between_them_is_quiet(mean: float) -> None:
    """At the full hour the line is at half a step below hour 1, and the step is at hour 1."""
    assert not report(rows_of(mean, 5_000, 402)).violations


@pytest.mark.parametrize("mean", [-STEP / 2 - 0.25, 0.25])
def test_what_lies_beyond_both_is_found_with_the_weaker_numbers(mean: float) -> None:
    found = report(rows_of(mean, 5_000, 403)).violations
    assert [each.feature for each in found] == ["x"]
    assert found[0].finding is not None
    # A gap of a quarter of a deviation from the nearer one is an effect of 0.25 / sqrt(8).
    assert found[0].finding.effect == pytest.approx(0.25 / np.sqrt(8.0), rel=0.25)


def test_in_the_middle_of_an_hour_both_are_the_same() -> None:
    middle_ms = HOUR_MS + HOUR_MS // 2 - MINUTE_MS // 2
    assert report(rows_of(-STEP / 2, 5_000, 404), middle_ms).violations
    assert not report(rows_of(0.0, 5_000, 404), middle_ms).violations


@pytest.mark.parametrize("is_step", [False, True])
def test_neither_a_line_nor_steps_are_dependence_of_rows(*, is_step: bool) -> None:
    """A rise over three hours in windows of a quarter of an hour."""
    layout, seasonal = tally_layout(KNOWN), tallies()
    windows = []
    for quarter in range(12):
        at = quarter // 4 if is_step else (quarter + 0.5) / 4.0 - 0.5
        counts = window(KNOWN.layout, {"x": rows_of(STEP * (at - 1), 4_000, 700 + quarter)})
        start_ms = quarter * HOUR_MS // 4
        windows.append(PastWindow(start_ms, start_ms + HOUR_MS // 4, layout.tallies(counts.counts)))
    assert factor_of_windows(layout, windows[2:-2], HOUR_MS, None, None)[0] > 1.0
    assert factor_of_windows(layout, windows[2:-2], HOUR_MS, seasonal, None)[0] == 1.0


@pytest.mark.parametrize("is_step", [False, True])
def test_a_rise_within_the_hours_is_quiet_over_all_horizons(*, is_step: bool) -> None:
    """Half an hour of windows of a minute before and after a full hour, on the line or the step."""
    judge, layout, history = Judge("job", Rules(mode="evidence")), tally_layout(KNOWN), History()
    for minute in range(90, 150):
        start_ms = minute * MINUTE_MS
        at = minute // 60 if is_step else (minute + 0.5) / 60.0 - 0.5
        counts = window(KNOWN.layout, {"x": rows_of(STEP * (at - 1), 2_000, 405 + minute)})
        span = WindowSpan(model="m", variant="v", start_ms=start_ms, end_ms=start_ms + MINUTE_MS)
        found = judge.report(span, KNOWN, counts, EpisodeState(), history.before(start_ms))
        assert not found.violations
        history.add(PastWindow(start_ms, start_ms + MINUTE_MS, layout.tallies(counts.counts)))


def test_a_report_of_windows_within_an_hour_can_be_judged_again_from_itself() -> None:
    judge = Judge("job", Rules(mode="evidence"), expose_values=True)
    layout, history, pooled = tally_layout(KNOWN), History(), 0
    for minute in range(60, 75):
        start_ms = minute * MINUTE_MS
        counts = window(KNOWN.layout, {"x": rows_of(0.25, 300, 600 + minute)})
        span = WindowSpan(model="m", variant="v", start_ms=start_ms, end_ms=start_ms + MINUTE_MS)
        found = judge.report(span, KNOWN, counts, EpisodeState(), history.before(start_ms))
        history.add(PastWindow(start_ms, start_ms + MINUTE_MS, layout.tallies(counts.counts)))
        pooled += bool(found.pooled)
        again = judged_again(found, KNOWN)
        assert len(again.violations) == len(found.violations)
        for one, other in zip(again.violations, found.violations, strict=True):
            assert one.finding is not None
            assert other.finding is not None
            assert one.finding.test == other.finding.test
            assert one.finding.p_value == pytest.approx(other.finding.p_value, rel=1e-9)
            assert one.finding.effect == pytest.approx(other.finding.effect, rel=1e-9)
    assert pooled


@pytest.mark.parametrize(
    ("mean", "is_found"), [(-STEP / 2, False), (0.0, False), (0.3, True), (-STEP / 2 - 0.3, True)]
)
def test_an_open_window_is_looked_into_beside_both(mean: float, *, is_found: bool) -> None:
    process = process_of(KNOWN, np.ones(1), FULL_HOUR_MS, MINUTE_MS)
    rows = tally_layout(KNOWN).tallies(
        window(KNOWN.layout, {"x": rows_of(mean, 5_000, 406)}).counts
    )
    starts = EarlyStarts(FULL_HOUR_MS, len(rows), 60)
    assert bool(look(process, rows, starts, np.full(1, 1e-6), np.full(1, 0.02))) == is_found


def test_in_the_middle_of_an_hour_an_open_window_has_the_e_values_that_are_kept() -> None:
    middle_ms = HOUR_MS + HOUR_MS // 2 - MINUTE_MS // 2
    process = process_of(KNOWN, np.ones(1), middle_ms, MINUTE_MS)
    assert process is process_of(KNOWN, np.ones(1), middle_ms)
