"""A drift in a part of the rows is found, named once, and told by whether all rows show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from detectors.decisions.budget import SEGMENTS_PART, WIDTH_PART, window_alpha
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.evidence.segment_evidence import evidence_by_segment
from detectors.decisions.evidence.window_evidence import Memory
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from detectors.profiles.segments import OTHERS, label, segments
from stream.baselining.build import make
from stream.testing.baselines import Values, baseline, window
from tests.support.segments import COUNTRIES, HOUR_MS, Judged, divided, dividing, judge, rows, run

BASE = divided(rows(np.random.default_rng(1), 20_000), {"country": 9})
RNG_SEED = 7


def after(shift: dict[str, float], windows: int = 6, *, expose_values: bool = True) -> list[Judged]:
    """Calm windows of 1,000 rows, and then some in which the areas of countries have moved."""
    rng = np.random.default_rng(RNG_SEED)
    frames = [rows(rng, 1_000, shift if k >= 3 else None) for k in range(3 + windows)]
    return run(frames, BASE, judge(expose_values=expose_values))


def found(results: list[Judged]) -> set[tuple[str, str]]:
    return {(each.feature, each.segment) for r in results for each in r.report.violations}


def test_a_drift_of_one_deviation_in_a_twentieth_of_the_rows_is_one_violation_of_that_segment() -> (
    None
):
    results = after({"BR": 1.0})
    assert found(results[:3]) == set()
    assert found(results[3:]) == {("area", "country = BR")}
    assert found(results[3:6])
    signals = [signal for result in results for signal in result.signals]
    assert [(s.kind, s.features) for s in signals] == [("opened", ("area where country = BR",))]
    (reason,) = signals[0].reasons
    assert reason.segment == "country = BR"
    assert "from country = BR" in reason.summary
    assert "8 others unchanged" in reason.summary
    assert all(feature.verdict == "ok" for feature in results[-1].report.features)


def test_a_drift_of_all_rows_is_one_violation_that_names_its_segments() -> None:
    everywhere = after(dict.fromkeys(COUNTRIES, 1.0))
    assert found(everywhere) == {("area", "")}
    in_one = after({"DE": 1.5})
    assert found(in_one) == {("area", "")}
    (violation,) = in_one[-1].report.violations
    assert "from country = DE" in violation.summary
    assert "others unchanged" in violation.summary
    assert Counter(s.kind for r in in_one for s in r.signals) == {"opened": 1}


def test_values_are_named_only_where_they_may_be() -> None:
    results = after({"BR": 1.0}, expose_values=False)
    country = BASE.layout.features[BASE.layout.index["country"]]
    hidden = f"value #{country.vocabulary.index('BR')}"
    assert found(results) == {("area", f"country = {hidden}")}
    (first,) = {result.report.segments[0].value for result in results[5:]}
    assert first == hidden
    texts = [repr(result.signals) for result in results]
    texts += [repr((r.report.segments, r.report.violations)) for r in results]
    assert not any(
        f"'{name}'" in text or f"= {name}" in text for text in texts for name in COUNTRIES
    )


@pytest.mark.parametrize("country", ["BR", "US"])
def test_the_cause_of_a_drift_of_one_segment_is_that_of_its_rows(country: str) -> None:
    data = rows(np.random.default_rng(9), 2_400)
    areas = zip(data["area"], data["country"], strict=True)
    data["area"] = [float(a or 0.0) * (10.76 if c == country else 1.0) for a, c in areas]
    (result,) = run([data], BASE, judge())
    (violation,) = result.report.violations
    assert violation.cause is not None
    assert (violation.cause.name, violation.cause.action) == ("unit_change", "repair_pipeline")
    assert violation.cause.numbers["factor"] == pytest.approx(10.76, rel=0.1)
    assert violation.diagnosis.startswith(f"in country = {country}: unit change")


@pytest.mark.parametrize(
    ("shift", "feature"), [(1.2, "area where country = BR"), (3.0, "area")], ids=["small", "large"]
)
def test_a_repaired_segment_recovers(shift: float, feature: str) -> None:
    """A large drift of a twentieth of the rows shows in all of them."""
    rng = np.random.default_rng(3)
    shifts: list[dict[str, float] | None] = [None, {"BR": shift}, {"BR": shift}, *[None] * 8]
    results = run([rows(rng, 1_000, shift) for shift in shifts], BASE, judge())
    kinds = [(k, s.kind) for k, result in enumerate(results) for s in result.signals]
    assert kinds[0] == (1, "opened")
    assert kinds[-1][1] == "recovered"
    assert len(kinds) == 2
    assert results[-1].state.memory.since.keys() == {feature}


def test_the_budget_of_a_window_is_halved_between_all_rows_and_the_segments() -> None:
    rules = Rules(mode="evidence")
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=HOUR_MS)
    profile = window(BASE.layout, rows(np.random.default_rng(2), 1_000))
    of = judge(rules)
    evidence = of._evidence(span, HOUR_MS, BASE, profile, EpisodeState(), None)
    assert evidence is not None
    assert evidence.segments is not None
    alpha = window_alpha(rules.false_alarms, HOUR_MS, early=rules.early)
    parts = evidence.budget.sum(), evidence.segments.budget.sum()
    spent = alpha * (1.0 - WIDTH_PART)
    assert parts == pytest.approx((spent * (1.0 - SEGMENTS_PART), spent * SEGMENTS_PART))
    assert sum(parts) + 2.0 * evidence.width_alpha <= alpha
    budget = evidence.segments.budget.reshape(-1, len(BASE.layout.features))
    assert (budget[:, BASE.layout.index["country"]] == 0.0).all(), "judged in its own segments"
    assert (budget[-1] == 0.0).all(), "the others have no row in the baseline"
    assert (budget[:-1, BASE.layout.index["area"]] > 0.0).all()


def test_the_shares_of_a_window_are_no_more_than_it_may_spend() -> None:
    """Boole's inequality needs all of them: rows, pairs, segments, and both wrong widths."""
    data = rows(np.random.default_rng(1), 20_000)
    table = pa.table({name: list(map(str, values)) for name, values in data.items()})
    base = dividing(make(lambda: [table], joint=()).baseline, data, {"country": 9})
    assert base.layout.joint_features
    rules = Rules(mode="evidence")
    evidence = evidence_by_segment(
        baseline=base,
        profile=window(base.layout, rows(np.random.default_rng(2), 1_000)),
        rules=rules,
        feature_rules={"rooms": FeatureRules(weight=3.0)},
        start_ms=0,
        length_ms=HOUR_MS,
        every_ms=HOUR_MS,
        past=None,
        past_segments=None,
        memory=Memory(),
    )
    assert evidence.joint is not None
    assert evidence.segments is not None
    shares = [
        evidence.budget.sum(),
        evidence.segments.budget.sum(),
        evidence.joint.alpha,
        2.0 * evidence.width_alpha,
    ]
    assert min(shares) > 0.0
    alpha = window_alpha(rules.false_alarms, HOUR_MS, early=rules.early)
    assert 0.99 * alpha < sum(shares) <= alpha * (1.0 + 1e-12)


