"""Numbers become verdicts: the only place that knows thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np

from detectors.durations import Duration, duration_ms
from detectors.profiles.baseline import Constraints
from detectors.report import Verdict
from detectors.statistics.measures import Measures
from detectors.statistics.noise import noise

MOST_GAP = 0.999999
"""Distribution functions that are further apart have nothing in common: no shift of finite size
makes that."""

NUMBERS_ONLY: Final = frozenset({"ks", "wasserstein", "mean"})
TEXT_ONLY: Final = frozenset({"l_infinity"})

Count = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Level = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits and the policy of a job.

    * ``k``, ``of``: a feature must violate in ``k`` of the last ``of`` windows that do not overlap.
    * ``alpha``: chance of a false verdict in one window, shared out among the features.
    * ``limit``: the smallest distance that counts as drift, in the unit of the deciding statistic.
      Without it ``comparison_threshold`` of the baseline's ``constraints.json`` serves: a gap
      between distribution functions (:func:`equivalent`).
    * ``statistic``: the deciding statistic of features that name none.
    * ``min_n``: a window of fewer rows gets no verdict (``insufficient``).
    * ``cooldown``: how long an episode that goes on sends no further signal.
    * ``overwhelming_alpha``, ``overwhelming_n``: a single window is enough for a signal if its
      distance is above twice the limit and above the noise at this level, and it has at least this
      many rows.
    * ``type_match``, ``domain_match``: the share of values that must fit type and domain, if
      ``constraints.json`` asks for more. The 1.0 that SageMaker writes there would make a single
      malformed value a violation; set 1.0 here to have that.
    * ``completeness_gap``: a loss of completeness up to this is no violation.
    * ``negative_share``: the share of negative values that a feature may have if it had none in the
      baseline.
    * ``vanished_n``: a value has vanished if it does not occur although more than this many were
      expected.
    """

    k: Count = 2
    """A feature must violate in ``k`` of the last ``of`` windows that do not overlap."""
    of: Count = 3
    """The number of windows that ``k`` refers to."""
    alpha: Level = 0.001
    """The chance of a false verdict in one window, divided among the features."""
    limit: Amount | None = None
    """The smallest distance that counts as drift, in the unit of the deciding statistic. Without it
    ``comparison_threshold`` of the baseline's ``constraints.json``, a gap between distribution
    functions.
    """
    statistic: str = "psi"
    """The deciding statistic of features that name none."""
    min_n: Count = 100
    """A window of fewer rows gets no verdict (``insufficient``)."""
    cooldown: Duration = "30m"
    """An episode that continues sends no further signal for this long."""
    overwhelming_alpha: Level = 1e-9
    """The noise level that a single window must exceed to be enough for a signal."""
    overwhelming_n: Count = 500
    """The number of rows that such a window must have; its distance must also be above twice the
    limit.
    """
    type_match: Share = 0.99
    """The share of values that must have the type of the baseline, if ``constraints.json`` asks for
    more. SageMaker writes 1.0 there, which makes a single malformed value a violation; set 1.0
    here to have that.
    """
    domain_match: Share = 0.99
    """The share of values that must be in the domain of the baseline, if ``constraints.json`` asks
    for more.
    """
    completeness_gap: Share = 0.01
    """A loss of completeness up to this is no violation."""
    negative_share: Share = 0.001
    """The share of negative values that a feature may have if it had none in the baseline."""
    vanished_n: Amount = 30.0
    """A value has vanished if it does not occur although more than this many were expected."""

    @property
    def cooldown_ms(self) -> int:
        """``cooldown`` in milliseconds."""
        return duration_ms(self.cooldown)


class FeatureRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one feature does differently: its own limit or statistic, or no judgement at all."""

    limit: Amount | None = None
    """The feature's own limit; without it that of ``rules``."""
    statistic: str | None = None
    """The feature's own deciding statistic; without it that of ``rules``."""
    enabled: bool = True
    """Whether the feature is judged at all."""


class Ruling(NamedTuple):
    """The verdict on one feature's deciding distance: ``value`` against ``limit``, the larger of
    ``asked`` and ``noise``.
    """

    statistic: str
    value: float
    limit: float
    noise: float
    asked: float
    enabled: bool
    verdict: Verdict
    overwhelming: bool


