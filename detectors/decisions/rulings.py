"""The ruling on each feature's deciding distance: its value against its limit and its noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.decisions.rules import DEFAULT_STATISTIC, FeatureRules, Rules
from detectors.p_values import CHI_SQUARED, is_beyond, is_p_value
from detectors.profiles.baseline import Constraints, Thresholds
from detectors.profiles.layout import Feature
from detectors.report import Verdict
from detectors.statistics.catalogue import DISTANCES, fits
from detectors.statistics.measures import Measures


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one feature's deciding distance.

    ``value`` is compared with ``limit``, the larger of ``asked_limit`` (from the configuration or
    the baseline) and ``noise``; it is ``asked_limit`` alone where ``constraints.json`` compares by
    ``Simple``. A p-value violates below its ``limit``, which is ``asked_limit``; ``noise`` is then
    the chance of a false verdict that ``alpha`` allows. ``enabled`` is false where the feature's
    checks are off.
    """

    statistic: str
    value: float
    limit: float
    noise: float
    asked_limit: float
    enabled: bool
    verdict: Verdict
    overwhelming: bool


def rule(
    rules: Rules,
    feature_rules: Mapping[str, FeatureRules],
    constraints: Constraints,
    measures: Measures,
    rows: int,
) -> list[Ruling]:
    """The ruling on each feature of the layout, in its order.

    ``insufficient`` below ``min_n`` rows or where the statistic is undefined; ``disabled`` where
    the feature or the comparison is switched off, or where its values do not return. ``alpha`` is
    divided by the number of features that are judged.
    """
    features = measures.layout.features
    thresholds = constraints.thresholds
    own = [feature_rules.get(feature.name) for feature in features]
    statistics = [
        deciding_statistic(rules, own[i], feature, thresholds) for i, feature in enumerate(features)
    ]
    enabled = [_enabled(constraints, own[i], feature) for i, feature in enumerate(features)]
    compared = thresholds.evaluate_constraints and thresholds.perform_comparison
    judges = [on and feature.compared for on, feature in zip(enabled, features, strict=True)]
    judged = max(sum(judges), 1) if compared else 1
    evidence = _evidence(rules, measures, statistics, judged)
    rulings = []
    for i, feature in enumerate(features):
        asked_limit = _asked_limit(
            rules=rules,
            own=own[i],
            constraints=constraints,
            feature=feature,
            statistic=statistics[i],
        )
        rulings.append(
            _ruling(
                rules=rules,
                evidence=evidence[i],
                asked_limit=asked_limit,
                enabled=enabled[i],
                compared=compared and feature.compared,
                raised=thresholds.comparison_method != "Simple" and rules.floor == "noise",
                rows=rows,
            )
        )
    return rulings


class _Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The deciding distance of one feature, and what chance explains of it.

    ``noise`` is at the level ``alpha``, ``far_noise`` at ``overwhelming_alpha``, each divided by
    the number of judged features. ``n`` is the feature's total in the window.
    """

    statistic: str
    value: float
    noise: float
    far_noise: float
    n: float


def _evidence(
    rules: Rules, measures: Measures, statistics: Sequence[str], judged: int
) -> list[_Evidence]:
    """The evidence on each feature of the layout, in its order."""
    columns = zip(
        statistics,
        _values(measures, statistics),
        _noise(measures, statistics, rules.alpha / judged),
        _noise(measures, statistics, rules.overwhelming_alpha / judged),
        measures.pair.n.tolist(),
        strict=True,
    )
    return [
        _Evidence(statistic=statistic, value=value, noise=noise, far_noise=far_noise, n=n)
        for statistic, value, noise, far_noise, n in columns
    ]


def _ruling(
    *,
    rules: Rules,
    evidence: _Evidence,
    asked_limit: float,
    enabled: bool,
    compared: bool,
    raised: bool,
    rows: int,
) -> Ruling:
    """The ruling on one feature; ``compared`` is false where the comparison is switched off.

    ``raised``: whether the limit of a distance is at least its noise.
    """
    value = evidence.value
    of_p_value = is_p_value(evidence.statistic)
    is_raised = raised and not of_p_value
    limit = float(np.fmax(asked_limit, evidence.noise)) if is_raised else asked_limit
    verdict = _verdict(
        rules, evidence, judged=compared and enabled, limit=limit, n=min(evidence.n, rows)
    )
    if of_p_value:
        far = min(limit * limit, evidence.far_noise)
    else:
        far = max(2.0 * limit, evidence.far_noise)
    is_far = is_beyond(evidence.statistic, value, far) and evidence.n >= rules.overwhelming_n
    return Ruling(
        statistic=evidence.statistic,
        value=value,
        limit=limit,
        noise=evidence.noise,
        asked_limit=asked_limit,
        enabled=enabled,
        verdict=verdict,
        overwhelming=verdict == "violation" and is_far,
    )


def deciding_statistic(
    rules: Rules, own: FeatureRules | None, feature: Feature, thresholds: Thresholds
) -> str:
    """The deciding statistic of a feature: its own, else the job's if it fits, else PSI.

    Of text it is the chi-squared p-value where ``categorical_drift_method`` asks for it, unless the
    configuration names a limit, or another statistic than PSI, for the feature or for all.
    """
    if own and own.statistic:
        return own.statistic
    limited = rules.limit is not None or (own is not None and own.limit is not None)
    by_default = rules.statistic == DEFAULT_STATISTIC and not limited
    if by_default and not feature.numeric and thresholds.categorical_drift_method == "ChiSquared":
        return CHI_SQUARED
    return rules.statistic if fits(rules.statistic, feature.numeric) else DEFAULT_STATISTIC


def _enabled(constraints: Constraints, own: FeatureRules | None, feature: Feature) -> bool:
    constraint = constraints.features.get(feature.name)
    return (constraint is None or constraint.evaluate) and (own is None or own.enabled)


def _noise(measures: Measures, statistics: Sequence[str], alpha: float) -> list[float]:
    """The noise of each feature's deciding statistic; each distance computes its noise once."""
    laws = {
        name: np.full(len(statistics), alpha)
        if is_p_value(name)
        else DISTANCES[name].noise(measures.pair, alpha)
        for name in set(statistics)
    }
    return _of_statistics(statistics, laws)


