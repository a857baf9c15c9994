"""Tells quickly that nothing in a window violates, for who judges many windows again."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.decisions import checks as checks_folder
from detectors.decisions.catalogue import CHECKS
from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.checks.categorical_values_check import required_domain_share
from detectors.decisions.evidence.violations import evidence_violations
from detectors.decisions.violations import violations_of
from detectors.profiles.baseline import Baseline, Constraint
from detectors.profiles.domains import allowed_bins

ONLY_OWN: Final = all(
    type(check).__module__.startswith(checks_folder.__name__) for check in CHECKS.values()
)
"""Whether all checks are driftline's own: what others look at is not known here."""


def is_quiet(window: CheckedWindow) -> bool:
    """Whether a window has no violation, and nothing lingers in it from an episode.

    By evidence that is known without the rulings on the distances: where no finding holds, only
    what ``constraints.json`` states beyond the baseline can be violated.
    """
    evidence = window.evidence
    if evidence is None or not ONLY_OWN:
        return not violations_of(window)
    if window.too_narrow or window.too_wide:
        return False
    if evidence.joint is not None and (evidence.joint.lingers or evidence.joint.holds.any()):
        return False
    sides = [evidence] if evidence.segments is None else [evidence, evidence.segments]
    if any(side.lingering or side.any_holds for side in sides):
        return False
    stated = _stated(window.baseline)
    suspects = {*stated.others, *_beyond_domains(window, stated)}
    checked = suspects.intersection(window.checked_features()) if suspects else ()
    return not any(evidence_violations(window, evidence, i) for i in checked)


class _Stated(NamedTuple):
    """What ``constraints.json`` states beyond the baseline, by position of the feature.

    ``with_domain``: features whose domain has bins, in ``slots``, those of each one from
    ``firsts`` on. ``others``: those of another type than in the baseline, of none there, and with a
    domain without a bin.
    """

    others: tuple[int, ...]
    with_domain: Ints
    slots: Ints
    firsts: Ints


@lru_cache(maxsize=16)
def _stated(baseline: Baseline) -> _Stated:
    layout, others, domains = baseline.layout, [], {}
    for i, feature in enumerate(layout.features):
        constraint = baseline.constraints.features.get(feature.name, Constraint())
        domain = constraint.domains
        bins = np.empty(0, np.int64) if domain is None else allowed_bins(layout, i, domain)
        if len(bins):
            domains[i] = bins
        elif domain is not None:
            others.append(i)
        if feature.type == "Unknown" or constraint.type not in (msgspec.UNSET, feature.type):
            others.append(i)
    sizes = np.array([len(bins) for bins in domains.values()], np.int64)
    slots = np.concatenate([np.empty(0, np.int64), *domains.values()])
    return _Stated(tuple(others), np.array([*domains], np.int64), slots, np.cumsum(sizes) - sizes)


def _beyond_domains(window: CheckedWindow, stated: _Stated) -> list[int]:
    """The features of which fewer values than required are in their domains."""
    if not len(stated.with_domain):
        return []
    inside = np.add.reduceat(window.pair.window.counts[stated.slots], stated.firsts)
    present = window.measures.present[stated.with_domain]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1.0 - (present - inside) / present
    beyond: list[int] = stated.with_domain[share < required_domain_share(window)].tolist()
    return beyond
