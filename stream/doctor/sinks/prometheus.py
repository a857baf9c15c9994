"""Prometheus: how many series the job will have."""

from __future__ import annotations

from sinks.prometheus import STATES, WORST, Prometheus
from stream.doctor.findings import Finding, counted
from stream.doctor.setup import Setup

CHECKS = 1
"""Series of violations that a model always has; each check that finds something adds one."""
OF_MODEL = 3
"""Rows, completeness, end of the window."""
OF_FEATURE = 3
"""Completeness, distance, limit."""


def look(sink: Prometheus, setup: Setup) -> list[Finding]:
    """Series of one variant of each model, against the cap."""
    features = [len(one.layout.features) for one in setup.baselines.values()]
    return [series_finding(features, len(sink.per_feature), sink.max_series)]


def series_finding(features: list[int], more: int, most: int) -> Finding:
    """How many series models with so many features have, with ``more`` statistics of each; beyond ``most`` the calmest are left out."""
    per_model = [OF_MODEL + CHECKS + len(STATES) + min(WORST, n) + n * (OF_FEATURE + more) for n in features]
    total = sum(per_model)
    what = f"at most {total:,} series a variant of {counted(len(features), 'model')} (max_series {most:,})"
    if total > most:
        return Finding("prometheus", what, "warning", "The calmest features will not be shown: raise max_series")
    return Finding("prometheus", what)
