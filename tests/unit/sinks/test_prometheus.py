"""The gauges of the newest closed window, read through a registry as by a scrape."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from detectors.decisions.catalogue import CHECKS
from detectors.report import FeatureReport, State
from detectors.statistics.catalogue import DISTANCES
from detectors.violation import BinShift
from sinks.prometheus import PerFeature, Prometheus, PrometheusDelivery
from stream.testing.reports import (
    MINUTE_MS,
    START_MS,
    calm,
    feature,
    report,
    signal,
    silence,
    violation,
)
from tests.support.metrics import evidence, finding

STATES = len(get_args(State))
OF_MODEL = 8 + STATES
"""Series of a model: rows, completeness, end, its states, one check, three worst features, and the
report of a window with violations."""
MOST = 4 + STATES + len(CHECKS)
"""Series of a model if all checks have violations, without those of the worst features."""
OF_FEATURE = 11
"""Series of a number by evidence: completeness, mean and deviation in window and baseline, distance
and its limit, effect and its limit, and what was spent."""
KEY = {"job": "sample", "model": "flights", "variant": "AllTraffic"}


class Page:
    """A delivery and the registry through which it is scraped."""

    def __init__(self, **settings: Any) -> None:
        self.delivery: PrometheusDelivery = Prometheus(**settings).open("sample")
        self.registry = CollectorRegistry()
        self.registry.register(self.delivery)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"driftline_{name}", {**KEY, **labels})

    @property
    def series(self) -> list[str]:
        """Every line of the page except comments."""
        return [
            line
            for line in generate_latest(self.registry).decode().splitlines()
            if not line.startswith("#")
        ]

    @property
    def left_out(self) -> float | None:
        return self.registry.get_sample_value("driftline_series_left_out", {"job": "sample"})

    def gauges(self) -> list[str]:
        """The series that ``max_series`` counts."""
        return [
            line
            for line in self.series
            if not line.startswith(("driftline_signals", "driftline_series_left_out"))
        ]


def shown(*items: Any, **settings: Any) -> Page:
    page = Page(**settings)
    page.delivery.deliver(items)
    return page


def test_a_model_exports_rows_completeness_end_and_worst_features() -> None:
    page = shown(report())
    assert page.value("window_rows") == 100
    assert page.value("window_completeness_ratio") == pytest.approx((0.9 + 1.0) / 2)
    assert page.value("window_end_timestamp_seconds") == (START_MS + MINUTE_MS) / 1000
    assert page.value("worst_feature_ratio", rank="1", feature="amount") == pytest.approx(3.0)
    assert page.value("worst_feature_ratio", rank="2", feature="carrier") == pytest.approx(0.5)


def test_a_feature_exports_completeness_deciding_distance_and_limit() -> None:
    page = shown(report())
    assert page.value("feature_completeness_ratio", feature="amount") == 0.9
    assert page.value("feature_drift_distance", feature="amount", statistic="psi") == 0.3
    assert page.value("feature_drift_limit", feature="amount", statistic="psi") == 0.1


def test_the_numbers_of_the_baseline_are_beside_those_of_the_window() -> None:
    page = shown(report(features=(feature("amount"), calm("carrier"))))
    assert page.value("feature_completeness_ratio", feature="amount") == 0.9
    assert page.value("feature_baseline", feature="amount", statistic="completeness") == 0.98
    for name, now, before in (("mean", 5.0, 4.0), ("std", 2.0, 1.5)):
        assert page.value("feature_statistic", feature="amount", statistic=name) == now
        assert page.value("feature_baseline", feature="amount", statistic=name) == before
    text = [line for line in page.series if 'feature="carrier"' in line and "rank" not in line]
    assert len(text) == 4, "a text has no mean and no deviation"
    page = shown(report(), per_feature=("n", "max", "ks"))
    assert page.value("feature_baseline", feature="amount", statistic="n") == 1_000
    assert page.value("feature_baseline", feature="amount", statistic="max") == 8.0
    assert page.value("feature_baseline", feature="amount", statistic="ks") is None
    assert page.value("feature_baseline", feature="amount", statistic="mean") is None


def test_a_report_of_0_1_0_exports_no_numbers_of_the_baseline() -> None:
    page = shown(report(features=(feature(baseline=None),)))
    assert page.value("feature_completeness_ratio", feature="amount") == 0.9
    assert not [line for line in page.series if line.startswith("driftline_feature_baseline")]


def test_only_a_window_with_violations_names_its_report() -> None:
    page = shown(report())
    assert page.value("window_violations_info", report=report().id) == 1
    page.delivery.deliver([report(1)])
    lines = [line for line in page.series if line.startswith("driftline_window_violations_info")]
    assert len(lines) == 1, "the series is replaced"
    assert f'report="{report(1).id}"' in lines[0]
    page.delivery.deliver([report(2, violations=(), state="ok")])
    assert not [line for line in page.series if line.startswith("driftline_window_violations_info")]


def test_violations_are_counted_by_check_and_drift_is_always_exported() -> None:
    null = violation("amount", check="completeness_check")
    page = shown(report(violations=(null, null, violation("carrier"))))
    assert page.value("window_violations", check="completeness_check") == 2
    assert page.value("window_violations", check="baseline_drift_check") == 1
    page.delivery.deliver([report(1, violations=(), state="ok")])
    assert page.value("window_violations", check="baseline_drift_check") == 0
    assert page.value("window_violations", check="completeness_check") is None


def test_exactly_one_state_has_the_value_one() -> None:
    page = shown(silence())
    states = {name: page.value("window_state", state=name) for name in get_args(State)}
    assert states == {**dict.fromkeys(states, 0.0), "no data": 1.0}


def test_the_newest_window_is_exported_whatever_the_order() -> None:
    page = shown(
        report(1, rows=1),
        report(2, rows=2),
        report(2, 1, rows=21),
        report(1, 5, rows=15),
        report(2, rows=2),
    )
    assert page.value("window_rows") == 21


def test_a_silent_model_exports_no_features_until_data_returns() -> None:
    page = shown(report(0), silence(1))
    assert page.value("window_rows") == 0
    assert page.value("window_end_timestamp_seconds") == (START_MS + MINUTE_MS) / 1000
    assert page.value("feature_completeness_ratio", feature="amount") is None
    page.delivery.deliver([silence(1, ended=True), report(2)])
    assert page.value("window_rows") == 100
    assert page.value("feature_completeness_ratio", feature="amount") == 0.9


def test_a_repeat_changes_nothing() -> None:
    page = shown(report(), signal())
    before = page.series
    page.delivery.deliver([report(), signal()])
    assert page.series == before


def test_rebuild_restores_the_gauges_of_the_time_before_a_restart() -> None:
    before = shown(report(0), report(1))
    after = Page()
    after.delivery.rebuild([report(1)])
    assert after.gauges() == before.gauges()


def test_signals_are_counted_by_kind() -> None:
    page = shown(signal(0), signal(1), signal(0, "recovered"))
    assert page.value("signals_total", kind="opened") == 2
    assert page.value("signals_total", kind="recovered") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "n": 100,
        "missing": 10,
        "nan": 4,
        "inf": 0,
        "mean": 5,
        "std": 2,
        "sum": 400,
        "min": -1,
        "max": 9,
        "outlier_share": 0.05,
        "ks": 0.25,
    }.items(),
)
def test_per_feature_adds_the_named_statistics(name: str, value: float) -> None:
    page = shown(report(), per_feature=(name,))
    assert page.value("feature_statistic", feature="amount", statistic=name) == value


def test_a_statistic_that_a_feature_does_not_have_is_not_exported() -> None:
    """A window of a model that is learning has no distances, and a scrape must not fail on it."""
    learning = calm("new", distances={}, value=None, limit=None, verdict="learning")
    page = shown(
        report(features=(calm(), learning), state="learning"), per_feature=("mean", *DISTANCES)
    )
    lines = [line for line in page.series if line.startswith("driftline_feature_statistic")]
    assert len(lines) == 2
    assert all('feature="carrier"' in line for line in lines)


def test_per_feature_accepts_every_distance_by_its_name() -> None:
    names = ("mean", "outlier_share", *DISTANCES)
    assert (
        msgspec.convert({"type": "prometheus", "per_feature": names}, type=Prometheus).per_feature
        == names
    )
    with pytest.raises(msgspec.ValidationError, match="no_such_statistic"):
        msgspec.convert(
            {"type": "prometheus", "per_feature": ["no_such_statistic"]}, type=Prometheus
        )


def features(count: int) -> tuple[FeatureReport, ...]:
    """Features, of which number k has an effect of k percent of its limit."""
    return tuple(
        feature(f"f{k:03d}", verdict="ok", evidence=evidence(finding(effect=k / 5_000)))
        for k in range(count)
    )


@pytest.mark.parametrize(
    ("count", "per_feature", "series"),
    [
        (1, (), MOST + 1 + 7),
        (2, ("mean",), MOST + 2 + 18),
        (3, (), MOST + 3 + 21),
        (20, ("n", "ks", "outlier_share"), MOST + 3 + 220),
        (5, ("mean", "std"), MOST + 3 + 55),
    ],
)
def test_a_scrape_has_as_many_series_as_predicted_when_all_checks_have_violations(
    count: int, per_feature: tuple[PerFeature, ...], series: int
) -> None:
    everything = tuple(violation(check=check) for check in CHECKS)
    page = shown(report(features=features(count), violations=everything), per_feature=per_feature)
    assert len(page.gauges()) == Prometheus(per_feature=per_feature).series(count) == series


def test_the_cap_keeps_the_worst_features_and_counts_the_others() -> None:
    everything = shown(report(features=features(100)))
    assert everything.left_out == 0
    assert len(everything.gauges()) == OF_MODEL + 100 * OF_FEATURE
    page = shown(report(features=features(100)), max_series=180)
    assert len(page.gauges()) == OF_MODEL + 15 * OF_FEATURE
    assert page.left_out == 85 * OF_FEATURE
    names = [f"f{k:03d}" for k in range(100)]
    assert [
        name for name in names if page.value("feature_completeness_ratio", feature=name) is not None
    ] == names[85:]


def test_the_cap_also_applies_to_models_and_drops_those_without_drift() -> None:
    calm_models = [
        report(model=f"m{k:02d}", features=(calm(),), violations=(), state="ok") for k in range(50)
    ]
    page = shown(*calm_models, report(model="drifted"), max_series=200)
    assert len(page.gauges()) <= 200
    rows = {"job": "sample", "variant": "AllTraffic", "model": "drifted"}
    assert page.registry.get_sample_value("driftline_window_rows", rows) == 100
    assert page.left_out
    assert len(page.gauges()) + page.left_out == len(
        shown(*calm_models, report(model="drifted")).gauges()
    )


def test_no_label_holds_a_value_of_a_feature() -> None:
    moved = violation(
        "carrier",
        description="SECRET",
        diagnosis="SECRET",
        moved=(
            BinShift(
                label="SECRET", before=0, after=1, before_count=0, after_count=9, contribution=1
            ),
        ),
    )
    page = shown(
        report(violations=(moved,), notes=("SECRET",)),
        signal(reasons=(moved,)),
        per_feature=("psi", "mean"),
    )
    assert "SECRET" not in "\n".join(page.series)


def test_a_name_with_quotes_and_line_breaks_is_one_label() -> None:
    page = shown(report(features=(calm('a"b\\c\nd'),)))
    assert page.value("feature_completeness_ratio", feature='a"b\\c\nd') == 1.0
    assert all(line.startswith("driftline_") for line in page.series)


@pytest.mark.parametrize(("max_series", "faults"), [(MOST + 12, 0), (MOST + 11, 1), (20_000, 0)])
def test_check_requires_max_series_to_suffice_for_one_model(max_series: int, faults: int) -> None:
    assert len(Prometheus(max_series=max_series).check()) == faults


def test_a_silence_that_lasts_is_the_state_although_windows_in_it_meet_a_condition() -> None:
    met = (violation(check="condition_check", feature="(rows)"),)
    empty: Any = {"rows": 0, "features": (), "profile": b"", "violations": met}
    page = shown(report(0), report(1, **empty), report(2, **empty), silence(1), report(3, **empty))
    assert page.value("window_state", state="no data") == 1.0
    page.delivery.deliver([silence(1, ended=True), report(4)])
    assert page.value("window_state", state="violations") == 1.0


def test_by_evidence_the_effect_that_decides_is_exported_with_its_limit_and_what_it_spent() -> None:
    missing = finding(subject="missing", effect=0.5, effect_limit=0.1, p_value=1e-12, allowed=1e-4)
    page = shown(report(features=(feature(evidence=evidence(finding(), missing)), calm())))
    # The drift is at 1.5 of its limit (9 of 6 digits, twice the effect), the missing values at 3.
    assert page.value("feature_effect", feature="amount") == 0.5
    assert page.value("feature_effect_limit", feature="amount") == 0.1
    assert page.value("feature_budget_spent_ratio", feature="amount") == 1.0
    assert page.value("feature_effect", feature=calm().name) is None


def test_without_evidence_no_effect_is_exported() -> None:
    page = shown(report())
    assert page.value("feature_completeness_ratio", feature="amount") is not None
    assert page.value("feature_effect", feature="amount") is None
