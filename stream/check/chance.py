"""Warnings about methods of ``constraints.json`` under which chance alone gives violations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.decisions.rules import FeatureRules
from detectors.decisions.rulings import Ruling, rule
from detectors.p_values import is_p_value
from detectors.phrases import counted, percent
from detectors.profiles.baseline import Baseline
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.measures import Measures, measure
from stream.check.limit_effects import like_the_baseline
from stream.config.model import Config

LEVELS: Final = np.concatenate((np.logspace(-9, -3, 13), np.linspace(0.01, 0.99, 99)))
"""The chances that are tried, in rising order."""
KEY: Final = "monitoring_config.distribution_constraints"


def chance_warnings(config: Config, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a line for each model that is compared by ``Simple``, and for each by ``ChiSquared``.

    It says how many windows of ``min_n`` rows violate without a drift, at most.
    """
    for name, baseline in baselines.items():
        thresholds = baseline.constraints.thresholds
        simple = thresholds.comparison_method == "Simple"
        chi_squared = thresholds.categorical_drift_method == "ChiSquared"
        if not baseline.profile.rows or not baseline.layout.features or not (simple or chi_squared):
            continue
        measures = measure(baseline, like_the_baseline(baseline, config.rules.min_n))
        own = config.models[name].features
        rulings = _rulings(config, own, baseline, measures)
        if simple:
            yield _simple(name, config.rules.min_n, chances(measures, rulings))
        if chi_squared:
            yield _chi_squared(name, rulings)


def chances(measures: Measures, rulings: list[Ruling]) -> Floats:
    """Of each feature, the chance that its distance is above its limit without a drift, at most.

    0 of features that are not judged by a distance, and below the smallest of the levels.
    """
    asked = np.array([ruling.asked_limit for ruling in rulings])
    found = np.zeros(len(rulings))
    for statistic in {ruling.statistic for ruling in rulings if ruling.verdict != "disabled"}:
        if is_p_value(statistic):
            continue
        decides = np.array(
            [r.statistic == statistic and r.verdict != "disabled" for r in rulings], dtype=bool
        )
        for level in LEVELS.tolist():
            noise = DISTANCES[statistic].noise(measures.pair, level)
            found = np.where(decides & (noise >= asked), level, found)
    return found


def _rulings(
    config: Config, own: Mapping[str, FeatureRules], baseline: Baseline, measures: Measures
) -> list[Ruling]:
    return rule(config.rules, own, baseline.constraints, measures, config.rules.min_n)


def _simple(model: str, rows: int, found: Floats) -> str:
    share = percent(_of_any(found))
    return (
        f"models.{model}: {KEY}.comparison_method is Simple: limits are not raised to the sampling"
        f" noise. Without any drift, up to {share} of the windows of {rows:,} rows have a"
        ' violation; "Robust" leaves out what chance explains'
    )


def _chi_squared(model: str, rulings: list[Ruling]) -> str:
    limits = [r.asked_limit for r in rulings if is_p_value(r.statistic) and r.verdict != "disabled"]
    where = f"models.{model}: {KEY}.categorical_drift_method is ChiSquared"
    if not limits:
        return (
            f"{where}, and decides on no feature: there is no text that is judged, or `limit` or"
            " `statistic` of the rules decide"
        )
    share = percent(_of_any(np.array(limits)))
    return (
        f"{where}: a p-value below {max(limits):g} is a violation. Without any drift, {share} of"
        f" the windows have one among {counted(len(limits), 'feature')} of text, and in windows of"
        ' many rows a drift of any size does; "LInfinity" compares with the largest gap allowed'
    )


def _of_any(found: Floats) -> float:
    """The chance that at least one of independent events happens."""
    return float(1.0 - np.prod(1.0 - found))
