"""The check for unknown categories: too few values are in the feature's domain."""

from __future__ import annotations

from typing import ClassVar

from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.decisions.rulings import required_share
from detectors.phrases import percent
from detectors.profiles.domains import allowed_bins
from detectors.profiles.profile import Profile
from detectors.violation import Violation


class CategoricalValuesCheck(Check):
    """The share of present values that are in the ``domains`` of the baseline is too small.

    At least ``domain_content_threshold`` of the baseline is required (``domain_match`` of the rules
    where that is 1.0). A value of the domain that the baseline does not have is recognised by its
    hash, see :mod:`detectors.profiles.domains`. Named as in SageMaker Model Monitor.
    """

    position: ClassVar[int] = 40

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if values outside the domain are more than chance explains."""
        domain = window.constraints[i].domains
        present = float(window.measures.present[i])
        if domain is None or present == 0:
            return None
        required = required_domain_share(window)
        inside = inside_domain(window.pair.window, i, domain)
        share = inside / present
        if share >= required:
            return None
        if not window.beyond_chance(i, present - inside, present, 1.0 - required):
            return None
        return self.found(window, i, share, required)

    def found(self, window: CheckedWindow, i: int, share: float, required: float) -> Violation:
        """The violation of a feature of whose values a ``share`` is in the domain."""
        names = new_values(window, i)
        return self.violation(
            window,
            i,
            statistic="domain_match",
            value=share,
            limit=required,
            description=f"Value: {share!r} does not meet the constraint requirement! ",
            summary=(
                f"{percent(share)} of the values are in the domain, at least {percent(required)}"
                f" required (n = {int(window.measures.n[i]):,})"
                + (f"; new values: {names}" if names else "")
            ),
            diagnosis=_diagnosis(window, i, 1.0 - share),
            overwhelming=window.overwhelming_loss(i, share, required),
        )


def _diagnosis(window: CheckedWindow, i: int, outside: float) -> str:
    """Values are new unless the baseline has half as many outside the domain: its share there."""
    domain = window.constraints[i].domains or ()
    baseline = window.pair.baseline
    present = int(baseline.counts[baseline.layout.bins(i)].sum())
    before = 1.0 - inside_domain(baseline, i, domain) / present if present else 0.0
    return "values outside the domain" if before > outside / 2 else "new category values"


def required_domain_share(window: CheckedWindow) -> float:
    """The share that is asked for."""
    thresholds = window.baseline.constraints.thresholds
    return required_share(thresholds.domain_content_threshold, window.rules.least_domain_match)


def new_values(window: CheckedWindow, i: int) -> str:
    """The new values outside of the domain in words; empty if they may not be named."""
    domain = window.constraints[i].domains
    if window.layout.features[i].numeric:
        return ""
    allowed = None if domain is None else allowed_bins(window.layout, i, domain)
    return window.new_values(i, allowed)


def inside_domain(side: Profile, i: int, domain: tuple[str, ...]) -> int:
    """Values of feature ``i`` in the bins of the domain."""
    return int(side.counts[allowed_bins(side.layout, i, domain)].sum())