def test_an_episode_goes_on_in_more_segments_than_a_report_shows() -> None:
    rng = np.random.default_rng(6)
    cells = [f"c{k:02}" for k in range(40)]

    def wide(n: int, moved: Sequence[str] = ()) -> dict[str, Values]:
        cell = rng.choice(cells, n)
        return {"x": (rng.normal(0, 1, n) + 3.0 * np.isin(cell, moved)).tolist(), "cell": cell}

    base = divided(wide(20_000), {"cell": 50})
    inside = {f"x where cell = {name}" for name in cells[:30]}
    state = EpisodeState(memory=Memory(horizons=dict.fromkeys(inside, 1)))
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=HOUR_MS)
    profile = window(base.layout, wide(4_000, cells[:30]))
    report = judge().report(span, base, profile, state)
    assert {name for each in report.segments for name in each.lingering} == inside
    assert len(report.segments) == 30


def test_without_segments_all_of_the_budget_is_that_of_all_rows() -> None:
    plain = BASE.segmented(())
    assert plain.by_segment is None
    data = rows(np.random.default_rng(1), 20_000)
    again = baseline(data)
    assert plain.fingerprint == again.fingerprint != BASE.fingerprint
    assert plain.encode() == again.encode()
    assert b"segments" not in again.encode()
    (result,) = run([rows(np.random.default_rng(4), 500)], plain, judge())
    assert result.report.segments == ()
    budgets = [each.evidence.budget for each in result.report.features if each.evidence]
    rules = Rules(mode="evidence")
    alpha = window_alpha(rules.false_alarms, HOUR_MS, early=rules.early)
    assert sum(budgets) == pytest.approx(alpha * (1.0 - WIDTH_PART))


def test_a_baseline_keeps_its_segments_and_may_be_used_with_fewer() -> None:
    again = Baseline.decode(BASE.encode())
    assert again.fingerprint == BASE.fingerprint
    assert again.layout.segmentations == BASE.layout.segmentations
    three = again.segmented([("country", 3)])
    names = [label(three.layout, s, expose_values=True) for s in range(len(segments(three.layout)))]
    assert names == ["country = DE", "country = FR", "country = US", f"country: {OTHERS}"]
    direct = divided(rows(np.random.default_rng(1), 20_000), {"country": 3})
    assert three.layout == direct.layout
    sides = three.profile.segments, direct.profile.segments
    assert sides[0] is not None
    assert sides[1] is not None
    assert sides[0].counts.tolist() == sides[1].counts.tolist()
    assert sides[0].low.tolist() == sides[1].low.tolist()
    assert sides[0].high.tolist() == sides[1].high.tolist()
    assert sides[0].sums == pytest.approx(sides[1].sums)
    with pytest.raises(BaselineInvalid, match="no counts of its own by 'plan'"):
        again.segmented([("plan", 3)])
    with pytest.raises(BaselineInvalid, match="3 values of 'country' alone"):
        three.segmented([("country", 4)])
    with pytest.raises(BaselineInvalid, match="no values that return"):
        divided(rows(np.random.default_rng(1), 2_000), {"area": 3})


def test_a_report_lists_the_worst_segments_first_and_at_most_twenty() -> None:
    rng = np.random.default_rng(5)

    def wide(n: int, moved: str = "") -> dict[str, Values]:
        cell = rng.choice([f"c{k:02}" for k in range(40)], n)
        return {"x": (rng.normal(0, 1, n) + 3.0 * (cell == moved)).tolist(), "cell": cell.tolist()}

    base = divided(wide(20_000), {"cell": 50})
    (result,) = run([wide(4_000, "c31")], base, judge())
    listed = result.report.segments
    assert len(listed) == 20
    assert [(each.value, each.violates) for each in listed[:1]] == [("c31", True)]
    assert not any(each.violates for each in listed[1:])
    nearness = [each.finding.nearness for each in listed[1:] if each.finding]
    assert nearness == sorted(nearness, reverse=True)
    assert sum(each.rows for each in listed) <= 4_000
    assert listed[0].share == pytest.approx(listed[0].rows / 4_000)
