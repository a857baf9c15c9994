"""Turns numbers into verdicts: the rules of a job, and the ruling on each deciding distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.decisions.budget import FalseAlarms
from detectors.durations import Duration, duration_ms
from detectors.p_values import CHI_SQUARED, is_beyond, is_p_value
from detectors.profiles.baseline import Constraints, Thresholds
from detectors.profiles.layout import Feature
from detectors.report import Verdict
from detectors.statistics.catalogue import DISTANCES, deciding_statistics, fits
from detectors.statistics.measures import Measures

DEFAULT_STATISTIC: Final = "psi"
"""The statistic that decides if the rules name none, or one that a feature does not have."""

OF_EVIDENCE: Final = frozenset({"false_alarms", "effect", "early"})
"""The rules of the mode ``evidence`` alone."""

Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Probability = Annotated[float, msgspec.Meta(gt=0, lt=1)]
ConditionText = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
"""A condition over the numbers of a report, see :mod:`detectors.decisions.conditions`."""
Statistic = Annotated[str, msgspec.Meta(extra_json_schema={"enum": deciding_statistics()})]
"""The name of a distance that decides. Editors see the names; the configuration is checked against
them after it is decoded, so that its errors are all of one kind."""


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits and the policy of a job.

    * ``k``, ``of``: a feature must violate in ``k`` of the last ``of`` windows that do not overlap.
    * ``alpha``: chance of a false verdict in one window, divided among the features.
    * ``limit``: the smallest distance that counts as drift, in the unit of the deciding statistic.
      Without it, ``comparison_threshold`` of the baseline's ``constraints.json`` is used: a gap
      between distribution functions, which each statistic translates into its own unit.
    * ``statistic``: the deciding statistic of features that name none.
    * ``min_n``: a window of fewer rows gets no verdict (``insufficient``).
    * ``cooldown``: for how long an open episode sends no further signal.
    * ``overwhelming_alpha``, ``overwhelming_n``: a single window is enough for a signal if its
      distance is above twice the limit and above the noise at this level, and it has at least this
      many rows.
    * ``type_match``, ``domain_match``: the share of values that must fit type and domain where
      ``constraints.json`` has the 1.0 that SageMaker writes, which would make a single malformed
      value a violation; set 1.0 here to have that. A threshold below 1.0 applies as it stands.
    * ``completeness_gap``: a loss of completeness up to this is not a violation.
    * ``false_alarms``, ``effect``: in the mode ``evidence``, the budget of false alarms and the
      smallest drift worth a signal; ``alpha``, ``limit``, ``min_n``, ``k``, ``of``, ``type_match``,
      ``domain_match``, ``overwhelming_alpha`` and ``overwhelming_n`` then judge what is not found
      by evidence: change detectors, checks of other distributions, and the quality of models.
    * ``negative_share``: the share of negative values that a feature may have if it had none in the
      baseline.
    * ``vanished_n``: a value has vanished if it does not occur although more than this many were
      expected.
    * ``conditions``: expressions over the numbers of a window's report, in the user's own words.
    """

    mode: Literal["evidence", "threshold", "sagemaker", "sagemaker-compat"] = "threshold"
    """How violations are found: by ``evidence`` over the last windows, within a budget of false
    alarms; by a ``threshold`` for a distance; with ``sagemaker``, by the six checks of SageMaker
    Model Monitor and the limits of ``constraints.json`` as they stand, with driftline's distances
    and an allowance for chance; or, with ``sagemaker-compat``, by the same six checks with
    SageMaker's own distance, strict shares and no allowance for chance. With the last, reports hold
    both numbers. ``limit``, ``min_n``, ``type_match``, ``domain_match``,
    ``completeness_gap``, ``negative_share`` and ``vanished_n`` have no effect on them.
    """
    k: Count = 2
    """A feature must violate in ``k`` of the last ``of`` windows that do not overlap."""
    of: Count = 3
    """The number of windows that ``k`` refers to."""
    alpha: Probability = 0.001
    """The chance of a false verdict in one window, divided among the features."""
    limit: Amount | None = None
    """The smallest distance that counts as drift, in the unit of the deciding statistic. Without it
    ``comparison_threshold`` of the baseline's ``constraints.json``, a gap between distribution
    functions.
    """
    statistic: Statistic = DEFAULT_STATISTIC
    """The deciding statistic of features that name none."""
    floor: Literal["noise", "none"] = "noise"
    """Whether a limit is at least as large as the ``noise`` of its window. With ``none`` a distance
    is compared with the limit as it stands, as other tools do, and chance gives violations.
    """
    min_n: Count = 100
    """A window of fewer rows gets no verdict (``insufficient``)."""
    false_alarms: FalseAlarms = "1 per 30d"
    """The number of false alarms that a model may give, over all features, windows, horizons and
    looks, if nothing has changed. Of the mode ``evidence``.
    """
    effect: Share = 0.02
    """The smallest drift that is worth a signal, as a Hellinger distance: a shift of the mean by
    0.06 deviations, or 0.08 % of new values. Of the mode ``evidence``.
    """
    early: bool = True
    """Whether open windows are judged too, once a second: a broken feature is signalled about a
    second after its first events, and not after its window. Of the mode ``evidence``.
    """
    cooldown: Duration | None = None
    """An episode that continues sends no further signal for this long, and for ``of`` windows at
    least. Without it ``24h`` in the mode ``evidence``, else ``30m``.
    """
    overwhelming_alpha: Probability = 1e-9
    """The noise level that a single window must exceed to be enough for a signal."""
    overwhelming_n: Count = 500
    """The number of rows that such a window must have; its distance must also be above twice the
    limit.
    """
    type_match: Share = 0.99
    """The share of values that must have the type of the baseline where
    ``datatype_check_threshold`` in ``constraints.json`` is the 1.0 that SageMaker writes. That
    makes a single malformed value a violation; set 1.0 here to have it. A threshold below 1.0
    applies as it stands.
    """
    domain_match: Share = 0.99
    """The share of values that must be in the domain of the baseline where
    ``domain_content_threshold`` in ``constraints.json`` is 1.0; one below 1.0 applies as it stands.
    """
    completeness_gap: Share | None = None
    """A loss of completeness up to this is not a violation. Without it 0.005 in the mode
    ``evidence``, 0.01 in the mode ``threshold``, else 0.
    """
    negative_share: Share = 0.001
    """The share of negative values that a feature may have if it had none in the baseline."""
    vanished_n: Amount = 30.0
    """A value has vanished if it does not occur although more than this many were expected."""
    conditions: Annotated[tuple[ConditionText, ...], msgspec.Meta(max_length=100)] = ()
    """Conditions in one line each over the numbers of a window's report, as
    ``outlier_share(prediction) > 0.05``: one that is met is a violation. They are not part of the
    budget of false alarms. See ``docs/conditions.md``.
    """

    @property
    def is_sagemaker(self) -> bool:
        """Whether the checks of SageMaker Model Monitor make the violations."""
        return self.mode == "sagemaker-compat"

    @property
    def by_evidence(self) -> bool:
        """Whether tests over the last windows make the violations."""
        return self.mode == "evidence"

    @property
    def least_rows(self) -> int:
        """The rows below which a window has no verdict: ``min_n``; 1 by evidence and SageMaker."""
        return 1 if self.is_sagemaker or self.by_evidence else self.min_n

    @property
    def effective_cooldown(self) -> str:
        """``cooldown``, or that of the mode."""
        return self.cooldown or ("24h" if self.by_evidence else "30m")

    @property
    def cooldown_ms(self) -> int:
        """The cool-down in milliseconds."""
        return duration_ms(self.effective_cooldown)

    @property
    def least_type_match(self) -> float:
        """``type_match``; 1 by evidence, where the effect decides, and in SageMaker's modes."""
        return self.type_match if self.mode == "threshold" else 1.0

    @property
    def least_domain_match(self) -> float:
        """``domain_match``; 1 by evidence, where the effect decides, and in SageMaker's modes."""
        return self.domain_match if self.mode == "threshold" else 1.0

    @property
    def tolerated_loss(self) -> float:
        """``completeness_gap``, or that of the mode."""
        if self.completeness_gap is not None:
            return self.completeness_gap
        return {"evidence": 0.005, "threshold": 0.01}.get(self.mode, 0.0)


class FeatureRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules of one feature: limits or a statistic of its own, or no judgement at all."""

    limit: Amount | None = None
    """The feature's own limit; without it that of ``rules``."""
    statistic: Statistic | None = None
    """The feature's own deciding statistic; without it that of ``rules``."""
    effect: Share | None = None
    """The feature's own smallest drift that is worth a signal; without it that of ``rules``."""
    weight: Amount = 1.0
    """The feature's part of the budget of false alarms, in proportion to those of the others; 0: it
    is reported and never signalled. A weight in ``weights`` of the model goes first. Of the mode
    ``evidence``.
    """
    enabled: bool = True
    """Whether the feature is judged at all."""


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


def rule_values(rules: Rules) -> dict[str, float | int | str]:
    """The rules as a report names them; those that are not set or not of the mode are left out.

    Conditions are one text, with one condition a line.
    """
    values = msgspec.structs.asdict(rules) | {
        "cooldown": rules.effective_cooldown,
        "completeness_gap": rules.tolerated_loss,
        "early": int(rules.early),
        "conditions": "\n".join(rules.conditions) or None,
    }
    if not rules.by_evidence:
        values = {name: value for name, value in values.items() if name not in OF_EVIDENCE}
    return {name: value for name, value in values.items() if value is not None}
