"""A look into an open window: which features have evidence enough, and drift that is worth it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.decisions.budget import feature_alphas, looks_alpha
from detectors.decisions.evidence.window_evidence import effect_limits, weights_of
from detectors.decisions.rules import FeatureRules, Rules
from detectors.early_finding import EarlyFinding
from detectors.finding import EvidenceFinding
from detectors.profiles.baseline import Baseline
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.dependence import factor_of
from detectors.statistics.evidence.early import EarlyEvidence, EProcess
from detectors.statistics.evidence.early_starts import EarlyStarts
from detectors.statistics.evidence.findings import Allowance, findings
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.seasonal import seasonal_tallies
from detectors.statistics.evidence.tallies import MOST_LAYOUTS, TallyLayout, tally_layout

LEAST_ROWS: Final = 10
"""The rows below which nothing is said: three missing values may be evidence enough, but are no
number for people. It is no help against rows that come in groups; the factor is."""
ANY_P_VALUE: Final = 0.5
"""The p-value up to which a test may name what has changed: that something has is known by then."""


def process_of(
    baseline: Baseline, of_stream: Floats, start_ms: int = 0, length_ms: int | None = None
) -> EProcess:
    """The e-values of a baseline, for rows that depend on each other as those before did.

    ``of_stream``: ``float64[features]``, the design effect that the windows before show. Of
    independent rows, the e-values of the last baselines are kept. ``start_ms`` is the start of the
    window, which belongs to a season where the baseline has any. With its length, ``length_ms``, it
    is compared with the line between hours too, where that is another.
    """
    layout = tally_layout(baseline)
    factor = factor_of(layout, baseline.dependence, of_stream, layout.baseline[None])[0]
    seasonal = seasonal_tallies(baseline)
    process = _process(layout, factor, seasonal.at(start_ms) if seasonal else layout.whole)
    if seasonal is None or length_ms is None or not seasonal.differs([start_ms], length_ms):
        return process
    return EProcess(layout, factor, seasonal.at(start_ms, length_ms), process)


def _process(layout: TallyLayout, factor: Floats, reference: TallyReference) -> EProcess:
    if (factor > 1.0).any():
        return EProcess(layout, factor, reference)
    return _of_independent_rows(layout, reference)


@lru_cache(maxsize=MOST_LAYOUTS)
def _of_independent_rows(layout: TallyLayout, reference: TallyReference) -> EProcess:
    return EProcess(layout, np.ones(layout.features), reference)


def budget_of(
    baseline: Baseline, rules: Rules, feature_rules: Mapping[str, FeatureRules], window_ms: int
) -> tuple[Floats, Floats]:
    """What each feature may spend on all looks into one window, and its effect limit."""
    own = [feature_rules.get(feature.name) for feature in baseline.layout.features]
    alpha = looks_alpha(rules.false_alarms, window_ms)
    return feature_alphas(alpha, weights_of(baseline, own)), effect_limits(rules, own)


def look(
    process: EProcess, tallies: Ints, starts: EarlyStarts, alpha: Floats, effect_limit: Floats
) -> tuple[EarlyFinding, ...]:
    """The features of which the rows of an open window are evidence of a drift worth a signal.

    ``alpha``: ``float64[features]``, what each may spend on all looks into the window; nothing is
    said of a feature with 0. Its e-value must reach ``1 / alpha``, since one of the starts, and a
    test of the same rows must estimate an effect of at least ``effect_limit``. So it must against
    both references of a process that has two.
    """
    found = _found(process, tallies, starts, alpha, effect_limit)
    if not found or process.second is None:
        return found
    second = _found(process.second, tallies, starts, alpha, effect_limit)
    names = {finding.feature for finding in second}
    return tuple(finding for finding in found if finding.feature in names)


def _found(
    process: EProcess, tallies: Ints, starts: EarlyStarts, alpha: Floats, effect_limit: Floats
) -> tuple[EarlyFinding, ...]:
    sums = starts.sums(tallies)
    evidence = process.strongest(sums, starts.log_weights())
    with np.errstate(divide="ignore"):
        needed = -np.log(alpha)
    crossed = np.flatnonzero((evidence.log_e >= needed) & (evidence.rows >= LEAST_ROWS))
    found: list[EarlyFinding] = []
    for k in np.unique(evidence.start[crossed]).tolist():
        rows = Pooled(process.layout, sums[[k]], process.factor, reference=process.reference)
        named = findings(rows, _judged(effect_limit))
        for i in crossed[evidence.start[crossed] == k].tolist():
            holding = [finding for finding in named[i].values() if finding.holds]
            if holding:
                finding = min(holding, key=lambda each: each.strength)
                found.append(_early(process, evidence, i, finding, needed[i], starts.at_ms(k)))
    return tuple(found)


def _judged(effect_limit: Floats) -> Allowance:
    """How the tests name what has changed, when it is known that something has."""
    return Allowance(
        alpha=np.full(len(effect_limit), ANY_P_VALUE),
        effect_limit=effect_limit,
        windows=np.ones(len(effect_limit), np.int64),
    )


def _early(
    process: EProcess,
    evidence: EarlyEvidence,
    i: int,
    finding: EvidenceFinding,
    needed: float,
    since_ms: int,
) -> EarlyFinding:
    return EarlyFinding(
        feature=process.layout.layout.features[i].name,
        subject=finding.subject,
        log_e_value=float(evidence.log_e[i]),
        needed=float(needed),
        n=int(evidence.rows[i]),
        since_ms=since_ms,
        effect=finding.effect,
        direction=finding.direction,
    )
