"""A segment is compared with its own rows of the season."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Key
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from detectors.profiles.segments import segmentation_of
from stream.testing.baselines import Values, baseline, window
from tests.support.seasons import BY_HOUR, HOUR_MS, cycle_rows, joined
from tests.support.segments import judge, run

COUNTRIES = ("DE", "FR", "BR")
ROWS = 1_000


def part(rng: np.random.Generator, hour: int, moved: float = 0.0) -> dict[str, Values]:
    """Rows of one hour of a daily cycle; ``moved``: by how many deviations numbers of BR have."""
    rows = cycle_rows(rng, hour, ROWS)
    country = rng.choice(COUNTRIES, ROWS, p=[0.5, 0.3, 0.2])
    rows["number"] = np.asarray(rows["number"], np.float64) + moved * (country == "BR")
    return {**rows, "country": country.tolist()}


def divided(parts: dict[int, dict[str, Values]], most: int) -> Baseline:
    """The baseline of these hours, with seasons, and with segments of so many countries."""
    whole = baseline(joined(parts))
    layout = whole.layout
    if most:
        counts = whole.profile.counts
        layout = Layout(layout.features, (segmentation_of(layout, counts, "country", most),))
    seasons: dict[Key, Profile] = {(str(h),): window(layout, rows) for h, rows in parts.items()}
    counted = window(layout, joined(parts))
    base = Baseline(layout, counted, whole.constraints, whole.columns)
    return base.seasonal(Seasons(BY_HOUR, seasons))


@pytest.fixture(scope="module")
def parts() -> dict[int, dict[str, Values]]:
    rng = np.random.default_rng(SEED)
    return {hour: part(rng, hour) for hour in range(24)}


SEED = 2_218_843_391


def test_a_daily_cycle_is_no_drift_of_segments(parts: dict[int, dict[str, Values]]) -> None:
    """Three days of calm windows, against seasons of an hour that are known."""
    rng = np.random.default_rng(SEED + 1)
    results = run([part(rng, k % 24) for k in range(72)], divided(parts, 3), judge())
    assert [len(result.report.violations) for result in results] == [0] * 72
    assert not any(result.signals for result in results)
    assert all(len(result.report.segments) == 4 for result in results)


def test_a_drift_of_a_segment_within_the_range_of_the_day_is_found(
    parts: dict[int, dict[str, Values]],
) -> None:
    """At the lowest hour, numbers that are usual at the highest one."""
    rng = np.random.default_rng(SEED + 2)
    frames = [part(rng, hour, moved=1.0 if hour >= 18 else 0.0) for hour in range(21)]
    results = run(frames, divided(parts, 3), judge())
    assert not any(result.report.violations for result in results[:18])
    found = {each.key for result in results[18:] for each in result.report.violations}
    assert found == {"number where country = BR"}
    (opened,) = (signal for result in results for signal in result.signals)
    assert opened.kind == "opened"
    assert "compared with" in opened.reasons[0].summary


def test_a_segment_of_a_season_has_the_counts_of_its_rows(
    parts: dict[int, dict[str, Values]],
) -> None:
    base = divided(parts, 3)
    in_season = base.in_season(7 * HOUR_MS).by_segment
    assert in_season is not None
    assert base.by_segment is not None
    assert base.by_segment.seasons is not None
    names = np.array(parts[7]["country"])
    for name in COUNTRIES:
        own = {key: np.array(values)[names == name].tolist() for key, values in parts[7].items()}
        bin_ = base.layout.features[base.layout.index["country"]].vocabulary.index(name)
        place = in_season.layout.index[f"number where country = value #{bin_}"]
        first = in_season.layout.starts[place]
        alone = window(base.layout, own)
        i = base.layout.index["number"]
        counts = alone.counts[base.layout.starts[i] : base.layout.starts[i + 1]]
        for counted in (in_season.profile, base.by_segment.seasons.profiles[("7",)]):
            assert counted.counts[first : first + len(counts)].tolist() == counts.tolist()


@pytest.mark.parametrize("most", [0, 1])
def test_fewer_segments_leave_the_seasons(parts: dict[int, dict[str, Values]], most: int) -> None:
    wanted = [("country", most)] if most else []
    fewer, direct = divided(parts, 3).segmented(wanted), divided(parts, most)
    assert fewer.layout == direct.layout
    assert fewer.seasons is not None
    assert direct.seasons is not None
    assert fewer.seasons.profiles.keys() == direct.seasons.profiles.keys()
    for key, profile in direct.seasons.profiles.items():
        sides = fewer.seasons.profiles[key], profile
        assert sides[0].layout == sides[1].layout
        assert sides[0].counts.tolist() == sides[1].counts.tolist()
        if most:
            assert sides[0].segments is not None
            assert sides[1].segments is not None
            assert sides[0].segments.counts.tolist() == sides[1].segments.counts.tolist()


def test_seasons_of_segments_survive_the_file(parts: dict[int, dict[str, Values]]) -> None:
    base = divided(parts, 3)
    again = Baseline.decode(base.encode())
    assert again.by_segment is not None
    assert base.by_segment is not None
    assert again.by_segment.seasons is not None
    assert base.by_segment.seasons is not None
    assert again.by_segment.seasons.fingerprint == base.by_segment.seasons.fingerprint