def rule(
    rules: Rules,
    own: Mapping[str, FeatureRules],
    constraints: Constraints,
    measures: Measures,
    rows: int,
) -> list[Ruling]:
    """The ruling on each feature of the layout, in its order.

    ``insufficient`` below ``min_n`` rows or where the statistic is undefined; ``disabled`` where
    the feature or the comparison is switched off. ``alpha`` is divided by the number of features
    that are judged.
    """
    features = measures.layout.features
    chosen = [_chosen(rules, own.get(feature.name), feature.numeric) for feature in features]
    on = [_enabled(own.get(feature.name), constraints, feature.name) for feature in features]
    compared = (
        constraints.thresholds.evaluate_constraints and constraints.thresholds.perform_comparison
    )
    judged = [one and compared for one in on]
    share = max(sum(judged), 1)
    noises = {name: noise(name, measures, rules.alpha / share) for name in set(chosen)}
    far = {name: noise(name, measures, rules.overwhelming_alpha / share) for name in set(chosen)}
    out = []
    for i, (feature, name) in enumerate(zip(features, chosen, strict=True)):
        value, floor = float(measures.distances[name][i]), float(noises[name][i])
        asked = _limit(rules, own.get(feature.name), constraints, feature.numeric, name)
        limit = float(np.fmax(asked, floor))
        verdict = _verdict(rules, judged[i], value, limit, float(measures.n[i]), rows)
        big = (
            value > max(2.0 * limit, float(far[name][i])) and measures.n[i] >= rules.overwhelming_n
        )
        out.append(
            Ruling(
                name,
                value,
                limit,
                floor,
                asked,
                on[i],
                verdict,
                bool(verdict == "violation" and big),
            )
        )
    return out


def fits(statistic: str, numeric: bool) -> bool:
    """Whether a statistic or series is defined on numbers, or on text.

    >>> fits("ks", numeric=True), fits("ks", numeric=False), fits("psi", numeric=False)
    (True, False, True)
    """
    return statistic not in (TEXT_ONLY if numeric else NUMBERS_ONLY)


def _chosen(rules: Rules, own: FeatureRules | None, numeric: bool) -> str:
    if own and own.statistic:
        return own.statistic
    return rules.statistic if fits(rules.statistic, numeric) else "psi"


def _enabled(own: FeatureRules | None, constraints: Constraints, name: str) -> bool:
    constraint = constraints.features.get(name)
    return (constraint is None or constraint.evaluate) and (own is None or own.enabled)


def _limit(
    rules: Rules, own: FeatureRules | None, constraints: Constraints, numeric: bool, statistic: str
) -> float:
    thresholds = constraints.thresholds
    if own and own.limit is not None:
        return own.limit
    if rules.limit is not None:
        return rules.limit
    categorical = thresholds.categorical_comparison_threshold
    return equivalent(
        statistic,
        thresholds.comparison_threshold if numeric or categorical is None else categorical,
    )


def equivalent(statistic: str, gap: float) -> float:
    """The value that ``statistic`` has for the drift whose distribution functions are ``gap`` apart
    at most.

    ``comparison_threshold`` is such a gap, so that one threshold means one drift whichever
    statistic decides. The drift taken is that of a normal distribution which moves by d deviations:
    ``gap = 2 Phi(d / 2) - 1``, Wasserstein ``d``, PSI ``d**2``, Hellinger ``sqrt(1 - exp(-d**2 /
    8))``, Jensen-Shannon ``sqrt(d**2 / (8 ln 2))`` (to second order), KS and L-infinity the gap
    itself.

    >>> [round(equivalent(name, 0.1), 3) for name in ("ks", "psi", "hellinger", "jensen_shannon", "wasserstein")]
    [0.1, 0.063, 0.089, 0.107, 0.251]
    """
    d = 2.0 * NormalDist().inv_cdf((1.0 + min(gap, MOST_GAP)) / 2.0)
    others = {
        "psi": d * d,
        "hellinger": sqrt(1.0 - exp(-d * d / 8.0)),
        "jensen_shannon": sqrt(d * d / (8.0 * log(2.0))),
        "wasserstein": d,
    }
    return others.get(statistic, gap)


def _verdict(
    rules: Rules, judged: bool, value: float, limit: float, n: float, rows: int
) -> Verdict:
    if not judged:
        return "disabled"
    if min(n, rows) < rules.min_n or not np.isfinite(value):
        return "insufficient"
    return "violation" if value > limit else "ok"


def binomial_excess(bad: float, n: float, share: float, m: float, alpha: float) -> bool:
    """True if ``bad`` of ``n`` is more than a share estimated from ``m`` baseline rows explains at
    level ``alpha``.

    Normal bound with half a count added to the variance on both sides: ``bad/n > share + z *
    sqrt(v/n + v/m)`` with ``v = share * (1 - share) + 0.5 / n``, ``z = sqrt(2 ln(1/alpha))`` (an
    upper bound of the quantile).
    """
    variance = share * (1.0 - share) + 0.5 / n
    z = float(np.sqrt(2.0 * np.log(1.0 / alpha)))
    return bad / n > share + z * float(np.sqrt(variance / n + variance / max(m, 1.0)))


def rule_values(rules: Rules) -> dict[str, float | int | str]:
    """The rules as a report names them; limits that come from the baseline are left out."""
    return {
        name: value for name, value in msgspec.structs.asdict(rules).items() if value is not None
    }