def _values(measures: Measures, statistics: Sequence[str]) -> list[float]:
    """The value of each feature's deciding statistic.

    A p-value of a single cell, which no test can tell apart, is 1 where both sides have values.
    """
    columns = dict(measures.distances)
    if CHI_SQUARED in statistics:
        lone = np.isnan(columns[CHI_SQUARED]) & (measures.pair.m > 0) & (measures.pair.n > 0)
        columns[CHI_SQUARED] = np.where(lone, 1.0, columns[CHI_SQUARED])
    return _of_statistics(statistics, columns)


def _of_statistics(statistics: Sequence[str], columns: Mapping[str, Floats]) -> list[float]:
    """The entry of each feature in the column of its statistic."""
    lists = {name: columns[name].tolist() for name in set(statistics)}
    return [lists[name][i] for i, name in enumerate(statistics)]


def _asked_limit(
    rules: Rules,
    own: FeatureRules | None,
    constraints: Constraints,
    feature: Feature,
    statistic: str,
) -> float:
    """The most specific limit that is set: the feature's, else the job's, else the baseline's.

    In the mode ``sagemaker`` that of the baseline.
    """
    if rules.mode == "sagemaker":
        return _limit_of_baseline(constraints, feature, statistic)
    if own and own.limit is not None:
        return own.limit
    if rules.limit is not None:
        return rules.limit
    return _limit_of_baseline(constraints, feature, statistic)


def _limit_of_baseline(constraints: Constraints, feature: Feature, statistic: str) -> float:
    """The limit in ``constraints.json``: a gap, in the unit of the statistic."""
    gap = constraints.thresholds.comparison_threshold
    categorical = constraints.thresholds.categorical_comparison_threshold
    if categorical is not None and not feature.numeric:
        gap = categorical
    if is_p_value(statistic):
        return gap
    return DISTANCES[statistic].equivalent(gap)


def _verdict(rules: Rules, evidence: _Evidence, *, judged: bool, limit: float, n: float) -> Verdict:
    if not judged:
        return "disabled"
    if n and (rules.is_sagemaker or rules.by_evidence):
        return "ok"  # whatever the distance is: it decides nothing
    if n < rules.min_n or not np.isfinite(evidence.value):
        return "insufficient"
    return "violation" if is_beyond(evidence.statistic, evidence.value, limit) else "ok"


def binomial_excess(bad: float, n: float, share: float, m: float, alpha: float) -> bool:
    """Return whether ``bad`` of ``n`` is more than ``share`` explains by chance at level ``alpha``.

    ``share`` was estimated from ``m`` baseline rows. Normal bound with half a count added to the
    variance on both sides: ``bad/n > share + z * sqrt(v/n + v/m)`` with
    ``v = share * (1 - share) + 0.5 / n`` and ``z = sqrt(2 ln(1/alpha))``, an upper bound of the
    quantile. See ``docs/statistics.md``.
    """
    variance = share * (1.0 - share) + 0.5 / n
    z = float(np.sqrt(2.0 * np.log(1.0 / alpha)))
    return bad / n > share + z * float(np.sqrt(variance / n + variance / max(m, 1.0)))


def required_share(threshold: float, share: float) -> float:
    """The share of fitting values that is required: the ``threshold`` of ``constraints.json``.

    The 1.0 that SageMaker writes there, which makes a single value a violation, is replaced by the
    ``share`` of the rules.

    >>> required_share(0.95, 0.99), required_share(0.995, 0.99), required_share(1.0, 0.99)
    (0.95, 0.995, 0.99)
    """
    return share if threshold >= 1.0 else threshold
